"""One look at the clock: which due times have come, and what becomes of each (DESIGN.md 3, 4 and 8.3).

Every step asks the rows, never a memory, and every outcome is written in the transaction that acts on it; so it may
be called as often as wanted, by as many processes as wanted, and after any crash.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from newsletter import drafts, frequencies, issues
from newsletter.due import due_time, parse_schedule, parse_wall_key, wall_key, wall_moment
from newsletter.frequencies import DueOutcome, DueTime
from newsletter.release import Noter, Release, Sealer, release_issue
from newsletter.spec import NewsletterSettings
from newsletter.tokens import Keys
from posts import journal
from posts.database import reading, writing
from posts.errors import DatelineError, Refused
from posts.settings import Site

_TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class TickResult:
    """What became of one due time at this tick. `error` says why an issue that is due could not be made; the next
    tick tries again."""

    newsletter: str
    frequency: str
    due: datetime
    outcome: DueOutcome
    issue: int | None = None
    posts: int = 0
    recipients: int = 0
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticker:
    """What a tick needs beside the time: `poll` reads the sources (once a tick, when something is due) and returns
    when they have answered or its own bound has passed."""

    engine: sa.Engine
    site: Site
    keys: Keys
    seal: Sealer
    poll: Callable[[], None]
    note: Noter | None = None


def tick_newsletters(
    ticker: Ticker, newsletters: Iterable[NewsletterSettings], *, now: datetime
) -> list[TickResult]:
    """Acts on every due time that has come; one newsletter's trouble does not stop the others."""
    wanted = list(newsletters)
    with reading(ticker.engine) as conn:
        in_sync = frequencies.is_in_sync(conn, wanted, now)
    if not in_sync:
        with writing(ticker.engine) as conn:
            frequencies.sync_frequencies(conn, wanted, now, ticker.site.max_age)
    poll = _once(ticker.poll)
    results: list[TickResult] = []
    for newsletter in wanted:
        for name in newsletter.frequencies:
            results += _tick_waiting(ticker, newsletter, name, now)
            if _meet_due_time(ticker, newsletter, name, now, poll, results):
                results += _tick_waiting(ticker, newsletter, name, now)
    return results


def _once(poll: Callable[[], None]) -> Callable[[], None]:
    called: list[bool] = []

    def polled() -> None:
        if not called:
            called.append(True)
            poll()

    return polled


def _meet_due_time(
    ticker: Ticker,
    newsletter: NewsletterSettings,
    name: str,
    now: datetime,
    poll: Callable[[], None],
    results: list[TickResult],
) -> bool:
    """Notes the newest due time where no tick has met it; True when it now waits."""
    zone = ticker.site.zone
    schedule = parse_schedule(newsletter.frequencies[name])
    with reading(ticker.engine) as conn:
        since = frequencies.get_frequency(conn, newsletter.slug, name).since
        due = due_time(schedule, zone, since, now)
        if due is None:
            return False
        if frequencies.find_due_time(conn, newsletter.slug, name, wall_key(due)) is not None:
            return False
    late = _is_late(newsletter, due, now)
    if not late:
        poll()
    with writing(ticker.engine) as conn:
        frequencies.get_frequency(conn, newsletter.slug, name, lock="update")
        meets = (
            issues.find_draft(conn, newsletter.slug, name) is not None
            or frequencies.find_waiting(conn, newsletter.slug, name) is not None
        )
        outcome = DueOutcome.MERGED if late or meets else DueOutcome.WAITING
        upto = None if outcome is DueOutcome.MERGED else journal.head(conn)
        mine = frequencies.save_due_time(
            conn, newsletter.slug, name, wall_key(due), outcome, now=now, upto=upto
        )
    if mine and outcome is DueOutcome.MERGED:
        results.append(
            TickResult(newsletter=newsletter.slug, frequency=name, due=due, outcome=outcome)
        )
    return mine and outcome is DueOutcome.WAITING


def _tick_waiting(
    ticker: Ticker, newsletter: NewsletterSettings, name: str, now: datetime
) -> list[TickResult]:
    """Composes and releases the issue of a due time that waits, once its range has settled."""
    with reading(ticker.engine) as conn:
        waiting = frequencies.find_waiting(conn, newsletter.slug, name)
        if waiting is None:
            return []
        due = _due_moment(waiting, ticker.site.zone)
        late = _is_late(newsletter, due, now)
        if not late and not _is_settled(conn, waiting, newsletter.settle, now):
            return []
    blank = TickResult(
        newsletter=newsletter.slug, frequency=name, due=due, outcome=DueOutcome.WAITING
    )
    if late:
        return _merge(ticker, waiting, blank, now)
    for _ in range(_TRIES):
        try:
            return [_act(ticker, newsletter, waiting, blank, now)]
        except (Refused, IntegrityError) as error:
            trouble = str(error) if isinstance(error, Refused) else "another process was faster"
        except DatelineError as error:
            trouble = str(error)
            break
    return [_with(blank, error=trouble)]


def _act(
    ticker: Ticker,
    newsletter: NewsletterSettings,
    waiting: DueTime,
    blank: TickResult,
    now: datetime,
) -> TickResult:
    """One try: composes the draft of a waiting due time in one transaction, releases it in another.

    A crash between them leaves a draft that its due time names; the next tick composes it anew and releases it.
    """
    with writing(ticker.engine) as conn:
        outcome, issue, posts = _compose_waiting(conn, newsletter, waiting, now)
    if issue is None:
        return _with(blank, outcome=outcome, posts=posts)
    made = release_issue(
        ticker.engine,
        newsletter,
        issue,
        site_language=ticker.site.language,
        keys=ticker.keys,
        seal=ticker.seal,
        now=now,
        note=ticker.note,
    )
    return _released(blank, made, posts)


def _compose_waiting(
    conn: sa.Connection, newsletter: NewsletterSettings, waiting: DueTime, now: datetime
) -> tuple[DueOutcome, int | None, int]:
    frequencies.get_frequency(conn, newsletter.slug, waiting.frequency, lock="update")
    fresh = frequencies.find_due_time(conn, newsletter.slug, waiting.frequency, waiting.wall_time)
    if fresh is None or fresh.outcome is not DueOutcome.WAITING:
        raise Refused("another process was faster")
    draft = issues.find_draft(conn, newsletter.slug, waiting.frequency)
    if draft is not None and draft.id != fresh.issue:
        frequencies.settle_due_time(conn, fresh, DueOutcome.MERGED, now=now)
        return DueOutcome.MERGED, None, 0
    made = drafts.compose_regular(
        conn,
        newsletter,
        waiting.frequency,
        now=now,
        upto=_upto(conn, newsletter, fresh),
        wall_time=waiting.wall_time,
        minimum=newsletter.minimum_posts,
    )
    if made.issue is None:
        if draft is not None:  # what it held was taken back while the release could not be made
            issues.cancel_draft(conn, draft.id)
        outcome = DueOutcome.TOO_FEW if made.posts else DueOutcome.NOTHING_NEW
        frequencies.settle_due_time(conn, fresh, outcome, now=now)
        return outcome, None, len(made.posts)
    frequencies.settle_due_time(conn, fresh, DueOutcome.WAITING, now=now, issue=made.issue.id)
    return DueOutcome.WAITING, made.issue.id, len(made.posts)


def _upto(conn: sa.Connection, newsletter: NewsletterSettings, due: DueTime) -> int:
    """Where the issue of a due time ends; a release by hand meanwhile may have gone further."""
    end = frequencies.get_frequency(conn, newsletter.slug, due.frequency).end
    return max(due.upto or 0, end)


def _merge(ticker: Ticker, waiting: DueTime, blank: TickResult, now: datetime) -> list[TickResult]:
    """Ends a due time that could not be met within `max_lateness`, and a draft that only it had made."""
    with writing(ticker.engine) as conn:
        if waiting.issue is not None:
            issues.cancel_draft(conn, waiting.issue)
        if not frequencies.settle_due_time(conn, waiting, DueOutcome.MERGED, now=now):
            return []
    return [_with(blank, outcome=DueOutcome.MERGED)]


def _is_settled(conn: sa.Connection, waiting: DueTime, settle: timedelta, now: datetime) -> bool:
    """True when the newest line of the range is `settle` old; one dated in the future counts as settled."""
    change = journal.find_change(conn, waiting.upto or 0)
    return change is None or change.at > now or now - change.at >= settle


def _is_late(newsletter: NewsletterSettings, due: datetime, now: datetime) -> bool:
    """True when a due time is missed by more than `max_lateness`; a longer `settle` of our own is no lateness."""
    bound = newsletter.max_lateness
    if newsletter.settle >= bound:
        bound += newsletter.settle
    return now - due > bound


def _due_moment(waiting: DueTime, zone: ZoneInfo) -> datetime:
    return wall_moment(parse_wall_key(waiting.wall_time), zone)


def _released(blank: TickResult, made: Release, posts: int) -> TickResult:
    return _with(
        blank,
        outcome=DueOutcome.RELEASED,
        issue=made.issue.id,
        posts=posts,
        recipients=made.recipients,
    )


def _with(result: TickResult, **changes: object) -> TickResult:
    return replace(result, **changes)  # type: ignore[arg-type]  # named by our own callers above
