"""Entries to one document's bytes: a frame and a join, nothing is rendered here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from feeds.entry import render_frame
from feeds.spec import Feed
from posts.model import Post
from posts.settings import Site

NEVER = datetime(2000, 1, 1, tzinfo=UTC)
"""`updated` of a feed that holds nothing: Atom demands a time, and it must not be the build's."""

_SEPARATORS = {"atom": b"", "rss": b"", "json": b",\n"}


def document_updated(posts: Sequence[Post]) -> datetime:
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
) -> bytes:
    """The bytes at one address; `entries` newest first, as `render_entry` gave them for this format."""
    head, tail = render_frame(feed, format_, site=site, web_url=web_url, updated=updated)
    return b"".join((head, _SEPARATORS[format_].join(entries), tail))
