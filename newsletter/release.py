"""The one transaction that releases an issue, its SQL and what is sealed before it (DESIGN.md 3, 8.4, 9).

What goes out is planned and sealed outside of the transaction, since rendering takes longer than a writer may keep
others waiting; the transaction then looks whether what was sealed still is what is owed, and begins anew if not.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from newsletter import frequencies, issues, subscriptions
from newsletter.compose import EditionPlan
from newsletter.frequencies import DueOutcome
from newsletter.issues import Issue, IssueStatus
from newsletter.planning import Plan, plan_issue, preview_plans
from newsletter.spec import NewsletterSettings
from newsletter.subscriptions import SubscriptionStatus
from newsletter.suppressed_readers import exclude_suppressed, find_suppressed_readers
from newsletter.tables import batches, deliveries, editions, sealed_parts
from newsletter.tables import issues as issue_table
from newsletter.tables import subscribers as subscriber_table
from newsletter.tables import subscriptions as subscription_table
from newsletter.tokens import Keys
from posts import journal
from posts.database import reading, writing
from posts.errors import Refused
from posts.model import ChangeKind, Post

if TYPE_CHECKING:
    from newsletter.render import SealedIssue

Sealer = Callable[[NewsletterSettings, Issue, Sequence[EditionPlan]], "SealedIssue"]
"""Renders and seals editions: `render.seal_issue` with all that it needs of the press."""

Noter = Callable[[sa.Connection, Issue, Sequence[Post]], None]
"""Notes a release outside the database when only its commit is left (DESIGN.md 8.12); may refuse it."""

BATCH = 500
_TRIES = 5
_CHANGED = (ChangeKind.WITHDRAWN, ChangeKind.REVISED, ChangeKind.CORRECTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What a release made: the issue as it stands now, its recipients, how many of them are excluded, editions."""

    issue: Issue
    recipients: int
    excluded: int
    editions: int


class _Moved(Exception):
    """Something came in between planning and releasing; plan again."""


def release_issue(
    engine: sa.Engine,
    newsletter: NewsletterSettings,
    issue_id: int,
    *,
    site_language: str,
    keys: Keys,
    seal: Sealer,
    now: datetime,
    note: Noter | None = None,
) -> Release:
    """Releases a draft: deliveries for all its readers, in one transaction; raises Refused by the rules of 8.4."""
    suppressed: Sequence[int] | None = None
    for _ in range(_TRIES):
        with reading(engine) as conn:
            issue = issues.get_issue(conn, issue_id)
            _refuse_unless_draft(issue)
            _refuse_if_stale(conn, issue)
            plan = plan_issue(conn, newsletter, issue, site_language=site_language, now=now)
            if suppressed is None:
                suppressed = find_suppressed_readers(conn, keys)
        if not plan.base.posts:
            raise Refused(
                f"issue {issue_id} holds nothing that readers may see",
                remedy=f"Cancel it (`issues cancel {issue_id}`) or compose it anew.",
            )
        _refuse_if_unlike_preview(newsletter, plan, seal)
        sealed = seal(newsletter, plan.issue, plan.editions)
        try:
            with writing(engine) as conn:
                made = _record(conn, plan, sealed, suppressed, keys=keys, now=now)
                if note is not None:
                    note(conn, made.issue, plan.posts)
                return made
        except _Moved:
            continue
    raise Refused(
        f"issue {issue_id} changed {_TRIES} times while it was being sealed", remedy="Try again."
    )


def _refuse_unless_draft(issue: Issue) -> None:
    if issue.status is not IssueStatus.DRAFT:
        raise Refused(
            f"issue {issue.id} is {issue.status}, not a draft",
            remedy="Only a draft can be released; `issues list` shows what there is.",
        )


def _refuse_if_stale(conn: sa.Connection, issue: Issue) -> None:
    """Refuses while a withdrawal or a revision of the issue's posts stands after the number it was last seen at."""
    mine = set(issues.list_post_ids(conn, issue.id))
    for change in journal.list_changes(conn, issue.seen):
        if change.post in mine and change.kind in _CHANGED:
            raise Refused(
                f"a post of issue {issue.id} was {change.kind} after it was composed (journal {change.number})",
                remedy=f"Compose it anew (`issues compose {issue.newsletter}`) or look at it again "
                f"(`issues preview {issue.id}`).",
            )


def _refuse_if_unlike_preview(newsletter: NewsletterSettings, plan: Plan, seal: Sealer) -> None:
    if plan.issue.preview_seal is None:
        return
    kept, _, languages = plan.issue.preview_seal.partition(" ")
    shown = preview_plans(newsletter, plan, languages.split(","))
    if not all(one.posts for one in shown) or seal(newsletter, plan.issue, shown).seal != kept:
        raise Refused(
            f"issue {plan.issue.id} is not what its preview showed",
            remedy=f"Look at it again: `issues preview {plan.issue.id}`.",
        )


def _record(
    conn: sa.Connection,
    plan: Plan,
    sealed: "SealedIssue",
    suppressed: Sequence[int],
    *,
    keys: Keys,
    now: datetime,
) -> Release:
    """Everything that a release writes; raises _Moved where the plan does not hold any more."""
    issue = plan.issue
    _move_end(conn, issue)
    _refuse_if_stale(conn, issues.get_issue(conn, issue.id))
    _check_unchanged(conn, plan)
    changed = conn.execute(
        sa.update(issue_table)
        .where(
            issue_table.c.id == issue.id,
            issue_table.c.status == IssueStatus.DRAFT,
            issue_table.c.seen == issue.seen,
            issue_table.c.end.is_not_distinct_from(issue.end),
        )
        .values(
            status=IssueStatus.RELEASED,
            released=now,
            date=issue.date,
            subject=sealed.editions[0].subject,
            seal=sealed.seal,
            sealed_at=plan.seen,
        )
    )
    if changed.rowcount != 1:
        raise _Moved
    issues.save_posts(conn, issue.id, plan.posts)
    _save_seals(conn, issue.id, sealed)
    recipients, paused = _save_deliveries(conn, issue, plan)
    excluded = paused + exclude_suppressed(conn, issue.id, suppressed, keys, now)
    waiting = recipients - excluded
    _save_batches(conn, issue.id, recipients)
    if issue.is_regular and issue.frequency is not None and issue.end is not None:
        subscriptions.clear_positions(conn, issue.newsletter, issue.frequency, issue.end)
        frequencies.settle_issue_due(conn, issue.id, DueOutcome.RELEASED, now=now)
    done = {"status": IssueStatus.DONE, "finished": now} if not waiting else {}
    conn.execute(
        sa.update(issue_table)
        .where(issue_table.c.id == issue.id)
        .values(recipients=recipients, **done)
    )
    return Release(
        issue=issues.get_issue(conn, issue.id),
        recipients=recipients,
        excluded=excluded,
        editions=len(sealed.editions),
    )


def _move_end(conn: sa.Connection, issue: Issue) -> None:
    """Locks the frequency's row and moves its end, which must still be where the issue begins."""
    if not issue.is_regular:
        return
    assert issue.frequency is not None
    assert issue.start is not None
    assert issue.end is not None
    frequencies.get_frequency(conn, issue.newsletter, issue.frequency, lock="update")
    if not frequencies.move_end(
        conn, issue.newsletter, issue.frequency, start=issue.start, end=issue.end
    ):
        raise Refused(
            f"another issue of {issue.newsletter} ({issue.frequency}) was released since issue {issue.id} was composed",
            remedy=f"Compose it anew: `issues compose {issue.newsletter}`.",
        )


def _check_unchanged(conn: sa.Connection, plan: Plan) -> None:
    """What was sealed must be what is owed: no change of its posts, no reader whose list was not sealed."""
    mine = {post.id for post in plan.posts}
    changes = journal.list_changes(conn, plan.seen)
    if any(change.post in mine and change.kind in _CHANGED for change in changes):
        raise _Moved
    known = {(language, position) for language, position, _ in plan.groups}
    now = subscriptions.list_groups(
        conn, plan.issue.newsletter, plan.issue.frequency, plan.statuses
    )
    if not {(language, position) for language, position, _ in now} <= known:
        raise _Moved


def _save_seals(conn: sa.Connection, issue_id: int, sealed: "SealedIssue") -> None:
    conn.execute(
        sa.insert(editions),
        [
            {
                "issue": issue_id,
                "edition": place,
                "language": edition.language,
                "posts": list(edition.posts),
                "subject": edition.subject,
                "program": list(edition.program),
                "seal": edition.seal,
                "web_html": edition.web_html,
            }
            for place, edition in enumerate(sealed.editions, 1)
        ],
    )
    if sealed.parts:
        conn.execute(
            sa.insert(sealed_parts),
            [
                {"issue": issue_id, "part": number, "body": body}
                for number, body in enumerate(sealed.parts)
            ],
        )


def _save_deliveries(conn: sa.Connection, issue: Issue, plan: Plan) -> tuple[int, int]:
    """One row a reader whose edition holds something, numbered by subscriber, as one INSERT ... SELECT: a million
    recipients in about two seconds (DESIGN.md 9). Readers of equal language and position share an edition.

    Gives how many they are, and how many of them have paused.
    """
    reader, place = subscription_table.c, _places(plan.places)
    if place is None:
        return 0, 0
    position = reader.position if issue.is_regular else sa.null()
    paused = reader.status == SubscriptionStatus.PAUSED
    start = sa.func.coalesce(reader.position, issue.start) if issue.is_regular else sa.null()
    rows = (
        sa.select(
            sa.literal(issue.id),
            sa.func.row_number().over(order_by=reader.subscriber),
            reader.id,
            reader.subscriber,
            sa.case((paused, sa.null()), else_=place.c.edition),
            sa.cast(start, sa.Integer),
            sa.case((paused, sa.literal("excluded")), else_=sa.null()),
            sa.case((paused, sa.literal("paused")), else_=sa.null()),
            sa.literal(0),
            sa.case((paused, sa.literal(issue.date, deliveries.c.at.type)), else_=sa.null()),
        )
        .join(subscriber_table, subscriber_table.c.id == reader.subscriber)
        .join(
            place,
            (place.c.language == subscriber_table.c.language)
            & (place.c.position == sa.func.coalesce(sa.cast(position, sa.Integer), -1)),
        )
        .where(reader.newsletter == issue.newsletter, reader.status.in_(plan.statuses))
    )
    if issue.frequency is not None:
        rows = rows.where(reader.frequency == issue.frequency)
    columns = [
        "issue",
        "number",
        "subscription",
        "subscriber",
        "edition",
        "after",
        "state",
        "reason",
        "attempts",
        "at",
    ]
    conn.execute(sa.insert(deliveries).from_select(columns, rows, include_defaults=False))
    # counted, because sqlite3 knows no row count of an INSERT that begins with a common table expression
    count = sa.select(sa.func.count(), sa.func.count(deliveries.c.state))
    total, passed_over = conn.execute(count.where(deliveries.c.issue == issue.id)).one()
    return total, passed_over


def _places(places: Mapping[tuple[str, int | None], int]) -> sa.CTE | None:
    """Which edition readers of a language and position get, as rows to join with."""
    if not places:
        return None
    rows = [
        (language, -1 if at is None else at, edition) for (language, at), edition in places.items()
    ]
    selects = [
        sa.select(
            sa.literal(language, sa.Text).label("language"),
            sa.literal(at, sa.Integer).label("position"),
            sa.literal(edition, sa.Integer).label("edition"),
        )
        for language, at, edition in rows
    ]
    return _union(selects).cte("places")


def _union(
    selects: Sequence[sa.Select[str, int, int]],
) -> sa.Select[str, int, int] | sa.CompoundSelect[str, int, int]:
    """A union in layers of 100: SQLite takes 500 terms in one."""
    if len(selects) == 1:
        return selects[0]
    if len(selects) <= 100:
        return sa.union_all(*selects)
    layers = [_union(selects[at : at + 100]).subquery() for at in range(0, len(selects), 100)]
    return _union(
        [sa.select(layer.c.language, layer.c.position, layer.c.edition) for layer in layers]
    )


def _save_batches(conn: sa.Connection, issue_id: int, recipients: int) -> None:
    """The slices that workers lease: those with somebody to send to."""
    place = (deliveries.c.number - 1) // BATCH
    open_slices = (
        sa.select(place.label("place"))
        .where(deliveries.c.issue == issue_id, deliveries.c.state.is_(None))
        .distinct()
        .subquery()
    )
    first, last = open_slices.c.place * BATCH + 1, (open_slices.c.place + 1) * BATCH
    rows = sa.select(
        sa.literal(issue_id),
        first,
        sa.case((last > recipients, recipients), else_=last),
        sa.literal(0),
        sa.literal([], batches.c.on_wire.type),
        sa.false(),
    ).order_by(first)
    columns = ["issue", "first", "last", "attempt", "on_wire", "finished"]
    conn.execute(sa.insert(batches).from_select(columns, rows, include_defaults=False))
