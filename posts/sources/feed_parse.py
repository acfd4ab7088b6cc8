"""The bytes of a remote RSS or Atom feed as incoming posts: feedparser reads, our own rules judge. Pure."""

import hashlib
import html
import io
import re
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any
from urllib.parse import urljoin

import feedparser

from posts.clean import clean_html
from posts.dates import parse_date
from posts.errors import PostError, SourceError
from posts.model import Enclosure, IncomingPost, SourceFault
from posts.sources.parsed_feed import ParsedFeed
from posts.text import one_line, plain_text, strip_illegal, valid_language

Entry = Mapping[str, Any]
"""A feedparser entry: its values are texts, lists and mappings, whatever the feed held."""

MAX_POSTS = 5_000
MAX_TAGS = 600_000
"""A hostile document of 1.5 million kept feedparser busy for 33 s; the size alone does not bound it."""
_HEAD = re.compile(rb"<(?:\?xml|rss|feed|rdf:RDF|RDF)\b", re.IGNORECASE)
_END = re.compile(
    rb"</(?:\w+:)?(?:rss|feed|rdf)\s*>\s*(?:<!--.*?-->\s*)*\Z", re.IGNORECASE | re.DOTALL
)
_ROOT = re.compile(rb"<(?:rss|feed|rdf:RDF|RDF)\b", re.IGNORECASE)
_NESTED_ENTITY = re.compile(rb"<!ENTITY\s+\S+\s+(?:\"[^\"]*?&\w[^\"]*\"|'[^']*?&\w[^']*')")
_HTML = ("text/html", "application/xhtml+xml", "application/xml", "text/xml")
_ENTITY = re.compile(r"&(?:#\d+|#x[0-9a-fA-F]+|[a-zA-Z]+\d*);")
_CUT = re.compile(
    r"(?:\[?(?:…|\.\.\.|&hellip;)\]?|read (?:more|on)|continue reading|leer m[aá]s|seguir leyendo|»|→)\W*$",
    re.IGNORECASE,
)
_MARKUP = re.compile(r"</?(?:p|br|a|div|b|i|em|strong)\b[^<>]*>")
_SHORT = 500
_KIND_SCHEME = "http://schemas.google.com/g/2005#kind"
_FIRST_YEAR = 1985


def parse_feed(
    body: bytes, content_type: str, url: str, *, source: str, zone: tzinfo
) -> ParsedFeed:
    """What the document says. `url` is where it came from: relative addresses count from it. Dates without a zone
    count in `zone`.

    A document that breaks off keeps the entries that are whole. Raises SourceError for what is no feed.
    """
    if body.count(b"<") > MAX_TAGS:
        raise SourceError(f"has more than {MAX_TAGS:,} tags", where=url)
    root = _ROOT.search(body)
    if _NESTED_ENTITY.search(body, 0, root.start() if root else len(body)):
        raise SourceError(
            "declares entities made of entities, as a bomb does that unpacks to gigabytes.",
            where=url,
            remedy="Nothing of it is read; ask whoever makes the feed.",
        )
    start = _HEAD.search(body[:8192])
    document = body[start.start() :] if start else body
    try:
        parsed = feedparser.parse(
            io.BytesIO(document),  # bytes only: a str may be opened as an address
            # no content-location: a guid `1` would become an address, and change when the blog moves to https
            response_headers={"content-type": content_type},
            sanitize_html=False,
            resolve_relative_uris=False,
        )
    except Exception as error:
        # Its loose parser may fail in any way on hostile input, and that is the source's fault, not ours.
        raise SourceError(
            f"is not a feed that can be read ({type(error).__name__}: {error}).",
            where=url,
            remedy="Open it in a browser.",
        ) from error
    if not parsed.get("version") and not parsed.entries:
        raise not_a_feed(body, content_type, url)
    faults: list[SourceFault] = []

    def fault(what: str, remedy: str = "") -> None:
        faults.append(SourceFault(source=source, place=url, what=what, remedy=remedy))

    entries = list(parsed.entries)
    if parsed.bozo and entries and not _END.search(body[-4096:]):
        # The last one may have lost its end; half a post would be mailed as a whole one.
        entries.pop()
        fault(f"breaks off in the middle; the first {len(entries)} posts were read.")
    if len(entries) > MAX_POSTS:
        fault(f"holds {len(entries):,} posts; the first {MAX_POSTS:,} were read.")
        entries = entries[:MAX_POSTS]
    unique, repeated = _unique(entries)
    if repeated:
        fault(
            f'gives one id to several posts ("{one_line(repeated[0])[:80]}"); they are told apart by their links.',
            "Tell whoever makes the feed.",
        )
    feed = parsed.feed
    posts = tuple(
        _post(
            entry,
            feed,
            source=source,
            url=url,
            zone=zone,
            has_own_id=entry.get("id") not in repeated,
        )
        for entry in unique
    )
    cut = sum(1 for entry in unique if _looks_cut(entry))
    return ParsedFeed(
        title=_plain(feed.get("title_detail")),
        tagline=_plain(feed.get("subtitle_detail")),
        language=valid_language(str(feed.get("language") or "")),
        home_url=_http(feed.get("link"), url),
        posts=posts,
        faults=tuple(faults),
        summaries_only=bool(unique) and cut * 2 > len(unique),
    )


def not_a_feed(body: bytes, content_type: str, url: str) -> SourceError:
    """The fault of an answer that is no feed, by what it looks like."""
    head = body[:2048].lstrip().lower()
    if not head:
        return SourceError("is empty.", where=url, remedy="A feed was expected.")
    if b"<html" in head or head.startswith(b"<!doctype html") or "html" in content_type:
        return SourceError(
            "is a web page, not a feed.", where=url, remedy="Give the address of its feed."
        )
    kind = content_type.partition(";")[0].strip() or "unnamed"
    return SourceError(
        f"is not a feed that can be read (it calls itself {kind}).",
        where=url,
        remedy="Open it in a browser.",
    )


def _unique(entries: list[Any]) -> tuple[list[Any], list[str]]:
    """The entries without repetitions, and the ids that several different posts share.

    The same post twice (by id and link) counts once, its first copy: feeds list the newest first.
    """
    seen: set[tuple[str, str]] = set()
    unique = []
    for entry in entries:
        key = (str(entry.get("id") or ""), str(entry.get("link") or entry.get("title") or ""))
        if key not in seen:
            seen.add(key)
            unique.append(entry)
    ids = Counter(entry.get("id") for entry in unique if entry.get("id"))
    return unique, [name for name, count in ids.items() if count > 1]


def _post(
    entry: Entry, feed: Entry, *, source: str, url: str, zone: tzinfo, has_own_id: bool
) -> IncomingPost:
    link = _http(entry.get("feedburner_origlink") or entry.get("link"), url)
    guid = one_line(str(entry.get("id") or "")) if has_own_id else ""
    raw_html, own_base = _body(entry)
    base = urljoin(url, own_base) if own_base else None
    published = _date(entry, zone, "published", "created") or _date(entry, zone, "updated")
    title = _plain(entry.get("title_detail"))
    raw_summary = _markup(entry.get("summary_detail"))
    comment_count, comments_url, comments_feed_url = _comments(entry)
    return IncomingPost(
        source=source,
        external_id=guid or link or _made_id(title, entry),
        place=link or url,
        title=title,
        guid=guid or None,
        raw_html=raw_html,
        base_url=base or link or url,
        link=link,
        raw_summary=raw_summary if raw_summary and raw_summary != raw_html else None,
        authors=_authors(entry) or _authors(feed),
        tags=_tags(entry),
        language=_language(entry, feed),
        published=published,
        updated=_date(entry, zone, "updated"),
        enclosures=_enclosures(entry),
        comment_count=comment_count,
        comments_url=_http(comments_url, url),
        comments_feed_url=_http(comments_feed_url, url),
    )


def _made_id(title: str, entry: Entry) -> str:
    """The key of an entry with neither id nor link: what least changes of it."""
    text = "\n".join((title, str(entry.get("published") or entry.get("updated") or "")))
    if not text.strip():
        text = _body(entry)[0]
    return "hash:" + hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]


def _body(entry: Entry) -> tuple[str, str | None]:
    """The fullest content an entry has, as HTML, and what its relative addresses count from."""
    details = [detail for detail in entry.get("content") or () if _markup(detail)]
    if not details and entry.get("summary_detail"):
        details = [entry["summary_detail"]]
    if not details:
        return "", None
    fullest = max(
        details, key=lambda detail: (detail.get("type") in _HTML, len(detail.get("value") or ""))
    )
    return _markup(fullest), fullest.get("base")


def _markup(detail: Entry | None) -> str:
    """The text of an element as HTML; plain text is escaped, its empty lines part paragraphs."""
    value = str((detail or {}).get("value") or "")
    if "<" not in value and re.search(r"\n\s*\n", value):
        parts = filter(str.strip, re.split(r"\n\s*\n", value))
        return "".join(f"<p>{html.escape(html.unescape(part), quote=False)}</p>" for part in parts)
    if detail is None or detail.get("type") in _HTML or _MARKUP.search(value):
        return value  # much that calls itself plain is not
    return f"<p>{html.escape(value, quote=False)}</p>" if value.strip() else ""


def _plain(detail: Entry | None) -> str:
    """A title as plain text. An entity that is left in it was escaped twice; nobody writes `&#8217;` in a headline."""
    if not detail:
        return ""
    value = strip_illegal(str(detail.get("value") or ""))
    if detail.get("type") in _HTML:
        try:
            value = plain_text(clean_html(value, None)).replace("\n", " ")
        except PostError:
            value = re.sub(r"<[^>]*>", "", value[:2000])
    return one_line(html.unescape(value) if _ENTITY.search(value) else value)


def _authors(entry: Entry) -> tuple[str, ...]:
    """Names; of an address with a name (`ana@blog.example (Ana)`) the cleaning keeps the name. feedparser takes such a
    text apart by itself, and wrongly where the domain is a new one."""
    written = str(entry.get("author") or "")
    named = [str(author.get("name") or "") for author in entry.get("authors") or () if author]
    if len(named) < 2 and "@" in written:
        return (written,)
    return tuple(name for name in named if name) or ((written,) if written else ())


def _tags(entry: Entry) -> tuple[str, ...]:
    return tuple(
        str(tag.get("label") or tag.get("term") or "")
        for tag in entry.get("tags") or ()
        if tag.get("scheme") != _KIND_SCHEME
    )


def _language(entry: Entry, feed: Entry) -> str | None:
    """The entry's own language: feedparser tells it only of its content, title and summary."""
    details = [
        *(entry.get("content") or ()),
        entry.get("title_detail"),
        entry.get("summary_detail"),
    ]
    given = [detail.get("language") for detail in details if detail]
    return next((tag for tag in given if tag), None) or feed.get("language")


def _date(entry: Entry, zone: tzinfo, *names: str) -> datetime | None:
    """Read from the text that was sent: feedparser guesses (0000-00-00 becomes the year -1, EST a US zone). Asked with
    `in`, because a missing `updated` silently gives `published`."""
    for name in names:
        if name not in entry:
            continue
        moment = parse_date(str(entry[name]), zone)
        if moment is not None and moment.year >= _FIRST_YEAR:
            return moment.astimezone(UTC)
    return None


def _enclosures(entry: Entry) -> tuple[Enclosure, ...]:
    found = []
    for link in entry.get("links") or ():
        if link.get("rel") == "enclosure" and link.get("href"):
            length = str(link.get("length") or "")
            found.append(
                Enclosure(
                    url=str(link["href"]),
                    type=str(link.get("type") or "application/octet-stream"),
                    length_bytes=int(length)
                    if length.isascii() and length.isdigit() and length != "0"
                    else None,
                    title=link.get("title"),
                )
            )
    return tuple(found)


def _comments(entry: Entry) -> tuple[int | None, str | None, str | None]:
    """How many comments an entry says it has (slash:comments, thr:total, thr:count), where people read them, and where
    programs do (wfw:commentRss; a link to replies that is no page, RFC 4685 4)."""
    counts = [entry.get("slash_comments"), entry.get("thr_total")]
    page, feed = entry.get("comments"), entry.get("wfw_commentrss")
    for link in entry.get("links") or ():
        if link.get("rel") == "replies":
            counts.append(link.get("thr:count") or link.get("count"))
            if str(link.get("type") or "text/html").startswith("text/html"):
                page = page or link.get("href")
            else:
                feed = feed or link.get("href")
    number = next(
        (str(count).strip() for count in counts if str(count or "").strip().isdigit()), None
    )
    return (int(number) if number and len(number) < 9 else None), page, feed


def _looks_cut(entry: Entry) -> bool:
    """True when an entry carries no full text: no content of its own, and a summary that is short or breaks off."""
    if any(_markup(detail) for detail in entry.get("content") or ()):
        return False
    try:
        text = plain_text(clean_html(_markup(entry.get("summary_detail")), None))
    except PostError:
        return False
    blocks = len(re.findall(r"<p\b|<br\b|<div\b", _markup(entry.get("summary_detail"))))
    return bool(_CUT.search(text)) or (len(text) < _SHORT and blocks < 2)


def _http(address: object, base: str) -> str | None:
    if not address:
        return None
    try:
        joined = urljoin(base, strip_illegal(str(address)).strip())
    except ValueError:
        return None
    return joined if joined.startswith(("http://", "https://")) else None
