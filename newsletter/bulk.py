"""The SQL of many subscriptions at once: what an import asks and writes, a few statements a thousand rows."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa

from newsletter import issues, subscribers, suppression
from newsletter.import_csv import ImportRow
from newsletter.subscribers import NewSubscriber
from newsletter.subscriptions import SubscriptionStatus
from newsletter.tables import subscription_changes, subscriptions
from newsletter.tokens import Keys
from posts.upsert import insert_into

_CHUNK = 500
_S = subscriptions.c
SUPPRESSED = "suppressed"


def list_standings(
    conn: sa.Connection, keys: Keys, newsletter: str, address_keys: Sequence[str]
) -> dict[str, str]:
    """For each address that is known here: the status of its subscription, or "suppressed"."""
    ids = subscribers.list_subscriber_ids(conn, address_keys)
    by_id = {row_id: key for key, row_id in ids.items()}
    found: dict[str, str] = {}
    wanted = list(by_id)
    for start in range(0, len(wanted), _CHUNK):
        query = sa.select(_S.subscriber, _S.status).where(
            _S.newsletter == newsletter, _S.subscriber.in_(wanted[start : start + _CHUNK])
        )
        found.update({by_id[row.subscriber]: row.status for row in conn.execute(query)})
    if suppression.list_suppressions(conn, limit=1):
        hashes = {keys.address_hash(key): key for key in address_keys}
        for one in suppression.suppressed_hashes(conn, hashes):
            found[hashes[one]] = SUPPRESSED
    return found


def save_active(
    conn: sa.Connection,
    newsletter: str,
    frequency: str,
    rows: Sequence[ImportRow],
    *,
    language: str,
    consent: Mapping[str, str],
    via: str,
    now: datetime,
) -> int:
    """Stores these readers as active subscribers, with the consent that the editor vouches for; gives how many.

    Whoever is pending becomes active; anybody else who is there already stays as he is, whatever happened since the
    caller looked.
    """
    new = [
        NewSubscriber(address=row.address, name=row.name, language=row.language or language)
        for row in rows
    ]
    subscribers.save_subscribers(conn, new, now)
    ids = subscribers.list_subscriber_ids(conn, [row.address.key for row in rows])
    values = [
        {
            "subscriber": ids[row.address.key],
            "newsletter": newsletter,
            "frequency": frequency,
            "status": SubscriptionStatus.ACTIVE,
            "since": row.since or now,
            "generation": 0,
            "consent": {**consent, "at": now.isoformat()},
            "changed": now,
        }
        for row in rows
    ]
    before = conn.execute(sa.select(sa.func.coalesce(sa.func.max(_S.id), 0))).scalar_one()
    statement = insert_into(conn, subscriptions).on_conflict_do_nothing()
    conn.execute(statement, values)
    wanted = list(ids.values())
    activated = 0
    for start in range(0, len(wanted), _CHUNK):
        mine = (_S.newsletter == newsletter) & _S.subscriber.in_(wanted[start : start + _CHUNK])
        pending = mine & (_S.status == SubscriptionStatus.PENDING)
        ready = conn.execute(sa.select(_S.id).where(pending)).scalars().all()
        if ready:
            conn.execute(
                sa.update(subscriptions)
                .where(pending)
                .values(
                    status=SubscriptionStatus.ACTIVE,
                    since=now,
                    consent={**consent, "at": now.isoformat()},
                    changed=now,
                )
            )
        activated += _note(conn, mine & ((_S.id > before) | _S.id.in_(ready)), newsletter, via, now)
    return activated


def _note(
    conn: sa.Connection,
    chosen: sa.ColumnElement[bool],
    newsletter: str,
    via: str,
    now: datetime,
) -> int:
    """Writes the change that each of these subscriptions went through."""
    last = issues.find_last_released(conn, newsletter)
    rows = conn.execute(sa.select(_S.id, _S.status, _S.frequency, _S.position).where(chosen)).all()
    if rows:
        conn.execute(
            sa.insert(subscription_changes),
            [
                {
                    "subscription": row.id,
                    "at": now,
                    "what": "imported",
                    "status": row.status,
                    "frequency": row.frequency,
                    "position": row.position,
                    "after_issue": last.id if last else None,
                    "via": via,
                }
                for row in rows
            ],
        )
    return len(rows)
