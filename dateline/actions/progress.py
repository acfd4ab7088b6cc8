"""How sending stands, in figures: of every issue that is being sent, and of the processes that send it.

The terminal, the JSON, the event stream, the metrics and `status` all show these and no others.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from dateline.actions.relay import refuse_to_send
from dateline.deliver_lock import is_held
from dateline.press import Press
from newsletter.books import Books, list_books
from newsletter.overview import (
    SendingIssue,
    count_open_notices,
    find_oldest_notice,
    list_next_retries,
    list_sending_issues,
)
from newsletter.paces import FoundPace, list_paces
from newsletter.progress import RelayReport, times_left, total_rate
from newsletter.senders import SendingProcess, list_senders
from posts.database import reading
from posts.errors import Refused

SHOWN_AFTER_END = timedelta(days=1)
"""So long a finished issue stays among the figures: nobody who looks now and then misses how it ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueFigures:
    """Where an issue stands. `rate_per_s` is its share of the rate, `time_left_s` counts whom is queued or leased;
    both are None where nothing was measured, where the issue is paused, and at its end. `next_retry`: when the first
    of those who were put off is tried again."""

    issue: int
    name: str
    newsletter: str
    status: str
    released: datetime
    finished: datetime | None
    books: Books
    rate_per_s: float | None = None
    time_left_s: float | None = None
    next_retry: datetime | None = None

    @property
    def done(self) -> int:
        """How many have a final verdict."""
        return self.books.sent + self.books.failed + self.books.excluded_total

    @property
    def left(self) -> int:
        """How many nobody was offered to yet, or are being offered now."""
        return self.books.queued + self.books.leased


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """What the sending processes last said. `rate_per_s`: all of them together, None before there are samples;
    `found_rates`: how fast a relay or provider takes mail that asked to be spared, whoever found it. `refusal`: why
    nothing may be sent at all, whatever the relay says (a setting, a key, a hold)."""

    workers: int = 0
    rate_per_s: float | None = None
    trouble: str | None = None
    refusal: str | None = None
    relays: tuple[RelayReport, ...] = ()
    found_rates: tuple[FoundPace, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How sending stands at one moment. `notices`: those that wait; `queue_age_s`: since when the oldest recipient or
    notice waits who was not offered yet, 0 where nobody does."""

    at: datetime
    pulse: Pulse
    notices: int = 0
    queue_age_s: float = 0.0
    time_left_s: float | None = None
    issues: tuple[IssueFigures, ...] = ()

    @property
    def is_sending(self) -> bool:
        """True while somebody waits for a first try."""
        return any(one.status == "released" and one.left for one in self.issues)


class FiguresReader:
    """Reads the figures as often as one asks; the books of an issue that is done are read once."""

    def __init__(self, press: Press) -> None:
        self._press = press
        self._done: dict[tuple[int, datetime | None], Books] = {}

    def read(self) -> Figures:
        """The figures now. Books cost a quarter of a second for a million deliveries: ask no more often than needed
        (dateline/web/progress.py shares one reading among all who look)."""
        now = self._press.clock()
        with reading(self._press.engine) as conn:
            found = list_sending_issues(conn, now - SHOWN_AFTER_END)
            books = self._read_books(conn, found)
            return build_figures(conn, self._press, found, books, now)

    def _read_books(self, conn: sa.Connection, found: Collection[SendingIssue]) -> dict[int, Books]:
        """What is done changes only by being released again, and ends anew then."""
        books = {
            one.issue: self._done[one.issue, one.finished]
            for one in found
            if (one.issue, one.finished) in self._done
        }
        unknown = [one.issue for one in found if one.issue not in books]
        books |= list_books(conn, unknown) if unknown else {}
        ended = [one for one in found if one.status == "done"]
        self._done = {(one.issue, one.finished): books[one.issue] for one in ended}
        return books


def build_figures(
    conn: sa.Connection,
    press: Press,
    found: Iterable[SendingIssue],
    books: Mapping[int, Books],
    now: datetime,
) -> Figures:
    """The figures of issues whose books were read in the same transaction."""
    issues = tuple(found)
    pulse = read_pulse(conn, press, now)
    left = {
        one.issue: books[one.issue].queued + books[one.issue].leased
        for one in issues
        if one.status == "released"
    }
    waiting = {issue: amount for issue, amount in left.items() if amount}
    times = times_left(waiting, pulse.rate_per_s if pulse.trouble is None else None)
    share = pulse.rate_per_s / len(waiting) if pulse.rate_per_s and waiting else None
    retries = list_next_retries(conn, [issue for issue in left if books[issue].deferred])
    since = [one.released for one in issues if one.issue in waiting]
    oldest = min([*since, *filter(None, [find_oldest_notice(conn)])], default=now)
    return Figures(
        at=now,
        pulse=pulse,
        notices=count_open_notices(conn, press.config.mail.in_doubt),
        queue_age_s=max(0.0, (now - oldest).total_seconds()),
        time_left_s=max((time for time in times.values() if time is not None), default=None),
        issues=tuple(
            IssueFigures(
                issue=one.issue,
                name=one.name,
                newsletter=one.newsletter,
                status=one.status,
                released=one.released,
                finished=one.finished,
                books=books[one.issue],
                rate_per_s=share if one.issue in waiting else None,
                time_left_s=times.get(one.issue),
                next_retry=retries.get(one.issue),
            )
            for one in issues
        ),
    )


def read_pulse(conn: sa.Connection, press: Press, now: datetime) -> Pulse:
    """What the sending processes last said; on SQLite the lock knows best whether there is one."""
    alive = list_senders(conn, now)
    workers = len(alive)
    if conn.dialect.name == "sqlite":
        is_delivering = is_held(press.var)
        alive = alive if is_delivering else []
        workers = max(len(alive), 1) if is_delivering else 0
    return Pulse(
        workers=workers,
        rate_per_s=total_rate(one.rate_per_s(now) for one in alive),
        trouble=next((one.report.trouble for one in alive if one.report.trouble), None),
        refusal=_refusal(press),
        relays=_relays(alive),
        found_rates=tuple(list_paces(conn)),
    )


def _refusal(press: Press) -> str | None:
    try:
        refuse_to_send(press)
    except Refused as refusal:
        return str(refusal)
    return None


def _relays(alive: Iterable[SendingProcess]) -> tuple[RelayReport, ...]:
    """Each relay once, as the process that reported last sees it."""
    by_name: dict[str, RelayReport] = {}
    for process in sorted(alive, key=lambda one: one.at):
        by_name.update((relay.name, relay) for relay in process.report.relays)
    return tuple(by_name.values())


def as_plain(figures: Figures) -> dict[str, object]:
    """The figures as JSON says them; times as ISO 8601, rates a second, lengths of time in seconds."""
    pulse = figures.pulse
    return {
        "at": figures.at.isoformat(),
        "workers": pulse.workers,
        "rate_per_s": _rounded(pulse.rate_per_s),
        "time_left_s": _rounded(figures.time_left_s),
        "trouble": pulse.refusal or pulse.trouble,
        "notices": figures.notices,
        "queue_age_s": round(figures.queue_age_s),
        "relays": [
            {"name": one.name, "state": one.state, "rate_per_s": _rounded(one.rate_per_s)}
            for one in pulse.relays
        ],
        "found_rates": [
            {"kind": one.kind, "name": one.name, "rate_per_s": _rounded(one.rate_per_s)}
            for one in pulse.found_rates
        ],
        "issues": [_issue_as_plain(one) for one in figures.issues],
    }


def _issue_as_plain(one: IssueFigures) -> dict[str, object]:
    books = one.books
    return {
        "id": one.issue,
        "name": one.name,
        "newsletter": one.newsletter,
        "status": one.status,
        "released": one.released.isoformat(),
        "finished": one.finished.isoformat() if one.finished else None,
        "recipients": books.recipients,
        "done": one.done,
        "queued": books.queued,
        "leased": books.leased,
        "sent": books.sent,
        "deferred": books.deferred,
        "failed": books.failed,
        "excluded": books.excluded_total,
        "in_doubt": books.in_doubt,
        "failures": dict(books.failures),
        "rate_per_s": _rounded(one.rate_per_s),
        "time_left_s": _rounded(one.time_left_s),
        "next_retry": one.next_retry.isoformat() if one.next_retry else None,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
