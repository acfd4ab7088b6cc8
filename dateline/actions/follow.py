"""How far a run of sending is, and its end; beside another sender, the same from the ledger."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from dateline.actions.progress import read_pulse
from dateline.press import Press
from newsletter.books import Books, list_open_books
from newsletter.overview import list_next_retries
from newsletter.paces import FoundPace
from newsletter.progress import times_left
from posts.database import reading

_EVERY_S, _STEP_S = 1.0, 0.2
_SHARE = 0.05
"""Who follows reads the books for at most this share of the time: they cost a quarter of a second a million."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run is: recipients with a final verdict of `total`, and what was done. `rate_per_s` and `time_left_s`
    are None before there are samples; who is deferred is not in the time left, but tried again at `next_retry`."""

    done: int
    total: int
    sent: int
    deferred: int
    failed: int
    excluded: int
    in_doubt: int
    notices: int = 0
    trouble: str | None = None
    rate_per_s: float | None = None
    time_left_s: float | None = None
    next_retry: datetime | None = None
    found_rates: tuple[FoundPace, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverResult:
    """What a run came to; `waiting`: who is still to be sent to. `trouble` says why it ended before all was sent;
    `by`, who sends instead of us."""

    sent: int = 0
    deferred: int = 0
    failed: int = 0
    excluded: int = 0
    in_doubt: int = 0
    notices: int = 0
    waiting: int = 0
    trouble: str | None = None
    by: str | None = None


def follow(
    press: Press,
    issue: int | None,
    until_done: bool,
    stop: Callable[[], bool],
    progress: Callable[[Progress], None] | None,
    holder: str,
) -> DeliverResult:
    """Shows what the holder of the lock does, from the ledger, until nothing is queued (or left) any more."""
    with reading(press.engine) as conn:
        before = list_open_books(conn, issue)
    while True:
        began = time.monotonic()
        with reading(press.engine) as conn:
            now = list_open_books(conn, issue, also=before)
            seen = _progress(conn, press, now) if progress is not None else None
        took_s = time.monotonic() - began
        books = list(now.values())
        result = DeliverResult(
            sent=sum(b.sent for b in books),
            deferred=sum(b.deferred for b in books),
            failed=sum(b.failed for b in books),
            excluded=sum(b.excluded_total for b in books),
            in_doubt=sum(b.in_doubt for b in books),
            waiting=sum(b.queued + b.leased + b.deferred for b in books),
            by=holder,
        )
        if progress is not None and seen is not None:
            progress(seen)
        left = result.waiting if until_done else result.waiting - result.deferred
        if left <= 0 or stop():
            return result
        until = time.monotonic() + max(_EVERY_S, took_s / _SHARE)
        while not stop() and (rest_s := until - time.monotonic()) > 0:
            time.sleep(min(rest_s, _STEP_S))


def _progress(conn: sa.Connection, press: Press, books: Mapping[int, Books]) -> Progress:
    """How far the holder of the lock is with these issues, from the books and from what it says of itself."""
    pulse = read_pulse(conn, press, press.clock())
    left = {issue: one.queued + one.leased for issue, one in books.items()}
    rate = pulse.rate_per_s if pulse.trouble is None else None
    times = times_left({issue: amount for issue, amount in left.items() if amount}, rate)
    deferred = sum(one.deferred for one in books.values())
    retries = list_next_retries(conn, books) if deferred else {}
    all_books = list(books.values())
    sent, failed = sum(b.sent for b in all_books), sum(b.failed for b in all_books)
    excluded = sum(b.excluded_total for b in all_books)
    return Progress(
        done=sent + failed + excluded,
        total=sum(b.recipients for b in all_books),
        sent=sent,
        deferred=deferred,
        failed=failed,
        excluded=excluded,
        in_doubt=sum(b.in_doubt for b in all_books),
        trouble=pulse.trouble,
        rate_per_s=pulse.rate_per_s,
        time_left_s=max((time for time in times.values() if time is not None), default=None),
        next_retry=min(retries.values(), default=None),
        found_rates=pulse.found_rates,
    )
