"""What is due, what waits, what went out last, and what needs a person; read in one go, nothing changed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from dateline.actions.holding import Hold, find_hold, remedy
from dateline.actions.ping import HubStatus, hub_statuses
from dateline.actions.progress import Figures, build_figures
from dateline.actions.relay import leads_nowhere, refuse_dead_links, refuse_open_talk
from dateline.actions.signing import load_signing_keys
from dateline.deliver_lock import is_held
from dateline.press import Press
from newsletter import books as ledger
from newsletter import issues
from newsletter.books import Books
from newsletter.compose import build_issue
from newsletter.due import next_time, parse_schedule
from newsletter.frequencies import Frequency, find_waiting, list_frequencies
from newsletter.issues import Issue, IssueStatus
from newsletter.overview import count_open_notices, list_sending_issues
from newsletter.ranges import list_candidates
from newsletter.spec import NewsletterSettings
from posts import journal, store
from posts.database import reading
from posts.errors import Refused
from posts.model import Post, SourceFault
from posts.source_states import SourceState, list_faults, list_states

_LATE = timedelta(minutes=5)
_HUB_FAILURES = 5
"""So many failures in a row are no hiccup: some minutes have passed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStatus:
    """A source, when it was read and will be, and what is wrong with it."""

    source: str
    polled: datetime | None
    next_poll: datetime | None
    failures: int
    summaries_only: bool
    faults: tuple[SourceFault, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewsletterStatus:
    """A newsletter's frequency: when it is due, how many posts wait for it, and its last issue with its books.

    `settling` is True while a due time waits for the end of its range to rest.
    """

    newsletter: str
    frequency: str
    next_due: datetime
    settling: bool
    waiting: int
    last: Issue | None
    books: Books | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """All of it. `needs` are sentences for a person, the most urgent first; none means that all is well. `sending`:
    how sending stands, of the issues that are not at their end."""

    now: datetime
    posts: int
    next_scheduled: datetime | None
    sources: tuple[SourceStatus, ...]
    newsletters: tuple[NewsletterStatus, ...]
    quarantined: tuple[Post, ...]
    open_notices: int
    is_delivering: bool
    hold: str | None
    sending: Figures
    needs: tuple[str, ...]
    hubs: tuple[HubStatus, ...] = ()


def next_due(press: Press) -> list[tuple[str, datetime]]:
    """The next due time of each newsletter, by slug (with the frequency where there are several)."""
    now, zone = press.clock(), press.config.site.zone
    return [
        (_label(newsletter, name), next_time(parse_schedule(line), zone, now))
        for newsletter in press.config.newsletters
        for name, line in newsletter.frequencies.items()
    ]


def status(press: Press) -> Status:
    """How things stand now."""
    now = press.clock()
    is_delivering = is_held(press.var)
    hold = find_hold(press)
    hubs = tuple(hub_statuses(press))
    with reading(press.engine) as conn:
        sources = _sources(conn, press)
        quarantined = tuple(store.list_quarantined(conn))
        unfinished, lasts = _unfinished(conn), _last_issues(conn, press)
        all_books = ledger.list_books(conn, {issue.id for issue in (*unfinished, *lasts.values())})
        newsletters = tuple(_newsletters(conn, press, now, lasts, all_books))
        under_way = list_sending_issues(conn, ended_since=now)
        open_notices = count_open_notices(conn, press.config.mail.in_doubt)
        return Status(
            now=now,
            posts=store.count_posts(conn),
            next_scheduled=store.next_scheduled(conn),
            sources=sources,
            newsletters=newsletters,
            quarantined=quarantined,
            open_notices=open_notices,
            is_delivering=is_delivering,
            hold=str(hold) if hold is not None else None,
            sending=build_figures(
                conn, press, (one for one in under_way if one.issue in all_books), all_books, now
            ),
            needs=(
                *_needs_of_hold(press, hold),
                *_needs_of_issues(unfinished, all_books, press, is_delivering=is_delivering),
                *_needs_of_notices(open_notices, press, is_delivering=is_delivering),
                *_needs_of_sources(sources, press, now),
                *_needs_of_posts(quarantined, press),
                *_needs_of_hubs(hubs),
                *_needs_of_settings(press),
            ),
            hubs=hubs,
        )


def _label(newsletter: NewsletterSettings, frequency: str) -> str:
    one = len(newsletter.frequencies) == 1
    return newsletter.slug if one else f"{newsletter.slug} {frequency}"


def _sources(conn: sa.Connection, press: Press) -> tuple[SourceStatus, ...]:
    states = {state.source: state for state in list_states(conn)}
    faults = list_faults(conn)
    return tuple(
        _source(
            states.get(source.name, SourceState(source=source.name)),
            tuple(fault for fault in faults if fault.source == source.name),
        )
        for source in press.config.sources
    )


def _source(state: SourceState, faults: tuple[SourceFault, ...]) -> SourceStatus:
    return SourceStatus(
        source=state.source,
        polled=state.polled,
        next_poll=state.next_poll,
        failures=state.failures,
        summaries_only=state.summaries_only,
        faults=faults,
    )


def _last_issues(conn: sa.Connection, press: Press) -> dict[str, Issue]:
    """The issue of each newsletter that was released last."""
    slugs = [newsletter.slug for newsletter in press.config.newsletters]
    found = {slug: issues.find_last_released(conn, slug) for slug in slugs}
    return {slug: issue for slug, issue in found.items() if issue is not None}


def _newsletters(
    conn: sa.Connection,
    press: Press,
    now: datetime,
    lasts: Mapping[str, Issue],
    all_books: Mapping[int, Books],
) -> Iterator[NewsletterStatus]:
    rows = {(row.newsletter, row.frequency): row for row in list_frequencies(conn)}
    head = journal.head(conn)
    for newsletter in press.config.newsletters:
        last = lasts.get(newsletter.slug)
        for name, line in newsletter.frequencies.items():
            yield NewsletterStatus(
                newsletter=newsletter.slug,
                frequency=name,
                next_due=next_time(parse_schedule(line), press.config.site.zone, now),
                settling=find_waiting(conn, newsletter.slug, name) is not None,
                waiting=_waiting(conn, newsletter, rows.get((newsletter.slug, name)), head),
                last=last,
                books=all_books[last.id] if last else None,
            )


def _waiting(
    conn: sa.Connection, newsletter: NewsletterSettings, row: Frequency | None, head: int
) -> int:
    """How many posts the next issue would hold if it were composed now; 0 before the first tick."""
    if row is None:
        return 0
    candidates = list_candidates(conn, newsletter.slug, row.end, head)
    return len(build_issue(newsletter, candidates, after=row.end, upto=head).chosen)


def _unfinished(conn: sa.Connection) -> list[Issue]:
    return [
        issue
        for state in (IssueStatus.RELEASED, IssueStatus.PAUSED, IssueStatus.DRAFT)
        for issue in issues.list_issues(conn, status=state)
    ]


def _needs_of_hold(press: Press, hold: Hold | None) -> Iterator[str]:
    if hold is not None:
        yield f"Nothing is mailed: {hold}. {remedy(press)}"


def _needs_of_issues(
    found: list[Issue], all_books: Mapping[int, Books], press: Press, *, is_delivering: bool
) -> Iterator[str]:
    called, resends = press.program, press.config.mail.in_doubt == "resend"
    for issue in found:
        books = all_books[issue.id]
        left = books.queued + books.leased + books.deferred + (books.in_doubt if resends else 0)
        if issue.status is IssueStatus.DRAFT:
            yield f"Issue {issue.id} ({issue.name}) is a draft: `{called} issues release {issue.id}`."
        elif issue.status is IssueStatus.PAUSED:
            yield f"Issue {issue.id} ({issue.name}) is paused: `{called} issues resume {issue.id}`."
        elif left and not is_delivering:
            yield (
                f"Nobody delivers issue {issue.id} ({issue.name}), {left:,} {'is' if left == 1 else 'are'} left: "
                f"`{called} run` or `{called} deliver`."
            )
        if books.in_doubt:
            count, name = books.in_doubt, f"of issue {issue.id} ({issue.name})"
            many = f"{count:,} deliveries {name} are" if count > 1 else f"1 delivery {name} is"
            yield f"{many} in doubt: `{called} issues report {issue.id}` names them."


def _needs_of_notices(count: int, press: Press, *, is_delivering: bool) -> Iterator[str]:
    if count and not is_delivering:
        many = (
            f"{count:,} mails outside issues wait" if count > 1 else "1 mail outside issues waits"
        )
        yield (
            f"{many} (one that asks to confirm, or a test), and nobody delivers: "
            f"`{press.program} run` or `{press.program} deliver`."
        )


def _needs_of_sources(
    sources: tuple[SourceStatus, ...], press: Press, now: datetime
) -> Iterator[str]:
    for source in sources:
        count = len(source.faults)
        if count:
            yield f"{source.source}: {count} {'fault' if count == 1 else 'faults'}, named above."
        elif source.polled is None:
            yield f"{source.source} was never read: `{press.program} poll`."
        elif source.next_poll is not None and now - source.next_poll > _LATE:
            yield f"{source.source} is due, and nobody reads it: is `{press.program} run` running?"


def _needs_of_posts(quarantined: tuple[Post, ...], press: Press) -> Iterator[str]:
    for post in quarantined:
        yield f"A post is quarantined, {post.content.title}: {post.fault}"


def _needs_of_hubs(hubs: tuple[HubStatus, ...]) -> Iterator[str]:
    for one in hubs:
        if one.failures >= _HUB_FAILURES:
            yield (
                f"The hub {one.hub} is not told of {one.waiting} feeds; it last said: {one.said}. "
                "If it is no hub any more, take it out of [websub] hubs."
            )
        elif one.given_up:
            yield f"The hub {one.hub} refuses {one.given_up} feeds; it last said: {one.said}."


def _needs_of_settings(press: Press) -> Iterator[str]:
    for refuse in (refuse_dead_links, refuse_open_talk, load_signing_keys):
        try:
            refuse(press)
        except Refused as refusal:
            yield f"Nothing is mailed: {refusal}"
    if press.config.mail.transport == "maildir":
        yield 'Nobody is really mailed: [mail] transport is "maildir".'
    websub, url = press.config.websub, press.config.web.url
    if websub.hubs and not websub.allow_private and leads_nowhere(url):
        yield f'Hubs cannot fetch the feeds: [web] url is "{url}", which no other machine reaches.'
