"""Feeds over HTTP: validators, types, and what never leaves the folder."""

import asyncio
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from dateline.web import feed_files
from dateline.web.feed_files import FeedFiles, served_type

CHANGED = datetime(2009, 9, 15, 12, 0, tzinfo=UTC)
LATER = CHANGED + timedelta(hours=1)
BODY = "<feed>ñ</feed>".encode()


@dataclass
class Answer:
    """What came back over ASGI."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


async def _behind(scope: Any, receive: Any, send: Any) -> None:
    """The application behind: answers 404 to everything."""
    await send({"type": "http.response.start", "status": 404, "headers": [(b"x-behind", b"1")]})
    await send({"type": "http.response.body", "body": b"behind"})


class Server:
    """The endpoint over a folder of documents, asked without a socket."""

    def __init__(self, public: Path) -> None:
        self.public = public
        self.now = LATER
        self._app = FeedFiles(_behind, public, lambda: self.now)

    def write(self, name: str, body: bytes, changed: datetime = CHANGED) -> None:
        """Puts a document there as a build does: by renaming."""
        path = self.public / name
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(".tmp")
        temporary.write_bytes(body)
        os.utime(temporary, (changed.timestamp(), changed.timestamp()))
        temporary.replace(path)

    def ask(self, path: str, method: str = "GET", **headers: str) -> Answer:
        """One request; header names with underscores."""
        answer = Answer()

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = {k.decode(): v.decode() for k, v in message["headers"]}
            else:
                answer.body += message["body"]

        async def receive() -> Any:
            return {"type": "http.request", "body": b""}

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "headers": [
                (name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()
            ],
        }
        asyncio.run(self._app(scope, receive, send))
        return answer


@pytest.fixture
def server(tmp_path: Path) -> Server:
    """A server with one Atom document."""
    made = Server(tmp_path / "public")
    made.write("feeds/all.atom", BODY)
    return made


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("feeds/all.atom", "application/atom+xml; charset=utf-8"),
        ("feeds/tag-a-b.rss", "application/rss+xml; charset=utf-8"),
        ("feeds/language-es-mx.json", "application/feed+json; charset=utf-8"),
        ("feeds.opml", "text/x-opml; charset=utf-8"),
    ],
)
def test_each_document_has_its_type(server: Server, name: str, media_type: str) -> None:
    server.write(name, BODY)
    answer = server.ask("/" + name)
    assert (answer.status, answer.body) == (200, BODY)
    assert answer.headers["content-type"] == media_type


def test_an_answer_says_how_long_it_holds_and_who_may_read_it(server: Server) -> None:
    headers = server.ask("/feeds/all.atom").headers
    assert headers["cache-control"] == "public, max-age=900"
    assert headers["access-control-allow-origin"] == "*"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["last-modified"] == "Tue, 15 Sep 2009 12:00:00 GMT"
    assert headers["content-length"] == str(len(BODY))
    assert "set-cookie" not in headers
    assert "expires" not in headers


def test_head_gives_the_headers_of_get_and_no_body(server: Server) -> None:
    get, head = server.ask("/feeds/all.atom"), server.ask("/feeds/all.atom", "HEAD")
    assert (head.status, head.headers, head.body) == (200, get.headers, b"")


@pytest.mark.parametrize("validator", ["etag", "last-modified"])
def test_each_validator_works_alone(server: Server, validator: str) -> None:
    first = server.ask("/feeds/all.atom")
    condition = {"etag": "if_none_match", "last-modified": "if_modified_since"}[validator]
    again = server.ask("/feeds/all.atom", **{condition: first.headers[validator]})
    assert (again.status, again.body) == (304, b"")
    for name in ("etag", "last-modified", "cache-control"):
        assert again.headers[name] == first.headers[name]
    assert "content-length" not in again.headers


def test_if_none_match_wins(server: Server) -> None:
    date = server.ask("/feeds/all.atom").headers["last-modified"]
    answer = server.ask("/feeds/all.atom", if_none_match='"other"', if_modified_since=date)
    assert answer.status == 200


def test_a_rebuilt_document_is_served_at_once_under_another_tag(server: Server) -> None:
    first = server.ask("/feeds/all.atom")
    server.write("feeds/all.atom", BODY + b"\n", CHANGED + timedelta(seconds=1))
    again = server.ask("/feeds/all.atom", if_none_match=first.headers["etag"])
    assert (again.status, again.body) == (200, BODY + b"\n")
    assert again.headers["etag"] != first.headers["etag"]


def test_the_tag_is_a_hash_of_the_bytes_whoever_serves_them(server: Server, tmp_path: Path) -> None:
    other = Server(tmp_path / "other")
    other.write("feeds/all.atom", BODY, LATER)
    tags = {one.ask("/feeds/all.atom").headers["etag"] for one in (server, other)}
    assert len(tags) == 1
    assert not tags.pop().startswith("W/")


def test_rfc9110_8_8_2_a_time_in_the_future_is_not_said(server: Server) -> None:
    server.write("feeds/all.atom", BODY, LATER + timedelta(seconds=1))
    answer = server.ask("/feeds/all.atom", if_modified_since="Tue, 15 Sep 2009 13:00:01 GMT")
    assert answer.status == 200
    assert "last-modified" not in answer.headers


@pytest.mark.parametrize(
    "path",
    [
        "/feeds/../../secret.atom",
        "/feeds/..%2fsecret.atom",
        "/feeds//secret.atom",
        "/feeds/.all.atom.tmp",
        "/feeds/all.atom/",
        "/feeds/all.atom\x00",
        "/feeds/all.atom\n",
        "/feeds/all.xml",
        "/feeds/",
        "/secret.atom",
        "/feeds/a/../all.atom",
        "feeds/all.atom",
    ],
)
def test_only_names_of_feeds_are_files(server: Server, path: str) -> None:
    (server.public.parent / "secret.atom").write_bytes(b"secret")
    server.write("secret.atom", b"secret")
    assert served_type(path) is None
    answer = server.ask(path)
    assert (answer.status, answer.headers) == (404, {"x-behind": "1"})


def test_a_feed_that_is_not_there_is_the_applications_to_answer(server: Server) -> None:
    (server.public / "feeds" / "folder.atom").mkdir()
    assert server.ask("/feeds/none.atom").body == b"behind"
    assert server.ask("/feeds/folder.atom").body == b"behind"
    (server.public / "feeds" / "all.atom").unlink()
    assert server.ask("/feeds/all.atom").body == b"behind"


def test_a_feed_is_only_read(server: Server) -> None:
    answer = server.ask("/feeds/all.atom", "POST")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


def test_memory_is_bounded(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_files, "MAX_CACHED_BYTES", 50)
    for number in range(20):
        server.write(f"feeds/tag-{number}.atom", b"x" * 20)
        assert server.ask(f"/feeds/tag-{number}.atom").body == b"x" * 20
    cached = server._app._cached
    assert list(cached) == ["/feeds/tag-18.atom", "/feeds/tag-19.atom"]
    assert server._app._cached_bytes == 40


def test_a_real_client_gets_a_304_from_a_real_server(server: Server) -> None:
    import socket
    import threading

    import uvicorn

    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    config = uvicorn.Config(server._app, log_config=None, lifespan="off")
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/feeds/all.atom"
        first = requests.get(url, timeout=10)
        assert (first.status_code, first.content) == (200, BODY)
        again = requests.get(url, headers={"If-None-Match": first.headers["ETag"]}, timeout=10)
        assert (again.status_code, again.content) == (304, b"")
        head = requests.head(url, timeout=10)
        assert head.headers["Content-Length"] == str(len(BODY))
        refused = requests.post(url, data=b"x" * 100, timeout=10)
        assert refused.status_code == 405
    finally:
        running.should_exit = True
        thread.join()
