"""Our linter over what is published: every document is read back, alone and among the others."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import brotli

from dateline.actions.build import listed_feeds
from dateline.press import Press
from feeds.lint import read_document
from feeds.lint_faults import LintFault, shown
from feeds.lint_set import lint_set
from feeds.lint_xml import Outline
from feeds.spec import MEDIA_TYPES
from posts.errors import NotFound

_BUILD = "Build again: `dateline build`."


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedsChecked:
    """How many documents were read back, and what is wrong with them."""

    documents: int
    faults: list[LintFault]


def check_feeds(press: Press, *, feed: str | None = None) -> FeedsChecked:
    """Reads every published document, or those of one feed, and names each broken rule with document and post.

    One document at a time is held; of the others only the ids. Raises NotFound for a feed that does not exist.
    """
    web_url = press.config.web.url.rstrip("/")
    paths = _paths(press, feed)
    outlines: dict[str, Outline] = {}
    faults: list[LintFault] = []
    for path in paths:
        url, file = web_url + path, press.public / path[1:]
        try:
            body = file.read_bytes()
        except OSError as error:
            what = f"it cannot be read: {error.strerror}"
            faults.append(
                LintFault(rule="set.missing", document=url, guid=None, what=what, remedy=_BUILD)
            )
            continue
        outline, found = read_document(body, path.rpartition(".")[2], url)
        faults += [*found, *_encoding_faults(file, body, url)]
        if outline is not None:
            outlines[url] = outline
            if not found and outline.format != "json":
                faults += _reader_faults(body, outline)
    return FeedsChecked(documents=len(paths), faults=[*faults, *lint_set(outlines)])


def _paths(press: Press, feed: str | None) -> list[str]:
    """What should lie there (each feed in each format) and what does (its archive), as addresses' paths."""
    listed = [one for one in listed_feeds(press) if feed is None or one.feed.slug == feed]
    if not listed:
        raise NotFound(f'There is no feed "{feed}".', remedy="`dateline feeds list` shows them.")
    paths: list[str] = []
    for one in listed:
        paths += one.paths.values()
        folder = press.public / "feeds" / one.feed.slug / "archive"
        paths += sorted(
            f"/feeds/{one.feed.slug}/archive/{file.name}"
            for file in (folder.iterdir() if folder.is_dir() else ())
            if re.fullmatch(rf"\d+\.({'|'.join(MEDIA_TYPES)})", file.name)
        )
    return paths


def _encoding_faults(file: Path, body: bytes, url: str) -> Iterator[LintFault]:
    """The compressed files beside a document hold the same bytes, or a reader who asks for them sees another feed."""
    for ending, read in (("gz", gzip.decompress), ("br", brotli.decompress)):
        compressed = file.with_name(f"{file.name}.{ending}")
        try:
            same = read(compressed.read_bytes()) == body
        except FileNotFoundError:
            continue
        except (OSError, EOFError, zlib.error, brotli.error):
            same = False
        if not same:
            what = f"{compressed.name} does not hold the same bytes"
            yield LintFault(rule="set.encoding", document=url, guid=None, what=what, remedy=_BUILD)


def _reader_faults(body: bytes, outline: Outline) -> Iterator[LintFault]:
    """What feedparser, which many reader programs are made of, makes of the document. Bytes, never an address."""
    import feedparser

    parsed = feedparser.parse(body, sanitize_html=False, resolve_relative_uris=False)
    if parsed.bozo:
        what = f"feedparser says: {shown(str(parsed.bozo_exception))}"
        yield LintFault(rule="set.feedparser", document=outline.url, guid=None, what=what)
    # Tombstones are entries to nobody but who knows RFC 6721.
    read = tuple(str(entry.get("id", "")) for entry in parsed.entries)
    if read != outline.ids:
        what = f"feedparser reads {len(read)} entries of {len(outline.ids)}, or other ids"
        yield LintFault(rule="set.feedparser", document=outline.url, guid=None, what=what)
    for entry in parsed.entries:
        if not entry.get("title") or not entry.get("link"):
            what = "feedparser finds no title or no link in it"
            guid = str(entry.get("id", ""))
            yield LintFault(rule="set.feedparser", document=outline.url, guid=guid, what=what)
