"""The short way for feeds inside the server: the same answers as the long way, and bounds on what is sent to it."""

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import uvicorn

from dateline.daemon import _build_server
from dateline.web.feed_protocol import MAX_HEAD_BYTES, FeedProtocol, feed_protocol
from dateline.web.replies import Reply
from feeds.audience import Audience
from tests.dateline.feed_server import FeedServer
from tests.dateline.web.arrange import a_press

BODY = "<feed>ñ</feed>".encode() * 100


@dataclass
class Running:
    """A server that runs as the daemon runs it."""

    feeds: FeedServer
    port: int
    asked: list[str]

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def exchange(self, *parts: bytes, until_closed: bool = True) -> bytes:
        """Sends bytes as they are and reads until the server closes, or once."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            for part in parts:
                connection.sendall(part)
            said = b""
            while piece := connection.recv(1 << 20):
                said += piece
                if not until_closed:
                    break
            return said


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """A server with one document, which notes what the short way was asked."""
    feeds = FeedServer(tmp_path)
    feeds.write("feeds/all.atom", BODY, codings=("gzip", "br"))
    asked: list[str] = []

    def reply(method: str, path: str, query: str, headers: Any) -> Reply | None:
        asked.append(path)
        return feeds.files.reply(method, path, query, headers)

    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    config = uvicorn.Config(
        feeds.files,
        loop="uvloop",
        http=feed_protocol(reply),
        log_config=None,
        lifespan="off",
        timeout_keep_alive=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield Running(feeds=feeds, port=listener.getsockname()[1], asked=asked)
    finally:
        server.should_exit = True
        thread.join(20)


def _get(path: str, *lines: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: x", *lines, "", ""]).encode("latin-1")


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST"])
@pytest.mark.parametrize("path", ["/feeds/all.atom", "/feed/", "/none", "/feeds/all.atom?a=b"])
def test_both_ways_give_the_same_answer(running: Running, method: str, path: str) -> None:
    running.feeds.write("feeds/all.rss", BODY)
    for coding, more in (("identity", {}), ("gzip", {}), ("br", {"If-None-Match": "*"})):
        headers = {"Accept-Encoding": coding, **more}
        short = requests.request(
            method, running.url + path, headers=headers, allow_redirects=False, timeout=10
        )
        named = {name.lower().replace("-", "_"): value for name, value in headers.items()}
        long = running.feeds.ask(path, method, **named)
        assert short.status_code == long.status
        said = {name.lower(): value for name, value in short.headers.items()}
        assert "date" in said
        for name, value in long.headers.items():
            assert said[name] == value
    assert running.asked, "the short way was taken"


def test_rfc9110_15_4_5_a_real_client_gets_a_304_without_a_body(running: Running) -> None:
    with requests.Session() as session:
        first = session.get(f"{running.url}/feeds/all.atom", timeout=10)
        assert first.content == BODY
        for _ in range(3):
            again = session.get(
                f"{running.url}/feeds/all.atom",
                headers={"If-None-Match": first.headers["ETag"]},
                timeout=10,
            )
            assert (again.status_code, again.content) == (304, b"")
        assert "content-length" not in again.headers
        assert "transfer-encoding" not in again.headers


def test_rfc9112_9_3_2_answers_to_requests_sent_at_once_come_in_order(running: Running) -> None:
    said = running.exchange(
        _get("/none")
        + _get("/feeds/all.atom", "If-None-Match: *")
        + _get("/none")
        + _get("/feeds/all.atom", "Connection: close"),
    )
    statuses = [line.split()[1] for line in said.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]
    assert statuses == [b"404", b"304", b"404", b"200"]
    assert said.endswith(BODY)


@pytest.mark.parametrize(
    "request_",
    [_get("/feeds/all.atom", "Connection: close"), b"GET /feeds/all.atom HTTP/1.0\r\n\r\n"],
    ids=["close", "HTTP/1.0"],
)
def test_rfc9112_9_6_the_connection_ends_when_the_reader_wants_that(
    running: Running, request_: bytes
) -> None:
    said = running.exchange(request_)
    assert b"connection: close\r\n" in said
    assert said.endswith(BODY)


def test_a_body_with_a_get_is_passed_over(running: Running) -> None:
    said = running.exchange(
        _get("/feeds/all.atom", "Content-Length: 9", "If-None-Match: *") + b"GET / HTT",
        _get("/none", "Connection: close"),
    )
    statuses = [line.split()[1] for line in said.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]
    assert statuses == [b"304", b"404"]


def test_an_upgrade_that_nobody_offers_is_an_ordinary_request(running: Running) -> None:
    asked = _get(
        "/feeds/all.atom",
        "Connection: Upgrade, HTTP2-Settings",
        "Upgrade: h2c",
        "HTTP2-Settings: x",
    )
    said = running.exchange(asked, until_closed=False)
    assert said.startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_connection_that_nobody_uses_is_closed(running: Running) -> None:
    said = running.exchange(_get("/feeds/all.atom", "If-None-Match: *"))
    assert said.count(b"HTTP/1.1 304") == 1, "and the server closed, or this would not return"


def test_ten_thousand_tags_on_a_real_connection_get_the_feed(running: Running) -> None:
    many = ", ".join(f'"{number:032}"' for number in range(10_000))
    said = running.exchange(_get("/feeds/all.atom", f"If-None-Match: {many}", "Connection: close"))
    assert said.startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(_get("/feeds/all.atom", *["A: b"] * 501), id="too many"),
        pytest.param(b"GET / HTTP/1.1\r\nA: " + b"x" * (MAX_HEAD_BYTES + 1_000_000), id="too long"),
        pytest.param(b"GET /" + b"x" * (MAX_HEAD_BYTES + 1_000_000), id="too long an address"),
    ],
)
def test_rfc6585_5_a_head_without_end_is_refused(running: Running, head: bytes) -> None:
    try:
        said = running.exchange(head)
    except (ConnectionResetError, BrokenPipeError):
        said = b""  # it had closed before we had said it all
    assert said == b"" or said.split()[1] in (b"431", b"400")
    assert requests.get(f"{running.url}/feeds/all.atom", timeout=10).status_code == 200


@pytest.mark.parametrize(
    "line",
    [
        b"GET /feeds/all.atom%0d%0aSet-Cookie:%20a=b HTTP/1.1",
        b"GET /tag/x%0d%0aSet-Cookie:%20a=b/rss/ HTTP/1.1",
        b"GET /feed/?x=%0d%0aSet-Cookie:%20a=b HTTP/1.1",
        b"GET http://[ HTTP/1.1",
        b"GET http://evil.example/feed/ HTTP/1.1",
        b"GET //evil.example/feed/ HTTP/1.1",
        b"GET /feeds/%ff%fe.atom HTTP/1.1",
        b"GET /\xff\xfe HTTP/1.1",
        b"OPTIONS * HTTP/1.1",
        b"CONNECT /feeds/all.atom HTTP/1.1",
        b"GET /feeds/all.atom HTTP/9.9",
    ],
)
def test_a_hostile_first_line_gets_an_answer_that_it_did_not_write(
    running: Running, line: bytes
) -> None:
    running.feeds.write("feeds/all.rss", BODY)
    said = running.exchange(line + b"\r\nHost: x\r\nConnection: close\r\n\r\n", until_closed=False)
    head = said.partition(b"\r\n\r\n")[0].lower()
    assert head.startswith(b"http/1.1 ")
    assert b"set-cookie" not in head.replace(b"%0d%0aset-cookie", b"")
    assert b"location: http://evil" not in head
    assert not head.startswith(b"http/1.1 5")


def test_a_mistake_of_ours_is_told_as_one(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(path: str) -> None:
        raise RuntimeError(path)

    monkeypatch.setattr(running.feeds.documents, "find", broken)
    assert requests.get(f"{running.url}/feeds/all.atom", timeout=10).status_code == 500
    monkeypatch.undo()
    assert requests.get(f"{running.url}/feeds/all.atom", timeout=10).status_code == 200


def test_the_daemon_goes_the_short_way(tmp_path: Path) -> None:
    server = _build_server(a_press(tmp_path), None, Audience())
    assert isinstance(server.config.http, type)
    assert issubclass(server.config.http, FeedProtocol)
