"""The SQL of the ledger: deliveries are named before they go out, and verdicts are written, in one transaction.

The rules are DESIGN.md 8.5 to 8.7 and 9. Order of locks on PostgreSQL: the batch's row first, then its deliveries;
whoever holds the batch's row sees what a former or new owner has written.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, NamedTuple

import sqlalchemy as sa
from sqlalchemy.types import TypeEngine

from newsletter.retry import Verdict
from newsletter.suppression import suppress_hash, suppressed_among
from newsletter.tables import (
    batches,
    deliveries,
    doubts,
    editions,
    issue_posts,
    issues,
    reseals,
    subscribers,
    subscriptions,
)
from posts.model import ChangeKind
from posts.prepared import Prepared, PreparedRows
from posts.tables import UTCDateTime, journal

InDoubt = Literal["resend", "hold"]
LOST_REPLY = "lost reply"
SENDER_STOPPED = "sender stopped"
HELD = "held"
"""Reason of a delivery in doubt that only a person settles, whatever `[mail] in_doubt` says."""

UNSETTLED = sa.or_(
    deliveries.c.state.is_(None),
    # no IN list: it cannot stand in a statement that is compiled once
    deliveries.c.state == "deferred",
    deliveries.c.state == "in doubt",
)
"""Rows whose fate is open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A leased slice [first, last] of an issue's deliveries; `attempt` is the fence."""

    id: int
    issue: int
    first: int
    last: int
    attempt: int
    is_instant: bool = False
    """Of an instant issue: sent before all others."""


class Delivery(NamedTuple):
    """One recipient of a leased batch who may be sent to now. `doubted`: it may have arrived already.

    A tuple, since one is made for every message: a frozen dataclass of so many fields takes four times as long.
    """

    issue: int
    number: int
    subscription: int
    subscriber: int
    edition: int
    address: str
    address_hash: str
    name: str | None
    language: str
    since: datetime | None
    generation: int
    attempts: int = 0
    first_refused: datetime | None = None
    doubted: bool = False
    lost_before: int = 0


class Result(NamedTuple):
    """The verdict on one delivery, to be written by the next flush."""

    delivery: Delivery
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What one flush says of one batch. `keep`: named before and without a result; `wanted`: to be named now."""

    batch: Batch
    keep: Collection[int] = ()
    wanted: Sequence[Delivery] = ()
    results: Sequence[Result] = ()


class Standing(StrEnum):
    """Whose a batch is after a flush."""

    HELD = "held"
    STOPPED = "stopped"
    """Still ours, but its issue is paused, cancelled, or waits to be sealed anew: nothing was named."""
    LOST = "lost"
    """Another has taken it over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flushed:
    """What a flush came to: `named` may go to the wire, `excluded` (number -> reason) never will."""

    standing: Standing
    named: frozenset[int] = frozenset()
    excluded: dict[int, str] = field(default_factory=dict)


def flush(conn: sa.Connection, work: Work, now: datetime, until: datetime) -> Flushed:
    """The one transaction of sending (DESIGN.md 9): names what goes out next, writes the verdicts since the last one,
    looks once more at who may still be sent. No byte of a delivery may go out before this has committed.

    The caller's transaction may hold flushes of several batches. Verdicts are written whatever the standing; of a lost
    batch only those that the new owner has not named.
    """
    numbers = [*work.keep, *(delivery.number for delivery in work.wanted)]
    held = _NAME.run(
        conn,
        {
            "b_id": work.batch.id,
            "b_attempt": work.batch.attempt,
            "b_issue": work.batch.issue,
            "b_on_wire": numbers,
            "b_lease": until,
        },
    )
    if held == 1:
        _write_results(conn, work.results, now)
        excluded = _exclude(conn, work, now)
        named = frozenset(d.number for d in work.wanted if d.number not in excluded)
        return Flushed(standing=Standing.HELD, named=named, excluded=excluded)
    return _flush_unnamed(conn, work, now, until)


def _flush_unnamed(conn: sa.Connection, work: Work, now: datetime, until: datetime) -> Flushed:
    """The batch is lost or its issue stands still: what has come in is written all the same."""
    row = conn.execute(
        sa.select(batches.c.attempt, batches.c.on_wire)
        .where(batches.c.id == work.batch.id)
        .with_for_update()
    ).one()
    if row.attempt == work.batch.attempt:
        _write_results(conn, work.results, now)
        conn.execute(
            sa.update(batches)
            .where(batches.c.id == work.batch.id)
            .values(on_wire=list(work.keep), lease=until)
        )
        return Flushed(standing=Standing.STOPPED)
    taken = set(row.on_wire)
    late = [result for result in work.results if result.delivery.number not in taken]
    _write_results(conn, late, now, late=True)
    return Flushed(standing=Standing.LOST)


def read_upto() -> sa.ColumnElement[int]:
    """How far the journal was read for an issue (a row of `issues`): when it was sealed, or last sealed anew."""
    last = sa.select(sa.func.max(reseals.c.upto)).where(reseals.c.issue == issues.c.id)
    return sa.func.coalesce(last.correlate(issues).scalar_subquery(), issues.c.sealed_at)


def is_withdrawal_of(after: int | sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
    """A line of the journal behind `after` that takes a post back."""
    return (journal.c.kind == ChangeKind.WITHDRAWN.value) & (journal.c.number > after)


WITHDRAWN_SINCE_SEALED = (
    sa.select(journal.c.number)
    .join(issue_posts, issue_posts.c.post == journal.c.post)
    .where(issue_posts.c.issue == issues.c.id, is_withdrawal_of(read_upto()))
    .correlate(issues)
    .exists()
)
"""A post of the issue was taken back after it was sealed: it is sealed anew before more goes out (DESIGN.md 8.4)."""

_NAME = Prepared(
    sa.update(batches)
    .where(batches.c.id == sa.bindparam("b_id"), batches.c.attempt == sa.bindparam("b_attempt"))
    .where(
        sa.select(issues.c.id)
        .where(issues.c.id == sa.bindparam("b_issue"), issues.c.status == "released")
        .where(~WITHDRAWN_SINCE_SEALED)
        .exists()
    )
    .values(on_wire=sa.bindparam("b_on_wire"), lease=sa.bindparam("b_lease"))
)

_RESULT: Mapping[str, TypeEngine[Any]] = {
    "issue": sa.Integer(),
    "number": sa.Integer(),
    "edition": sa.Integer(),
    "state": sa.Text(),
    "reason": sa.Text(),
    "code": sa.Integer(),
    "reply": sa.Text(),
    "attempts": sa.Integer(),
    "first_refused": UTCDateTime(),
    "not_before": UTCDateTime(),
    "at": UTCDateTime(),
}


def _write(given: Mapping[str, sa.ColumnElement[Any]]) -> sa.Update:
    """`edition` is what went out: an answer that comes late may be about one that was replaced since.

    A reply may repeat the address: of a reader who was erased while it was on its way none is kept (DESIGN.md 8.8).
    """
    is_there = sa.exists().where(subscribers.c.id == deliveries.c.subscriber)
    kept = {"reply": sa.case((is_there, given["reply"]), else_=sa.null())}
    return (
        sa.update(deliveries)
        .where(
            deliveries.c.issue == given["issue"],
            deliveries.c.number == given["number"],
            UNSETTLED,
        )
        .values({name: given[name] for name in _RESULT if name not in ("issue", "number")} | kept)
    )


_WRITE = PreparedRows(_RESULT, _write)

_SETTLE_DOUBT = (
    sa.update(doubts)
    .where(doubts.c.issue == sa.bindparam("r_issue"), doubts.c.number == sa.bindparam("r_number"))
    .where(doubts.c.settled.is_(None))
    .values(settled=sa.bindparam("r_settled"))
)


def _write_results(
    conn: sa.Connection, results: Sequence[Result], now: datetime, *, late: bool = False
) -> None:
    """Writes verdicts; one that says nothing (weather) leaves its row as it was."""
    told = [result for result in results if result.verdict.state is not None]
    if not told:
        return
    _WRITE.run(conn, [_row_of(result, now) for result in told])
    new_doubts = [r.delivery for r in told if r.verdict.state == "in doubt"]
    if new_doubts:
        conn.execute(
            sa.insert(doubts),
            [
                {"issue": d.issue, "number": d.number, "why": LOST_REPLY, "at": now}
                for d in new_doubts
            ],
        )
    settled = [r for r in told if (late or r.delivery.doubted) and r.verdict.is_final]
    if settled:
        conn.execute(_SETTLE_DOUBT, [_settlement(result, late=late) for result in settled])
    for result in told:
        if result.verdict.dead and result.delivery.address_hash:
            detail = f"{result.verdict.code} {result.verdict.enhanced or ''}".strip()
            suppress_hash(conn, result.delivery.address_hash, "dead", detail, now)


def _settlement(result: Result, *, late: bool) -> dict[str, object]:
    how = "answered late" if late else "resent"
    return {
        "r_issue": result.delivery.issue,
        "r_number": result.delivery.number,
        "r_settled": f"{how}, {result.verdict.state}",
    }


def _row_of(result: Result, now: datetime) -> tuple[object, ...]:
    """In the order of `_RESULT`."""
    delivery, verdict = result
    return (
        delivery.issue,
        delivery.number,
        delivery.edition,
        verdict.state,
        verdict.reason,
        verdict.code,
        verdict.reply,
        verdict.attempts,
        verdict.first_refused,
        verdict.not_before,
        now,
    )


_EXCEPTIONS = Prepared(
    sa.select(
        deliveries.c.number,
        UNSETTLED.label("is_open"),
        subscribers.c.id.label("subscriber"),
        subscriptions.c.status,
        (editions.c.replaced_by == 0).label("is_empty"),
    )
    .outerjoin(subscribers, subscribers.c.id == deliveries.c.subscriber)
    .outerjoin(subscriptions, subscriptions.c.id == deliveries.c.subscription)
    .outerjoin(
        editions,
        (editions.c.issue == deliveries.c.issue) & (editions.c.edition == deliveries.c.edition),
    )
    .where(
        deliveries.c.issue == sa.bindparam("e_issue"),
        # a range, where a list would be another statement for each length: the wanted stand close together
        deliveries.c.number.between(sa.bindparam("e_first"), sa.bindparam("e_last")),
    )
    .where(
        ~sa.and_(
            UNSETTLED,
            subscribers.c.id.is_not(None),
            sa.func.coalesce(subscriptions.c.status, "") == "active",
            sa.func.coalesce(editions.c.replaced_by, -1) != 0,
        )
    )
)
"""Who of a range may not be sent to any more, or is settled. As a rule nobody: the others are not even read."""


def _exclude(conn: sa.Connection, work: Work, now: datetime) -> dict[int, str]:
    """Who of the wanted may not be sent to any more, written down; a row that is final already is left alone."""
    if not work.wanted:
        return {}
    wanted = {delivery.number: delivery for delivery in work.wanted}
    span = {"e_issue": work.batch.issue, "e_first": min(wanted), "e_last": max(wanted)}
    suppressed = suppressed_among(conn, [delivery.address_hash for delivery in work.wanted])
    found: dict[int, str] = {}
    for number, is_open, subscriber, status, is_empty in _EXCEPTIONS.rows(conn, span):
        if number in wanted:
            hashed = wanted[number].address_hash
            reason = _why_not(subscriber, status, hashed in suppressed)
            found[number] = (reason or ("withdrawn" if is_empty else "")) if is_open else "settled"
    for number, delivery in wanted.items() if suppressed else ():
        if delivery.address_hash in suppressed:
            found.setdefault(number, "suppressed")
    for number, reason in found.items():
        if reason != "settled":
            _write_excluded(conn, wanted[number], reason, now)
    return found


def _write_excluded(conn: sa.Connection, delivery: Delivery, reason: str, now: datetime) -> None:
    conn.execute(
        sa.update(deliveries)
        .where(
            deliveries.c.issue == delivery.issue,
            deliveries.c.number == delivery.number,
            UNSETTLED,
        )
        .values(state="excluded", reason=reason, not_before=None, at=now)
    )
    if delivery.doubted:
        settled = f"not sent again: {reason}"
        values = {"r_issue": delivery.issue, "r_number": delivery.number, "r_settled": settled}
        conn.execute(_SETTLE_DOUBT, values)


def _why_not(subscriber: int | None, status: str | None, suppressed: bool) -> str | None:
    if subscriber is None:
        return "erased"
    if suppressed:
        return "suppressed"
    if status == "active":
        return None
    return "paused" if status == "paused" else "unsubscribed"
