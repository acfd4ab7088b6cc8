"""Our registered extension of feedgen: it repairs what feedgen 1.0.0 writes wrongly and adds what it cannot write.

Each repair says what it mends; docs/decisions/0006-feeds.md lists them. In feedgen's Atom tree elements have no
namespace in memory (xmlns is a plain attribute), so children are made by bare names; in its RSS tree Atom's elements
carry theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime
from types import MappingProxyType

import feedgen.feed  # noqa: F401  feedgen.ext fails unless lxml.etree was imported first
from feedgen.ext.base import BaseEntryExtension, BaseExtension
from lxml import etree

from feeds.fields import EntryFields
from feeds.spec import MAX_AGE_S, MEDIA_TYPES, NO_LINKS
from posts.model import Enclosure

NAME = "dateline"
NAMESPACES = MappingProxyType(
    {
        "at": "http://purl.org/atompub/tombstones/1.0",
        "dc": "http://purl.org/dc/elements/1.1/",
        "fh": "http://purl.org/syndication/history/1.0",
        "media": "http://search.yahoo.com/mrss/",
        "slash": "http://purl.org/rss/1.0/modules/slash/",
        "thr": "http://purl.org/syndication/thread/1.0",
        "wfw": "http://wellformedweb.org/CommentAPI/",
    }
)
"""Our prefixes, as both formats know them."""

DECLARED: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "atom": {prefix: NAMESPACES[prefix] for prefix in ("at", "fh", "media", "thr")},
        "rss": {prefix: NAMESPACES[prefix] for prefix in ("dc", "fh", "media", "slash", "wfw")},
    }
)
"""What every document of a format declares on its root, beside feedgen's own (`atom` and `content` in RSS)."""

_ATOM = "http://www.w3.org/2005/Atom"
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_MEDIUMS = frozenset({"image", "audio", "video"})


def rss_date(moment: datetime) -> str:
    """RFC 822 with a numeric zone. feedgen sets the process's locale for each date, which breaks other threads."""
    return format_datetime(moment)


def atom_date(moment: datetime) -> str:
    """RFC 3339 with an explicit zone."""
    return moment.isoformat()


class FeedExtension(BaseExtension):  # type: ignore[misc]  # feedgen has no types
    """The head of a document: the addresses of its page, of the document itself and of its neighbours."""

    home = ""
    self_url = ""
    format_ = "atom"
    updated: datetime
    links = NO_LINKS

    def extend_ns(self) -> dict[str, str]:
        """Our prefixes, declared once on the root."""
        return dict(DECLARED[self.format_])

    def extend_atom(self, feed: etree._Element) -> etree._Element:
        """Adds the links to the archive and the hubs."""
        self._append_links(feed, "link")
        return feed

    def extend_rss(self, feed: etree._Element) -> etree._Element:
        """Sets the links right: feedgen takes the last link, whatever its rel, for the channel's and its image's."""
        channel = feed.find("channel")
        if channel is None:
            raise ValueError("feedgen made no channel")
        for place in ("link", "image/link"):
            element = channel.find(place)
            if element is not None:
                element.text = self.home
        for link in channel.findall(f"{{{_ATOM}}}link"):
            channel.remove(link)
        _append(
            channel,
            f"{{{_ATOM}}}link",
            href=self.self_url,
            rel="self",
            type=MEDIA_TYPES[self.format_],
        )
        self._append_links(channel, f"{{{_ATOM}}}link")
        _append(channel, "lastBuildDate", text=rss_date(self.updated))
        _append(channel, "ttl", text=str(MAX_AGE_S // 60))
        return feed

    def _append_links(self, head: etree._Element, name: str) -> None:
        """RFC 5005 4 (archives) and WebSub 4 (hubs), in Atom's own links or those that RSS borrows."""
        links = self.links
        for hub in links.hubs:
            _append(head, name, href=hub, rel="hub")
        for rel, href in (
            ("current", links.current),
            ("prev-archive", links.prev_archive),
            ("next-archive", links.next_archive),
        ):
            if href is not None:
                _append(head, name, href=href, rel=rel, type=MEDIA_TYPES[self.format_])
        if links.is_archive:
            _append(head, f"{{{NAMESPACES['fh']}}}archive")


class EntryExtension(BaseEntryExtension):  # type: ignore[misc]  # feedgen has no types
    """One entry: links with their attributes, its own language, dates without the process's locale, comments."""

    fields: EntryFields

    def extend_atom(self, entry: etree._Element) -> etree._Element:
        """Rewrites the links (feedgen 1.0.0 drops rel and type, so that a sound file became the post's address)."""
        fields = self.fields
        entry.set(_LANG, fields.language)
        for link in entry.findall("link"):
            entry.remove(link)
        _append(entry, "link", href=fields.url, rel="alternate", type="text/html")
        for enclosure in fields.enclosures:
            link = _append(entry, "link", href=enclosure.url, rel="enclosure", type=enclosure.type)
            if enclosure.length_bytes is not None:
                link.set("length", str(enclosure.length_bytes))
            if enclosure.title:
                link.set("title", enclosure.title)
        _append(entry, "published", text=atom_date(fields.published))
        _append_thumbnail(entry, fields)
        _append_replies(entry, fields)
        return entry

    def extend_rss(self, item: etree._Element) -> etree._Element:
        """Adds dates, authors (RSS's own `author` wants a mail address), language and comments."""
        fields = self.fields
        _append(item, "pubDate", text=rss_date(fields.published))
        _append(item, f"{{{_ATOM}}}updated", text=atom_date(fields.updated))
        dublin_core = NAMESPACES["dc"]
        for author in fields.authors:
            _append(item, f"{{{dublin_core}}}creator", text=author)
        _append(item, f"{{{dublin_core}}}language", text=fields.language)
        if fields.comment_count is not None:
            _append(item, f"{{{NAMESPACES['slash']}}}comments", text=str(fields.comment_count))
        if fields.comments_feed_url:
            _append(item, f"{{{NAMESPACES['wfw']}}}commentRss", text=fields.comments_feed_url)
        for enclosure in fields.enclosures:
            _append_media(item, enclosure)
        _append_thumbnail(item, fields)
        return item


def _append_replies(entry: etree._Element, fields: EntryFields) -> None:
    """RFC 4685 4 and 5: where replies are, the count on each link, and the total that some reader programs look for.

    The comments' feed may be Atom or RSS, which only its server knows; without a type it would count as Atom.
    """
    thread = NAMESPACES["thr"]
    for href, type_ in (
        (fields.comments_url, "text/html"),
        (fields.comments_feed_url, "application/xml"),
    ):
        if href is None:
            continue
        replies = _append(entry, "link", href=href, rel="replies", type=type_)
        if fields.comment_count is not None:
            replies.set(f"{{{thread}}}count", str(fields.comment_count))
    if fields.comment_count is not None:
        _append(entry, f"{{{thread}}}total", text=str(fields.comment_count))


def _append_media(item: etree._Element, enclosure: Enclosure) -> None:
    """An enclosure as Media RSS 1.5.1 says it: RSS itself has room for one only (Profile, enclosure)."""
    media = NAMESPACES["media"]
    content = _append(item, f"{{{media}}}content", url=enclosure.url, type=enclosure.type)
    if enclosure.length_bytes is not None:
        content.set("fileSize", str(enclosure.length_bytes))
    kind = enclosure.type.partition("/")[0]
    content.set("medium", kind if kind in _MEDIUMS else "document")
    if enclosure.title:
        _append(content, f"{{{media}}}title", text=enclosure.title)


def _append_thumbnail(entry: etree._Element, fields: EntryFields) -> None:
    if fields.picture_url:
        _append(entry, f"{{{NAMESPACES['media']}}}thumbnail", url=fields.picture_url)


def _append(
    parent: etree._Element, name: str, *, text: str | None = None, **attributes: str
) -> etree._Element:
    element = etree.SubElement(parent, name, attributes)
    element.text = text
    return element
