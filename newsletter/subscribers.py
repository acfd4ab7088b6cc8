"""The SQL of subscribers: an address, stored once, with its preferences."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from newsletter.addresses import Address
from newsletter.tables import deliveries, notices, subscribers, subscriptions
from posts.errors import NotFound
from posts.upsert import insert_into

_CHUNK = 500
_C = subscribers.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriber:
    """An address and its preferences."""

    id: int
    address: str
    address_key: str
    name: str | None
    language: str
    created: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSubscriber:
    """A subscriber who is about to be stored."""

    address: Address
    name: str | None
    language: str


def find_subscriber(conn: sa.Connection, key: str) -> Subscriber | None:
    """The subscriber with this address key, or None."""
    row = conn.execute(_query().where(_C.address_key == key)).one_or_none()
    return Subscriber(**row._mapping) if row else None


def get_subscriber(conn: sa.Connection, subscriber_id: int) -> Subscriber:
    """The subscriber with this id; raises NotFound."""
    row = conn.execute(_query().where(_C.id == subscriber_id)).one_or_none()
    if row is None:
        raise NotFound(f"there is no subscriber {subscriber_id}")
    return Subscriber(**row._mapping)


def list_subscriber_ids(conn: sa.Connection, keys: Sequence[str]) -> dict[str, int]:
    """Row ids of those of `keys` that are stored."""
    found: dict[str, int] = {}
    for start in range(0, len(keys), _CHUNK):
        query = sa.select(_C.address_key, _C.id).where(
            _C.address_key.in_(keys[start : start + _CHUNK])
        )
        found.update({row.address_key: row.id for row in conn.execute(query)})
    return found


def save_subscribers(conn: sa.Connection, new: Iterable[NewSubscriber], now: datetime) -> None:
    """Stores those whose address is not there yet; whoever is there stays as he is."""
    rows = [
        {
            "address": one.address.address,
            "address_key": one.address.key,
            "name": one.name,
            "language": one.language,
            "created": now,
        }
        for one in new
    ]
    if rows:
        statement = insert_into(conn, subscribers).on_conflict_do_nothing()
        conn.execute(statement, rows)


def save_preferences(
    conn: sa.Connection, subscriber_id: int, *, language: str, name: str | None
) -> None:
    """Changes a subscriber's language and name."""
    conn.execute(
        sa.update(subscribers)
        .where(_C.id == subscriber_id)
        .values(language=language, name=name or None)
    )


def erase_subscriber(conn: sa.Connection, subscriber_id: int) -> bool:
    """Deletes a subscriber with his subscriptions; his deliveries keep number and state, replies are scrubbed.

    A relay's reply may repeat the address, and notices hold it: both go (DESIGN.md 8.8).
    """
    conn.execute(
        sa.update(deliveries)
        .where(deliveries.c.subscriber == subscriber_id, deliveries.c.reply.is_not(None))
        .values(reply=None)
    )
    conn.execute(sa.delete(notices).where(notices.c.subscriber == subscriber_id))
    conn.execute(
        sa.delete(subscriptions).where(subscriptions.c.subscriber == subscriber_id)
    )  # their changes follow by cascade
    gone = conn.execute(sa.delete(subscribers).where(_C.id == subscriber_id))
    return gone.rowcount == 1


def _query() -> sa.Select[tuple[int, str, str, str | None, str, datetime]]:
    return sa.select(_C.id, _C.address, _C.address_key, _C.name, _C.language, _C.created)
