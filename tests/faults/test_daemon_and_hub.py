"""`dateline run` as a whole process: a hub is told of what it serves and can fetch it; who asked is counted to the end."""

import signal
import socket
import urllib.request
from pathlib import Path

import pytest

from dateline.actions.audience import audience_of_feeds
from dateline.config import load_config
from dateline.press import open_press
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


def test_the_daemon_tells_a_hub_which_fetches_and_what_was_served_last_is_counted(
    tmp_path: Path,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with a_hub() as hub:
        path = tmp_path / "config.toml"
        path.write_text(CONFIG.format(port=port, hub=hub.url))
        (tmp_path / "content").mkdir()
        (tmp_path / "content/one.md").write_text("---\ntitle: The bridge\n---\nIt is open.")
        press = open_press(load_config(path, {}), tmp_path)
        migrate(press)
        main = f"http://127.0.0.1:{port}/feeds/all.atom"
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
