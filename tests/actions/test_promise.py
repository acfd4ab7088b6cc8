"""The promise, kept end to end through the command line: a blog's address and a readers' file, and each has a digest."""

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.posts.web_server import Answer, WebServer, web_server

READERS = 3_000
POSTS = 12


@pytest.fixture
def blog() -> Iterator[WebServer]:
    """A blog on loopback whose home page names its Atom feed."""
    home = b"""<!doctype html><html lang="en"><head><title>La Frontera List</title>
        <link rel="alternate" type="application/atom+xml" href="/atom.xml"></head><body></body></html>"""
    now = datetime.now(UTC)
    entries = "".join(
        f"""<entry><id>tag:blog.example,2026:{n}</id><title>Report {n}</title>
        <link rel="alternate" href="https://blog.example/{n}.html"/>
        <published>{(now - timedelta(days=n)).isoformat()}</published>
        <updated>{(now - timedelta(days=n)).isoformat()}</updated>
        <content type="html">&lt;p&gt;{"The bridge stays closed. " * 60}&lt;/p&gt;</content></entry>"""
        for n in range(POSTS)
    )
    feed = f"""<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"><id>tag:blog.example,2026:</id>
        <title>La Frontera List</title><updated>{now.isoformat()}</updated>{entries}</feed>"""
    atom = Answer(body=feed.encode(), headers={"Content-Type": "application/atom+xml"})
    html = Answer(body=home, headers={"Content-Type": "text/html; charset=utf-8"})
    with web_server({"/": html, "/atom.xml": atom}) as server:
        yield server


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """A recording SMTP sink in a process of its own: its port, and its log (a line a message)."""
    log, port_file = tmp_path / "sink.log", tmp_path / "sink.port"
    command = [sys.executable, "-m", "tests.smtp_sink", str(log), "--port-file", str(port_file)]
    process = subprocess.Popen(command)
    try:
        while not port_file.exists():
            assert process.poll() is None
            os.sched_yield()
        yield int(port_file.read_text()), log
    finally:
        process.kill()
        process.wait()


def test_a_blog_and_a_readers_file_become_a_digest_each_in_eight_commands(
    blog: WebServer, sink: tuple[int, Path], tmp_path: Path
) -> None:
    port, log = sink
    rows = "".join(f"reader{n}@example.org,2011-03-04,Active\n" for n in range(READERS))
    (tmp_path / "readers.csv").write_text("Email,Subscribed,Status\n" + rows)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("DATELINE_")}
    environment |= {
        "DATELINE_MAIL__TRANSPORT": "smtp",
        "DATELINE_MAIL__HOST": "127.0.0.1",
        "DATELINE_MAIL__PORT": str(port),
        "DATELINE_MAIL__TLS": "none",
    }
    commands = 0

    def dateline(*words: str, folder: Path = tmp_path / "press") -> str:
        nonlocal commands
        commands += 1
        done = subprocess.run(
            [sys.executable, "-m", "dateline", *words],
            cwd=folder,
            env=environment if words[0] != "init" else None,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    dateline("init", "press", "--from", blog.url, folder=tmp_path)
    dateline("poll")
    dateline(
        "subscribers",
        "import",
        "../readers.csv",
        "--newsletter",
        "daily",
        "--consent",
        "FeedBurner",
    )
    dateline("issues", "compose", "daily", "--latest", "5")
    dateline("issues", "test", "1", "editor@example.org")
    dateline("issues", "release", "1", "--yes")
    dateline("deliver")
    assert commands <= 8

    got = [line.split()[1:] for line in log.read_text().splitlines()]
    readers = Counter(recipient for recipient, _, _ in got if recipient.startswith("reader"))
    assert len(readers) == READERS
    assert set(readers.values()) == {1}
    assert sum(recipient == "editor@example.org" for recipient, _, _ in got) == 1
    assert len({message_id for _, message_id, _ in got}) == READERS + 1
    said = dateline("explain", "reader7@example.org")
    assert re.search(r"No\. 1 .*was sent", said)
