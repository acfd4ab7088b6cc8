"""The journal: everything that happens to a post gets a number (DESIGN.md 3).

Numbers become visible in order, and no gap ever fills later, because one lock is held from the giving of a number to
the commit. SQLite: the write transaction itself (BEGIN IMMEDIATE). PostgreSQL: an advisory lock, taken by a statement
of its own: a statement reads what was committed when it began, so lock and `max(number)` in one would read before
waiting. With a bare sequence a reader missed 646 lines of 2,368.
"""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from posts.model import Change, ChangeKind
from posts.tables import journal

_LOCK = 0x446174656C696E65  # "Dateline"; any constant that nobody else on the server uses
_COLUMNS = (journal.c.number, journal.c.post, journal.c.revision, journal.c.kind, journal.c.at)


def lock_journal(conn: sa.Connection) -> None:
    """Makes this transaction the only one that gives numbers until it ends; safe to call again.

    Writers of posts call it before they touch a row: a batch holds it already when it comes to its second post, and
    the other order (row, then lock) would deadlock with that.
    """
    if conn.dialect.name == "postgresql":
        conn.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def append(
    conn: sa.Connection, post: int, revision: int, kind: ChangeKind, *, now: datetime
) -> Change:
    """Writes the next line about the post with row id `post`; `at` is never before the line above."""
    lock_journal(conn)
    last = conn.execute(
        sa.select(journal.c.number, journal.c.at).order_by(journal.c.number.desc()).limit(1)
    ).one_or_none()
    number, at = (last.number + 1, max(now, last.at)) if last else (1, now)
    conn.execute(
        journal.insert().values(number=number, post=post, revision=revision, kind=kind, at=at)
    )
    return Change(number=number, post=post, revision=revision, kind=kind, at=at)


def head(conn: sa.Connection) -> int:
    """The newest number, 0 before the first."""
    newest: int | None = conn.execute(sa.select(sa.func.max(journal.c.number))).scalar_one()
    return newest or 0


def list_changes(conn: sa.Connection, after: int, upto: int | None = None) -> list[Change]:
    """The lines of `(after, upto]` in order; without `upto` all that there are."""
    query = sa.select(*_COLUMNS).where(journal.c.number > after).order_by(journal.c.number)
    if upto is not None:
        query = query.where(journal.c.number <= upto)
    return [_change(row) for row in conn.execute(query)]


def list_post_changes(conn: sa.Connection, post: int) -> list[Change]:
    """All that happened to one post, in order."""
    query = sa.select(*_COLUMNS).where(journal.c.post == post).order_by(journal.c.number)
    return [_change(row) for row in conn.execute(query)]


def find_change(conn: sa.Connection, number: int) -> Change | None:
    """The line with this number, or None."""
    row = conn.execute(sa.select(*_COLUMNS).where(journal.c.number == number)).one_or_none()
    return _change(row) if row else None


def number_before(conn: sa.Connection, moment: datetime) -> int:
    """The last number whose line is older than `moment`; 0 where there is none."""
    older = sa.select(sa.func.max(journal.c.number)).where(journal.c.at < moment)
    return conn.execute(older).scalar_one() or 0


def newest_at(conn: sa.Connection) -> datetime | None:
    """When the newest line was written, or None in an empty journal."""
    query = sa.select(journal.c.at).order_by(journal.c.number.desc()).limit(1)
    return conn.execute(query).scalar_one_or_none()


def _change(row: sa.Row[*tuple[Any, ...]]) -> Change:
    return Change(
        number=row.number,
        post=row.post,
        revision=row.revision,
        kind=ChangeKind(row.kind),
        at=row.at,
    )
