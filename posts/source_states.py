"""What is remembered of each source between polls, and what is wrong with it now."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from posts.model import SourceFault
from posts.tables import source_faults, source_states
from posts.upsert import insert_into


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceState:
    """A source between two polls: the feed that was chosen and its validators, when it was and will be polled.

    `first_polled` is None until a poll succeeded. `files` is what a folder remembers of its files, as it likes.
    """

    source: str
    feed_url: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    first_polled: datetime | None = None
    polled: datetime | None = None
    next_poll: datetime | None = None
    failures: int = 0
    summaries_only: bool = False
    files: dict[str, Any] | None = None  # Any: JSON, whose shape its source knows


_COLUMNS = tuple(source_states.c[field.name] for field in fields(SourceState))


def get_state(conn: sa.Connection, source: str) -> SourceState:
    """What is remembered of `source`; an empty state where it was never polled."""
    row = conn.execute(sa.select(*_COLUMNS).where(source_states.c.source == source)).one_or_none()
    return SourceState(**row._mapping) if row else SourceState(source=source)


def list_states(conn: sa.Connection) -> list[SourceState]:
    """All that were ever polled, by name; sources that are no longer configured too."""
    rows = conn.execute(sa.select(*_COLUMNS))
    return sorted((SourceState(**row._mapping) for row in rows), key=lambda state: state.source)


def save_state(conn: sa.Connection, state: SourceState) -> None:
    """Remembers `state` in place of what was there."""
    values = asdict(state)
    conn.execute(
        insert_into(conn, source_states)
        .values(**values)
        .on_conflict_do_update(index_elements=[source_states.c.source], set_=values)
    )


def save_faults(
    conn: sa.Connection, source: str, faults: Iterable[SourceFault], now: datetime
) -> None:
    """Makes `faults` the faults of `source`, in place of those of the poll before."""
    conn.execute(source_faults.delete().where(source_faults.c.source == source))
    rows = [
        {
            "source": source,
            "place": fault.place,
            "what": fault.what,
            "remedy": fault.remedy,
            "at": now,
        }
        for fault in faults
    ]
    if rows:
        conn.execute(source_faults.insert(), rows)


def list_faults(conn: sa.Connection, source: str | None = None) -> list[SourceFault]:
    """The faults of the last poll of each source, or of one, in the order they were found."""
    columns = source_faults.c
    query = sa.select(columns.source, columns.place, columns.what, columns.remedy)
    if source is not None:
        query = query.where(columns.source == source)
    return [
        SourceFault(source=row.source, place=row.place, what=row.what, remedy=row.remedy)
        for row in conn.execute(query.order_by(columns.id))
    ]
