"""The SQL of adopting a database that is older than what its press has done: replaying, pausing, covering (DESIGN.md 8.12)."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from newsletter import (
    counterfoil_marks,
    drafts,
    frequencies,
    issues,
    subscribers,
    subscriptions,
    suppression,
)
from newsletter.counterfoil import Entry, Line, Since, erased_hash, subscription_hash
from newsletter.frequencies import DueOutcome
from newsletter.issues import Issue, IssueStatus
from newsletter.ledger import HELD, UNSETTLED
from newsletter.subscriptions import SubscriptionStatus
from newsletter.tables import batches, deliveries, doubts
from newsletter.tables import issues as issue_table
from newsletter.tables import subscribers as subscriber_table
from newsletter.tables import subscriptions as subscription_table
from newsletter.tokens import Keys
from posts import journal

VIA = "counterfoil"
BEFORE_ADOPTION = "went on before the database was adopted"
_LOST_SUBJECT = "(mailed before the database was adopted)"
_UNFINISHED = (IssueStatus.RELEASED, IssueStatus.PAUSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What was done again of all that readers and editors had done: each count is of changes, not of lines."""

    left: int = 0
    paused: int = 0
    suppressed: int = 0
    erased: int = 0
    cancelled: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """What `--skip` counted as done: ends by newsletter and frequency, drafts taken back, deliveries put in doubt."""

    ends: Mapping[tuple[str, str], int] = field(default_factory=dict)
    drafts: tuple[int, ...] = ()
    doubts: Mapping[int, int] = field(default_factory=dict)


def replay(conn: sa.Connection, keys: Keys, since: Since, now: datetime) -> Replayed:
    """Does again what readers asked for, and issues' cancelling; safe to repeat, what stands already is no change."""
    erased = _erase(conn, keys, since.erased)
    ids = _subscription_ids(conn, keys, [*since.left, *since.paused])
    left = paused = 0
    for entry in since.left:
        found = subscriptions.find_by_id(conn, ids.get(entry.who or "", 0))
        if found is not None and found.status is not SubscriptionStatus.UNSUBSCRIBED:
            subscriptions.leave(conn, found, via=VIA, now=now)
            left += 1
    for entry in since.paused:
        found = subscriptions.find_by_id(conn, ids.get(entry.who or "", 0))
        if found is not None and found.status is SubscriptionStatus.ACTIVE:
            subscriptions.pause(conn, found, via=VIA, now=now)
            paused += 1
    suppressed = sum(
        suppression.suppress_hash(conn, entry.who or "", entry.reason or "", f"by {VIA}", now)
        for entry in since.suppressed
    )
    cancelled = sum(
        issues.mark_status(conn, issue, IssueStatus.CANCELLED, old=_UNFINISHED, finished=now)
        for issue in sorted(since.cancelled)
    )
    return Replayed(
        left=left, paused=paused, suppressed=suppressed, erased=erased, cancelled=cancelled
    )


def list_not_known(conn: sa.Connection, since: Since) -> dict[int, Line]:
    """Releases that this database knows nothing of, or under this id knows another issue or a draft."""
    found = {}
    for issue, line in since.released.items():
        known = issues.find_issue(conn, issue)
        if known is None or known.released is None or known.seal != line.entry.seal:
            found[issue] = line
    return found


def list_unfinished(conn: sa.Connection) -> list[Issue]:
    """Issues of which something may still go out, the oldest first."""
    found = [one for state in _UNFINISHED for one in issues.list_issues(conn, status=state)]
    return sorted(found, key=lambda issue: issue.id)


def count_open(conn: sa.Connection, issue: int) -> int:
    """How many deliveries of an issue have no final verdict in this database."""
    query = sa.select(sa.func.count()).where(deliveries.c.issue == issue, UNSETTLED)
    return conn.execute(query).scalar_one()


def pause_unfinished(conn: sa.Connection) -> list[int]:
    """Pauses every issue that is being sent; gives their ids."""
    paused = conn.execute(
        sa.update(issue_table)
        .where(issue_table.c.status == IssueStatus.RELEASED)
        .values(status=IssueStatus.PAUSED)
        .returning(issue_table.c.id)
    )
    return sorted(paused.scalars())


def cover(
    conn: sa.Connection, released: Iterable[Line], batch_ids: Collection[int] | None, now: datetime
) -> Covered:
    """Counts what was done behind this database's back as done, so that nobody gets it twice.

    Ends move to the highest that `released` names, but not beyond this journal; drafts of what was released are taken
    back; due times that were met are merged. Open deliveries of unfinished issues come in doubt, held for a person:
    those of `batch_ids` and of batches in somebody's hands, or all where None is given.
    """
    lines = list(released)
    ends: dict[tuple[str, str], int] = {}
    head = journal.head(conn)
    for line in lines:
        entry = line.entry
        if entry.newsletter and entry.frequency and entry.end is not None:
            key = (entry.newsletter, entry.frequency)
            ends[key] = max(ends.get(key, 0), min(entry.end, head))
    for line in lines:
        if line.entry.newsletter and line.entry.frequency:
            counterfoil_marks.add_covered(conn, line.entry.newsletter, line.entry.posts or ())
    moved = {key: end for key, end in ends.items() if _move_end(conn, *key, end)}
    for line in lines:
        _meet_due_time(conn, line.entry, now)
    taken_back = [issue.id for issue in _drafts_of(conn, lines, ends)]
    for issue in taken_back:
        drafts.cancel_draft(conn, issues.get_issue(conn, issue), now=now)
    _keep_ids(conn, lines, is_whole=batch_ids is not None, now=now)
    return Covered(
        ends=moved, drafts=tuple(taken_back), doubts=dict(_hold_open(conn, batch_ids, now))
    )


def _move_end(conn: sa.Connection, newsletter: str, frequency: str, end: int) -> bool:
    row = frequencies.find_frequency(conn, newsletter, frequency, lock="update")
    if row is None or row.end >= end:
        return False
    frequencies.move_end(conn, newsletter, frequency, start=row.end, end=end)
    subscriptions.clear_positions(conn, newsletter, frequency, end)  # as a release does
    return True


def _meet_due_time(conn: sa.Connection, entry: Entry, now: datetime) -> None:
    if not (entry.newsletter and entry.frequency and entry.due):
        return
    found = frequencies.find_due_time(conn, entry.newsletter, entry.frequency, entry.due)
    if found is None:
        frequencies.save_due_time(
            conn, entry.newsletter, entry.frequency, entry.due, DueOutcome.MERGED, now=now
        )
    else:
        frequencies.settle_due_time(conn, found, DueOutcome.MERGED, now=now)


def _drafts_of(
    conn: sa.Connection, lines: Sequence[Line], ends: Mapping[tuple[str, str], int]
) -> Iterator[Issue]:
    """Drafts whose range is covered now, and drafts of special issues that were released."""
    numbers = {(line.entry.newsletter, line.entry.number) for line in lines}
    for draft in issues.list_issues(conn, status=IssueStatus.DRAFT):
        is_covered = (draft.newsletter, draft.frequency or "") in ends
        if is_covered or (draft.newsletter, draft.number) in numbers:
            yield draft


def _keep_ids(conn: sa.Connection, lines: Sequence[Line], *, is_whole: bool, now: datetime) -> None:
    """Uses up the ids and numbers of issues that were mailed behind this database's back.

    A Message-ID is made of the issue's id: a new issue under an old id would be taken for a repeat by mail programs.
    Where nobody knows which ids were used, the next thousand begins.
    """
    for line in lines:
        entry = line.entry
        taken = entry.number and issues.find_by_number(conn, entry.newsletter or "", entry.number)
        values = {"number": None if taken else entry.number, "subject": _LOST_SUBJECT}
        known = issues.find_issue(conn, entry.issue or 0)
        if known is None:
            _save_lost(conn, entry.issue or 0, entry.newsletter or "", now, values)
        elif known.status is IssueStatus.CANCELLED and known.number is None:
            conn.execute(sa.update(issue_table).where(issue_table.c.id == known.id).values(values))
    if not is_whole:
        last = issues.list_issues(conn, limit=1)
        if last:
            jump = (last[0].id // 1000 + 1) * 1000
            _save_lost(conn, jump, last[0].newsletter, now, {"subject": _LOST_SUBJECT})


def _save_lost(
    conn: sa.Connection, issue: int, newsletter: str, now: datetime, values: Mapping[str, object]
) -> None:
    conn.execute(
        sa.insert(issue_table).values(
            id=issue,
            newsletter=newsletter,
            kind=issues.SPECIAL,
            status=IssueStatus.CANCELLED,
            seen=journal.head(conn),
            date=now,
            composed=now,
            **values,
        )
    )
    if conn.dialect.name == "postgresql":
        conn.execute(
            sa.select(
                sa.func.setval(
                    sa.func.pg_get_serial_sequence("issues", "id"),
                    sa.select(sa.func.max(issue_table.c.id)).scalar_subquery(),
                )
            )
        )


def _hold_open(
    conn: sa.Connection, batch_ids: Collection[int] | None, now: datetime
) -> Iterator[tuple[int, int]]:
    """Puts open deliveries in doubt, held, and raises the batches' fences; gives how many by issue."""
    query = (
        sa.select(batches.c.id, batches.c.issue, batches.c.first, batches.c.last, batches.c.owner)
        .join(issue_table, issue_table.c.id == batches.c.issue)
        .where(issue_table.c.status.in_(_UNFINISHED), batches.c.finished.is_(False))
        .order_by(batches.c.id)
    )
    counts: dict[int, int] = {}
    for row in conn.execute(query).all():
        if batch_ids is not None and row.id not in batch_ids and row.owner is None:
            continue
        conn.execute(
            sa.update(batches)
            .where(batches.c.id == row.id)
            .values(attempt=batches.c.attempt + 1, owner=None, lease=None, due=None, on_wire=[])
        )
        counts[row.issue] = counts.get(row.issue, 0) + _doubt(
            conn, row.issue, row.first, row.last, now
        )
    yield from counts.items()


def _doubt(conn: sa.Connection, issue: int, first: int, last: int, now: datetime) -> int:
    chosen = (deliveries.c.issue == issue) & deliveries.c.number.between(first, last) & UNSETTLED
    why, at = sa.literal(BEFORE_ADOPTION), sa.literal(now, doubts.c.at.type)
    fresh = sa.select(deliveries.c.issue, deliveries.c.number, why, at).where(
        chosen, deliveries.c.state.is_distinct_from("in doubt")
    )
    conn.execute(sa.insert(doubts).from_select(["issue", "number", "why", "at"], fresh))
    held = conn.execute(
        sa.update(deliveries)
        .where(chosen)
        .values(state="in doubt", reason=HELD, not_before=None, at=now)
    )
    return held.rowcount


def _erase(conn: sa.Connection, keys: Keys, entries: Sequence[Entry]) -> int:
    wanted = {entry.who for entry in entries}
    if not wanted:
        return 0
    chosen = []
    for row_id, key in _list_readers(conn, [entry.row or 0 for entry in entries]):
        if erased_hash(keys, key) in wanted:
            chosen.append(row_id)
            wanted.discard(erased_hash(keys, key))
    if wanted:  # somebody else's row has that number, or none: looked for by the hash alone
        chosen += [
            row_id for row_id, key in _list_readers(conn) if erased_hash(keys, key) in wanted
        ]
    return sum(subscribers.erase_subscriber(conn, row_id) for row_id in chosen)


def _subscription_ids(conn: sa.Connection, keys: Keys, entries: Sequence[Entry]) -> dict[str, int]:
    """The subscription that each hash stands for, where this database has it."""
    wanted = {entry.who or "" for entry in entries}
    if not wanted:
        return {}
    found: dict[str, int] = {}
    rows = _list_subscriptions(conn, [entry.row or 0 for entry in entries])
    for row_id, newsletter, key in rows:
        found[subscription_hash(keys, newsletter, key)] = row_id
    if wanted - found.keys():
        for row_id, newsletter, key in _list_subscriptions(conn):
            found[subscription_hash(keys, newsletter, key)] = row_id
    return {who: row_id for who, row_id in found.items() if who in wanted}


def _list_readers(
    conn: sa.Connection, ids: Sequence[int] | None = None
) -> Iterator[tuple[int, str]]:
    query = sa.select(subscriber_table.c.id, subscriber_table.c.address_key)
    for part in _parts(ids):
        chosen = query if part is None else query.where(subscriber_table.c.id.in_(part))
        yield from ((row.id, row.address_key) for row in conn.execute(chosen))


def _list_subscriptions(
    conn: sa.Connection, ids: Sequence[int] | None = None
) -> Iterator[tuple[int, str, str]]:
    own = subscription_table.c
    query = sa.select(own.id, own.newsletter, subscriber_table.c.address_key).join(
        subscriber_table, subscriber_table.c.id == own.subscriber
    )
    for part in _parts(ids):
        chosen = query if part is None else query.where(own.id.in_(part))
        yield from ((row.id, row.newsletter, row.address_key) for row in conn.execute(chosen))


def _parts(ids: Sequence[int] | None) -> Iterator[Sequence[int] | None]:
    """Slices of `ids` that fit into a statement; None where all are asked for."""
    if ids is None:
        yield None
        return
    for at in range(0, len(ids), 500):
        yield ids[at : at + 500]
