"""A post as finished values: what an entry says in whatever format it is written."""

from __future__ import annotations

import html
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from types import MappingProxyType
from urllib.parse import quote

from posts.dates import short_date
from posts.model import Content, Enclosure, Post, post_url
from posts.text import excerpt, one_line, plain_text

SUMMARY_WORDS = 55
"""Length of an excerpt where a post has no summary: some 300 characters (feeds.md 1.1)."""

_TITLE_WORDS = 12
_IRI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`\x00-\x20\x7f]+")
_WEB = ("https://", "http://")
_PICTURE = re.compile(r'<img\b[^>]*?\ssrc="([^"]+)"')
"""Cleaned HTML quotes every attribute, and in this way."""

_NOT_IN_ADDRESSES = re.compile(r"[\s<>\"\x00-\x20\x7f]")
_MEDIA_TYPE = re.compile(r"[^\s/]+/[^/]+")
_LARGEST = 2**53
"""Beyond it readers that know only floating numbers (JSON, RFC 8259 6) count wrong."""

_CORRECTION = MappingProxyType({"en": "Correction", "es": "Corrección"})
_BARE_IDS = uuid.UUID("5f1a7c1e-9a0b-5c1f-8b4e-2d7e6c1b9a33")


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """A tag: `term` is its stable slug, `scheme` the address of its feed's page, `label` what people read."""

    term: str
    scheme: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryFields:
    """What an entry says; `title` and `summary` are plain text, `html` is the full text, None of a headline.

    `picture_url` is the picture that lists may show beside it; the post has it anyway.
    """

    id: str
    title: str
    url: str
    summary: str
    html: str | None
    language: str
    published: datetime
    updated: datetime
    authors: tuple[str, ...] = ()
    categories: tuple[Category, ...] = ()
    enclosures: tuple[Enclosure, ...] = ()
    picture_url: str | None = None
    comment_count: int | None = None
    comments_url: str | None = None
    comments_feed_url: str | None = None


def entry_id(guid: str) -> str:
    """The id that an entry carries in every format: the post's guid, or a UUID made of it where it is no IRI.

    Atom demands an IRI (RFC 4287 4.2.6) and a remote feed's guid may be a bare "123"; one id in all three formats
    lets a reader who changes the format see no post twice.
    """
    if _IRI.fullmatch(guid):
        return guid
    return uuid.uuid5(_BARE_IDS, guid).urn


def entry_fields(
    post: Post,
    web_url: str,
    tag_slugs: Mapping[str, str],
    *,
    zone: tzinfo = UTC,
    headline: bool = False,
) -> EntryFields:
    """What the entry of `post` says; `tag_slugs` gives the slug of each of its tags, `zone` the days of corrections."""
    content = post.content
    notes = correction_lines(post, zone)
    has_comments = content.comments_url is not None or content.comments_feed_url is not None
    summary = one_line(content.summary or excerpt(content.html, SUMMARY_WORDS))
    # Lists show summaries, and a headline has nothing else.
    summary = " ".join([*(f"{label}: {note}" for label, note in notes), summary]).rstrip()
    return EntryFields(
        id=entry_id(post.guid),
        title=_title(post),
        url=plain_address(post_url(post, web_url)),
        summary=summary,
        html=None if headline else corrections_html(notes) + content.html,
        language=content.language,
        published=_second(post.published),
        updated=_second(max(post.updated, post.published)),
        authors=tuple(name for name in map(one_line, content.authors) if name),
        categories=tuple(
            Category(
                term=tag_slugs[tag],
                scheme=f"{web_url.rstrip('/')}/feeds/tag-{tag_slugs[tag]}/",
                label=one_line(tag),
            )
            for tag in content.tags
            if tag in tag_slugs
        ),
        enclosures=tuple(map(_enclosure, content.enclosures)),
        picture_url=_picture_url(content),
        comment_count=_size(content.comment_count) if has_comments else None,
        comments_url=content.comments_url and plain_address(content.comments_url),
        comments_feed_url=content.comments_feed_url and plain_address(content.comments_feed_url),
    )


def correction_lines(post: Post, zone: tzinfo) -> list[tuple[str, str]]:
    """The notes of a post, newest first, each with its label in the post's language: ("Correction, Sep 16, 2009", "...")."""
    language = "es" if post.content.language.partition("-")[0].lower() == "es" else "en"
    return [
        (
            f"{_CORRECTION[language]}, {short_date(correction.at, zone, language)}",
            correction.note,
        )
        for correction in sorted(post.corrections, key=lambda one: one.at, reverse=True)
    ]


def corrections_html(notes: Sequence[tuple[str, str]]) -> str:
    """The notes of a post as they stand above its text: nobody should read the text without them."""
    return "".join(
        f"<p><strong>{text_html(label)}:</strong> {text_html(note)}</p>\n" for label, note in notes
    )


def plain_address(url: str) -> str:
    """`url` with what can stand in no address written as browsers write it (URL standard 1.3): space, quotes, brackets."""
    return _NOT_IN_ADDRESSES.sub(lambda found: quote(found[0], safe=""), url)


def _enclosure(enclosure: Enclosure) -> Enclosure:
    """An enclosure whose type is one, and whose length is one or unknown: sources say what they like."""
    return replace(
        enclosure,
        url=plain_address(enclosure.url),
        type=enclosure.type
        if _MEDIA_TYPE.fullmatch(enclosure.type)
        else "application/octet-stream",
        length_bytes=_size(enclosure.length_bytes),
    )


def _size(number: int | None) -> int | None:
    """A number of bytes or comments, or None where it can be none."""
    return number if number is not None and 0 <= number < _LARGEST else None


def _picture_url(content: Content) -> str | None:
    """The address of the first picture among the enclosures or in the text, None where there is none on the web."""
    for enclosure in content.enclosures:
        if enclosure.type.startswith("image/") and enclosure.url.startswith(_WEB):
            return plain_address(enclosure.url)
    for found in _PICTURE.finditer(content.html):
        address = html.unescape(found[1])
        if address.startswith(_WEB):
            return plain_address(address)
    return None


def _title(post: Post) -> str:
    """The title; of an untitled post its first words, else its date: Atom and people want one (feeds.md 1.1)."""
    title = one_line(post.content.title)
    if title:
        return title
    words = one_line(plain_text(post.content.html)).split()
    if words:
        return " ".join(words[:_TITLE_WORDS]) + ("…" if len(words) > _TITLE_WORDS else "")
    return post.published.astimezone(UTC).date().isoformat()


def _second(moment: datetime) -> datetime:
    """Whole seconds in UTC: RSS has no fractions, and one post should not carry two times."""
    return moment.astimezone(UTC).replace(microsecond=0)


def text_html(text: str) -> str:
    """Plain text as HTML, as RSS wants its `description`: "a < b" must not become a tag there."""
    return html.escape(text, quote=False)
