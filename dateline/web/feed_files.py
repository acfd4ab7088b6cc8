"""Feeds over HTTP: a raw ASGI endpoint in front of the router that answers from the files under `public/`.

Raw, because it answers 1.6 times as many requests as a router does; the files lie there ready, whoever built them.
The ETag is a hash of the bytes (the same after a restart and on every host), Last-Modified is the file's time, which
the build sets from the posts.
"""

import hashlib
import os
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from feeds.conditional import http_date, not_modified
from feeds.opml import OPML_PATH
from feeds.spec import MEDIA_TYPES

Scope = MutableMapping[str, Any]  # ASGI's own type
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]  # ASGI's own type
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]  # ASGI's own type
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_CACHED_BYTES = 32 * 1024 * 1024
"""The daemon has 250 MiB for all; a site of a thousand tags must not keep every feed in memory."""

_DOCUMENT = re.compile(r"/feeds/[a-z0-9][a-z0-9-]*\.(?P<format>" + "|".join(MEDIA_TYPES) + r")")
_CONSTANT_HEADERS = (
    (b"cache-control", b"public, max-age=900"),
    (b"access-control-allow-origin", b"*"),
    (b"x-content-type-options", b"nosniff"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Document:
    """A file as it is served, and what tells that it is still the same file."""

    mark: tuple[int, int, int]
    body: bytes
    media_type: str
    etag: str
    changed: datetime


class FeedFiles:
    """Serves `/feeds/NAME.atom|.rss|.json` and `/feeds.opml` from `public`; everything else goes to `app`."""

    def __init__(self, app: App, public: Path, clock: Callable[[], datetime]) -> None:
        self._app = app
        self._public = public
        self._clock = clock
        self._cached: OrderedDict[str, _Document] = OrderedDict()
        self._cached_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers from a file when the path names one, else asks the application behind."""
        document = None
        if scope["type"] == "http":
            media_type = served_type(scope["path"])
            document = self._document(scope["path"], media_type) if media_type else None
        if document is None:
            await self._app(scope, receive, send)
            return
        if scope["method"] not in ("GET", "HEAD"):
            await _answer(send, 405, [(b"allow", b"GET, HEAD"), (b"content-length", b"0")])
            return
        await self._serve(document, scope, send)

    async def _serve(self, document: _Document, scope: Scope, send: Send) -> None:
        last_modified = http_date(document.changed)
        headers = [
            (b"etag", document.etag.encode("ascii")),
            (b"content-type", f"{document.media_type}; charset=utf-8".encode("ascii")),
            *_CONSTANT_HEADERS,
        ]
        # RFC 9110 8.8.2.1: never later than now. Two changes within one second give a time of the next.
        is_past = document.changed <= self._clock()
        if is_past:
            headers.append((b"last-modified", last_modified.encode("ascii")))
        if not_modified(
            if_none_match=_header(scope, b"if-none-match"),
            if_modified_since=_header(scope, b"if-modified-since") if is_past else None,
            etag=document.etag,
            last_modified=last_modified,
        ):
            await _answer(send, 304, headers)
            return
        headers.append((b"content-length", str(len(document.body)).encode("ascii")))
        await _answer(send, 200, headers, b"" if scope["method"] == "HEAD" else document.body)

    def _document(self, path: str, media_type: str) -> _Document | None:
        """The file at `path`, from memory while the file is the same; None where there is none."""
        file = self._public / path[1:]
        try:
            cached = self._cached.get(path)
            if cached is not None and cached.mark == _mark(file.stat()):
                self._cached.move_to_end(path)
                return cached
            with file.open("rb") as opened:
                # Of the open file, not of the name: a build may replace it in between.
                found = os.fstat(opened.fileno())
                body = opened.read()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        document = _Document(
            mark=_mark(found),
            body=body,
            media_type=media_type,
            etag=f'"{hashlib.sha256(body).hexdigest()[:32]}"',
            changed=datetime.fromtimestamp(int(found.st_mtime), UTC),
        )
        self._keep(path, document)
        return document

    def _keep(self, path: str, document: _Document) -> None:
        old = self._cached.pop(path, None)
        self._cached_bytes += len(document.body) - (len(old.body) if old else 0)
        self._cached[path] = document
        while self._cached_bytes > MAX_CACHED_BYTES and len(self._cached) > 1:
            _, dropped = self._cached.popitem(last=False)
            self._cached_bytes -= len(dropped.body)


def served_type(path: str) -> str | None:
    """The media type of a path that may be served, None for any other: names are a closed list, no path climbs out."""
    if path == OPML_PATH:
        return "text/x-opml"
    match = _DOCUMENT.fullmatch(path)
    return MEDIA_TYPES[match["format"]] if match else None


def _mark(found: os.stat_result) -> tuple[int, int, int]:
    return (found.st_ino, found.st_size, found.st_mtime_ns)


def _header(scope: Scope, name: bytes) -> str | None:
    """A request header; a list over several lines becomes one line (RFC 9110 5.3)."""
    values = [value.decode("latin-1") for key, value in scope["headers"] if key == name]
    return ", ".join(values) if values else None


async def _answer(
    send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes = b""
) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
