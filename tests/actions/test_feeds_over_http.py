"""What a feed reader sees between two builds, from the store to the wire: deltas, removals, old addresses."""

import json
import os
import socket
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import feedparser
import pytest
import uvicorn
from starlette.testclient import TestClient

from dateline.actions.build import build
from dateline.actions.check import check
from dateline.actions.migrate import migrate_database
from dateline.config import load_config, read_config
from dateline.press import Press, open_press
from dateline.web.app import build_app
from dateline.web.feed_files import FeedFiles
from dateline.web.feed_protocol import feed_protocol
from tests.feeds.arrange import NOON, program, save

CONFIG = """
[site]
title = "The Border Reporter"
url = "https://border.example.org/"
[web]
url = "https://press.example.org/"
[websub]
hubs = ["https://hub.example.org/"]
[[redirects]]
from = "/node/feed?type=rss"
to = "/feeds/all.rss"
{feeds}
[mail]
from = "digest@border.example.org"
"""
AIR = '[[feeds]]\nslug = "air"\ntitle = "Air"\nselect = {tags = ["Air"]}'


def a_press(folder: Path, feeds: str = "") -> Press:
    """A press in `folder`, opened anew."""
    path = folder / "config.toml"
    path.write_text(CONFIG.replace("{feeds}", feeds))
    opened = open_press(load_config(path, {}), folder, clock=lambda: NOON)
    migrate_database(opened)
    return opened


def a_client(press: Press) -> TestClient:
    """A feed reader that follows no redirect."""
    return TestClient(
        build_app(press), base_url="https://press.example.org", follow_redirects=False
    )


@pytest.fixture
def press(tmp_path: Path) -> Press:
    """A press with three posts, built."""
    opened = a_press(tmp_path)
    for number in (1, 2, 3):
        save(opened.engine, number, tags=("Air",))
    build(opened)
    return opened


@pytest.mark.parametrize("format_", ["atom", "rss", "json"])
def test_rfc3229_a_reader_gets_the_new_post_and_the_revised_one_and_no_other(
    press: Press, format_: str
) -> None:
    client = a_client(press)
    path = f"/feeds/all.{format_}"
    first = client.get(path, headers={"A-IM": "feed"})
    assert first.status_code == 200
    known = {"A-IM": "feed", "If-None-Match": first.headers["etag"]}
    assert client.get(path, headers=known).status_code == 304
    save(press.engine, 4, tags=("Air",))
    save(press.engine, 2, title="Post 2, revised", tags=("Air",))
    build(press)
    delta = client.get(path, headers=known)
    assert delta.status_code == 226
    titles = _titles(delta.content, format_)
    assert sorted(titles) == ["Post 2, revised", "Post 4"]
    whole = client.get(path)
    assert whole.headers["etag"].replace("-br", "").replace("-gzip", "") == delta.headers["etag"]
    assert len(_titles(whole.content, format_)) == 4
    again = {"A-IM": "feed", "If-None-Match": delta.headers["etag"]}
    assert client.get(path, headers=again).status_code == 304


def test_a_delta_is_the_same_from_a_server_that_was_started_after_the_build(press: Press) -> None:
    tag = a_client(press).get("/feeds/all.atom").headers["etag"]
    save(press.engine, 4)
    build(press)
    asked = {"A-IM": "feed", "If-None-Match": tag}
    answers = [a_client(press).get("/feeds/all.atom", headers=asked) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [226, 226]
    assert answers[0].content == answers[1].content


def test_each_prepared_coding_of_a_real_build_is_sent(press: Press) -> None:
    client = a_client(press)
    for coding in ("gzip", "br"):
        answer = client.get("/feeds/all.atom", headers={"Accept-Encoding": coding})
        assert answer.headers["content-encoding"] == coding
        assert answer.headers["link"].endswith('<https://hub.example.org/>; rel="hub"')


def test_a_feed_taken_out_of_config_is_gone_and_comes_back(press: Press, tmp_path: Path) -> None:
    assert a_client(press).get("/feeds/air.atom").status_code == 404
    with_air = a_press(tmp_path, AIR)
    build(with_air)
    assert a_client(with_air).get("/feeds/air.atom").status_code == 200
    without = a_press(tmp_path)
    build(without)
    assert a_client(without).get("/feeds/air.atom").status_code == 410
    build(a_press(tmp_path, AIR))
    assert a_client(with_air).get("/feeds/air.atom").status_code == 200


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/node/feed?type=rss&x=y", "/feeds/all.rss"),
        ("/feeds/posts/default/-/Air?alt=rss", "/feeds/tag-air.rss"),
        ("/?feed=atom", "/feeds/all.atom"),
    ],
)
def test_old_addresses_lead_to_what_was_built(press: Press, old: str, new: str) -> None:
    answer = a_client(press).get(old)
    assert answer.status_code == 301
    assert answer.headers["location"] == f"https://press.example.org{new}"


def test_the_front_page_and_an_unknown_tag_are_still_the_sites(press: Press) -> None:
    client = a_client(press)
    assert client.get("/").status_code == 200
    assert client.get("/tag/nothing/feed/").status_code == 404


def test_rfc3229_newsboat_puts_a_delta_together_with_what_it_has(
    press: Press, tmp_path: Path
) -> None:
    newsboat = program("newsboat", "newsboat")
    seen: list[int] = []
    app = build_app(press, on_answer=lambda path, status, *_: seen.append(status))
    home = tmp_path / "newsboat"
    home.mkdir()
    (home / "config").write_text("reload-time 0\n")
    with _served(app) as port:
        (home / "urls").write_text(f"http://127.0.0.1:{port}/feeds/all.atom\n")
        command = [newsboat, "-u", str(home / "urls"), "-c", str(home / "cache.db")]
        command += ["-C", str(home / "config"), "-x", "reload"]
        reload = partial(
            subprocess.run, command, env={**os.environ, "HOME": str(home)}, check=True, timeout=60
        )
        reload()
        reload()  # it keeps the first answer's validators with the second (newsboat 2734)
        save(press.engine, 4)
        save(press.engine, 2, title="Post 2, revised", tags=("Air",))
        build(press)
        reload()
        reload()
    assert seen[-2:] == [226, 304]
    with closing(sqlite3.connect(home / "cache.db")) as cache:
        titles = {row[0] for row in cache.execute("SELECT title FROM rss_item")}
    assert titles == {"Post 1", "Post 2, revised", "Post 3", "Post 4"}


@contextmanager
def _served(app: FeedFiles) -> Iterator[int]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    config = uvicorn.Config(
        app, loop="uvloop", http=feed_protocol(app.reply), lifespan="off", log_config=None
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(20)


def _titles(body: bytes, format_: str) -> list[str]:
    if format_ == "json":
        return [item["title"] for item in json.loads(body)["items"]]
    parsed = feedparser.parse(body)
    assert not parsed.bozo
    return [entry.title for entry in parsed.entries]


def test_check_names_redirects_that_lead_nowhere_or_never_count(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    wrong = """
[[redirects]]
from = "/a.xml"
to = "/feeds/none.atom"
[[redirects]]
from = "/feeds/all.json"
to = "/feeds/all.atom"
"""
    build(a_press(tmp_path, wrong))
    loaded = read_config(path, {})
    found = [
        str(one).replace(f"{tmp_path}/", "") for one in check(a_press(tmp_path, wrong), loaded)
    ]
    assert "config.toml:15: no such feed is published: /feeds/none.atom." in found
    assert "config.toml:17: a feed lies there, and is served instead: /feeds/all.json." in found
    assert not any("/feeds/all.rss" in one for one in found)
