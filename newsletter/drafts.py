"""Makes drafts: the next regular issue, special ones, and what a preview keeps of them."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from newsletter import frequencies, issues
from newsletter.compose import Contents, EditionPlan, LeftOut, build_issue, build_special
from newsletter.frequencies import DueOutcome
from newsletter.issues import REGULAR, SPECIAL, Issue
from newsletter.planning import Plan, plan_issue, preview_languages, preview_plans
from newsletter.ranges import list_candidates
from newsletter.release import Sealer
from newsletter.spec import NewsletterSettings
from posts import journal
from posts.database import reading, writing
from posts.errors import Refused
from posts.model import Post

if TYPE_CHECKING:
    from newsletter.render import SealedIssue


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What composing gave: the draft (None where nothing was left to print) and what was left out."""

    issue: Issue | None
    posts: tuple[Post, ...] = ()
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A draft as it was sealed for looking at: the plan, the editions shown and the sealed bytes."""

    issue: Issue
    plan: Plan
    shown: tuple[EditionPlan, ...]
    sealed: "SealedIssue"


def compose_regular(
    conn: sa.Connection,
    newsletter: NewsletterSettings,
    frequency: str,
    *,
    now: datetime,
    upto: int | None = None,
    wall_time: str | None = None,
    minimum: int = 1,
) -> Draft:
    """The next regular issue of a frequency as a draft, up to `upto` or the journal's head.

    A draft that is there is composed anew, with its id and No.; made by hand, it takes the place of one that a due
    time had begun, and that due time is merged. Fewer than `minimum` posts make none.
    """
    row = frequencies.get_frequency(conn, newsletter.slug, frequency, lock="update")
    seen = journal.head(conn)
    end = seen if upto is None else upto
    contents = read_range(conn, newsletter, row.end, end)
    old = issues.find_draft(conn, newsletter.slug, frequency)
    if len(contents.chosen) < max(1, minimum):
        if old is not None and not contents.chosen and wall_time is None:
            cancel_draft(
                conn, old, now=now
            )  # an empty draft would only stand in the way of due times
        return Draft(issue=None, posts=contents.posts, left_out=contents.left_out)
    if old is None:
        issue: Issue | None = issues.save_draft(
            conn,
            newsletter=newsletter.slug,
            frequency=frequency,
            kind=REGULAR,
            start=row.end,
            end=end,
            seen=seen,
            wall_time=wall_time,
            posts=contents.posts,
            now=now,
        )
    else:
        if wall_time is None:
            frequencies.settle_issue_due(conn, old.id, DueOutcome.MERGED, now=now)
        issue = issues.renew_draft(
            conn,
            old,
            start=row.end,
            end=end,
            seen=seen,
            wall_time=wall_time,
            posts=contents.posts,
            now=now,
        )
    if issue is None:
        raise Refused(f"the draft of {newsletter.slug} was just released", remedy="Try again.")
    return Draft(issue=issue, posts=contents.posts, left_out=contents.left_out)


def compose_special(
    conn: sa.Connection,
    newsletter: NewsletterSettings,
    posts: Iterable[Post],
    *,
    now: datetime,
    keep_order: bool = False,
) -> Draft:
    """A special issue of these posts as a draft: beside the journal, for all active subscribers; it moves nothing."""
    contents = build_special(posts, keep_order=keep_order)
    if not contents.chosen:
        return Draft(issue=None, left_out=contents.left_out)
    issue = issues.save_draft(
        conn,
        newsletter=newsletter.slug,
        frequency=None,
        kind=SPECIAL,
        start=None,
        end=None,
        seen=journal.head(conn),
        wall_time=None,
        posts=contents.posts,
        now=now,
    )
    return Draft(issue=issue, posts=contents.posts, left_out=contents.left_out)


def read_range(
    conn: sa.Connection, newsletter: NewsletterSettings, after: int, upto: int
) -> Contents:
    """What the range `(after, upto]` holds for a newsletter now."""
    candidates = list_candidates(conn, newsletter.slug, after, upto)
    return build_issue(newsletter, candidates, after=after, upto=upto)


def cancel_draft(conn: sa.Connection, issue: Issue, *, now: datetime) -> bool:
    """Ends a draft as if it had never been; a due time that made it counts as merged."""
    frequencies.settle_issue_due(conn, issue.id, DueOutcome.MERGED, now=now)
    return issues.cancel_draft(conn, issue.id)


def preview_issue(
    engine: sa.Engine,
    newsletter: NewsletterSettings,
    issue_id: int,
    *,
    site_language: str,
    seal: Sealer,
    now: datetime,
) -> Preview:
    """Seals a draft's editions for readers in step, and keeps their seal: a release refuses to send anything else.

    It shows each post at its newest revision, and counts as having seen all that the journal holds by now. The Date
    of the preview is the Date of the issue. Of an issue that is released it changes nothing.
    """
    with reading(engine) as conn:
        issue = replace(issues.get_issue(conn, issue_id), preview_seal=None)
        plan = plan_issue(conn, newsletter, issue, site_language=site_language, now=now)
    if not plan.base.posts:
        raise Refused(
            f"issue {issue_id} holds nothing that readers may see",
            remedy=f"Cancel it: `issues cancel {issue_id}`.",
        )
    languages = preview_languages(plan)
    shown = preview_plans(newsletter, plan, languages)
    sealed = seal(newsletter, plan.issue, shown)
    with writing(engine) as conn:
        issues.mark_previewed(
            conn,
            plan.issue,
            seal=f"{sealed.seal} {','.join(languages)}",
            seen=plan.seen,
            date=plan.issue.date,
            posts=plan.base.posts,
        )
        issue = issues.get_issue(conn, issue_id)
    return Preview(issue=issue, plan=plan, shown=shown, sealed=sealed)
