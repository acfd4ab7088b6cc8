"""`dateline demo`, as somebody runs it who has just installed it."""

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from dateline.demo.newsroom import write_newsroom
from dateline.demo.readers import readers_csv
from dateline.press import utc_now

COMMAND = [sys.executable, "-m", "dateline", "demo"]


def environment(tmp_path: Path) -> dict[str, str]:
    """An environment whose settings would break the demo if it looked at them."""
    folder = tmp_path / "tmp"
    folder.mkdir(exist_ok=True)
    return {
        **os.environ,
        "TMPDIR": str(folder),
        "DATELINE_CONFIG": "/nonexistent/config.toml",
        "DATELINE_NONSENSE": "1",
        "DATELINE_MAIL__TRANSPORT": "smtp",
        "DATELINE_DATABASE__URL": "postgresql://nobody@nowhere.example/x",
        "PYTHONPATH": str(Path(__file__).parent.parent.parent),
    }


def run(tmp_path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Runs the demo in an empty folder."""
    return subprocess.run(
        [*COMMAND, *options],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_once_makes_a_newsroom_two_digests_and_says_what_and_where(tmp_path: Path) -> None:
    done = run(tmp_path, "--once", "--keep")
    assert done.returncode == 0, done.stderr
    for text in (
        "13 in 2 languages",
        "328",
        "digest No. 1",
        "digest No. 2",
        "var/outbox/",
        "Kept: ",
    ):
        assert text in done.stdout
    (folder,) = (tmp_path / "tmp").glob("dateline-demo-*")
    assert (folder / "public" / "feeds" / "all.atom").is_file()
    mails = [
        message_from_bytes(file.read_bytes(), policy=policy.default)
        for file in (folder / "var" / "outbox" / "new").iterdir()
    ]
    assert len(mails) == 656
    assert len({mail["To"] for mail in mails}) == 328
    assert {mail["Content-Language"] for mail in mails} == {"en", "es"}
    assert sum("open tonight" in mail["Subject"] for mail in mails) == 328


def test_once_leaves_nothing_behind_unless_told_to(tmp_path: Path) -> None:
    done = run(tmp_path, "--once")
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "tmp").glob("dateline-demo-*")) == []
    assert [path.name for path in tmp_path.iterdir()] == ["tmp"]


def test_the_pages_are_served_with_the_mailbox_until_ctrl_c(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    demo = subprocess.Popen(
        [*COMMAND, "--port", str(port)],
        cwd=tmp_path,
        env={**environment(tmp_path), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert demo.stdout is not None
        for line in demo.stdout:
            if "Ctrl-C" in line:
                break
        url = f"http://127.0.0.1:{port}"
        for path, text in (
            ("/", "The bridge closes at night"),
            ("/daily/1/", "La Garita"),
            ("/feeds/all.atom", "<feed"),
            ("/media/bridge.svg", "<svg"),
            ("/mailbox/?q=tess.marsh", "tess.marsh@"),
        ):
            with urllib.request.urlopen(url + path, timeout=20) as answer:
                assert text in answer.read().decode()
        demo.send_signal(signal.SIGINT)
        assert demo.wait(timeout=30) == 0
    finally:
        demo.kill()
    assert list((tmp_path / "tmp").glob("dateline-demo-*")) == []


@pytest.mark.parametrize(
    "wanted", ["<blockquote", "| Day |", "```", "](", "خبز", "⛴", "\n- ", "\n1. "]
)
def test_the_sample_posts_show_what_posts_can_hold(tmp_path: Path, wanted: str) -> None:
    write_newsroom(tmp_path / "n", now=utc_now(), port=8300)
    texts = [file.read_text("utf-8") for file in (tmp_path / "n" / "content").iterdir()]
    assert len(texts) == 12
    assert any(wanted in text for text in texts)
    assert not any("@" in text.split("---")[1] for text in texts)


def test_the_sample_pictures_are_there_and_small(tmp_path: Path) -> None:
    write_newsroom(tmp_path / "n", now=utc_now(), port=8300)
    texts = "".join(file.read_text("utf-8") for file in (tmp_path / "n" / "content").iterdir())
    for file in (tmp_path / "n" / "media").iterdir():
        assert f"](/media/{file.name})" in texts
        assert file.stat().st_size < 60_000


def test_the_readers_are_invented_and_each_is_another() -> None:
    rows = readers_csv().splitlines()[1:]
    addresses = [row.split(",")[0] for row in rows]
    assert len(set(addresses)) == 328
    assert all(address.endswith(("example.org", "example.net")) for address in addresses)
