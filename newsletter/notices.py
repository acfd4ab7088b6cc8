"""The SQL of notices: mails outside issues (confirm, known, preferences, test), finished bytes but for their signatures, one row each.

A notice is leased as deliveries are: a commit names it (owner and lease) before its bytes go to the wire. Once its
fate is final, address and bytes leave the row: addresses are stored once (DESIGN.md 8.8).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from newsletter.ledger import LOST_REPLY, InDoubt
from newsletter.retry import FARTHEST, Verdict
from newsletter.suppression import hash_address, suppress_hash, suppressed_hashes
from newsletter.tables import notices
from newsletter.tokens import Keys

_OPEN = notices.c.state.is_(None) | notices.c.state.in_(("deferred", "in doubt"))
_SCRUBBED = {"body": b"", "recipient": ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A notice that this process has leased."""

    id: int
    kind: str
    recipient: str
    body: bytes
    created: datetime
    attempts: int
    first_refused: datetime | None


def queue_notice(
    conn: sa.Connection,
    kind: str,
    subscriber: int | None,
    recipient: str,
    body: bytes,
    now: datetime,
) -> int:
    """Keeps a finished mail for the sender and gives its id; nothing is sent before this commits."""
    made = conn.execute(
        sa.insert(notices).values(
            kind=kind, subscriber=subscriber, recipient=recipient, body=body, created=now
        )
    )
    assert made.inserted_primary_key is not None
    return int(made.inserted_primary_key[0])


def get_fate(conn: sa.Connection, notice_id: int) -> tuple[str | None, str | None]:
    """What became of a notice: its state (None while it is queued) and the relay's reply."""
    query = sa.select(notices.c.state, notices.c.code, notices.c.reply)
    row = conn.execute(query.where(notices.c.id == notice_id)).one()
    reply = " ".join(str(part) for part in (row.code, row.reply) if part)
    return row.state, reply or None


def lease_notices(
    conn: sa.Connection,
    keys: Keys,
    owner: str,
    now: datetime,
    until: datetime,
    *,
    limit: int,
    in_doubt: InDoubt,
) -> list[Notice]:
    """Names up to `limit` notices, oldest first: once this has committed they may go to the wire.

    One to a suppressed address is excluded instead.
    """
    rows = conn.execute(
        sa.select(
            notices.c.id,
            notices.c.kind,
            notices.c.recipient,
            notices.c.body,
            notices.c.created,
            notices.c.attempts,
            notices.c.first_refused,
        )
        .where(is_due(now, in_doubt))
        .order_by(notices.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    hashes = {row.id: hash_address(keys, row.recipient) for row in rows}
    suppressed = suppressed_hashes(conn, hashes.values())
    excluded = [row.id for row in rows if hashes[row.id] in suppressed]
    named = [Notice(**row._mapping) for row in rows if hashes[row.id] not in suppressed]
    if excluded:
        conn.execute(
            sa.update(notices)
            .where(notices.c.id.in_(excluded))
            .values(state="excluded", reply="suppressed", at=now, **_SCRUBBED)
        )
    if named:
        conn.execute(
            sa.update(notices)
            .where(notices.c.id.in_([notice.id for notice in named]))
            .values(owner=owner, lease=until)
        )
    return named


def is_due(now: datetime, in_doubt: InDoubt) -> sa.ColumnElement[bool]:
    """The notices that may be leased: nobody's, not final, and not before their time."""
    due = has_come(notices.c.not_before, now, now + FARTHEST)
    states = ["deferred", "in doubt"] if in_doubt == "resend" else ["deferred"]
    chosen = notices.c.state.is_(None) | notices.c.state.in_(states)
    return sa.and_(notices.c.owner.is_(None), chosen, due)


def has_come(
    time: sa.ColumnElement[datetime | None],
    now: datetime | sa.BindParameter[datetime],
    farthest: datetime | sa.BindParameter[datetime],
) -> sa.ColumnElement[bool]:
    """True when a time to wait for is there, or none is set; one beyond `farthest` is of a clock that was wrong."""
    return time.is_(None) | (time <= now) | (time > farthest)


def has_lapsed(lease: sa.ColumnElement[datetime | None], now: datetime) -> sa.ColumnElement[bool]:
    """True of a lease that has run out, or that was made when the clock was wrong."""
    return (lease < now) | (lease > now + FARTHEST)


def renew_notices(
    conn: sa.Connection, owner: str, ids: Sequence[int], until: datetime
) -> frozenset[int]:
    """Prolongs the lease of the notices that are still ours, and gives them."""
    if not ids:
        return frozenset()
    renewed = conn.execute(
        sa.update(notices)
        .where(notices.c.id.in_(ids), notices.c.owner == owner)
        .values(lease=until)
        .returning(notices.c.id)
    )
    return frozenset(renewed.scalars())


def record_notice(
    conn: sa.Connection, keys: Keys, owner: str, notice: Notice, verdict: Verdict, now: datetime
) -> None:
    """Writes what came of a notice and gives up its lease; without a state (weather) it is queued as before."""
    ours = notices.c.owner.is_(None) | (notices.c.owner == owner)
    mine = sa.and_(notices.c.id == notice.id, _OPEN, ours)
    if verdict.state is None:
        conn.execute(
            sa.update(notices).where(mine, notices.c.owner == owner).values(owner=None, lease=None)
        )
        return
    values: dict[str, object] = {
        "state": verdict.state,
        "code": verdict.code,
        "reply": LOST_REPLY if verdict.state == "in doubt" else verdict.reply,
        "attempts": verdict.attempts,
        "first_refused": verdict.first_refused,
        "not_before": verdict.not_before,
        "at": now,
        "owner": None,
        "lease": None,
    }
    if verdict.is_final:
        values |= _SCRUBBED
    conn.execute(sa.update(notices).where(mine).values(values))
    if verdict.dead:
        detail = f"{verdict.code} {verdict.enhanced or ''}".strip()
        suppress_hash(conn, hash_address(keys, notice.recipient), "dead", detail, now)


def recover_notices(conn: sa.Connection, now: datetime, *, everyone: bool = False) -> int:
    """Puts notices in doubt whose owner's lease has lapsed; `everyone` takes all leases."""
    lapsed = sa.and_(
        notices.c.owner.is_not(None),
        sa.true() if everyone else has_lapsed(notices.c.lease, now),
    )
    taken = conn.execute(
        sa.update(notices)
        .where(lapsed, _OPEN)
        .values(state="in doubt", owner=None, lease=None, not_before=None, at=now)
    )
    return taken.rowcount


def is_open(in_doubt: InDoubt) -> sa.ColumnElement[bool]:
    """The notices that the sender is still to deal with."""
    return _OPEN if in_doubt == "resend" else _OPEN & (notices.c.state.is_distinct_from("in doubt"))
