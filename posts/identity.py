"""What makes a post the same post, and what makes it a changed one: ids, hashes, canonical links. Pure."""

import hashlib
import html
import json
import re
from dataclasses import asdict
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from posts.model import Content, IncomingPost

_NO_CHANGE = ("comment_count", "comments_url", "comments_feed_url", "source_text")
_TAG = re.compile(r"<[^>]*>")
_TRACKERS = re.compile(r"utm_.*|fbclid|gclid|mc_cid|mc_eid", re.IGNORECASE)


def post_guid(incoming: IncomingPost, site_host: str, first_seen: datetime) -> str:
    """The id a post gets at first sight: the source's or the front matter's, else a tag URI (RFC 4151).

    It is stored and never computed again (DESIGN.md 2): the file may be renamed, the newsroom may move.
    """
    if incoming.guid:
        return incoming.guid
    day = first_seen.astimezone(UTC).date().isoformat()
    return f"tag:{site_host or 'localhost'},{day}:{quote(incoming.external_id, safe='/')}"


def content_hash(content: Content) -> str:
    """What makes a revision: two contents with one hash are the same revision.

    Comment counts are no change, and neither is the source text: its trackers change while the cleaned HTML stays.
    """
    said = {key: value for key, value in asdict(content).items() if key not in _NO_CHANGE}
    return _sha256(json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":")))


def moves_updated(old: Content, new: Content) -> bool:
    """True when what a reader reads changed: title, summary, body, link or enclosures (DESIGN.md 2)."""
    return (old.title, old.summary, old.html, old.link, old.enclosures) != (
        new.title,
        new.summary,
        new.html,
        new.link,
        new.enclosures,
    )


def text_hash(content: Content) -> str:
    """The same for two copies of one article whose links differ: title and words, without markup.

    It recognises a post whose id changed with the blog's domain (feeds.md 4.6).
    """
    words = html.unescape(_TAG.sub(" ", content.html)).split()
    return _sha256("\n".join([" ".join(content.title.split()), " ".join(words)]))


def link_key(link: str | None) -> str | None:
    """The canonical form of an address: no scheme, `www.`, final slash, fragment or tracking parameter."""
    if not link:
        return None
    try:
        parts = urlsplit(link)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return link
    host = host.removeprefix("www.")
    return (host if port in (None, 80, 443) else f"{host}:{port}") + link_path(link)


def link_path(link: str) -> str:
    """The part of an address that stays when a blog moves to another domain."""
    parts = urlsplit(link)
    kept = [
        pair
        for pair in parse_qsl(parts.query, keep_blank_values=True)
        if not _TRACKERS.fullmatch(pair[0])
    ]
    query = f"?{urlencode(sorted(kept))}" if kept else ""
    return parts.path.rstrip("/") + query


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
