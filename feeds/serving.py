"""What is said with a document over HTTP, whoever serves it: its type, how long it holds, its links, what browsers may do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote

from feeds.opml import OPML_PATH
from feeds.spec import MAX_AGE_S, MEDIA_TYPES

ARCHIVE_FRESH_S = 3600
"""An archive document changes by a revision or a withdrawal alone, and those should be seen soon."""

OPML_TYPE = "text/x-opml"

STYLED_TYPES = frozenset({MEDIA_TYPES["atom"], MEDIA_TYPES["rss"]})
SHOWN_TYPE = "application/xml"
"""Chromium shows the types of feeds as source text and never applies their style sheet. So a browser that opens one as a
page (`Sec-Fetch-Dest: document`, which no feed reader sends) is told that it is XML. The bytes are the same, and every
reader takes this type too, so that a cache which ignores `Vary` does no harm."""

CORS: Sequence[tuple[str, str]] = (
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Expose-Headers", "ETag, Link, IM, Delta-Base"),
)
"""Readers in browsers may read every answer, and its validators (fetch shows them no other header)."""

METHODS = "GET, HEAD, OPTIONS"

PREFLIGHT: Sequence[tuple[str, str]] = (
    ("Allow", METHODS),
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Allow-Methods", METHODS),
    (
        "Access-Control-Allow-Headers",
        "A-IM, Accept, Cache-Control, If-Modified-Since, If-None-Match, Pragma, X-Requested-With",
    ),
    ("Access-Control-Max-Age", "86400"),
    ("Cache-Control", "public, max-age=86400"),
)

OF_A_BODY: Sequence[tuple[str, str]] = (
    ("X-Content-Type-Options", "nosniff"),
    # Opened in a browser: our style sheet, and no script whatever a post says (DESIGN.md 8.9).
    (
        "Content-Security-Policy",
        "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:",
    ),
)

_FORMATS = "|".join(MEDIA_TYPES)
_DOCUMENT = re.compile(
    rf"/feeds/[a-z0-9][a-z0-9-]*(?P<archive>/archive/[0-9]{{5,9}})?\.(?P<format>{_FORMATS})"
)
_IN_AN_ADDRESS = "%/:?#[]@!$&'()*+,;=~-._"


def served_type(path: str) -> str | None:
    """The media type of a path that may be served, None for any other: names are a closed list, no path climbs out."""
    if path == OPML_PATH:
        return OPML_TYPE
    match = _DOCUMENT.fullmatch(path)
    return MEDIA_TYPES[match["format"]] if match else None


def is_subscribed(path: str) -> bool:
    """True for what readers and hubs poll: not for archive documents, nor for the list of feeds."""
    return "/archive/" not in path and path != OPML_PATH


def link_header(url: str, hubs: Sequence[str]) -> str:
    """`Link:` with the document's own address and its hubs (RFC 8288; WebSub 4)."""
    links = [("self", url), *(("hub", hub) for hub in hubs)]
    return ", ".join(
        f'<{quote(target, safe=_IN_AN_ADDRESS)}>; rel="{relation}"' for relation, target in links
    )


def vary(*, is_styled: bool) -> str:
    """What an answer depends on; `is_styled` for one of STYLED_TYPES."""
    return "Accept-Encoding, Sec-Fetch-Dest" if is_styled else "Accept-Encoding"


def cache_control(path: str) -> str:
    """How long a copy holds; behind that a cache may show it while it asks (RFC 5861).

    A feed's agrees with the `ttl` in its RSS: Miniflux waits for the longer of the two.
    """
    seconds = ARCHIVE_FRESH_S if "/archive/" in path else MAX_AGE_S
    return f"public, max-age={seconds}, stale-while-revalidate={seconds}"
