"""Which feeds a web page names, and what a living blog says of itself."""

import re
from dataclasses import dataclass
from urllib.parse import urljoin
from zoneinfo import ZoneInfo

from lxml import etree
from lxml import html as lxml_html
from lxml.html import HtmlElement

from posts.errors import SourceError
from posts.fetch import Fetched, Fetcher
from posts.sources.feed_parse import parse_feed
from posts.sources.json_feed import is_json_feed, parse_json_feed
from posts.sources.parsed_feed import ParsedFeed
from posts.text import one_line, valid_language

_PAGE = re.compile(rb"<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_FEED = re.compile(rb"<(?:rss|feed|rdf:RDF)\b|\A\s*\{", re.IGNORECASE)
_RANKS = {
    "application/atom+xml": 0,
    "application/rss+xml": 1,
    "application/rdf+xml": 2,
    "application/feed+json": 3,
    "application/json": 4,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveredFeed:
    """A feed that a page names."""

    url: str
    title: str
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Blog:
    """What a living blog says of itself; `language` is None where it says nothing."""

    title: str
    tagline: str
    language: str | None
    feed_url: str
    home_url: str


def discover_feeds(html: bytes, base_url: str) -> list[DiscoveredFeed]:
    """The feeds that a page names in `<link rel="alternate">`, best first: the page's own before those of comments,
    Atom before RSS before JSON, then in the page's order."""
    root = _page(html)
    if root is None:
        return []
    base = root.find(".//base")
    start = urljoin(base_url, base.get("href") or "") if base is not None else base_url
    found: dict[str, DiscoveredFeed] = {}
    for link in root.iter("link"):
        relations = (link.get("rel") or "").lower().split()
        kind = (link.get("type") or "").partition(";")[0].strip().lower()
        href = (link.get("href") or "").strip()
        if "alternate" not in relations or kind not in _RANKS or not href:
            continue
        url = _joined(start, href)
        if kind == "application/json" and "wp-json" in url:
            continue  # WordPress names its programming interface the way others name a feed
        if url.startswith(("http://", "https://")):
            found.setdefault(
                url, DiscoveredFeed(url=url, title=one_line(link.get("title") or ""), type=kind)
            )
    return sorted(found.values(), key=lambda feed: (_is_of_comments(feed), _RANKS[feed.type]))


def is_page(fetched: Fetched) -> bool:
    """True when an answer is a web page, whatever it calls itself: many a feed goes by text/html, and some errors by
    the name of a feed."""
    page, feed = _PAGE.search(fetched.body[:8192]), _FEED.search(fetched.body[:8192])
    if page and feed:
        return page.start() < feed.start()
    if page or feed:
        return page is not None
    return "html" in content_type(fetched)


def content_type(fetched: Fetched) -> str:
    """The type that an answer gives itself."""
    return fetched.headers.get("Content-Type", "").lower()


def parse_any(fetched: Fetched, *, source: str, zone: ZoneInfo) -> ParsedFeed:
    """The feed in an answer, of whichever format; raises SourceError for what is none."""
    kind = content_type(fetched)
    if is_json_feed(fetched.body, kind):
        return parse_json_feed(fetched.body, fetched.url, source=source, zone=zone)
    return parse_feed(fetched.body, kind, fetched.url, source=source, zone=zone)


def no_feed_named(url: str) -> SourceError:
    """The fault of a page that names no feed."""
    return SourceError(
        "is a page that names no feed.", where=url, remedy="Give the address of the feed itself."
    )


def describe_blog(url: str, fetcher: Fetcher, *, allow_private: bool = False) -> Blog:
    """What the blog at `url` (a page or a feed) says of itself; raises SourceError when it has no feed to read."""
    fetched = _answered(fetcher.fetch(url, allow_private=allow_private))
    page = _page(fetched.body) if is_page(fetched) else None
    home_url, feed_url = fetched.url, fetched.url
    if page is not None:
        feeds = discover_feeds(fetched.body, fetched.url)
        if not feeds:
            raise no_feed_named(url)
        feed_url = feeds[0].url
        fetched = _answered(fetcher.fetch(feed_url, typed=url, allow_private=allow_private))
    feed = parse_any(fetched, source=feed_url, zone=ZoneInfo("UTC"))
    if page is None:
        home_url = feed.home_url or feed_url
    return Blog(
        title=feed.title or _page_text(page, ".//title") or home_url,
        tagline=feed.tagline or _description(page),
        language=feed.language or _page_language(page) or _posts_language(feed),
        feed_url=feed_url,
        home_url=home_url,
    )


def _answered(fetched: Fetched) -> Fetched:
    if fetched.status != 200:
        raise SourceError(
            f"answered {fetched.status}.", where=fetched.url, remedy="Is the address right?"
        )
    return fetched


def _page(html: bytes) -> HtmlElement | None:
    try:
        root = lxml_html.document_fromstring(html, parser=lxml_html.HTMLParser(huge_tree=True))
    except (etree.ParserError, ValueError):
        return None
    return root


def _page_text(page: HtmlElement | None, path: str) -> str:
    return one_line(page.findtext(path) or "") if page is not None else ""


def _description(page: HtmlElement | None) -> str:
    if page is None:
        return ""
    for meta in page.iter("meta"):
        if (meta.get("name") or "").lower() == "description":
            return one_line(meta.get("content") or "")
    return ""


def _page_language(page: HtmlElement | None) -> str | None:
    return valid_language(page.get("lang") or "") if page is not None else None


def _posts_language(feed: ParsedFeed) -> str | None:
    given = {valid_language(post.language or "") for post in feed.posts}
    return given.pop() if len(given) == 1 else None


def _joined(base: str, href: str) -> str:
    try:
        return urljoin(base, href)
    except ValueError:
        return ""


def _is_of_comments(feed: DiscoveredFeed) -> bool:
    words = f"{feed.url} {feed.title}".lower()
    return "comment" in words or "comentario" in words
