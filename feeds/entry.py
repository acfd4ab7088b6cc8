"""Post to entry bytes in each format, and the frame of a document around them; feedgen stands behind this door only."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from urllib.parse import urlsplit

from feedgen.entry import FeedEntry
from feedgen.feed import FeedGenerator
from lxml import etree

from feeds import feedgen_ext, jsonfeed
from feeds.fields import EntryFields, entry_fields, text_html
from feeds.spec import (
    MEDIA_TYPES,
    NO_LINKS,
    STYLESHEET_PATH,
    Feed,
    FrameLinks,
    alternate_url,
    feed_id,
    feed_url,
)
from posts.errors import PostError
from posts.model import Post
from posts.settings import Site

ENTRY_VERSION = "2"
"""Rises when an entry's bytes change for the same post: kept fragments of another version are not used."""

_RSS_TITLE = re.compile(rb"<title>[^<]*</title>")
_MAIL_ADDRESS = re.compile(r"[^@\s()<>,]+@[^@\s()<>,]+\.[^@\s()<>,]+")
_RSS_PICTURES = (".png", ".jpg", ".jpeg", ".gif")
_ATOM_ROOT_NAMESPACES = dict(feedgen_ext.DECLARED["atom"])
_RSS_ROOT_NAMESPACES = {
    **feedgen_ext.DECLARED["rss"],
    "atom": "http://www.w3.org/2005/Atom",
    "content": "http://purl.org/rss/1.0/modules/content/",
}


def render_entry(
    post: Post,
    *,
    web_url: str,
    tag_slugs: Mapping[str, str],
    zone: tzinfo = UTC,
    headline: bool = False,
) -> dict[str, bytes]:
    """The bytes of one entry by format, each to stand inside `render_frame`; raises PostError.

    `zone` is the site's, for the days of corrections. A `headline` has no full text. Whatever goes wrong inside is that post's fault and nobody else's (DESIGN.md 8.2).
    """
    try:
        return render_fields(entry_fields(post, web_url, tag_slugs, zone=zone, headline=headline))
    except (ValueError, TypeError, LookupError, AttributeError, etree.LxmlError) as error:
        raise PostError(
            f"The post could not be rendered for the feeds: {error}",
            where=post.guid,
            remedy="Mend it at its source; the next poll brings it back.",
        ) from error


def render_fields(fields: EntryFields) -> dict[str, bytes]:
    """The bytes of what an entry says, by format."""
    return {
        "atom": _atom_entry(fields),
        "rss": _rss_item(fields),
        "json": jsonfeed.json_item(fields),
    }


def render_frame(
    feed: Feed,
    format_: str,
    *,
    site: Site,
    web_url: str,
    updated: datetime,
    links: FrameLinks = NO_LINKS,
) -> tuple[bytes, bytes]:
    """What stands before and after the entries of a document."""
    if format_ == "json":
        return jsonfeed.json_frame(feed, site=site, web_url=web_url, links=links)
    generator = _feed_generator(
        feed, format_, site=site, web_url=web_url, updated=updated, links=links
    )
    if format_ == "atom":
        body, end = generator.atom_str(), b"</feed>"
    else:
        body, end = generator.rss_str(), b"</channel></rss>"
        body = _profiled_titles(body)
    start = body.rindex(end)
    root = body.index(b"?>") + 2  # after the XML declaration
    return body[:root] + _stylesheet(web_url) + body[root:start] + b"\n", end + b"\n"


def frame_settings(site: Site) -> tuple[str, ...]:
    """All that a frame shows of the site: when one of these changes, every document has to be built again."""
    return (
        site.url,
        site.title,
        site.tagline,
        site.language,
        site.contact,
        site.rights,
        site.icon,
        site.logo,
    )


def _stylesheet(web_url: str) -> bytes:
    """The instruction by which a browser shows a feed to people: CSS, since browsers give XSLT up.

    A path without a host, for a style sheet from another origin is refused.
    """
    href = html.escape(urlsplit(web_url).path.rstrip("/") + STYLESHEET_PATH)
    return f'\n<?xml-stylesheet type="text/css" href="{href}"?>'.encode()


def _profiled_titles(body: bytes) -> bytes:
    """The titles with hexadecimal references for & and <, which lxml cannot write (RSS Profile, character data).

    Reader programs that take a title for HTML and those that take it for text show it alike then.
    """
    return _RSS_TITLE.sub(
        lambda title: title[0].replace(b"&amp;", b"&#x26;").replace(b"&lt;", b"&#x3C;"), body
    )


def _feed_generator(
    feed: Feed, format_: str, *, site: Site, web_url: str, updated: datetime, links: FrameLinks
) -> FeedGenerator:
    generator = FeedGenerator()
    generator.id(feed_id(feed, site))
    generator.title(feed.title)
    generator.updated(
        updated
    )  # else feedgen takes the time of the build, and every build changes every byte
    # No date for RSS: feedgen would set the process's locale to write it; the extension writes ours. There is no
    # public way to unset the default (feedgen is pinned to 1.0.0).
    generator._FeedGenerator__rss_lastBuildDate = None
    generator.author({"name": site.title, "uri": site.url})
    home = alternate_url(feed, site, web_url)
    generator.link(href=home, rel="alternate", type="text/html")
    self_url = links.self_url or feed_url(feed, format_, web_url)
    generator.link(href=self_url, rel="self", type=MEDIA_TYPES[format_])
    generator.description(site.tagline or feed.title)
    generator.language(feed.language)
    generator.generator("Dateline")
    if site.rights:
        generator.rights(site.rights)
    if format_ == "atom":
        generator.icon(site.icon or None)
        generator.logo(site.logo or None)
    else:
        if site.icon and urlsplit(site.icon).path.lower().endswith(_RSS_PICTURES):
            generator.image(url=site.icon, title=feed.title, link=home)
        if _MAIL_ADDRESS.fullmatch(site.contact):
            # The Profile's form. It is the address that pages and mails show too; an author's is never told.
            generator.managingEditor(f"{site.contact} ({site.title})")
    generator.register_extension(feedgen_ext.NAME, feedgen_ext.FeedExtension)
    extension = getattr(generator, feedgen_ext.NAME)
    extension.home = home
    extension.self_url = self_url
    extension.format_ = format_
    extension.updated = updated
    extension.links = links
    return generator


def _atom_entry(fields: EntryFields) -> bytes:
    entry = _feed_entry(fields)
    entry.updated(fields.updated)
    entry.summary(fields.summary, type="text")
    if fields.html is not None:
        entry.content(fields.html, type="html")
    for author in fields.authors:
        entry.author({"name": author})
    return cut_out_of_atom(entry.atom_entry())


def _rss_item(fields: EntryFields) -> bytes:
    entry = _feed_entry(fields)
    # Both, in this order: without a description feedgen puts the full text there and writes no content:encoded.
    entry.description(text_html(fields.summary) or " ")
    if fields.html is not None:
        entry.content(fields.html or " ")
    for enclosure in fields.enclosures[:1]:
        entry.enclosure(enclosure.url, str(enclosure.length_bytes or 0), enclosure.type)
    if fields.comments_url:
        entry.comments(fields.comments_url)
    return _profiled_titles(
        _cut_out(etree.Element("rss", nsmap=_RSS_ROOT_NAMESPACES), entry.rss_entry())
    )


def _feed_entry(fields: EntryFields) -> FeedEntry:
    entry = FeedEntry()
    entry.register_extension(feedgen_ext.NAME, feedgen_ext.EntryExtension)
    getattr(entry, feedgen_ext.NAME).fields = fields
    entry.guid(fields.id, permalink=False)
    entry.title(fields.title)
    entry.link(href=fields.url, rel="alternate")
    for category in fields.categories:
        entry.category(term=category.term, scheme=category.scheme, label=category.label)
    return entry


def cut_out_of_atom(element: etree._Element) -> bytes:
    """The bytes of an element that stands in an Atom document without declarations of its own."""
    return _cut_out(etree.Element("feed", nsmap=_ATOM_ROOT_NAMESPACES), element)


def _cut_out(root: etree._Element, element: etree._Element) -> bytes:
    """The element's bytes without declarations: the root declares the prefixes, the element is cut out of it.

    Serialised alone it would say `ns0:encoded` and declare that itself; sfeed then loses the full text (tried). On
    being appended it takes the root's prefixes and drops its own.
    """
    root.append(element)
    body = etree.tostring(root, encoding="UTF-8")
    # The declarations hold no ">", so the first one ends the root's own tag.
    return body[body.index(b">") + 1 : body.rindex(b"</")] + b"\n"
