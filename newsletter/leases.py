"""The SQL of leases: batches are leased, taken over, given back; an issue whose books are even is done.

Takeover is where doubt begins: what the former owner had named and never answered for is put in doubt in the same
transaction that raises the fence (DESIGN.md 9).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from newsletter.ledger import (
    HELD,
    LOST_REPLY,
    SENDER_STOPPED,
    UNSETTLED,
    WITHDRAWN_SINCE_SEALED,
    Batch,
    Delivery,
    InDoubt,
)
from newsletter.notices import has_come, has_lapsed, is_open
from newsletter.notices import is_due as is_notice_due
from newsletter.retry import FARTHEST
from newsletter.spec import INSTANT
from newsletter.tables import (
    batches,
    deliveries,
    doubts,
    editions,
    issues,
    notices,
    subscribers,
    subscriptions,
)
from newsletter.tokens import Keys
from posts.prepared import Prepared
from posts.tables import UTCDateTime


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What there is to do. `due`: a batch or notice may be leased; `lapsed`: a lease ran out; `open`: batches of
    released issues that are not finished, and notices, due or not; `even`: an issue may be done."""

    due: bool
    lapsed: bool
    open: int
    even: bool


def find_waiting(
    conn: sa.Connection, now: datetime, in_doubt: InDoubt, only: int | None = None
) -> Waiting:
    """What there is to do now, in one cheap statement (asked every second)."""
    mine = batches.c.issue == only if only is not None else sa.true()
    of_released = (
        sa.select(batches.c.id)
        .join(issues, issues.c.id == batches.c.issue)
        .where(issues.c.status == "released", batches.c.finished.is_(False), mine)
    )
    open_notices = sa.select(notices.c.id).where(is_open(in_doubt))
    row = conn.execute(
        sa.select(
            sa.or_(
                of_released.where(is_batch_due(now)).exists(),
                sa.select(notices.c.id).where(is_notice_due(now, in_doubt)).exists(),
            ).label("due"),
            sa.or_(
                sa.select(batches.c.id).where(has_lapsed(batches.c.lease, now)).exists(),
                sa.select(notices.c.id).where(has_lapsed(notices.c.lease, now)).exists(),
            ).label("lapsed"),
            sa.select(sa.func.count()).select_from(of_released.subquery()).scalar_subquery(),
            sa.select(sa.func.count()).select_from(open_notices.subquery()).scalar_subquery(),
            sa.select(issues.c.id)
            .where(issues.c.status == "released")
            .where(
                ~sa.select(batches.c.id)
                .where(batches.c.issue == issues.c.id, batches.c.finished.is_(False))
                .exists()
            )
            .exists()
            .label("even"),
        )
    ).one()
    return Waiting(
        due=bool(row.due), lapsed=bool(row.lapsed), open=row[2] + row[3], even=bool(row.even)
    )


def list_withdrawn(conn: sa.Connection) -> list[int]:
    """Unfinished issues of which a post was taken back since they were sealed: nothing of them is named until they
    are sealed anew (DESIGN.md 8.4)."""
    query = (
        sa.select(issues.c.id)
        .where(issues.c.status == "released", WITHDRAWN_SINCE_SEALED)
        .order_by(issues.c.id)
    )
    return list(conn.execute(query).scalars())


def recover(conn: sa.Connection, now: datetime, *, everyone: bool = False) -> int:
    """Takes lapsed leases from their owners and gives how many; `everyone` takes all (the lock proves them dead).

    Raises the fence and, in the same transaction, puts every number that was named and has no result in doubt.
    """
    lapsed = sa.and_(
        batches.c.owner.is_not(None),
        sa.true() if everyone else has_lapsed(batches.c.lease, now),
    )
    found = conn.execute(
        sa.select(batches.c.id, batches.c.issue, batches.c.on_wire)
        .where(lapsed)
        .order_by(batches.c.id)
        .with_for_update(skip_locked=True)
    ).all()
    for batch in found:
        conn.execute(
            sa.update(batches)
            .where(batches.c.id == batch.id)
            .values(attempt=batches.c.attempt + 1, owner=None, lease=None, due=None, on_wire=[])
        )
        if batch.on_wire:
            _mark_in_doubt(conn, batch.issue, batch.on_wire, SENDER_STOPPED, now)
    return len(found)


def _mark_in_doubt(
    conn: sa.Connection, issue: int, numbers: Sequence[int], why: str, now: datetime
) -> None:
    chosen = (deliveries.c.issue == issue) & deliveries.c.number.in_(numbers) & UNSETTLED
    open_ones = conn.execute(sa.select(deliveries.c.number).where(chosen)).scalars().all()
    if not open_ones:
        return
    conn.execute(
        sa.update(deliveries)
        .where(deliveries.c.issue == issue, deliveries.c.number.in_(open_ones))
        .values(state="in doubt", reason=why, not_before=None, at=now)
    )
    conn.execute(
        sa.insert(doubts),
        [{"issue": issue, "number": number, "why": why, "at": now} for number in open_ones],
    )


def lease_batch(
    conn: sa.Connection,
    owner: str,
    now: datetime,
    until: datetime,
    *,
    busy: Collection[int] = (),
    after: int = 0,
    only: int | None = None,
    fresh: bool = False,
    instant: bool = False,
) -> Batch | None:
    """Leases the next batch that is due, or None. Round robin over issues: those not in `busy` first (with `fresh`
    no other), of these the instant ones first (with `instant` no other), then by id after the issue `after`; `only`
    asks for one issue's batches alone."""
    is_instant = sa.func.coalesce(issues.c.frequency, "") == INSTANT
    due = (
        sa.select(
            batches.c.issue, sa.func.min(batches.c.id).label("id"), is_instant.label("is_instant")
        )
        .join(issues, issues.c.id == batches.c.issue)
        .where(is_batch_due(now), is_instant if instant else sa.true())
        .where(batches.c.issue == only if only is not None else sa.true())
        .group_by(batches.c.issue, issues.c.frequency)
    )
    candidates = sorted(
        conn.execute(due).all(),
        key=lambda row: (row.issue in busy, not row.is_instant, row.issue <= after, row.issue),
    )
    for candidate in candidates:
        if fresh and candidate.issue in busy:
            break
        mine = conn.execute(
            sa.update(batches)
            .where(batches.c.id == candidate.id, batches.c.owner.is_(None))
            .where(batches.c.finished.is_(False))
            .values(owner=owner, lease=until, attempt=batches.c.attempt + 1, on_wire=[])
            .returning(
                batches.c.id, batches.c.issue, batches.c.first, batches.c.last, batches.c.attempt
            )
        ).one_or_none()
        if mine is not None:
            return Batch(**mine._mapping, is_instant=bool(candidate.is_instant))
    return None


def is_batch_due(now: datetime) -> sa.ColumnElement[bool]:
    """The batches (joined with their issues) that may be leased: nobody's, not finished, not before their time."""
    return sa.and_(
        batches.c.finished.is_(False),
        batches.c.owner.is_(None),
        has_come(batches.c.due, now, now + FARTHEST),
        issues.c.status == "released",
        ~WITHDRAWN_SINCE_SEALED,
    )


def _may_be_sent(in_doubt: InDoubt) -> sa.ColumnElement[bool]:
    """Rows that a lease may send: never offered, refused and due again, or in doubt where doubt is resent."""
    now, farthest = (sa.bindparam(name, type_=UTCDateTime) for name in ("l_now", "l_farthest"))
    due = has_come(deliveries.c.not_before, now, farthest)
    chosen = deliveries.c.state.is_(None) | ((deliveries.c.state == "deferred") & due)
    if in_doubt == "resend":
        chosen |= _is_resent() & due
    return chosen


def _is_resent() -> sa.ColumnElement[bool]:
    return (deliveries.c.state == "in doubt") & (sa.func.coalesce(deliveries.c.reason, "") != HELD)


def _offered(in_doubt: InDoubt) -> Prepared:
    return Prepared(
        sa.select(
            deliveries.c.number,
            deliveries.c.subscription,
            deliveries.c.subscriber,
            # one in doubt has the edition that went out; a repeat is of the one that stands
            sa.func.coalesce(sa.func.nullif(editions.c.replaced_by, 0), deliveries.c.edition).label(
                "edition"
            ),
            deliveries.c.state,
            deliveries.c.attempts,
            deliveries.c.first_refused,
            subscribers.c.address,
            subscribers.c.address_key,
            subscribers.c.name,
            subscribers.c.language,
            subscriptions.c.since,
            subscriptions.c.generation,
        )
        .outerjoin(subscribers, subscribers.c.id == deliveries.c.subscriber)
        .outerjoin(subscriptions, subscriptions.c.id == deliveries.c.subscription)
        .outerjoin(
            editions,
            (editions.c.issue == deliveries.c.issue) & (editions.c.edition == deliveries.c.edition),
        )
        .where(deliveries.c.issue == sa.bindparam("l_issue"))
        .where(deliveries.c.number.between(sa.bindparam("l_first"), sa.bindparam("l_last")))
        .where(_may_be_sent(in_doubt))
        .order_by(deliveries.c.number)
    )


_OFFERED: Mapping[InDoubt, Prepared] = {"resend": _offered("resend"), "hold": _offered("hold")}


def list_deliveries(
    conn: sa.Connection, batch: Batch, keys: Keys, now: datetime, in_doubt: InDoubt
) -> list[Delivery]:
    """The batch's recipients who may be offered now, by number. One who was erased has an empty address: the flush
    that would name him excludes him."""
    span = {
        "l_issue": batch.issue,
        "l_first": batch.first,
        "l_last": batch.last,
        "l_now": now,
        "l_farthest": now + FARTHEST,
    }
    rows = _OFFERED[in_doubt].rows(conn, span)
    lost = _lost_replies(conn, batch) if any(row[4] == "in doubt" for row in rows) else {}
    made = []
    for (
        number,
        subscription,
        subscriber,
        edition,
        state,
        attempts,
        first_refused,
        address,
        address_key,
        name,
        language,
        since,
        generation,
    ) in rows:
        hashed = keys.address_hash(address_key) if address_key else ""
        made.append(
            Delivery(
                batch.issue,
                number,
                subscription,
                subscriber,
                edition or 0,
                address or "",
                hashed,
                name,
                language or "",
                since,
                generation or 0,
                attempts,
                first_refused,
                state == "in doubt",
                lost.get(number, 0),
            )
        )
    return made


def _lost_replies(conn: sa.Connection, batch: Batch) -> dict[int, int]:
    rows = conn.execute(
        sa.select(doubts.c.number, sa.func.count().label("lost"))
        .where(doubts.c.issue == batch.issue, doubts.c.why == LOST_REPLY)
        .where(doubts.c.number.between(batch.first, batch.last))
        .group_by(doubts.c.number)
    )
    return {row.number: row.lost for row in rows}


def settle_batch(
    conn: sa.Connection,
    batch: Batch,
    now: datetime,
    in_doubt: InDoubt,
    *,
    not_before: datetime | None = None,
) -> bool:
    """Gives a batch back whose named deliveries all have their verdict; False when it was not ours any more.

    It is finished when no row of it can be sent, else due at the earliest retry among its rows, and not before
    `not_before`.
    """
    ours = conn.execute(
        sa.select(batches.c.id)
        .where(batches.c.id == batch.id, batches.c.attempt == batch.attempt)
        .with_for_update()
    ).one_or_none()
    if ours is None:
        return False
    rest = deliveries.c.state.is_(None) | (deliveries.c.state == "deferred")
    if in_doubt == "resend":
        rest |= _is_resent()
    row = conn.execute(
        sa.select(
            sa.func.count().label("open"),
            sa.func.min(sa.func.coalesce(deliveries.c.not_before, now)).label("due"),
        )
        .where(deliveries.c.issue == batch.issue)
        .where(deliveries.c.number.between(batch.first, batch.last), rest)
    ).one()
    due = row.due if row.due is None or not_before is None else max(row.due, not_before)
    conn.execute(
        sa.update(batches)
        .where(batches.c.id == batch.id)
        .values(owner=None, lease=None, on_wire=[], finished=row.open == 0, due=due)
    )
    return True


def finish_issues(conn: sa.Connection, now: datetime) -> list[int]:
    """Marks done every released issue whose books say so (DESIGN.md 8.5), and gives their ids."""
    waiting = (
        sa.select(deliveries.c.number).where(deliveries.c.issue == issues.c.id, UNSETTLED).exists()
    )
    unfinished = (
        sa.select(batches.c.id)
        .where(batches.c.issue == issues.c.id, batches.c.finished.is_(False))
        .exists()
    )
    done = conn.execute(
        sa.update(issues)
        .where(issues.c.status == "released", ~unfinished, ~waiting)
        .values(status="done", finished=now)
        .returning(issues.c.id)
    )
    return sorted(done.scalars())
