"""The SQL of sealing an unfinished issue anew, after a post of it was withdrawn (DESIGN.md 8.4).

What was sealed is never written over: an edition that held the post gets another in its place, so that whoever has it
already is on record with what he has. Readers who wait get the new one; the Date and the Message-IDs stay.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa

from newsletter import issues
from newsletter.compose import EditionPlan, Noted, edition_notes
from newsletter.corrections import list_noted
from newsletter.issues import Issue, IssueStatus
from newsletter.ledger import is_withdrawal_of, read_upto
from newsletter.release import Sealer
from newsletter.render import SealedIssue
from newsletter.spec import NewsletterSettings
from newsletter.tables import batches, deliveries, editions, issue_posts, reseals, sealed_parts
from newsletter.tables import issues as issue_table
from newsletter.tables import subscribers as subscriber_table
from posts import journal, store
from posts.database import reading, writing
from posts.model import Post
from posts.tables import journal as journal_table

NOTHING_LEFT = 0
"""What stands in `editions.replaced_by` where no post is left: editions are numbered from 1."""

_WAITING = deliveries.c.state.is_(None) | (deliveries.c.state == "deferred")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resealed:
    """What sealing anew came to: the `line` of the journal that asked for it, editions made anew and left empty, and
    how many readers are excluded since nothing was left for them."""

    issue: int
    line: int
    editions: int
    emptied: int
    excluded: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Edition:
    """An edition that stands, and what is left of its posts."""

    number: int
    language: str
    posts: tuple[int, ...]
    left: tuple[int, ...]
    seal: str
    has_web_copy: bool

    @property
    def is_touched(self) -> bool:
        return self.left != self.posts


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What is to be sealed anew, as the journal says up to `upto`; `since` is how far it was read before."""

    issue: Issue
    line: int
    since: int
    upto: int
    standing: tuple[_Edition, ...]
    plans: tuple[EditionPlan, ...]


def reseal_issue(
    engine: sa.Engine,
    newsletter: NewsletterSettings,
    issue_id: int,
    *,
    seal: Sealer,
    now: datetime,
) -> Resealed | None:
    """Seals a released issue anew without the posts that were withdrawn since it was sealed.

    None where there is nothing to do, or not yet: while a batch of it has an owner, that owner may have the old bytes
    on the wire. Safe to call again, and by two processes at once.
    """
    with reading(engine) as conn:
        plan = None if _is_in_hand(conn, issue_id) else _plan(conn, newsletter, issue_id)
    if plan is None:
        return None
    sealed = seal(newsletter, plan.issue, plan.plans) if plan.plans else None
    with writing(engine) as conn:
        # the batches first, as everywhere: who leases one after this sees the new editions
        owned = sa.select(batches.c.id).where(batches.c.issue == issue_id).with_for_update()
        conn.execute(owned).all()
        if _is_in_hand(conn, issue_id) or _read_upto(conn, issue_id) != plan.since:
            return None
        return _record(conn, plan, sealed, now)


def list_reseals(conn: sa.Connection, issue_id: int) -> list[tuple[str, int, str]]:
    """Each time that an issue was sealed anew: the former seal, the line of the journal, the seal after it."""
    query = sa.select(reseals.c.former_seal, reseals.c.line, reseals.c.seal)
    rows = conn.execute(query.where(reseals.c.issue == issue_id).order_by(reseals.c.number))
    return [(former, line, seal) for former, line, seal in rows]


def repoint_deliveries(conn: sa.Connection, issue_id: int, now: datetime) -> int:
    """Gives readers who wait the editions that stand now; who is left with none is excluded, and counted."""
    mine = (deliveries.c.issue == issue_id) & _WAITING
    # two readings of the issue whatever the number of editions: one each took two seconds for a million and eighteen
    replaced = sa.select(editions.c.edition).where(
        editions.c.issue == issue_id, editions.c.replaced_by != NOTHING_LEFT
    )
    standing = sa.select(editions.c.replaced_by).where(
        editions.c.issue == issue_id, editions.c.edition == deliveries.c.edition
    )
    conn.execute(
        sa.update(deliveries)
        .where(mine, deliveries.c.edition.in_(replaced))
        .values(edition=standing.scalar_subquery())
    )
    emptied = sa.select(editions.c.edition).where(
        editions.c.issue == issue_id, editions.c.replaced_by == NOTHING_LEFT
    )
    return conn.execute(
        sa.update(deliveries)
        .where(mine, deliveries.c.edition.in_(emptied))
        .values(state="excluded", reason="withdrawn", not_before=None, at=now)
    ).rowcount


def _is_in_hand(conn: sa.Connection, issue_id: int) -> bool:
    query = sa.select(batches.c.id).where(batches.c.issue == issue_id, batches.c.owner.is_not(None))
    return conn.execute(query.limit(1)).first() is not None


def _read_upto(conn: sa.Connection, issue_id: int) -> int | None:
    """How far the journal was read for an issue that is released, or None where it is not."""
    query = sa.select(read_upto()).where(
        issue_table.c.id == issue_id, issue_table.c.status == IssueStatus.RELEASED
    )
    return conn.execute(query).scalar_one_or_none()


def _plan(conn: sa.Connection, newsletter: NewsletterSettings, issue_id: int) -> _Plan | None:
    since, upto = _read_upto(conn, issue_id), journal.head(conn)
    if since is None:
        return None
    issue = issues.get_issue(conn, issue_id)
    rows = conn.execute(
        sa.select(journal_table.c.number, journal_table.c.post)
        .join(issue_posts, issue_posts.c.post == journal_table.c.post)
        .where(issue_posts.c.issue == issue_id, is_withdrawal_of(issue.sealed_at or 0))
        .order_by(journal_table.c.number)
    ).all()
    new = [row.number for row in rows if since < row.number <= upto]
    if not new:
        return None
    # all since the first seal: a post that was restored meanwhile does not come back
    gone = {row.post for row in rows if row.number <= upto}
    standing = _list_standing(conn, issue_id, gone)
    kept = {post for edition in standing if edition.is_touched for post in edition.left}
    posts = _posts_as_sealed(conn, issue_id, kept)
    plans = [
        EditionPlan(
            edition.language,
            tuple(posts[post] for post in edition.left),
            _notes(conn, newsletter, issue, edition, posts),
        )
        for edition in standing
        if edition.is_touched and edition.left
    ]
    return _Plan(
        issue=issue,
        line=new[0],
        since=since,
        upto=upto,
        standing=tuple(standing),
        plans=tuple(plans),
    )


def _notes(
    conn: sa.Connection,
    newsletter: NewsletterSettings,
    issue: Issue,
    edition: _Edition,
    posts: Mapping[int, Post],
) -> tuple[Noted, ...]:
    """The corrections that the edition printed, but for those of posts that were withdrawn since.

    All its readers have equal ones, so any of them says where it begins.
    """
    if issue.start is None:
        return ()
    query = sa.select(deliveries.c.after, subscriber_table.c.language).join(
        subscriber_table, subscriber_table.c.id == deliveries.c.subscriber
    )
    mine = (deliveries.c.issue == issue.id) & (deliveries.c.edition == edition.number)
    reader = conn.execute(query.where(mine).limit(1)).first()
    after = issue.start if reader is None or reader.after is None else reader.after
    return edition_notes(
        newsletter,
        list_noted(conn, newsletter, issue, after=after),
        [posts[post] for post in edition.left],
        after=after,
        language=edition.language if reader is None else reader.language,
    )


def _list_standing(conn: sa.Connection, issue_id: int, gone: set[int]) -> list[_Edition]:
    rows = conn.execute(
        sa.select(
            editions.c.edition,
            editions.c.language,
            editions.c.posts,
            editions.c.seal,
            (editions.c.web_html != "").label("has_web_copy"),
        )
        .where(editions.c.issue == issue_id, editions.c.replaced_by.is_(None))
        .order_by(editions.c.edition)
    )
    return [
        _Edition(
            number=row.edition,
            language=row.language,
            posts=tuple(row.posts),
            left=tuple(post for post in row.posts if post not in gone),
            seal=row.seal,
            has_web_copy=bool(row.has_web_copy),
        )
        for row in rows
    ]


def _posts_as_sealed(conn: sa.Connection, issue_id: int, wanted: set[int]) -> dict[int, Post]:
    """Posts at the revision that was sealed: what is left of a released issue is frozen."""
    query = sa.select(issue_posts.c.post, issue_posts.c.revision)
    rows = conn.execute(query.where(issue_posts.c.issue == issue_id)).all()
    revisions = {row.post: row.revision for row in rows}
    found = store.list_by_ids(conn, sorted(wanted))
    return {
        id_: post
        if post.revision == revisions[id_]
        else replace(
            post,
            revision=revisions[id_],
            content=store.get_revision(conn, id_, revisions[id_]),
            corrections=tuple(one for one in post.corrections if one.revision <= revisions[id_]),
        )
        for id_, post in found.items()
    }


def _record(
    conn: sa.Connection, plan: _Plan, sealed: SealedIssue | None, now: datetime
) -> Resealed:
    """Everything that sealing anew writes, in the caller's transaction."""
    issue = plan.issue
    touched = [edition for edition in plan.standing if edition.is_touched]
    anew = [edition for edition in touched if edition.left]
    numbers = _save_editions(conn, issue.id, anew, sealed)
    for edition in touched:
        conn.execute(
            # those that it had replaced itself too: nobody has to follow a chain
            sa.update(editions)
            .where(
                editions.c.issue == issue.id,
                (editions.c.edition == edition.number) | (editions.c.replaced_by == edition.number),
            )
            .values(replaced_by=numbers.get(edition.number, NOTHING_LEFT))
        )
    seals = dict(zip(numbers, sealed.editions, strict=True)) if sealed is not None else {}
    new_seal = _whole_seal(
        seals[edition.number].seal if edition.number in seals else edition.seal
        for edition in plan.standing
        if edition.left
    )
    changes: dict[str, str] = {"seal": new_seal}
    first = plan.standing[0].number if plan.standing else None
    if first in seals:
        changes["subject"] = seals[first].subject
    conn.execute(sa.update(issue_table).where(issue_table.c.id == issue.id).values(**changes))
    count = sa.select(sa.func.count() + 1).where(reseals.c.issue == issue.id).scalar_subquery()
    conn.execute(
        sa.insert(reseals).values(
            issue=issue.id,
            number=count,
            line=plan.line,
            upto=plan.upto,
            former_seal=issue.seal or "",
            seal=new_seal,
            at=now,
        )
    )
    return Resealed(
        issue=issue.id,
        line=plan.line,
        editions=len(anew),
        emptied=len(touched) - len(anew),
        excluded=repoint_deliveries(conn, issue.id, now),
    )


def _save_editions(
    conn: sa.Connection, issue_id: int, anew: Sequence[_Edition], sealed: SealedIssue | None
) -> dict[int, int]:
    """Writes the new editions behind the old ones; old number -> new number."""
    if sealed is None:
        return {}
    last = sa.select(sa.func.max(editions.c.edition)).where(editions.c.issue == issue_id)
    parts = sa.select(sa.func.coalesce(sa.func.max(sealed_parts.c.part), -1) + 1)
    edition_from = (conn.execute(last).scalar_one() or 0) + 1
    part_from = conn.execute(parts.where(sealed_parts.c.issue == issue_id)).scalar_one()
    if sealed.parts:
        conn.execute(
            sa.insert(sealed_parts),
            [
                {"issue": issue_id, "part": part_from + place, "body": body}
                for place, body in enumerate(sealed.parts)
            ],
        )
    numbers: dict[int, int] = {}
    for place, (old, new) in enumerate(zip(anew, sealed.editions, strict=True)):
        numbers[old.number] = edition_from + place
        program = [part_from + item if isinstance(item, int) else item for item in new.program]
        conn.execute(
            sa.insert(editions).values(
                issue=issue_id,
                edition=numbers[old.number],
                language=new.language,
                posts=list(new.posts),
                subject=new.subject,
                program=program,
                seal=new.seal,
                # the web shows the edition of readers in step; another must not step into its place
                web_html=new.web_html if old.has_web_copy else "",
            )
        )
    return numbers


def _whole_seal(seals: Iterable[str]) -> str:
    """The seal of an issue, as `render.seal_issue` makes it."""
    return hashlib.sha256("".join(seals).encode()).hexdigest()
