"""Composing issues: what is due now (`tick`), and by hand (`compose`)."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
import structlog

from dateline.actions.holding import Hold, HoldWatch, note_release
from dateline.actions.sealing import build_sealer, find_newsletter
from dateline.press import Press
from newsletter import drafts, frequencies, issues
from newsletter.compose import LeftOut, hidden
from newsletter.drafts import Draft
from newsletter.frequencies import DueOutcome
from newsletter.issues import Issue
from newsletter.planning import plan_issue, preview_plans
from newsletter.spec import NewsletterSettings
from newsletter.story import Form
from newsletter.tick import Ticker, tick_newsletters
from newsletter.tick import TickResult as TickResult  # callers take it from here
from posts import journal, store
from posts.database import reading, writing
from posts.errors import Refused
from posts.model import Post

POLL_BOUND_S = 180.0
"""How long an issue that is due waits for its sources; what comes later comes with the next (DESIGN.md 3)."""

_FORMS = {
    Form.MORE: "counted only",
    Form.HEADLINE: "headline",
    Form.EXCERPT: "excerpt",
    Form.WHOLE: "whole",
}
log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """What composing by hand gave. `issue` is None where nothing was left to print; `remedy` says then how to mail
    it all the same. `shortened` says, a line a post, what the mail carries of posts that do not fit."""

    issue: Issue | None
    posts: tuple[Post, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    shortened: tuple[str, ...] = ()
    remedy: str = ""


def ticking(press: Press) -> Callable[[], list[TickResult]]:
    """`tick` for a clock: it looks at the counterfoil only when that has changed."""
    watch = HoldWatch(press)
    return lambda: tick(press, hold=watch.find)


def tick(
    press: Press,
    *,
    poll: Callable[[], object] | None = None,
    hold: Callable[[], Hold | None] | None = None,
) -> list[TickResult]:
    """Does all that is due now in every newsletter; safe at any time and from any number of processes.

    `poll` reads the sources when something is due; by default all that this press has, within a bound. `hold` tells
    whether all is held: then nothing is done, and the delivery program and `status` say why.
    """
    if not press.config.newsletters or (hold or HoldWatch(press).find)() is not None:
        return []
    ticker = Ticker(
        engine=press.engine,
        site=press.config.site,
        keys=press.keys,
        seal=build_sealer(press),
        poll=lambda: _poll_bounded(poll or _poll_all(press)),
        note=note_release(press),
    )
    results = tick_newsletters(ticker, press.config.newsletters, now=press.clock())
    for result in results:
        _log(result)
    return results


def compose(
    press: Press,
    newsletter: str,
    *,
    frequency: str | None = None,
    latest: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    posts: Iterable[str] | None = None,
) -> Composed:
    """Composes a draft by hand: the next regular issue up to the journal's head, or a special one.

    A special issue holds the `latest` posts, those published in `[since, until)`, or the `posts` with these guids in
    this order. Raises NotFound, and Refused for options that do not go together.
    """
    settings = find_newsletter(press, newsletter)
    guids = list(posts) if posts is not None else None
    ways = [latest is not None, since is not None or until is not None, guids is not None]
    if sum(ways) > 1:
        raise Refused(
            "a special issue is made of the latest posts, of dates, or of chosen posts",
            remedy="Give one of --latest, --since/--until and --posts.",
        )
    now = press.clock()
    if not any(ways):
        draft, remedy = _compose_regular(press, settings, frequency, now)
    elif frequency is not None:
        raise Refused(
            "a special issue knows no frequency",
            remedy="It goes to all active subscribers; leave --frequency out.",
        )
    else:
        draft = _compose_special(press, settings, latest, since, until, guids, now=now)
        remedy = "" if draft.issue else "No post that readers may see is among them."
    return Composed(
        issue=draft.issue,
        posts=draft.posts,
        left_out=draft.left_out,
        shortened=_shortened(press, settings, draft),
        remedy=remedy,
    )


def _compose_regular(
    press: Press, settings: NewsletterSettings, frequency: str | None, now: datetime
) -> tuple[Draft, str]:
    name = _one_frequency(settings, frequency)
    with writing(press.engine) as conn:
        frequencies.sync_frequencies(conn, press.config.newsletters, now, press.config.site.max_age)
        draft = drafts.compose_regular(conn, settings, name, now=now)
        nothing_at_all = journal.head(conn) == 0
        if draft.issue is None and not draft.posts and not draft.left_out:
            newest = store.list_all_posts(conn, limit=20, offset=0)
            draft = Draft(issue=None, left_out=tuple(_covered(conn, settings, newest)))
    if draft.issue is not None:
        return draft, ""
    if nothing_at_all:
        return draft, "There are no posts yet: `dateline poll` reads the sources."
    return draft, (
        f"To mail posts all the same, make a special issue: `{press.program} issues compose {settings.slug} --latest 5`, "
        "or name dates with --since and --until, or posts with --posts."
    )


def _covered(
    conn: sa.Connection, settings: NewsletterSettings, newest: Iterable[Post]
) -> Iterable[LeftOut]:
    """Why none of the newest posts is in the next issue where nothing came in since the last one."""
    released = {issue.id: issue for issue in issues.list_released(conn, settings.slug)}
    for post in newest:
        held = sorted(issues.list_issues_holding(conn, post.id) & released.keys())
        why = hidden(post)
        if why is None and held:
            why = f"was in {released[held[0]].name}"
        elif why is None and post.history:
            why = "is history: it was old news when it came in"
        elif why is None and not settings.select.matches(post):
            why = "is outside the newsletter's selection"
        yield LeftOut(post=post, why=why or "came in before the end of the last issue")


def _one_frequency(settings: NewsletterSettings, frequency: str | None) -> str:
    names = list(settings.frequencies)
    if frequency is None and len(names) == 1:
        return names[0]
    if frequency is None or frequency not in settings.frequencies:
        what = f'no frequency "{frequency}"' if frequency else "several frequencies"
        raise Refused(
            f'"{settings.slug}" has {what}', remedy=f"Give --frequency {' or '.join(names)}."
        )
    return frequency


def _compose_special(
    press: Press,
    settings: NewsletterSettings,
    latest: int | None,
    since: datetime | None,
    until: datetime | None,
    guids: list[str] | None,
    *,
    now: datetime,
) -> Draft:
    with writing(press.engine) as conn:
        if guids is not None:
            chosen = [store.get_post(conn, guid) for guid in dict.fromkeys(guids)]
        else:
            chosen = store.list_posts(conn, settings.select, limit=latest, since=since, until=until)
        draft = drafts.compose_special(
            conn, settings, chosen, now=now, keep_order=guids is not None
        )
        if draft.issue is None and not draft.left_out:
            newest = store.list_all_posts(conn, limit=20, offset=0)
            draft = Draft(issue=None, left_out=tuple(_outside(settings, newest, since, until)))
    return draft


def _outside(
    settings: NewsletterSettings,
    newest: Iterable[Post],
    since: datetime | None,
    until: datetime | None,
) -> Iterable[LeftOut]:
    """Why each of the newest posts is not in a special issue that came out empty."""
    for post in newest:
        why = hidden(post)
        if why is None and not settings.select.matches(post):
            why = "is outside the newsletter's selection"
        if why is None and since is not None and post.published < since:
            why = f"is older than {since:%Y-%m-%d %H:%M}"
        if why is None and until is not None and post.published >= until:
            why = f"is not older than {until:%Y-%m-%d %H:%M}"
        if why is not None:
            yield LeftOut(post=post, why=why)


def _shortened(press: Press, settings: NewsletterSettings, draft: Draft) -> tuple[str, ...]:
    """What the mail will carry of each post that is not whole: the issue is rendered once to know it."""
    if draft.issue is None:
        return ()
    with reading(press.engine) as conn:
        language = press.config.site.language
        plan = plan_issue(conn, settings, draft.issue, site_language=language, now=draft.issue.date)
    shown = preview_plans(settings, plan, [language])
    sealed = build_sealer(press)(settings, plan.issue, shown)
    return tuple(f"{one.title}: {_FORMS[one.form]}" for one in sealed.shortened)


def _poll_all(press: Press) -> Callable[[], object]:
    def polled() -> object:
        from dateline.actions.poll import poll

        return poll(press)

    return polled


def _poll_bounded(poll: Callable[[], object]) -> None:
    """Runs `poll`, but waits no longer than the bound: a source that hangs must not hold an issue back."""
    if POLL_BOUND_S <= 0:
        return
    thread = threading.Thread(target=_quietly, args=(poll,), name="poll-before-issue", daemon=True)
    thread.start()
    thread.join(POLL_BOUND_S)
    if thread.is_alive():
        log.warning("sources did not answer before an issue", waited_s=POLL_BOUND_S)


def _quietly(poll: Callable[[], object]) -> None:
    try:
        poll()
    except Exception:
        # the issue that is due must not fail for a source's bug; `poll` names faults of single sources itself
        log.exception("poll before an issue failed")


def _log(result: TickResult) -> None:
    facts = {
        "newsletter": result.newsletter,
        "frequency": result.frequency,
        "due": result.due.isoformat(),
    }
    if result.error is not None:
        log.error("issue was not made", **facts, error=result.error)
    elif result.outcome is DueOutcome.RELEASED:
        log.info(
            "issue released",
            **facts,
            issue=result.issue,
            posts=result.posts,
            deliveries=result.recipients,
        )
    elif result.outcome is DueOutcome.NOTHING_NEW:
        log.info("nothing new, no issue made", **facts)
    elif result.outcome is DueOutcome.TOO_FEW:
        log.info("too few posts, no issue made", **facts, posts=result.posts)
    elif result.outcome is DueOutcome.MERGED:
        log.warning("due time merged into the next", **facts)
