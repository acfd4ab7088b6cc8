"""The SQL of forgetting: rows that have outlived their use, and when they have (DESIGN.md 8.8)."""

from datetime import datetime, timedelta

import sqlalchemy as sa

from newsletter.tables import notices, sign_ups, subscribers, subscription_changes, subscriptions

PENDING_KEPT = timedelta(days=7)
SIGN_UPS_KEPT = timedelta(days=30)
NOTICES_KEPT = timedelta(days=30)

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
