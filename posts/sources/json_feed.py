"""JSON Feed 1.0 and 1.1, which feedparser does not read. Pure."""

import hashlib
import html
import json
from datetime import datetime, tzinfo
from typing import Any

from posts.dates import parse_date
from posts.errors import SourceError
from posts.model import Enclosure, IncomingPost, SourceFault
from posts.sources.parsed_feed import ParsedFeed
from posts.text import one_line, strip_illegal, valid_language

MAX_POSTS = 5_000

Fields = dict[str, Any]
"""A JSON object from outside: any key may hold anything."""


def is_json_feed(body: bytes, content_type: str) -> bool:
    """True when an answer is meant to be a JSON Feed, by its type or its first character."""
    return "json" in content_type or body[:512].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")


def parse_json_feed(body: bytes, url: str, *, source: str, zone: tzinfo) -> ParsedFeed:
    """What the document at `url` says; raises SourceError for what is no JSON Feed."""
    try:
        feed = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise SourceError(
            "is not JSON that can be read.", where=url, remedy="A JSON Feed was expected."
        ) from error
    items = feed.get("items") if isinstance(feed, dict) else None
    if not isinstance(items, list) or "jsonfeed" not in str(feed.get("version", "")):
        raise SourceError(
            "is JSON, but not a JSON Feed.", where=url, remedy="Give the address of a feed."
        )
    posts = []
    faults = []
    for number, item in enumerate(items[:MAX_POSTS], 1):
        if isinstance(item, dict):
            posts.append(_post(item, feed, source=source, url=url, zone=zone))
        else:
            faults.append(
                SourceFault(source=source, place=url, what=f"item {number} is not an object.")
            )
    first_ones = {post.external_id: post for post in reversed(posts)}
    bodies = [item for item in items if isinstance(item, dict)]
    without = sum(
        1 for item in bodies if not _text(item, "content_html") and not _text(item, "content_text")
    )
    return ParsedFeed(
        title=one_line(_text(feed, "title")),
        tagline=one_line(_text(feed, "description")),
        language=valid_language(_text(feed, "language")),
        home_url=_text(feed, "home_page_url") or None,
        posts=tuple(reversed(first_ones.values())),
        faults=tuple(faults),
        summaries_only=bool(bodies) and without * 2 > len(bodies),
    )


def _post(item: Fields, feed: Fields, *, source: str, url: str, zone: tzinfo) -> IncomingPost:
    identity = item.get("id")
    guid = one_line(str(identity)) if isinstance(identity, str | int | float) else ""
    link = _text(item, "external_url") if not _text(item, "url") else _text(item, "url")
    raw_html = _text(item, "content_html") or _paragraphs(_text(item, "content_text"))
    summary = html.escape(_text(item, "summary"))
    title = one_line(_text(item, "title"))
    made = hashlib.sha256(f"{title}\n{raw_html}".encode("utf-8", "replace")).hexdigest()[:32]
    return IncomingPost(
        source=source,
        external_id=guid or link or f"hash:{made}",
        place=link or url,
        title=title,
        guid=guid or None,
        raw_html=raw_html or summary,
        base_url=link or url,
        link=link or None,
        raw_summary=summary or None,
        authors=_authors(item) or _authors(feed),
        tags=tuple(tag for tag in _list(item, "tags") if isinstance(tag, str)),
        language=_text(item, "language") or _text(feed, "language") or None,
        published=_date(item, "date_published", zone) or _date(item, "date_modified", zone),
        updated=_date(item, "date_modified", zone),
        enclosures=_enclosures(item),
    )


def _text(fields: Fields, name: str) -> str:
    value = fields.get(name)
    return strip_illegal(value).strip() if isinstance(value, str) else ""


def _list(fields: Fields, name: str) -> list[Any]:
    value = fields.get(name)
    return value if isinstance(value, list) else []


def _paragraphs(text: str) -> str:
    return "".join(
        f"<p>{html.escape(part).replace(chr(10), '<br>')}</p>"
        for part in text.split("\n\n")
        if part.strip()
    )


def _authors(fields: Fields) -> tuple[str, ...]:
    """`authors` of 1.1, else `author` of 1.0."""
    listed = _list(fields, "authors") or [fields.get("author")]
    return tuple(
        _text(author, "name")
        for author in listed
        if isinstance(author, dict) and _text(author, "name")
    )


def _date(fields: Fields, name: str, zone: tzinfo) -> datetime | None:
    return parse_date(_text(fields, name), zone)


def _enclosures(item: Fields) -> tuple[Enclosure, ...]:
    found = []
    for attachment in _list(item, "attachments"):
        if isinstance(attachment, dict) and _text(attachment, "url"):
            size = attachment.get("size_in_bytes")
            found.append(
                Enclosure(
                    url=_text(attachment, "url"),
                    type=_text(attachment, "mime_type") or "application/octet-stream",
                    length_bytes=size if isinstance(size, int) and size > 0 else None,
                    title=_text(attachment, "title") or None,
                )
            )
    return tuple(found)
