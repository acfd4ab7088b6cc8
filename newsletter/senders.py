"""The SQL of senders: each process that sends keeps one row with what it last said of itself (progress.py)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from newsletter.progress import SenderReport, parse_report, report_as_plain
from newsletter.tables import senders

LIVE_FOR = timedelta(seconds=60)
"""A row that is older is of a process that is gone: one that rests writes every twenty seconds."""

FRESH_FOR = timedelta(seconds=6)
"""A report that is older says nothing of how fast it goes now: whoever sends writes about once a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingProcess:
    """A process that sends, or waits for something to send, and its last report."""

    owner: str
    began: datetime
    at: datetime
    report: SenderReport

    def rate_per_s(self, now: datetime) -> float | None:
        """How fast it sends, None where it has not said so in the last seconds."""
        return self.report.rate_per_s if now - self.at < FRESH_FOR else None


def record_sender(conn: sa.Connection, owner: str, report: SenderReport, now: datetime) -> None:
    """Writes what a process says of itself; its first report takes the rows away that others left long ago."""
    plain = report_as_plain(report)
    mine = sa.update(senders).where(senders.c.owner == owner).values(at=now, report=plain)
    if conn.execute(mine).rowcount:
        return
    conn.execute(sa.delete(senders).where(senders.c.at < now - LIVE_FOR))
    conn.execute(sa.insert(senders).values(owner=owner, began=now, at=now, report=plain))


def forget_sender(conn: sa.Connection, owner: str) -> None:
    """Takes the row of a process away that ends; does nothing where it has none."""
    conn.execute(sa.delete(senders).where(senders.c.owner == owner))


def forget_all_senders(conn: sa.Connection) -> None:
    """Takes every row away: for who holds the lock on a SQLite database, which proves all others gone."""
    conn.execute(sa.delete(senders))


def list_senders(conn: sa.Connection, now: datetime) -> list[SendingProcess]:
    """The processes that live, the oldest first."""
    rows = conn.execute(
        sa.select(senders.c.owner, senders.c.began, senders.c.at, senders.c.report)
        .where(senders.c.at >= now - LIVE_FOR)
        .order_by(senders.c.began, senders.c.owner)
    )
    return [
        SendingProcess(owner=row.owner, began=row.began, at=row.at, report=parse_report(row.report))
        for row in rows
    ]
