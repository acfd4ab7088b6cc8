"""All feeds in one OPML 2.0 file, each by its Atom address."""

from __future__ import annotations

from collections.abc import Sequence

from lxml import etree

from feeds.spec import Feed, alternate_url, feed_url
from posts.settings import Site

OPML_PATH = "/feeds.opml"


def build_opml(site: Site, web_url: str, feeds: Sequence[Feed]) -> bytes:
    """The list that a reader program imports. It carries no date, so that the same feeds give the same bytes."""
    root = etree.Element("opml", version="2.0")
    head = etree.SubElement(root, "head")
    etree.SubElement(head, "title").text = site.title
    body = etree.SubElement(root, "body")
    for feed in feeds:
        # "rss" is OPML's word for any feed.
        etree.SubElement(
            body,
            "outline",
            type="rss",
            text=feed.title,
            title=feed.title,
            xmlUrl=feed_url(feed, "atom", web_url),
            htmlUrl=alternate_url(feed, site, web_url),
            language=feed.language,
        )
    etree.indent(root)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True) + b"\n"
