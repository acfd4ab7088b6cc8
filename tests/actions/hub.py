"""A small WebSub hub for tests: it believes no publisher, fetches the topic, and passes on what it found there.

It refuses what a strict hub refuses: an address that does not answer, or whose document or headers name another
address (rel=self) or not this hub (rel=hub).
"""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import feedparser
from requests.utils import parse_header_links

Behaviour = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Hub:
    """The running hub. `pings`: the topics it was told of; `passed_on`: what it fetched, newest last, by topic;
    `refusals`: why it refused. `behaviour` replaces its answer."""

    url: str
    pings: list[str] = field(default_factory=list)
    forms: list[dict[str, list[str]]] = field(default_factory=list)
    passed_on: dict[str, list[bytes]] = field(default_factory=dict)
    refusals: list[str] = field(default_factory=list)
    behaviour: Behaviour | None = None


@contextmanager
def a_hub() -> Iterator[Hub]:
    """A hub on loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers.get("Content-Length", "0"))
            form = parse_qs(self.rfile.read(size).decode("ascii"), strict_parsing=True)
            [topic] = form["hub.url"]
            running.forms.append(form)
            running.pings.append(topic)
            if running.behaviour is not None:
                running.behaviour(self)
                return
            try:
                running.passed_on.setdefault(topic, []).append(fetch_verified(topic, running.url))
            except ValueError as refusal:
                running.refusals.append(str(refusal))
                answer(self, 400, str(refusal).encode())
                return
            answer(self, 204)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that hangs up is what these tests are about."""

    server = Quiet(("127.0.0.1", 0), Handler)
    running = Hub(url=f"http://127.0.0.1:{server.server_address[1]}/hub")
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
    )
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def answer(handler: BaseHTTPRequestHandler, status: int, body: bytes = b"", **headers: str) -> None:
    """A whole answer; `_` in a header's name stands for `-`."""
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def fetch_verified(topic: str, hub: str) -> bytes:
    """The topic's bytes; ValueError where its document or its headers do not agree with what the publisher said."""
    try:
        with urllib.request.urlopen(topic, timeout=10) as found:
            body, headers = found.read(), found.headers
    except urllib.error.HTTPError as error:
        raise ValueError(f"{topic} answers {error.code}") from error
    stated = [(link["rel"], link["url"]) for link in parse_header_links(headers["Link"] or "")]
    for place, links in (("header", stated), ("document", list(_links(topic, body)))):
        if [url for rel, url in links if rel == "self"] != [topic]:
            raise ValueError(f"topic does not match: {topic} in the {place} of {links}")
        if hub not in [url for rel, url in links if rel == "hub"]:
            raise ValueError(f"{hub} is not a hub of {topic}, says its {place}: {links}")
    return body


def _links(topic: str, body: bytes) -> Iterator[tuple[str, str]]:
    if topic.endswith(".json"):
        feed = json.loads(body)
        yield "self", feed["feed_url"]
        for hub in feed.get("hubs", ()):
            yield "hub", hub["url"]
        return
    for link in feedparser.parse(body)["feed"]["links"]:
        yield link["rel"], link["href"]
