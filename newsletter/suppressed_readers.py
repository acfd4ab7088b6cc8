"""The SQL of suppressed readers: found before a release, which must not keep others waiting, and excluded within it.

An address is suppressed by its keyed hash, so that each reader's has to be computed: two seconds a million. Done
inside of the release's transaction it was more than half of the time that all others waited.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import datetime

import sqlalchemy as sa

from newsletter.suppression import suppressed_hashes
from newsletter.tables import deliveries, subscribers, suppressions
from newsletter.tokens import Keys

PAGE = 5_000
_CHUNK = 500
_SHORT = 15
"""So many hexadecimal digits of a hash fit into eight bytes; who is found by them is looked up by the whole hash."""


def find_suppressed_readers(conn: sa.Connection, keys: Keys) -> Sequence[int]:
    """Row ids of the subscribers whose address is suppressed, whatever they subscribe to, or nearly certainly is.

    Eight bytes a suppression and eight a suppressed reader is all that it holds, however long the list.
    """
    short = _short_hashes(conn)
    found = array("q")
    if not short:
        return found
    for subscriber, address_key in _list_readers(conn):
        one = int(keys.address_hash(address_key)[:_SHORT], 16)
        place = bisect_left(short, one)
        if place < len(short) and short[place] == one:
            found.append(subscriber)
    return found


def exclude_suppressed(
    conn: sa.Connection, issue_id: int, found: Sequence[int], keys: Keys, now: datetime
) -> int:
    """Takes those of `found` who are suppressed out of a new issue; gives how many it counted.

    Each is looked at again. Who was suppressed since they were found is excluded by the flush that would name him
    (DESIGN.md 8.7). The edition stays named: it is the one that they would have got.
    """
    count = 0
    for at in range(0, len(found), _CHUNK):
        rows = conn.execute(
            sa.select(subscribers.c.id, subscribers.c.address_key).where(
                subscribers.c.id.in_(found[at : at + _CHUNK])
            )
        )
        by_hash = {keys.address_hash(row.address_key): row.id for row in rows}
        still = [by_hash[one] for one in suppressed_hashes(conn, by_hash)]
        count += conn.execute(
            sa.update(deliveries)
            .where(
                # "+ 0": by the index of subscribers; by that of issues each of these reads the whole issue
                deliveries.c.issue + 0 == issue_id,
                deliveries.c.subscriber.in_(still),
                deliveries.c.state.is_(None),
            )
            .values(state="excluded", reason="suppressed", at=now)
        ).rowcount
    return count


def _short_hashes(conn: sa.Connection) -> Sequence[int]:
    """The beginnings of all suppressed hashes, in order."""
    found = array("q")
    last = ""
    while True:
        query = sa.select(suppressions.c.address_hash).where(suppressions.c.address_hash > last)
        page = conn.execute(query.order_by(suppressions.c.address_hash).limit(PAGE)).scalars().all()
        found.extend(int(one[:_SHORT], 16) for one in page)
        if len(page) < PAGE:
            # sorted here: the order of text is the database's affair, and PostgreSQL has many
            return array("q", sorted(found))
        last = page[-1]


def _list_readers(conn: sa.Connection) -> Iterator[tuple[int, str]]:
    """Row id and address key of every subscriber, a page at a time."""
    last = 0
    while True:
        query = sa.select(subscribers.c.id, subscribers.c.address_key)
        page = conn.execute(
            query.where(subscribers.c.id > last).order_by(subscribers.c.id).limit(PAGE)
        ).all()
        yield from ((row[0], row[1]) for row in page)
        if len(page) < PAGE:
            return
        last = page[-1][0]
