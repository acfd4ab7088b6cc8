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
        # without the status: by the index of statuses each of these reads the whole newsletter
        mine = (_S.newsletter == newsletter) & _S.subscriber.in_(wanted[start : start + _CHUNK])
        found = conn.execute(sa.select(_S.id, _S.status, _S.frequency, _S.position).where(mine))
        rows_here = found.mappings().all()
        ready = _activate(
            conn,
            [row["id"] for row in rows_here if row["status"] == SubscriptionStatus.PENDING],
            consent={**consent, "at": now.isoformat()},
            now=now,
        )
        new_ones = [row for row in rows_here if row["id"] > before or row["id"] in ready]
        _note(conn, new_ones, newsletter, via, now)
        activated += len(new_ones)
    return activated


def _activate(
    conn: sa.Connection, pending: Sequence[int], *, consent: Mapping[str, str], now: datetime
) -> set[int]:
    """Makes pending subscriptions active; gives those that still were pending."""
    if not pending:
        return set()
    done = conn.execute(
        sa.update(subscriptions)
        .where(_S.id.in_(pending), _S.status == SubscriptionStatus.PENDING)
        .values(status=SubscriptionStatus.ACTIVE, since=now, consent=dict(consent), changed=now)
        .returning(_S.id)
    )
    return set(done.scalars())


def _note(
    conn: sa.Connection,
    activated: Sequence[sa.RowMapping],
    newsletter: str,
    via: str,
    now: datetime,
) -> None:
    """Writes the change that each of these subscriptions went through: it is active now."""
    if not activated:
        return
    last = issues.find_last_released(conn, newsletter)
    conn.execute(
        sa.insert(subscription_changes),
        [
            {
                "subscription": row["id"],
                "at": now,
                "what": "imported",
                "status": SubscriptionStatus.ACTIVE,
                "frequency": row["frequency"],
                "position": row["position"],
                "after_issue": last.id if last else None,
                "via": via,
            }
            for row in activated
        ],
    )
