"""The SQL of the books: where every recipient of an issue stands, at one moment, by name (DESIGN.md 8.5)."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime

import sqlalchemy as sa

from newsletter.ledger import HELD, UNSETTLED, InDoubt
from newsletter.resealing import repoint_deliveries
from newsletter.tables import batches, deliveries, doubts, issues, subscribers
from posts.errors import NotFound

TAKEN_AS_SENT = "resolved by hand"
"""Reason of a delivery that was in doubt and that a person took as sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """How many recipients of an issue are in each state; `excluded` by reason, `failures` (all who failed) by class of
    code: "5.1" of an enhanced code, else the reply's code ("550"), else "none"."""

    recipients: int = 0
    sent: int = 0
    queued: int = 0
    leased: int = 0
    deferred: int = 0
    failed: int = 0
    excluded: Mapping[str, int] = field(default_factory=dict)
    in_doubt: int = 0
    failures: Mapping[str, int] = field(default_factory=dict)

    @property
    def excluded_total(self) -> int:
        """All who are excluded, whatever the reason."""
        return sum(self.excluded.values())

    @property
    def balance(self) -> bool:
        """True when nobody is in no state."""
        return (
            self.recipients
            == (self.sent + self.queued + self.leased + self.deferred + self.failed + self.in_doubt)
            + self.excluded_total
        )

    @property
    def is_open(self) -> bool:
        """True while somebody may still be sent to."""
        return bool(self.queued or self.leased or self.deferred or self.in_doubt)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One delivery as a report names it; `address` is None for a reader who was erased."""

    number: int
    subscriber: int
    address: str | None
    state: str
    reason: str | None
    code: int | None
    reply: str | None
    at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """One time that a delivery came into doubt, and how it was settled (None: it is not)."""

    id: int
    number: int
    subscriber: int
    address: str | None
    why: str
    at: datetime
    settled: str | None


def books(conn: sa.Connection, issue_id: int) -> Books:
    """The books of an issue; raises NotFound. They balance at every moment."""
    found = list_books(conn, [issue_id])
    if issue_id not in found:
        raise NotFound(f"there is no issue {issue_id}", remedy="`issues list` names all.")
    return found[issue_id]


def list_books(conn: sa.Connection, issue_ids: Iterable[int]) -> dict[int, Books]:
    """The books of several issues, of one moment: one statement, since PostgreSQL gives each its own.

    Of a paused or cancelled issue the rest is read from the issue's row: who has no result is queued, or excluded as
    "cancelled" (so is who was deferred; who is in doubt stays so). Of an issue that has totals the books are these,
    whatever rows it still has: asked for last, so that they hold for rows that went while others were counted.
    """
    ids = list(issue_ids)
    counts: dict[int, dict[tuple[str, str | None], int]] = {}
    for issue, what, reason, amount, unsent, sent in conn.execute(_count_all(ids)):
        found = counts.setdefault(issue, {})
        if what == "rows":
            found["queued", None], found["sent", None] = unsent, sent
        else:
            found[what, reason] = amount
    closed = sa.select(issues.c.id, issues.c.totals).where(
        issues.c.id.in_(ids), issues.c.totals.is_not(None)
    )
    last = {issue: Books(**totals) for issue, totals in conn.execute(closed)}
    return {issue: _balanced(found) for issue, found in counts.items()} | last


def totals_of(last: Books) -> dict[str, object]:
    """Settled books as `issues.totals` keeps them."""
    return asdict(last)


def has_only_totals(conn: sa.Connection, issue_id: int) -> bool:
    """True when the deliveries of an issue were let go of. Locks its row: what was said stays true meanwhile."""
    query = sa.select(issues.c.totals.is_not(None)).where(issues.c.id == issue_id)
    return bool(conn.execute(query.with_for_update()).scalar_one_or_none())


_CODE_CLASS = sa.case(
    (
        deliveries.c.reply.like("5._.%") | deliveries.c.reply.like("4._.%"),
        sa.func.substr(deliveries.c.reply, 1, 3),
    ),
    else_=sa.func.coalesce(sa.cast(deliveries.c.code, sa.Text), "none"),
)


def _count_all(ids: list[int]) -> sa.CompoundSelect[int, str, str, int, int, int]:
    """Rows of issue, what, reason, amount, and for what "rows": how many have no result, how many were sent.

    Nearly all rows are one or the other, and counting them in passing is a quarter of what grouping them takes
    (a million deliveries, SQLite: 0.25 s instead of 1.0).
    """
    nothing = sa.literal(0)
    leased = (
        sa.select(
            batches.c.issue,
            sa.literal("leased").label("what"),
            sa.null().label("reason"),
            sa.func.count().label("amount"),
            nothing.label("unsent"),
            nothing.label("sent"),
        )
        .join(
            deliveries,
            (deliveries.c.issue == batches.c.issue)
            & deliveries.c.number.between(batches.c.first, batches.c.last),
        )
        .where(batches.c.issue.in_(ids), batches.c.owner.is_not(None))
        .where(deliveries.c.state.is_(None))
        .group_by(batches.c.issue)
    )
    rows = (
        sa.select(
            deliveries.c.issue,
            sa.literal("rows"),
            sa.null(),
            nothing,
            sa.func.count().filter(deliveries.c.state.is_(None)),
            sa.func.count().filter(deliveries.c.state == "sent"),
        )
        .where(deliveries.c.issue.in_(ids))
        .group_by(deliveries.c.issue)
    )
    others = (
        sa.select(
            deliveries.c.issue,
            deliveries.c.state,
            sa.case(
                (deliveries.c.state == "excluded", deliveries.c.reason),
                (deliveries.c.state == "failed", _CODE_CLASS),
            ).label("why"),
            sa.func.count(),
            nothing,
            nothing,
        )
        .where(deliveries.c.issue.in_(ids), deliveries.c.state != "sent")
        .group_by(deliveries.c.issue, deliveries.c.state, sa.text("why"))
    )
    totals = sa.select(
        issues.c.id, "issue " + issues.c.status, sa.null(), issues.c.recipients, nothing, nothing
    ).where(issues.c.id.in_(ids))
    return sa.union_all(leased, rows, others, totals)


def _balanced(counts: Mapping[tuple[str, str | None], int]) -> Books:
    status, recipients = next(
        (what.removeprefix("issue "), amount)
        for (what, _), amount in counts.items()
        if what.startswith("issue ")
    )
    excluded = _by_reason(counts, "excluded")
    failures = _by_reason(counts, "failed")
    unsent, deferred = counts.get(("queued", None), 0), counts.get(("deferred", None), 0)
    leased = counts.get(("leased", None), 0) if status == "released" else 0
    if status == "cancelled" and unsent + deferred:
        excluded["cancelled"] = excluded.get("cancelled", 0) + unsent + deferred
        unsent = deferred = 0
    return Books(
        recipients=recipients,
        sent=counts.get(("sent", None), 0),
        queued=unsent - leased,
        leased=leased,
        deferred=deferred,
        failed=sum(failures.values()),
        excluded=excluded,
        in_doubt=counts.get(("in doubt", None), 0),
        failures=failures,
    )


def _by_reason(counts: Mapping[tuple[str, str | None], int], state: str) -> dict[str, int]:
    return {
        reason or "unknown": amount for (what, reason), amount in counts.items() if what == state
    }


def list_open_books(
    conn: sa.Connection, issue_id: int | None = None, *, also: Iterable[int] = ()
) -> dict[int, Books]:
    """The books of the issues that are being sent (or of one), and of those in `also`."""
    chosen = issues.c.status == "released" if issue_id is None else issues.c.id == issue_id
    found = conn.execute(sa.select(issues.c.id).where(chosen)).scalars()
    return list_books(conn, {*found, *also})


def count_open(
    conn: sa.Connection, issue_id: int | None = None, *, in_doubt: InDoubt = "resend"
) -> int:
    """How many recipients of the issues that are being sent (or of one) are still to be sent to, or sent to again.

    A delivery in doubt that waits for a person is not counted.
    """
    doubt = deliveries.c.state.is_distinct_from("in doubt")
    if in_doubt == "resend":
        doubt |= deliveries.c.reason.is_distinct_from(HELD)
    query = (
        sa.select(sa.func.count())
        .select_from(deliveries.join(issues, issues.c.id == deliveries.c.issue))
        .where(issues.c.status == "released", UNSETTLED, doubt)
    )
    if issue_id is not None:
        query = query.where(issues.c.id == issue_id)
    return conn.execute(query).scalar_one()


def list_in_doubt(
    conn: sa.Connection, issue_id: int, *, after: int = 0, limit: int | None = None
) -> list[Line]:
    """The deliveries that are in doubt now, by number, behind the number `after`."""
    rows = conn.execute(
        sa.select(
            deliveries.c.number,
            deliveries.c.subscriber,
            subscribers.c.address,
            deliveries.c.state,
            deliveries.c.reason,
            deliveries.c.code,
            deliveries.c.reply,
            deliveries.c.at,
        )
        .outerjoin(subscribers, subscribers.c.id == deliveries.c.subscriber)
        .where(deliveries.c.issue == issue_id, deliveries.c.state == "in doubt")
        .where(deliveries.c.number > after)
        .order_by(deliveries.c.number)
        .limit(limit)
    )
    return [Line(**row._mapping) for row in rows]


def find_in_doubt(conn: sa.Connection, issue_id: int, address_keys: Iterable[str]) -> list[int]:
    """The numbers of those of these readers whose delivery is in doubt."""
    query = (
        sa.select(deliveries.c.number)
        .join(subscribers, subscribers.c.id == deliveries.c.subscriber)
        .where(subscribers.c.address_key.in_(list(address_keys)))
        .where(deliveries.c.issue == issue_id, deliveries.c.state == "in doubt")
    )
    return sorted(conn.execute(query).scalars())


def list_doubts(
    conn: sa.Connection, issue_id: int, *, after: int = 0, limit: int | None = None
) -> list[Doubt]:
    """Every time that a delivery of the issue came into doubt, settled ones too, oldest first, behind the id `after`."""
    rows = conn.execute(
        sa.select(
            doubts.c.id,
            doubts.c.number,
            deliveries.c.subscriber,
            subscribers.c.address,
            doubts.c.why,
            doubts.c.at,
            doubts.c.settled,
        )
        .join(
            deliveries,
            (deliveries.c.issue == doubts.c.issue) & (deliveries.c.number == doubts.c.number),
        )
        .outerjoin(subscribers, subscribers.c.id == deliveries.c.subscriber)
        .where(doubts.c.issue == issue_id, doubts.c.id > after)
        .order_by(doubts.c.id)
        .limit(limit)
    )
    return [Doubt(**row._mapping) for row in rows]


def count_doubts(conn: sa.Connection, issue_id: int) -> int:
    """How often a delivery of the issue came into doubt."""
    query = sa.select(sa.func.count()).where(doubts.c.issue == issue_id)
    return conn.execute(query).scalar_one()


def requeue_failed(conn: sa.Connection, issue_id: int, now: datetime) -> int:
    """Gives every failed delivery of an issue a new start, and says how many; a done issue is released again."""
    again = conn.execute(
        sa.update(deliveries)
        .where(deliveries.c.issue == issue_id, deliveries.c.state == "failed")
        .values(
            state=None,
            reason=None,
            code=None,
            reply=None,
            attempts=0,
            first_refused=None,
            not_before=None,
            at=now,
        )
    ).rowcount
    if again:
        repoint_deliveries(conn, issue_id, now)
        _reopen(conn, issue_id)
    return again


def resolve_doubts(
    conn: sa.Connection,
    issue_id: int,
    numbers: Iterable[int] | None,
    *,
    resend: bool,
    now: datetime,
) -> int:
    """Settles deliveries in doubt by hand, these or (None) all: offered again, or taken as sent; says how many were.

    Without a list of them: a relay that never answers can leave a million in doubt.
    """
    chosen = (deliveries.c.issue == issue_id) & (deliveries.c.state == "in doubt")
    if numbers is not None:
        chosen &= deliveries.c.number.in_(list(numbers))
    conn.execute(
        sa.update(doubts)
        .where(doubts.c.issue == issue_id, doubts.c.settled.is_(None))
        .where(doubts.c.number.in_(sa.select(deliveries.c.number).where(chosen)))
        .values(settled="resent by hand" if resend else "taken as sent by hand")
    )
    state, reason = (None, None) if resend else ("sent", TAKEN_AS_SENT)
    settled = conn.execute(
        sa.update(deliveries)
        .where(chosen)
        .values(state=state, reason=reason, not_before=None, at=now)
    ).rowcount
    if resend and settled:
        repoint_deliveries(conn, issue_id, now)
        _reopen(conn, issue_id)
    return settled


def _reopen(conn: sa.Connection, issue_id: int) -> None:
    waiting = (
        sa.select(deliveries.c.number)
        .where(deliveries.c.issue == batches.c.issue, UNSETTLED)
        .where(deliveries.c.number.between(batches.c.first, batches.c.last))
        .exists()
    )
    conn.execute(
        sa.update(batches)
        .where(batches.c.issue == issue_id, waiting, batches.c.owner.is_(None))
        .values(finished=False, due=None)
    )
    conn.execute(
        sa.update(issues)
        .where(issues.c.id == issue_id, issues.c.status == "done")
        .values(status="released", finished=None)
    )
