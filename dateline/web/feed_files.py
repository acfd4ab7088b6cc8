"""Feeds over HTTP: what answers a request for a document under `public/`, for an old feed's address, for a removed one.

It stands in front of the router, as an ASGI application and, quicker, inside the server's protocol
(`dateline/web/feed_protocol.py`); both ask `FeedFiles.reply`. It sets no cookie and looks at no parameter.
"""

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from dateline.redirects import Gone, Redirects
from dateline.web.feed_documents import Document, FeedDocuments
from dateline.web.replies import Header, Reply, text_reply, wire
from feeds.conditional import (
    IDENTITY,
    acceptable_codings,
    chosen_coding,
    entity_tag,
    is_unchanged_since,
    listed_tags,
    matched_coding,
)
from feeds.delta import MANIPULATION, build_delta, delta_base, wants_delta
from feeds.serving import CORS, METHODS, PREFLIGHT

Scope = MutableMapping[str, Any]  # ASGI's own type
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]  # ASGI's own type
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]  # ASGI's own type
App = Callable[[Scope, Receive, Send], Awaitable[None]]

OnAnswer = Callable[[str, int, str, bool], None]
"""Told of each answer to a GET for a document: path, status, the reader's User-Agent, and whether it sent a validator."""

_WANTED = frozenset(
    (
        b"if-none-match",
        b"if-modified-since",
        b"accept-encoding",
        b"a-im",
        b"user-agent",
        b"sec-fetch-dest",
    )
)
_LONGEST_NAME = 1000
_SMALL_DELTA = 64 * 1024
_REMEMBERED = ("Cache-Control", "public, max-age=86400")
_NO_METHOD = Reply(405, wire(("Allow", METHODS), ("Content-Length", "0"), *CORS))
_PREFLIGHT = Reply(204, wire(*PREFLIGHT))


class FeedFiles:
    """Serves documents, redirects and removals; everything else goes to `app`."""

    def __init__(
        self,
        app: App,
        documents: FeedDocuments,
        redirects: Redirects,
        on_answer: OnAnswer | None = None,
    ) -> None:
        self._app = app
        self._documents = documents
        self._redirects = redirects
        self._on_answer = on_answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers what is ours to answer, else asks the application behind."""
        reply = None
        if scope["type"] == "http":
            query = scope.get("query_string", b"").decode("latin-1")
            reply = self.reply(scope["method"], scope["path"], query, scope["headers"])
        if reply is None:
            await self._app(scope, receive, send)
            return
        body = b"" if scope["method"] == "HEAD" else reply.body
        await send(
            {"type": "http.response.start", "status": reply.status, "headers": reply.headers}
        )
        await send({"type": "http.response.body", "body": body})

    def reply(self, method: str, path: str, query: str, headers: Sequence[Header]) -> Reply | None:
        """The answer to a request; None where it is the application's to give. `path` is decoded; the names of `headers`
        are in lower case. For HEAD the body is not sent."""
        document = self._documents.find(path)
        if document is None:
            return self._elsewhere(method, path, query, headers)
        if method not in ("GET", "HEAD"):
            return _PREFLIGHT if method == "OPTIONS" else _NO_METHOD
        asked: dict[bytes, bytes] = {}
        for name, value in headers:
            if name in _WANTED:
                # A list over several lines is one list (RFC 9110 5.3).
                asked[name] = asked[name] + b", " + value if name in asked else value
        reply = _answer(document, asked)
        if self._on_answer is not None and method == "GET":
            is_conditional = b"if-none-match" in asked or b"if-modified-since" in asked
            program = asked.get(b"user-agent", b"")[:_LONGEST_NAME].decode("latin-1")
            self._on_answer(path, reply.status, program, is_conditional)
        return reply

    def _elsewhere(
        self, method: str, path: str, query: str, headers: Sequence[Header]
    ) -> Reply | None:
        """301 or 410 for an address that had a feed; None for any other."""
        if method not in ("GET", "HEAD", "OPTIONS"):
            return None
        documents = self._documents
        found = self._redirects.find(
            path, query, is_there=documents.is_there, is_gone=documents.is_gone
        )
        if found is None:
            return None
        if method == "OPTIONS":
            return _PREFLIGHT
        if isinstance(found, Gone):
            return text_reply(
                410,
                "This feed was removed for good; please stop asking for it.\n"
                f"The feeds that there are: {documents.web_url}/feeds/\n",
                _REMEMBERED,
                *CORS,
            )
        moved = ("Location", found.url)
        return text_reply(301, f"Moved for good to {found.url}\n", moved, _REMEMBERED, *CORS)


def _answer(document: Document, asked: dict[bytes, bytes]) -> Reply:
    """200, 226 or 304 for a document: If-None-Match first, the date only without it (RFC 9110 13.2.2)."""
    encoding = asked.get(b"accept-encoding")
    acceptable = acceptable_codings(None if encoding is None else encoding.decode("latin-1"))
    condition = asked.get(b"if-none-match")
    if condition is not None:
        coding = document.tags.get(condition)
        if coding in acceptable:
            return document.unchanged[coding]
        tags = listed_tags(condition.decode("latin-1"))
        coding = matched_coding(tags, document.hash, acceptable, document.bodies)
        if coding is not None:
            return document.unchanged[coding]
        manipulation = asked.get(b"a-im")
        if manipulation is not None and wants_delta(manipulation.decode("latin-1")):
            delta = _delta(document, tags, acceptable)
            if delta is not None:
                return delta
    elif document.last_modified is not None:
        since = asked.get(b"if-modified-since")
        if since is not None and is_unchanged_since(
            since.decode("latin-1"), document.last_modified
        ):
            return document.unchanged[chosen_coding(acceptable, document.bodies)]
    whole = document.shown if asked.get(b"sec-fetch-dest") == b"document" else document.whole
    return whole[chosen_coding(acceptable, document.bodies)]


def _delta(document: Document, tags: Sequence[str], acceptable: Sequence[str]) -> Reply | None:
    """226 with what changed since the reader's copy; None where that copy is unknown or the whole is no longer.

    It goes out as it is, since nothing is compressed for one request: a long one that outgrows the compressed document
    helps nobody. The tag is the whole document's, which the reader has when it has put the two together.
    """
    sidecar = document.sidecar
    base = delta_base(sidecar, tags) if sidecar is not None else None
    if sidecar is None or base is None:
        return None
    tag, number = base
    body = build_delta(document.bodies[IDENTITY], sidecar, number)
    if body is None:
        return None
    whole = document.bodies[chosen_coding(acceptable, document.bodies)]
    if len(body) > _SMALL_DELTA and len(body) >= len(whole):
        return None
    headers = [header for header in document.shared if header[0] != b"cache-control"]
    headers += wire(
        ("ETag", entity_tag(document.hash, IDENTITY)),
        ("IM", MANIPULATION),
        ("Delta-Base", f'"{tag}"'),
        ("Cache-Control", "no-store, im"),
        ("Vary", "Accept-Encoding, A-IM, If-None-Match"),
        ("Content-Length", str(len(body))),
    )
    return Reply(226, headers, body)
