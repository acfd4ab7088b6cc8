"""Polling: sources are read side by side, and what they brought is cleaned, reconciled and saved, one after another."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlsplit

import structlog

from dateline import __version__
from dateline.actions.arrivals import Arrived, note_missing, save_posts
from dateline.actions.media import copy_media
from dateline.press import Press
from posts.database import reading, writing
from posts.errors import NotFound, SourceError
from posts.fetch import Fetcher, shown_url
from posts.model import SourceFault
from posts.settings import SourceSettings
from posts.source_states import get_state, list_faults, save_faults, save_state
from posts.sources.folder import forget_files
from posts.sources.reading import Reading
from posts.sources.registry import read_source
from posts.sources.remote_feed import failed
from posts.store import next_scheduled, publish_due
from posts.text import one_line

log = structlog.get_logger()

Progress = Callable[[str, int, int], None]
"""Told the source, how many of its posts are dealt with, and of how many."""

_READ_AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class PollResult:
    """What one poll of one source did. `failed`: the source itself could not be read. `held`: so many posts are gone
    from it and are not withdrawn, because they are too many at once (DESIGN.md 8.10). `chosen_feed`: the feed that was
    found on the page that the source names."""

    source: str
    new: int = 0
    revised: int = 0
    unchanged: int = 0
    withdrawn: int = 0
    faults: tuple[SourceFault, ...] = ()
    failed: bool = False
    summaries_only: bool = False
    chosen_feed: str | None = None
    held: int = 0


def poll(
    press: Press,
    *,
    source: str | None = None,
    accept_deletions: bool = False,
    progress: Progress | None = None,
    fetcher: Fetcher | None = None,
) -> list[PollResult]:
    """Reads every source now, or one; a bad source is a result that says so and stops no other.

    `accept_deletions` withdraws the posts whose files are gone, however many. Safe to repeat. Raises NotFound where no
    source is called `source`.
    """
    sources = press.config.sources
    if source is not None:
        sources = tuple(one for one in sources if one.name == source)
        if not sources:
            names = ", ".join(shown_url(one.name) for one in press.config.sources) or "none"
            raise NotFound(f'there is no source "{source}"', remedy=f"Configured: {names}.")
    return _poll_all(press, sources, accept_deletions, progress, fetcher or build_fetcher(press))


def poll_due(press: Press, *, fetcher: Fetcher | None = None) -> list[PollResult]:
    """Publishes the scheduled posts whose time has come, and polls the sources that are due; for the clock."""
    now = press.clock()
    with reading(press.engine) as conn:
        next_post = next_scheduled(conn)
    if (
        next_post is not None and next_post <= now
    ):  # else the one lock that writers share is left alone
        with writing(press.engine) as conn:
            changes = publish_due(conn, now, site=press.config.site)
        log.info("scheduled posts published", posts=len(changes))
    with reading(press.engine) as conn:
        due = [
            one for one in press.config.sources if _is_due(get_state(conn, one.name).next_poll, now)
        ]
    return _poll_all(press, due, False, None, fetcher or build_fetcher(press))


def build_fetcher(press: Press) -> Fetcher:
    """The client of this press; it says who asks, and where to find out more."""
    web_url = press.config.web.url
    host = urlsplit(web_url).hostname or ""
    known = press.config.site.url if host in ("localhost", "127.0.0.1", "::1") else web_url
    return Fetcher(user_agent=f"Dateline/{__version__} (+{known})")


def _is_due(next_poll: datetime | None, now: datetime) -> bool:
    return next_poll is None or next_poll <= now


def _poll_all(
    press: Press,
    sources: Sequence[SourceSettings],
    accept_deletions: bool,
    progress: Progress | None,
    fetcher: Fetcher,
) -> list[PollResult]:
    if not sources:
        return []
    results = []
    with ThreadPoolExecutor(min(_READ_AT_ONCE, len(sources)), "poll") as pool:
        readings = [pool.submit(_read, press, one, fetcher) for one in sources]
        for settings, waiting in zip(sources, readings, strict=True):
            started = time.monotonic()
            result = _finish(press, settings, waiting.result(), accept_deletions, progress)
            _tell(result, took_s=round(time.monotonic() - started, 3))
            results.append(result)
    return results


def _read(press: Press, settings: SourceSettings, fetcher: Fetcher) -> Reading:
    """Reads a source; a bug of ours in it is a failed reading too, with its trace in the log."""
    now = press.clock()
    with reading(press.engine) as conn:
        state = get_state(conn, settings.name)
    try:
        read = read_source(
            settings,
            folder=press.folder,
            fetcher=fetcher,
            state=state,
            site=press.config.site,
            now=now,
        )
        if settings.kind == "folder":
            read = _with_media(press, settings, read)
        return replace(read, is_first=state.first_polled is None)
    except Exception as error:
        log.exception("source not read", source=shown_url(settings.name))
        trouble = SourceError(f"made the program stumble ({type(error).__name__}).")
        return failed(settings, state, trouble, now=now)


def _with_media(press: Press, settings: SourceSettings, read: Reading) -> Reading:
    """A reading of a folder, its pictures copied into `[paths] media`; what could not be copied is among its faults."""
    media = press.path(press.config.paths.media)
    faults = copy_media(press.path(settings.location), media, source=settings.name)
    return replace(read, faults=(*read.faults, *faults))


def _finish(
    press: Press,
    settings: SourceSettings,
    read: Reading,
    accept_deletions: bool,
    progress: Progress | None,
) -> PollResult:
    """Saves what was read, and remembers the source's state last: a crash before that reads it again."""
    arrived = Arrived()
    faults = list(read.faults)
    held = withdrawn = 0
    state = read.state
    try:
        if not read.failed:
            arrived = save_posts(press, settings, read, progress)
            faults += arrived.faults
            state = forget_files(state, arrived.unsaved)
        with writing(press.engine) as conn:
            now = press.clock()
            if not read.failed and read.seen is not None:
                gone = note_missing(
                    conn, settings, read.seen, accept=accept_deletions, press=press, now=now
                )
                held, withdrawn = gone.held, gone.withdrawn
                faults += gone.faults
            save_state(conn, state)
            if read.unchanged:
                faults = list_faults(conn, settings.name)
            else:
                _tell_new(faults, list_faults(conn, settings.name))
                save_faults(conn, settings.name, map(_storable, faults), now)
    except Exception as error:
        log.exception("source not saved", source=shown_url(settings.name))
        what = f"was read, but could not be saved ({type(error).__name__}); it is read again."
        fault = SourceFault(source=settings.name, place=shown_url(settings.name), what=what)
        return PollResult(source=settings.name, faults=(*faults, fault), failed=True)
    unread = (
        max(0, len(read.seen) - len(read.posts) - len(read.faults)) if read.seen is not None else 0
    )
    return PollResult(
        source=settings.name,
        new=arrived.new,
        revised=arrived.revised,
        unchanged=arrived.unchanged + unread,
        withdrawn=withdrawn,
        faults=tuple(faults),
        failed=read.failed,
        summaries_only=read.summaries_only,
        chosen_feed=read.chosen_feed,
        held=held,
    )


def _storable(fault: SourceFault) -> SourceFault:
    """The fault without characters that a database refuses: it may quote what was bad."""
    return replace(
        fault, place=one_line(fault.place), what=one_line(fault.what), remedy=one_line(fault.remedy)
    )


def _tell_new(faults: Sequence[SourceFault], before: Sequence[SourceFault]) -> None:
    """Logs what was not wrong at the poll before; a fault that stays is not told every ten minutes."""
    known = set(before)
    for fault in faults:
        if _storable(fault) not in known:
            log.warning(
                "fault found",
                source=shown_url(fault.source),
                place=shown_url(fault.place),
                what=fault.what,
                remedy=fault.remedy,
            )


def _tell(result: PollResult, *, took_s: float) -> None:
    event = log.warning if result.failed else log.info
    event(
        "source not read" if result.failed else "source polled",
        source=shown_url(result.source),
        new=result.new,
        revised=result.revised,
        unchanged=result.unchanged,
        withdrawn=result.withdrawn,
        held=result.held,
        faults=len(result.faults),
        took_s=took_s,
    )
