"""Reads what a release of an issue would send to whom: its posts, its readers' editions. It writes nothing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa

from newsletter import issues, subscriptions
from newsletter.compose import (
    Candidate,
    Contents,
    EditionPlan,
    Noted,
    build_issue,
    build_special,
    edition_notes,
    edition_posts,
)
from newsletter.corrections import list_noted
from newsletter.issues import Issue
from newsletter.positions import edition_start
from newsletter.ranges import list_candidates
from newsletter.spec import NewsletterSettings
from newsletter.subscriptions import SubscriptionStatus
from newsletter.words import mail_language
from posts import journal, store
from posts.model import Post

Group = tuple[str, int | None, int]
"""Readers of one language and position, and how many they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a release of `issue` would send. `seen` is the journal's head when it was made; `places` names the edition
    (from 1) of each group that gets one; edition 1 is what a reader of the site's language gets who is in step."""

    issue: Issue
    seen: int
    base: Contents
    candidates: tuple[Candidate, ...]
    groups: tuple[Group, ...]
    statuses: tuple[SubscriptionStatus, ...]
    editions: tuple[EditionPlan, ...]
    places: Mapping[tuple[str, int | None], int]
    site_language: str
    notes: tuple[Noted, ...] = ()

    @property
    def posts(self) -> tuple[Post, ...]:
        """Every post that any edition holds, in order."""
        held = {post.id for edition in self.editions for post in edition.posts}
        return tuple(one.post for one in self.candidates if one.post.id in held)


def plan_issue(
    conn: sa.Connection,
    newsletter: NewsletterSettings,
    issue: Issue,
    *,
    site_language: str,
    now: datetime,
) -> Plan:
    """What a release at `now` would send. Its Date is that of the preview where there was one, else `now`."""
    if issue.preview_seal is None:
        issue = replace(issue, date=now)
    seen = journal.head(conn)
    statuses = _statuses(issue)
    groups = subscriptions.list_groups(conn, issue.newsletter, issue.frequency, statuses)
    groups.sort(key=lambda group: (group[1] is not None, group[0] != site_language, group[:2]))
    candidates, base = _contents(conn, newsletter, issue, groups)
    notes = list_noted(conn, newsletter, issue, after=_oldest_start(issue, groups))
    editions, places = _editions(newsletter, issue, candidates, notes, groups, site_language)
    return Plan(
        issue=issue,
        seen=seen,
        base=base,
        candidates=candidates,
        groups=tuple(groups),
        statuses=statuses,
        editions=editions,
        places=places,
        site_language=site_language,
        notes=notes,
    )


def preview_plans(
    newsletter: NewsletterSettings, plan: Plan, languages: Iterable[str]
) -> tuple[EditionPlan, ...]:
    """The editions that a preview shows: what readers of these languages get who are in step."""
    plans = []
    for language in languages:
        posts = _own_or_all(newsletter, plan.candidates, plan.issue, language)
        notes = _notes_in_step(newsletter, plan.notes, plan.issue, posts, language)
        plans.append(EditionPlan(mail_language(language), posts, notes))
    return tuple(plans)


def preview_languages(plan: Plan) -> list[str]:
    """The languages whose editions a preview shows: the site's, then those that readers have."""
    languages = [language for language, position, _ in plan.groups if position is None]
    return list(dict.fromkeys([plan.site_language, *languages]))


def _statuses(issue: Issue) -> tuple[SubscriptionStatus, ...]:
    """Whom an issue counts: a special one goes to active readers, a regular one passes over paused ones by name."""
    if issue.is_regular:
        return (SubscriptionStatus.ACTIVE, SubscriptionStatus.PAUSED)
    return (SubscriptionStatus.ACTIVE,)


def _contents(
    conn: sa.Connection, newsletter: NewsletterSettings, issue: Issue, groups: Sequence[Group]
) -> tuple[tuple[Candidate, ...], Contents]:
    """All that the oldest position reaches, and of it what the issue itself holds."""
    if not issue.is_regular:
        found = store.list_by_ids(conn, issues.list_post_ids(conn, issue.id))
        ids = issues.list_post_ids(conn, issue.id)
        special = build_special([found[post] for post in ids], keep_order=True)
        return special.chosen, special
    assert issue.start is not None
    assert issue.end is not None
    oldest = _oldest_start(issue, groups)
    found_all = list_candidates(conn, issue.newsletter, oldest, issue.end)
    wide = build_issue(newsletter, found_all, after=oldest, upto=issue.end)
    base = Contents(
        chosen=tuple(one for one in wide.chosen if one.life > issue.start), left_out=wide.left_out
    )
    return wide.chosen, base


def _oldest_start(issue: Issue, groups: Sequence[Group]) -> int:
    """Behind which number the widest edition begins."""
    start = issue.start or 0
    return min([start, *(edition_start(group[1], start) for group in groups)])


def _editions(
    newsletter: NewsletterSettings,
    issue: Issue,
    candidates: Sequence[Candidate],
    notes: Sequence[Noted],
    groups: Sequence[Group],
    site_language: str,
) -> tuple[tuple[EditionPlan, ...], dict[tuple[str, int | None], int]]:
    """The editions, and which group gets which; readers whose lists are equal share one."""
    in_step = _own_or_all(newsletter, candidates, issue, site_language)
    first = EditionPlan(
        mail_language(site_language),
        in_step,
        _notes_in_step(newsletter, notes, issue, in_step, site_language),
    )
    editions = [first]
    numbers = {_key(first): 1}
    places: dict[tuple[str, int | None], int] = {}
    for language, position, _ in groups:
        after = edition_start(position, issue.start) if issue.start is not None else -1
        posts = edition_posts(newsletter, candidates, after=after, language=language)
        if not posts:
            continue
        mine = edition_notes(newsletter, notes, posts, after=after, language=language)
        edition = EditionPlan(mail_language(language), posts, mine)
        if _key(edition) not in numbers:
            editions.append(edition)
            numbers[_key(edition)] = len(editions)
        places[language, position] = numbers[_key(edition)]
    return tuple(editions), places


def _own_or_all(
    newsletter: NewsletterSettings, candidates: Sequence[Candidate], issue: Issue, language: str
) -> tuple[Post, ...]:
    """A language's list; where it is empty the whole issue, so that there is always something to show."""
    after = issue.start if issue.start is not None else -1
    posts = edition_posts(newsletter, candidates, after=after, language=language)
    return posts or tuple(one.post for one in candidates if one.life > after)


def _notes_in_step(
    newsletter: NewsletterSettings,
    notes: Sequence[Noted],
    issue: Issue,
    posts: Sequence[Post],
    language: str,
) -> tuple[Noted, ...]:
    """The notes of the edition that readers in step get."""
    return edition_notes(newsletter, notes, posts, after=issue.start or 0, language=language)


def _key(edition: EditionPlan) -> tuple[str, tuple[int, ...], tuple[int, ...]]:
    notes = tuple(noted.number for noted in edition.notes)
    return edition.language, tuple(post.id for post in edition.posts), notes
