"""The SQL of the overview: what is being sent, what waits, and since when, beyond issues and their books."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from newsletter.ledger import InDoubt
from newsletter.notices import is_open
from newsletter.tables import batches, issues, notices


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingIssue:
    """An issue that is being sent, stands still, or ended not long ago."""

    issue: int
    newsletter: str
    number: int | None
    status: str
    released: datetime
    finished: datetime | None

    @property
    def name(self) -> str:
        """How people call it: its newsletter and No."""
        return f"{self.newsletter} No. {self.number}" if self.number else self.newsletter


def list_sending_issues(conn: sa.Connection, ended_since: datetime) -> list[SendingIssue]:
    """The released and paused issues, and those done (or released and then cancelled) since then, by id."""
    ended = sa.or_(
        (issues.c.status == "done") & (issues.c.finished >= ended_since),
        (issues.c.status == "cancelled") & (issues.c.released >= ended_since),
    )
    rows = conn.execute(
        sa.select(
            issues.c.id.label("issue"),
            issues.c.newsletter,
            issues.c.number,
            issues.c.status,
            issues.c.released,
            issues.c.finished,
        )
        .where(issues.c.status.in_(("released", "paused")) | ended)
        .where(issues.c.released.is_not(None))
        .order_by(issues.c.id)
    )
    return [SendingIssue(**row._mapping) for row in rows]


def list_next_retries(
    conn: sa.Connection, issue_ids: Collection[int] | None = None
) -> dict[int, datetime]:
    """When the first of an issue's batches that wait for a retry is leased again; None: of every released issue."""
    query = (
        sa.select(batches.c.issue, sa.func.min(batches.c.due).label("due"))
        .where(batches.c.due.is_not(None))
        .where(batches.c.finished.is_(False), batches.c.owner.is_(None))
        .group_by(batches.c.issue)
    )
    if issue_ids is None:
        released = sa.select(issues.c.id).where(issues.c.status == "released")
        query = query.where(batches.c.issue.in_(released))
    else:
        query = query.where(batches.c.issue.in_(list(issue_ids)))
    return {row.issue: row.due for row in conn.execute(query)}


def count_open_notices(conn: sa.Connection, in_doubt: InDoubt) -> int:
    """How many notices the sender is still to deal with, due or not."""
    query = sa.select(sa.func.count()).select_from(notices).where(is_open(in_doubt))
    return conn.execute(query).scalar_one()


def find_oldest_notice(conn: sa.Connection) -> datetime | None:
    """When the oldest notice was queued that was offered to nobody yet."""
    query = sa.select(sa.func.min(notices.c.created)).where(notices.c.state.is_(None))
    found: datetime | None = conn.execute(query).scalar_one()
    return found
