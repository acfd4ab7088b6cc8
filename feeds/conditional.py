"""A request's conditions against a document's validators: 200 or 304 (RFC 9110 13)."""

from __future__ import annotations

import re
from datetime import datetime
from email.utils import format_datetime

_OPAQUE = re.compile(r'(?:W/)?"[^"]*"')


def http_date(moment: datetime) -> str:
    """An HTTP date (RFC 9110 5.6.7); `moment` is in UTC."""
    return format_datetime(moment, usegmt=True)


def not_modified(
    *, if_none_match: str | None, if_modified_since: str | None, etag: str, last_modified: str
) -> bool:
    """True when the reader has these very bytes.

    If-None-Match wins over If-Modified-Since. The latter must be exactly what we sent: reader programs make dates up
    (feeds.md 2.1), and a date between a change and its build would get a 304 for bytes that it never saw.
    """
    if if_none_match is not None:
        return _names(if_none_match, etag)
    return if_modified_since is not None and if_modified_since.strip() == last_modified


def _names(if_none_match: str, etag: str) -> bool:
    """Weak comparison with each tag of the list. Some proxies add `-gzip` inside the quotes, some readers drop them."""
    wanted = etag.strip('"')
    value = if_none_match.strip()
    if value == "*":
        return True
    tags = _OPAQUE.findall(value) or [value]
    return any(
        tag.removeprefix("W/").strip('"').removesuffix("-gzip").removesuffix("-br") == wanted
        for tag in tags
    )
