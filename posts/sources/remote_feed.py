"""A remote feed as a source: asked politely, read whatever its format, found on a page where a page was named."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

from posts.errors import SourceError
from posts.fetch import Fetched, Fetcher
from posts.model import SourceFault
from posts.settings import Site, SourceSettings
from posts.source_states import SourceState
from posts.sources.discover import discover_feeds, is_page, no_feed_named, parse_any
from posts.sources.feed_parse import not_a_feed
from posts.sources.reading import Reading, backed_off, polled

_MAX_AGE = re.compile(r"max-age\s*=\s*\"?(\d{1,9})", re.IGNORECASE)
_LONGEST_MAX_AGE = timedelta(hours=1)
_GONE = frozenset((404, 410))


def read_remote_feed(
    settings: SourceSettings, *, fetcher: Fetcher, state: SourceState, site: Site, now: datetime
) -> Reading:
    """Asks for the feed, with the validators of the last answer, and reads what comes.

    Never raises for what the server does: the reading is `failed`, its fault says why, and its state waits longer
    (Retry-After is kept to). A feed that was found on a page is looked for anew when it is no longer there.
    """
    try:
        return _read(settings, fetcher=fetcher, state=state, site=site, now=now)
    except SourceError as error:
        return failed(settings, state, error, now=now)


def failed(
    settings: SourceSettings,
    state: SourceState,
    error: SourceError,
    *,
    now: datetime,
    wait: timedelta | None = None,
) -> Reading:
    """The reading of a source that could not be read."""
    fault = SourceFault(
        source=settings.name,
        place=error.where or settings.location,
        what=error.what,
        remedy=error.remedy,
    )
    return Reading(
        failed=True,
        faults=(fault,),
        state=backed_off(state, now=now, every=settings.every, wait=wait),
        summaries_only=state.summaries_only,
    )


def _read(
    settings: SourceSettings, *, fetcher: Fetcher, state: SourceState, site: Site, now: datetime
) -> Reading:
    address = state.feed_url or settings.location
    fetched = _fetch(fetcher, settings, address, state)
    if fetched.not_modified:
        return Reading(
            unchanged=state.failures == 0,
            state=polled(state, now=now, wait=_wait(fetched.headers, settings, now)),
            summaries_only=state.summaries_only,
        )
    if fetched.status != 200:
        return _refused(settings, state, fetched, now=now)
    chosen = None
    if is_page(fetched):
        if state.feed_url:
            # The feed became a page: the next poll looks for it anew.
            forgotten = replace(state, feed_url=None, etag=None, last_modified=None)
            error = not_a_feed(fetched.body, "text/html", fetched.url)
            return failed(settings, forgotten, error, now=now)
        feeds = discover_feeds(fetched.body, fetched.url)
        if not feeds:
            raise no_feed_named(fetched.url)
        chosen = feeds[0].url
        fetched = _fetch(fetcher, settings, chosen, None)
        if fetched.status != 200:
            return _refused(settings, state, fetched, now=now)
    feed = parse_any(fetched, source=settings.name, zone=site.zone)
    remembered = replace(
        state,
        feed_url=chosen or state.feed_url,
        etag=fetched.headers.get("ETag"),
        last_modified=fetched.headers.get("Last-Modified"),
        summaries_only=feed.summaries_only,
    )
    return Reading(
        posts=feed.posts,
        faults=feed.faults,
        state=polled(remembered, now=now, wait=_wait(fetched.headers, settings, now)),
        summaries_only=feed.summaries_only,
        chosen_feed=chosen,
    )


def _fetch(
    fetcher: Fetcher, settings: SourceSettings, address: str, state: SourceState | None
) -> Fetched:
    return fetcher.fetch(
        address,
        typed=settings.location,
        etag=state.etag if state else None,
        last_modified=state.last_modified if state else None,
        allow_private=settings.allow_private,
    )


def _refused(
    settings: SourceSettings, state: SourceState, fetched: Fetched, *, now: datetime
) -> Reading:
    if fetched.status in _GONE and state.feed_url:
        state = replace(state, feed_url=None, etag=None, last_modified=None)
    wait = retry_after(fetched.headers, now) if fetched.status in (429, 503) else None
    asked = f" and asks to wait {int(wait.total_seconds())} seconds" if wait else ""
    remedy = (
        "Is the address right?"
        if 400 <= fetched.status < 500 and wait is None
        else "It is asked again later."
    )
    error = SourceError(f"answered {fetched.status}{asked}.", where=fetched.url, remedy=remedy)
    return failed(settings, state, error, now=now, wait=wait)


def retry_after(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """How long a server asks to be left alone (RFC 9110 10.2.3: seconds or a date), or None."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit() and len(value) < 9:
        return timedelta(seconds=int(value))
    try:
        moment = parsedate_to_datetime(value)
        return max(moment - now, timedelta(0))
    except (ValueError, TypeError):
        return None


def _wait(headers: Mapping[str, str], settings: SourceSettings, now: datetime) -> timedelta:
    """`every`, or longer where the answer says for how long it is good; an hour of that at most, because a cache's
    default must not keep a newsroom's post out of tonight's digest."""
    match = _MAX_AGE.search(headers.get("Cache-Control", ""))
    good_for = timedelta(seconds=int(match[1])) if match else timedelta(0)
    return max(settings.every, min(good_for, _LONGEST_MAX_AGE))
