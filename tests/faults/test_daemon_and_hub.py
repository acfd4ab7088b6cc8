"""`dateline run` as a whole process: a hub is told of what it serves and can fetch it; who asked is counted to the end."""

import signal
import socket
import threading
import urllib.request
from pathlib import Path

import pytest

from dateline.actions.audience import audience_of_feeds
from dateline.actions.poll import poll
from dateline.config import load_config
from dateline.press import Press, open_press
from tests.actions.hub import a_hub
from tests.faults.press import migrate, wait_until
from tests.faults.test_daemon import a_daemon

CONFIG = """
[site]
title = "La Frontera"
url = "https://frontera.example/"

[web]
url = "http://127.0.0.1:{port}"
listen = "127.0.0.1:{port}"

[websub]
hubs = ["{hub}"]
allow_private = true

[[sources]]
kind = "folder"
location = "content"

[mail]
from = "press@news.example"
"""

pytestmark = pytest.mark.faults


def a_newsroom(folder: Path, hub: str) -> tuple[Press, str]:
    """A press with one post that tells `hub`, and the address of its main feed."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    path = folder / "config.toml"
    path.write_text(CONFIG.format(port=port, hub=hub))
    (folder / "content").mkdir()
    (folder / "content/one.md").write_text("---\ntitle: The bridge\n---\nIt is open.")
    press = open_press(load_config(path, {}), folder)
    migrate(press)
    return press, f"http://127.0.0.1:{port}/feeds/all.atom"


def test_the_daemon_tells_a_hub_which_fetches_and_what_was_served_last_is_counted(
    tmp_path: Path,
) -> None:
    with a_hub() as hub:
        press, main = a_newsroom(tmp_path, hub.url)
        with a_daemon(tmp_path) as daemon:
            wait_until(lambda: any(b"The bridge" in body for body in hub.passed_on.get(main, ())))
            assert hub.refusals == []
            agent = "Feedly/1.0 (+http://www.feedly.com/fetcher.html; 16 subscribers)"
            asked = urllib.request.Request(main, headers={"User-Agent": agent})
            with urllib.request.urlopen(asked, timeout=10) as answer:
                assert answer.status == 200
            daemon.process.send_signal(signal.SIGTERM)
            assert daemon.process.wait(30) == 0
    found = audience_of_feeds(press)["all"]
    assert found.subscribers == 16
    assert {one.program for one in found.programs} >= {"Feedly"}
    assert daemon.events("hub told")


def test_a_hub_that_hangs_holds_neither_the_next_build_up_nor_the_end_of_the_daemon(
    tmp_path: Path,
) -> None:
    release = threading.Event()
    with a_hub() as hub:
        hub.behaviour = lambda _: release.wait(60) and None
        press, _ = a_newsroom(tmp_path, hub.url)
        with a_daemon(tmp_path) as daemon:
            wait_until(lambda: bool(hub.pings))
            (tmp_path / "content/two.md").write_text("---\ntitle: The dam\n---\nIt has burst.")
            poll(press)
            document = press.public / "feeds/all.atom"
            wait_until(lambda: b"The dam" in document.read_bytes())
            daemon.process.send_signal(signal.SIGTERM)
            assert daemon.process.wait(30) == 0
        release.set()
