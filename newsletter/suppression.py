"""The SQL of suppressions: addresses never to be mailed again, kept as keyed hashes only."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from newsletter.tables import suppressions
from newsletter.tokens import Keys
from posts.prepared import Prepared
from posts.upsert import insert_into

_CHUNK = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """Why nobody mails an address again; the address itself is not kept."""

    address_hash: str
    reason: str
    detail: str
    at: datetime


def hash_address(keys: Keys, address: str) -> str:
    """The keyed hash of an address, whatever its case."""
    return keys.address_hash(address.strip().casefold())


def suppress(
    conn: sa.Connection, keys: Keys, address: str, reason: str, detail: str, now: datetime
) -> bool:
    """Never mail `address` again; False when it was suppressed before (its first reason stays)."""
    return suppress_hash(conn, hash_address(keys, address), reason, detail, now)


def suppress_hash(
    conn: sa.Connection, address_hash: str, reason: str, detail: str, now: datetime
) -> bool:
    """As `suppress`, by hash. Safe to call twice and by two processes at once."""
    values = {"address_hash": address_hash, "reason": reason, "detail": detail, "at": now}
    statement = insert_into(conn, suppressions).values(values).on_conflict_do_nothing()
    # the row is asked for: on PostgreSQL the row count of this statement is -1
    added = conn.execute(statement.returning(suppressions.c.address_hash))
    return added.one_or_none() is not None


def is_suppressed(conn: sa.Connection, keys: Keys, address: str) -> bool:
    """True when `address` must never be mailed."""
    hashed = hash_address(keys, address)
    return bool(suppressed_hashes(conn, [hashed]))


_OF_HASHES = sa.select(suppressions.c.address_hash).where(
    suppressions.c.address_hash.in_(sa.bindparam("hashes", expanding=True))
)


def suppressed_hashes(conn: sa.Connection, hashes: Iterable[str]) -> set[str]:
    """Those of `hashes` that are suppressed."""
    wanted = list(hashes)
    found: set[str] = set()
    for start in range(0, len(wanted), _CHUNK):
        chunk = wanted[start : start + _CHUNK]
        found.update(conn.execute(_OF_HASHES, {"hashes": chunk}).scalars())
    return found


_AT_ONCE = 32
_AMONG_NAMES = [f"h{number}" for number in range(_AT_ONCE)]
_AMONG = Prepared(
    sa.select(suppressions.c.address_hash).where(
        suppressions.c.address_hash.in_([sa.bindparam(name) for name in _AMONG_NAMES])
    )
)


def suppressed_among(conn: sa.Connection, hashes: Sequence[str]) -> set[str]:
    """As `suppressed_hashes`, for the flush: one statement, whatever their number."""
    found: set[str] = set()
    for start in range(0, len(hashes), _AT_ONCE):
        chunk = hashes[start : start + _AT_ONCE]
        values = dict.fromkeys(_AMONG_NAMES, chunk[0])
        values.update(zip(_AMONG_NAMES, chunk, strict=False))
        found.update(row[0] for row in _AMONG.rows(conn, values))
    return found


def list_suppressions(conn: sa.Connection, *, limit: int | None = None) -> list[Suppression]:
    """All of them, newest first."""
    query = (
        sa.select(
            suppressions.c.address_hash,
            suppressions.c.reason,
            suppressions.c.detail,
            suppressions.c.at,
        )
        .order_by(suppressions.c.at.desc(), suppressions.c.address_hash)
        .limit(limit)
    )
    return [Suppression(**row._mapping) for row in conn.execute(query)]


def unsuppress(conn: sa.Connection, keys: Keys, address: str) -> bool:
    """Takes `address` off the list; False when it was not on it."""
    hashed = hash_address(keys, address)
    gone = conn.execute(sa.delete(suppressions).where(suppressions.c.address_hash == hashed))
    return gone.rowcount == 1
