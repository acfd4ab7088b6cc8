"""Entries to one document's bytes: a frame and a join, nothing is rendered here; and the sidecar that tells deltas."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from feeds.conditional import document_hash
from feeds.entry import render_frame
from feeds.spec import NO_LINKS, Feed, FrameLinks
from posts.model import Post
from posts.settings import Site

NEVER = datetime(2000, 1, 1, tzinfo=UTC)
"""`updated` of a feed that holds nothing: Atom demands a time, and it must not be the build's."""

SEPARATORS = {"atom": b"", "rss": b"", "json": b",\n"}
"""What stands between two entries."""

_HISTORY = 300

Sidecar = Mapping[str, Any]  # Any: JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A document's bytes, and where in them its entries stand; `tail_at` is the end of the last one."""

    body: bytes
    spans: tuple[tuple[int, int], ...]
    tail_at: int


def document_updated(posts: Iterable[Post]) -> datetime:
    """When a document last changed as its readers see it: the newest `updated` among its posts."""
    newest = max((max(post.updated, post.published) for post in posts), default=NEVER)
    return newest.astimezone(UTC).replace(microsecond=0)


def build_document(
    feed: Feed,
    format_: str,
    *,
    site: Site,
    web_url: str,
    updated: datetime,
    entries: Sequence[bytes],
    links: FrameLinks = NO_LINKS,
) -> bytes:
    """The bytes at one address; `entries` newest first, as `render_entry` gave them for this format."""
    head, tail = render_frame(
        feed, format_, site=site, web_url=web_url, updated=updated, links=links
    )
    return b"".join((head, SEPARATORS[format_].join(entries), tail))


def lay_out(head: bytes, entries: Sequence[bytes], tail: bytes, format_: str) -> Layout:
    """A frame and entries joined; what a format has no word for (an empty entry) leaves no trace."""
    separator = SEPARATORS[format_]
    kept = [entry for entry in entries if entry]
    spans = []
    at = len(head)
    for entry in kept:
        spans.append((at, len(entry)))
        at += len(entry) + len(separator)
    body = b"".join((head, separator.join(kept), tail))
    return Layout(body=body, spans=tuple(spans), tail_at=len(body) - len(tail))


def build_sidecar(layout: Layout, before: Sidecar | None) -> dict[str, object]:
    """What a delta is cut by (RFC 3229): the version of the document in which each entry's bytes last changed or came in.

    `number` counts the versions of this document, not the journal: an entry may change without a line (a comment
    more), or come back because a newer one was withdrawn, and whoever has the version before lacks it. `before` is
    the sidecar of the version before; without one the count begins, and older copies are answered in full.
    """
    etag = document_hash(layout.body)
    if before is not None and before.get("etag") == etag:
        return dict(before)
    number = 1 if before is None else int(before["number"]) + 1
    known: dict[str, int] = (
        {}
        if before is None
        else {key: entry[2] for key, entry in zip(before["keys"], before["entries"], strict=True)}
    )
    keys = [
        hashlib.sha256(layout.body[at : at + length]).hexdigest()[:16]
        for at, length in layout.spans
    ]
    history = [] if before is None else before["history"][: _HISTORY - 1]
    return {
        "etag": etag,
        "number": number,
        "head": layout.spans[0][0] if layout.spans else layout.tail_at,
        "tail_at": layout.tail_at,
        "entries": [
            [at, length, known.get(key, number)]
            for (at, length), key in zip(layout.spans, keys, strict=True)
        ],
        "keys": keys,
        "history": [[etag, number], *history],
    }
