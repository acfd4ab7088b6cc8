"""`posts/fetch.py`: a form is posted under the same guard as everything that is fetched."""

import socket
import time

import pytest

from posts.errors import SourceError
from posts.fetch import Fetcher, Limits
from tests.posts.test_fetch import PUBLIC, Net
from tests.posts.web_server import Answer, web_server

FORM = (("hub.mode", "publish"), ("hub.url", "https://press.example/feeds/all.atom?a=b&c=é"))


def test_the_fields_arrive_encoded() -> None:
    with web_server({"/": Answer(status=204)}) as server:
        answer = (
            Net(server.port).fetcher(user_agent="Dateline/1").post_form("http://hub.example/", FORM)
        )
    assert answer.status == 204
    [request] = server.requests
    assert request["method"] == "POST"
    assert request["content-type"] == "application/x-www-form-urlencoded"
    assert request["body"] == (
        "hub.mode=publish&hub.url=https%3A%2F%2Fpress.example%2Ffeeds%2Fall.atom%3Fa%3Db%26c%3D%C3%A9"
    )
    assert request["user-agent"] == "Dateline/1"
    assert request["accept-encoding"] == "gzip, deflate"


@pytest.mark.parametrize("address", ["10.0.0.7", "127.0.0.1", "169.254.169.254"])
def test_nothing_is_posted_to_an_address_that_may_not_be_fetched_from(address: str) -> None:
    net = Net(1, {"hub.example": [[address]]})
    with pytest.raises(SourceError, match=address.replace(".", r"\.")):
        net.fetcher().post_form("http://hub.example/", FORM)
    assert net.connected == []


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_followed_with_the_form(status: int) -> None:
    routes = {
        "/": Answer(status=status, headers={"Location": "http://hub.example/new"}),
        "/new": Answer(status=202),
    }
    with web_server(routes) as server:
        answer = Net(server.port).fetcher().post_form("http://hub.example/", FORM)
    assert (answer.status, answer.url) == (202, "http://hub.example/new")
    assert [request["method"] for request in server.requests] == ["POST", "POST"]
    assert server.requests[0]["body"] == server.requests[1]["body"] != ""


def test_a_303_is_the_answer() -> None:
    routes = {"/": Answer(status=303, headers={"Location": "/thanks"})}
    with web_server(routes) as server:
        assert Net(server.port).fetcher().post_form("http://hub.example/", FORM).status == 303
    assert len(server.requests) == 1


@pytest.mark.parametrize("target", ["http://inner.example/", "http://169.254.169.254/", "//[::1]/"])
def test_a_redirect_to_a_private_address_is_refused(target: str) -> None:
    with web_server({"/": Answer(status=307, headers={"Location": target})}) as server:
        names = {
            "inner.example": [["10.0.0.7"]],
            "169.254.169.254": [["169.254.169.254"]],
            "::1": [["::1"]],
        }
        net = Net(server.port, names)
        with pytest.raises(SourceError, match=r"private address|no public server"):
            net.fetcher().post_form("http://hub.example/", FORM)
    assert net.connected == [(PUBLIC, 80)]


def test_private_addresses_are_posted_to_where_they_are_allowed() -> None:
    with web_server({"/": Answer(status=204)}) as server:
        assert Fetcher().post_form(server.url, FORM, allow_private=True).status == 204
        with pytest.raises(SourceError, match="private"):
            Fetcher().post_form(server.url, FORM)


def test_an_answer_without_an_end_is_cut() -> None:
    def endless(handler) -> None:
        handler.send_response(202)
        handler.end_headers()
        for _ in range(1000):
            handler.wfile.write(b"x" * 10_000)

    with web_server({"/": endless}) as server:
        answer = (
            Net(server.port)
            .fetcher()
            .post_form("http://hub.example/", FORM, limits=Limits(size_bytes=100))
        )
    assert (answer.status, answer.body) == (202, b"x" * 100)


def test_a_server_that_takes_the_form_and_never_answers_is_ended_by_the_total_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        net = Net(silent.getsockname()[1])
        began = time.monotonic()
        with pytest.raises(SourceError, match=r"took longer than 0\.3 seconds"):
            net.fetcher().post_form("http://hub.example/", FORM, limits=Limits(total_s=0.3))
    assert time.monotonic() - began < 3
