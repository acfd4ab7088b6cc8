"""The SQL of forgetting: rows that have outlived their use, and when they have (DESIGN.md 8.8)."""

from datetime import datetime, timedelta

import sqlalchemy as sa

from newsletter.books import books, totals_of
from newsletter.issues import IssueStatus
from newsletter.tables import (
    batches,
    deliveries,
    doubts,
    issues,
    notices,
    sign_ups,
    subscribers,
    subscription_changes,
    subscriptions,
)

PENDING_KEPT = timedelta(days=7)
SIGN_UPS_KEPT = timedelta(days=30)
NOTICES_KEPT = timedelta(days=30)
SLICE = 10_000
"""Deliveries that one transaction deletes, so that it keeps nobody waiting."""

_FINAL = ("sent", "failed", "excluded")


def delete_unconfirmed(connection: sa.Connection, now: datetime) -> int:
    """Sign-ups that nobody confirmed in a week are undone; gives how many.

    Who was a reader before and asked to come back is unsubscribed as before: his record stays. A subscriber left
    without any subscription is deleted with his address.
    """
    old = sa.and_(subscriptions.c.status == "pending", subscriptions.c.changed < now - PENDING_KEPT)
    was_reader = sa.exists().where(
        subscription_changes.c.subscription == subscriptions.c.id,
        subscription_changes.c.status != "pending",
    )
    returned = connection.execute(
        subscriptions.update().where(old, was_reader).values(status="unsubscribed", changed=now)
    )
    deleted = connection.execute(subscriptions.delete().where(old, ~was_reader))
    has_subscription = sa.exists().where(subscriptions.c.subscriber == subscribers.c.id)
    connection.execute(
        subscribers.delete().where(~has_subscription, subscribers.c.created < now - PENDING_KEPT)
    )
    return returned.rowcount + deleted.rowcount


def delete_old_sign_ups(connection: sa.Connection, now: datetime) -> int:
    """Deletes what the sign-up limits counted more than 30 days ago; gives how many rows."""
    return connection.execute(sign_ups.delete().where(sign_ups.c.at < now - SIGN_UPS_KEPT)).rowcount


def scrub_old_notices(connection: sa.Connection, now: datetime) -> int:
    """Takes body, address and reply out of notices that were settled more than 30 days ago; gives how many."""
    return connection.execute(
        notices.update()
        .where(
            notices.c.state.in_(_FINAL),
            notices.c.created < now - NOTICES_KEPT,
            notices.c.recipient != "",
        )
        .values(body=b"", recipient="", reply=None)
    ).rowcount


def list_finished(conn: sa.Connection, before: datetime) -> list[int]:
    """The issues whose deliveries may give way to totals: done or cancelled `before`, and settled.

    One with somebody in doubt is not settled: a person may still want to know and decide. Neither is a cancelled one
    whose batch is in somebody's hands, who may be about to say what became of it.
    """
    return list(conn.execute(sa.select(issues.c.id).where(_is_finished(before))).scalars())


def save_totals(conn: sa.Connection, issue_id: int, before: datetime) -> bool:
    """Writes the books of a finished issue into its row, from where they are read from then on (`books.py`).

    False where it is not finished, or has its totals already; nothing is counted then. Whoever would open the books
    again locks the issue's row and looks for totals first.
    """
    mine = sa.select(issues.c.id).where(issues.c.id == issue_id, _is_finished(before))
    if conn.execute(mine.with_for_update()).one_or_none() is None:
        return False
    last = books(conn, issue_id)
    if last.is_open or not last.balance:
        return False
    conn.execute(sa.update(issues).where(issues.c.id == issue_id).values(totals=totals_of(last)))
    return True


def list_with_leftovers(conn: sa.Connection) -> list[int]:
    """The issues that have totals and still some of the rows that these stand for."""
    left = [
        sa.select(sa.literal(1)).where(table.c.issue == issues.c.id).exists()
        for table in (deliveries, doubts, batches)
    ]
    query = sa.select(issues.c.id).where(issues.c.totals.is_not(None), sa.or_(*left))
    return list(conn.execute(query.order_by(issues.c.id)).scalars())


def delete_deliveries(conn: sa.Connection, issue_id: int) -> int:
    """Deletes a slice of the deliveries of an issue that has totals, and gives how many; with the last of them go its
    batches and doubts. Its seals stay: they say what was sent, and are few."""
    mine = deliveries.c.issue == issue_id
    closed = sa.select(issues.c.id).where(issues.c.id == issue_id, issues.c.totals.is_not(None))
    if conn.execute(closed).one_or_none() is None:
        return 0
    first = conn.execute(sa.select(sa.func.min(deliveries.c.number)).where(mine)).scalar_one()
    if first is not None:
        chosen = mine & (deliveries.c.number < first + SLICE)
        return conn.execute(sa.delete(deliveries).where(chosen)).rowcount
    conn.execute(sa.delete(batches).where(batches.c.issue == issue_id))
    conn.execute(sa.delete(doubts).where(doubts.c.issue == issue_id))
    return 0


def _is_finished(before: datetime) -> sa.ColumnElement[bool]:
    doubted = deliveries.c.state == "in doubt"
    return sa.and_(
        issues.c.status.in_((IssueStatus.DONE, IssueStatus.CANCELLED)),
        issues.c.released.is_not(None),
        # one that was cancelled by an older version has no moment of its end
        sa.func.coalesce(issues.c.finished, issues.c.released) < before,
        issues.c.totals.is_(None),
        ~sa.select(batches.c.id)
        .where(batches.c.issue == issues.c.id, batches.c.owner.is_not(None))
        .exists(),
        ~sa.select(deliveries.c.number).where(deliveries.c.issue == issues.c.id, doubted).exists(),
    )
