"""The SQL of frequencies and due times: how far each frequency's released issues reach, what became of a due time."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import sqlalchemy as sa

from newsletter.spec import NewsletterSettings
from newsletter.tables import due_times, frequencies
from posts import journal
from posts.errors import NotFound
from posts.upsert import insert_into


@dataclass(frozen=True, slots=True, kw_only=True)
class Frequency:
    """One schedule of a newsletter: when it was first seen, and the last number its released issues cover."""

    newsletter: str
    frequency: str
    schedule: str
    since: datetime
    end: int


class DueOutcome(StrEnum):
    """What became of a due time (DESIGN.md 4)."""

    WAITING = "waiting"
    RELEASED = "released"
    DRAFT = "draft"
    MERGED = "merged"
    TOO_FEW = "too few"
    NOTHING_NEW = "nothing new"


@dataclass(frozen=True, slots=True, kw_only=True)
class DueTime:
    """A due time that a tick has met. `upto` is the number that its issue ends at, set when it begins to wait."""

    newsletter: str
    frequency: str
    wall_time: str
    outcome: DueOutcome
    upto: int | None
    issue: int | None
    at: datetime


_F = frequencies.c
_D = due_times.c


def sync_frequencies(
    conn: sa.Connection,
    newsletters: Iterable[NewsletterSettings],
    now: datetime,
    max_age: timedelta,
) -> None:
    """Makes the rows agree with the configuration; safe to call at every tick.

    A new frequency begins at the number before the first line younger than `max_age`. A changed schedule moves
    `since`, so that it mails nobody at once; so does a `since` that lies ahead, which a clock that jumped and came
    back has left. A frequency that is no longer configured keeps its row.
    """
    known = {(row.newsletter, row.frequency): row for row in list_frequencies(conn)}
    for newsletter in newsletters:
        for name, line in newsletter.frequencies.items():
            schedule = " ".join(line.lower().split())
            row = known.get((newsletter.slug, name))
            if row is None:
                end = journal.number_before(conn, now - max_age)
                values = {
                    "newsletter": newsletter.slug,
                    "frequency": name,
                    "schedule": schedule,
                    "since": now,
                    "end": end,
                }
                conn.execute(insert_into(conn, frequencies).values(values).on_conflict_do_nothing())
            elif row.schedule != schedule or row.since > now:
                conn.execute(
                    sa.update(frequencies)
                    .where(
                        _F.newsletter == newsletter.slug,
                        _F.frequency == name,
                        _F.since == row.since,
                    )
                    .values(schedule=schedule, since=now)
                )


def is_in_sync(
    conn: sa.Connection, newsletters: Iterable[NewsletterSettings], now: datetime
) -> bool:
    """True when `sync_frequencies` would change nothing: asked first, so that an idle tick writes nothing."""
    known = {(row.newsletter, row.frequency): row for row in list_frequencies(conn)}
    return all(
        (row := known.get((newsletter.slug, name))) is not None
        and row.schedule == " ".join(line.lower().split())
        and row.since <= now
        for newsletter in newsletters
        for name, line in newsletter.frequencies.items()
    )


def list_frequencies(conn: sa.Connection) -> list[Frequency]:
    """All rows, by newsletter and frequency."""
    query = sa.select(_F.newsletter, _F.frequency, _F.schedule, _F.since, _F.end)
    query = query.order_by(_F.newsletter, _F.frequency)
    return [Frequency(**row._mapping) for row in conn.execute(query)]


def find_frequency(
    conn: sa.Connection, newsletter: str, frequency: str, *, lock: str | None = None
) -> Frequency | None:
    """One row, or None. `lock` is "update" (a release) or "share" (a reader changes to it) on PostgreSQL; on SQLite
    the writing transaction is the lock (DESIGN.md 9)."""
    query = sa.select(_F.newsletter, _F.frequency, _F.schedule, _F.since, _F.end).where(
        _F.newsletter == newsletter, _F.frequency == frequency
    )
    if lock is not None and conn.dialect.name == "postgresql":
        query = query.with_for_update(read=lock == "share")
    row = conn.execute(query).one_or_none()
    return Frequency(**row._mapping) if row else None


def get_frequency(
    conn: sa.Connection, newsletter: str, frequency: str, *, lock: str | None = None
) -> Frequency:
    """As `find_frequency`; raises NotFound."""
    found = find_frequency(conn, newsletter, frequency, lock=lock)
    if found is None:
        raise NotFound(f'"{newsletter}" has no frequency "{frequency}"')
    return found


def move_end(conn: sa.Connection, newsletter: str, frequency: str, *, start: int, end: int) -> bool:
    """Moves a frequency's end from `start` to `end`; False where it no longer stands at `start`."""
    moved = conn.execute(
        sa.update(frequencies)
        .where(_F.newsletter == newsletter, _F.frequency == frequency, _F.end == start)
        .values(end=end)
    )
    return moved.rowcount == 1


def find_due_time(
    conn: sa.Connection, newsletter: str, frequency: str, wall_time: str
) -> DueTime | None:
    """What became of one due time; None where no tick has met it."""
    query = _due_query().where(
        _D.newsletter == newsletter, _D.frequency == frequency, _D.wall_time == wall_time
    )
    row = conn.execute(query).one_or_none()
    return _due_time(row) if row else None


def find_waiting(conn: sa.Connection, newsletter: str, frequency: str) -> DueTime | None:
    """The due time that waits for its range to settle, or None; the oldest where there are several."""
    query = (
        _due_query()
        .where(
            _D.newsletter == newsletter,
            _D.frequency == frequency,
            _D.outcome == DueOutcome.WAITING,
        )
        .order_by(_D.at, _D.wall_time)
        .limit(1)
    )
    row = conn.execute(query).one_or_none()
    return _due_time(row) if row else None


def list_due_times(
    conn: sa.Connection, newsletter: str, frequency: str | None = None, *, limit: int = 20
) -> list[DueTime]:
    """The due times last acted upon, newest first."""
    query = _due_query().where(_D.newsletter == newsletter)
    if frequency is not None:
        query = query.where(_D.frequency == frequency)
    rows = conn.execute(query.order_by(_D.at.desc(), _D.wall_time.desc()).limit(limit))
    return [_due_time(row) for row in rows]


def save_due_time(
    conn: sa.Connection,
    newsletter: str,
    frequency: str,
    wall_time: str,
    outcome: DueOutcome,
    *,
    now: datetime,
    upto: int | None = None,
) -> bool:
    """Writes what became of a due time; False where another tick was first (a unique key decides)."""
    values = {
        "newsletter": newsletter,
        "frequency": frequency,
        "wall_time": wall_time,
        "outcome": outcome.value,
        "upto": upto,
        "at": now,
    }
    made = conn.execute(
        insert_into(conn, due_times).values(values).on_conflict_do_nothing(),
        # without it the row count of an INSERT is -1 on PostgreSQL
        execution_options={"preserve_rowcount": True},
    )
    return made.rowcount == 1


def settle_due_time(
    conn: sa.Connection,
    due: DueTime,
    outcome: DueOutcome,
    *,
    now: datetime,
    issue: int | None = None,
) -> bool:
    """Ends a due time's waiting (or notes its issue while it waits); False where it waits no longer."""
    changed = conn.execute(
        sa.update(due_times)
        .where(
            _D.newsletter == due.newsletter,
            _D.frequency == due.frequency,
            _D.wall_time == due.wall_time,
            _D.outcome == DueOutcome.WAITING,
        )
        .values(outcome=outcome.value, issue=issue, at=now)
    )
    return changed.rowcount == 1


def settle_issue_due(
    conn: sa.Connection, issue: int, outcome: DueOutcome, *, now: datetime
) -> None:
    """Ends the waiting of the due time that made this issue, if one did and it still waits."""
    conn.execute(
        sa.update(due_times)
        .where(_D.issue == issue, _D.outcome == DueOutcome.WAITING)
        .values(outcome=outcome.value, at=now)
    )


def _due_query() -> sa.Select[tuple[str, str, str, str, int | None, int | None, datetime]]:
    return sa.select(
        _D.newsletter, _D.frequency, _D.wall_time, _D.outcome, _D.upto, _D.issue, _D.at
    )


def _due_time(row: sa.Row[tuple[str, str, str, str, int | None, int | None, datetime]]) -> DueTime:
    return DueTime(**{**row._mapping, "outcome": DueOutcome(row.outcome)})
