"""The documents under `public/` as they are served: read once, checked against the file at every request.

A build may replace a file at any moment, and a hub fetches within milliseconds of the ping: so the file is looked at
each time (2 microseconds), and nothing is served that is older than it.
"""

import json
import os
import zlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import brotli

from dateline.web.replies import Header, Reply, wire
from feeds.conditional import IDENTITY, document_hash, entity_tag, http_date
from feeds.delta import Sidecar, parse_sidecar
from feeds.serving import (
    CORS,
    OF_A_BODY,
    SHOWN_TYPE,
    STYLED_TYPES,
    cache_control,
    is_subscribed,
    link_header,
    served_type,
    vary,
)

MAX_CACHED_BYTES = 32 * 1024 * 1024
"""The daemon has 250 MiB for all; a site of a thousand tags must not keep every feed in memory."""

_ENDINGS = {"gzip": ".gz", "br": ".br"}
_Mark = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A file as it is served, and what tells that it is still the same file. `last_modified` is None while the file's
    time is still to come: RFC 9110 8.8.2.1 has a server not say it. `tags` has each entity tag, as it is sent, with its
    coding: nearly every If-None-Match is exactly one of them. `shown` is what a browser gets that opens the document as a
    page, where that differs from `whole`."""

    mark: _Mark
    hash: str
    tags: Mapping[bytes, str]
    last_modified: str | None
    bodies: Mapping[str, bytes]
    whole: Mapping[str, Reply]
    shown: Mapping[str, Reply]
    unchanged: Mapping[str, Reply]
    sidecar: Sidecar | None
    shared: Sequence[Header]

    @property
    def size(self) -> int:
        """The bytes that it holds in memory."""
        return sum(map(len, self.bodies.values()))


class FeedDocuments:
    """What lies under `public`, with the sidecars under `built`. Not for several threads: the server's loop has it."""

    def __init__(
        self,
        public: Path,
        built: Path,
        *,
        web_url: str,
        clock: Callable[[], datetime],
        hubs: Sequence[str] = (),
    ) -> None:
        self.web_url = web_url.rstrip("/")
        self._public = os.fspath(public)
        self._sidecars = built / "documents"
        self._gone_file = built / "gone.json"
        self._gone: tuple[_Mark | None, frozenset[str]] = (None, frozenset())
        self._clock = clock
        self._hubs = hubs
        self._cached: OrderedDict[str, Document] = OrderedDict()
        self._cached_bytes = 0

    def find(self, path: str) -> Document | None:
        """The document at `path`, from memory while its file is the same; None where there is none."""
        cached = self._cached.get(path)
        if cached is not None:
            try:
                found = os.stat(self._public + path)
            except OSError:
                return None
            if cached.mark == _mark(found) and cached.last_modified is not None:
                self._cached.move_to_end(path)
                return cached
        media_type = served_type(path)
        document = self._read(path, media_type) if media_type else None
        if document is not None:
            self._keep(path, document)
        return document

    def is_there(self, path: str) -> bool:
        """True where `find` would give a document."""
        return served_type(path) is not None and os.path.isfile(self._public + path)

    def is_gone(self, path: str) -> bool:
        """True for a document that was published once and whose feed is no more, as the last build said."""
        if served_type(path) is None:
            return False
        try:
            mark = _mark(self._gone_file.stat())
            if mark != self._gone[0]:
                listed = json.loads(self._gone_file.read_bytes())
                self._gone = (mark, frozenset(one for one in listed if isinstance(one, str)))
        except (OSError, ValueError, TypeError):
            return False
        return path in self._gone[1]

    def _read(self, path: str, media_type: str) -> Document | None:
        try:
            with open(self._public + path, "rb") as file:
                # Of the open file, not of the name: a build may replace it in between.
                mark = _mark(found := os.fstat(file.fileno()))
                body = file.read()
        except OSError:  # not there, no file, or not ours to read: no document
            return None
        bodies = {IDENTITY: body}
        for coding, ending in _ENDINGS.items():
            packed = _packed(self._public + path + ending, coding, body)
            if packed is not None:
                bodies[coding] = packed
        changed = datetime.fromtimestamp(int(found.st_mtime), UTC)
        return self._prepared(path, media_type, mark, bodies, changed)

    def _prepared(
        self,
        path: str,
        media_type: str,
        mark: _Mark,
        bodies: Mapping[str, bytes],
        changed: datetime,
    ) -> Document:
        """All that can be said before anybody asks. Two changes within a second give a time of the next second."""
        hash_ = document_hash(bodies[IDENTITY])
        last_modified = http_date(changed) if changed <= self._clock() else None
        is_polled = is_subscribed(path)
        shared = wire(
            ("Cache-Control", cache_control(path)),
            ("Link", link_header(self.web_url + path, self._hubs if is_polled else ())),
            *CORS,
            *([("Last-Modified", last_modified)] if last_modified is not None else ()),
        )
        of_a_body = wire(("Content-Type", f"{media_type}; charset=utf-8"), *OF_A_BODY)
        of_a_page = wire(("Content-Type", f"{SHOWN_TYPE}; charset=utf-8"), *OF_A_BODY)
        is_styled = media_type in STYLED_TYPES
        whole: dict[str, Reply] = {}
        shown: dict[str, Reply] = {}
        unchanged: dict[str, Reply] = {}
        for coding, body in bodies.items():
            of_both = wire(("ETag", entity_tag(hash_, coding)), ("Vary", vary(is_styled=is_styled)))
            of_both += shared
            sent = [("Content-Length", str(len(body)))]
            if coding != IDENTITY:
                sent.append(("Content-Encoding", coding))
            whole[coding] = Reply(200, [*of_both, *of_a_body, *wire(*sent)], body)
            if is_styled:
                shown[coding] = Reply(200, [*of_both, *of_a_page, *wire(*sent)], body)
            unchanged[coding] = Reply(304, of_both)
        return Document(
            mark=mark,
            hash=hash_,
            tags={entity_tag(hash_, coding).encode("ascii"): coding for coding in bodies},
            last_modified=last_modified,
            bodies=bodies,
            whole=whole,
            shown=shown or whole,
            unchanged=unchanged,
            sidecar=self._sidecar(path, hash_, len(bodies[IDENTITY])) if is_polled else None,
            shared=(*shared, *of_a_body),
        )

    def _sidecar(self, path: str, hash_: str, size: int) -> Sidecar | None:
        """The sidecar of exactly these bytes; a build writes the two one after the other."""
        try:
            raw = (self._sidecars / f"{path.rpartition('/')[2]}.json").read_bytes()
        except OSError:
            return None
        sidecar = parse_sidecar(raw, size)
        return sidecar if sidecar is not None and sidecar.hash == hash_ else None

    def _keep(self, path: str, document: Document) -> None:
        old = self._cached.pop(path, None)
        self._cached_bytes += document.size - (old.size if old else 0)
        self._cached[path] = document
        while self._cached_bytes > MAX_CACHED_BYTES and len(self._cached) > 1:
            _, dropped = self._cached.popitem(last=False)
            self._cached_bytes -= dropped.size


def _packed(path: str, coding: str, body: bytes) -> bytes | None:
    """The prepared file, where it holds exactly `body`: a build writes it first, and one that failed may leave an old one.
    Other bytes under our entity tag would stay in caches for as long as the tag lives."""
    try:
        with open(path, "rb") as file:
            packed = file.read()
        opened = _ungzipped(packed, len(body)) if coding == "gzip" else brotli.decompress(packed)
    except (OSError, zlib.error, brotli.error):
        return None
    return packed if opened == body else None


def _ungzipped(packed: bytes, size: int) -> bytes | None:
    """The content of a whole gzip file; None for one cut off, and for more than `size` bytes."""
    stream = zlib.decompressobj(wbits=31)
    opened = stream.decompress(packed, size + 1)
    return opened if stream.eof and not stream.unused_data else None


def _mark(found: os.stat_result) -> _Mark:
    return (found.st_ino, found.st_size, found.st_mtime_ns)
