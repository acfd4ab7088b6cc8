"""What a reader got, will get and did not get of a post, and why: sentences from facts. Pure (DESIGN.md 3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from newsletter.books import TAKEN_AS_SENT
from newsletter.compose import hidden, life, same_language
from newsletter.due import next_time, parse_schedule
from newsletter.facts import DeliveryFact, PostFacts, ReaderFacts
from newsletter.issues import REGULAR, SPECIAL, Issue, IssueStatus
from newsletter.reaches import READERS, Reach, list_reaches, was_active
from newsletter.spec import NewsletterSettings
from newsletter.subscriptions import SubscriptionStatus
from posts.model import ChangeKind


class Reason(StrEnum):
    """Why a reader has or has not a post, in a word; each answer has one."""

    SENT = "sent"
    COMING = "coming"
    FAILED = "failed"
    EXCLUDED = "excluded"
    CANCELLED = "cancelled"
    HIDDEN = "hidden"
    HISTORY = "history"
    SELECTION = "selection"
    LANGUAGE = "language"
    TRANSLATION = "translation"
    HELD_BEFORE = "held before"
    COVERED = "covered"
    NOT_SUBSCRIBED = "not subscribed"
    PAUSED = "paused"
    POSITION = "position"
    WITHDRAWN_THEN = "withdrawn then"
    BEFORE_START = "before the start"
    SUPPRESSED = "suppressed"
    ONLY_TOTALS = "only totals"


@dataclass(frozen=True, slots=True)
class Answer:
    """The reason, and the sentence that says it."""

    reason: Reason
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What sentences need beside the facts: the newsletter, the site's zone, and the time."""

    newsletter: NewsletterSettings
    zone: ZoneInfo
    now: datetime

    def day(self, moment: datetime) -> str:
        """A moment as a person reads it."""
        return moment.astimezone(self.zone).strftime("%Y-%m-%d %H:%M")


def explain_post(
    reader: ReaderFacts, post: PostFacts, frame: Frame, *, reaches: Sequence[Reach] | None = None
) -> list[Answer]:
    """What became of one post for one reader: every issue that holds or held it for him, or the one reason why none
    does. Never empty. `reaches` saves `list_reaches` where many posts are asked about."""
    if reaches is None:
        reaches = list_reaches(reader)
    answers = [
        _of_delivery(issue, fact, frame)
        for issue in reader.released
        if (fact := reader.deliveries.get(issue.id)) is not None
        and _holds(issue, fact, reader, post)
    ]
    answers += [
        _only_totals(issue, f'"{post.post.content.title}" is in {_name(issue)}')
        for issue in reader.released
        if issue.kind == SPECIAL
        and issue.has_only_totals
        and issue.id in post.holders
        and was_active(reader, issue)
    ]
    if not any(answer.reason in (Reason.SENT, Reason.COMING) for answer in answers):
        why = _why_not(reader, post, frame, reaches)
        if not answers or why.reason in (Reason.COMING, Reason.HIDDEN):
            answers.append(why)
    elif (again := _held_again(reader, post)) is not None:
        answers.append(again)
    return answers


def explain_reader(reader: ReaderFacts, frame: Frame) -> list[str]:
    """What this reader got lately, where he stands, and when the next issue comes."""
    slug, state = frame.newsletter.slug, reader.subscription
    lines = [_standing(reader, frame)]
    if reader.suppressed:
        lines.append(f"The address is suppressed {reader.suppressed}: it is never mailed.")
    got = [issue for issue in reader.released if issue.id in reader.deliveries]
    for issue in got[-20:]:
        lines.append(_of_delivery(issue, reader.deliveries[issue.id], frame).sentence)
    past = [one for one in reader.released if one.has_only_totals and was_active(reader, one)]
    if past:
        span = _name(past[0]) + (f" to {_name(past[-1])}" if len(past) > 1 else "")
        lines.insert(
            1,
            f"This reader was active when {span} went out; of {'it' if len(past) == 1 else 'these'} only totals are "
            "kept, so what became of each for this reader is not on record any more.",
        )
    if not got and not past:
        lines.append(f"No issue of {slug} has been for this reader yet.")
    if state.status is SubscriptionStatus.ACTIVE and not reader.suppressed:
        lines.append(_coming(reader, frame))
    return lines


def _standing(reader: ReaderFacts, frame: Frame) -> str:
    state = reader.subscription
    what = {
        SubscriptionStatus.ACTIVE: "gets",
        SubscriptionStatus.PAUSED: "has paused",
        SubscriptionStatus.PENDING: "has asked for, but not yet confirmed,",
        SubscriptionStatus.UNSUBSCRIBED: "has left",
    }[state.status]
    since = f", a subscriber since {frame.day(state.since)}" if state.since else ""
    often = f" ({state.frequency})" if len(frame.newsletter.frequencies) > 1 else ""
    changed = f"; last changed {frame.day(state.changed)}"
    return f"This reader {what} {frame.newsletter.slug}{often}{since}{changed}."


def _coming(reader: ReaderFacts, frame: Frame) -> str:
    draft = next(
        (one for one in reader.drafts if one.frequency == reader.subscription.frequency), None
    )
    if draft is not None:
        return f"The next issue is a draft ({_name(draft)}): it comes when an editor releases it."
    line = frame.newsletter.frequencies.get(reader.subscription.frequency)
    if line is None:
        return "The next issue has no time: this frequency is not configured any more."
    due = next_time(parse_schedule(line), frame.zone, frame.now)
    return f"The next issue is due {frame.day(due)}, if there is news by then."


def _holds(issue: Issue, fact: DeliveryFact, reader: ReaderFacts, post: PostFacts) -> bool:
    """True when this reader's edition holds the post; of one who was passed over, would have held it."""
    if fact.posts is not None:
        return post.post.id in fact.posts
    if issue.id not in post.holders or fact.after is None or issue.end is None:
        return False
    return any(fact.after < number <= issue.end for number in post.entries)


_STATES: dict[str | None, tuple[Reason, str]] = {
    "sent": (Reason.SENT, "was sent: the relay accepted it{when}{reply}"),
    None: (Reason.COMING, "is queued for this reader{reply}"),
    "deferred": (Reason.COMING, "was put off by the relay{when}{reply}; it will be tried again"),
    "in doubt": (Reason.SENT, "may have been sent: the relay's answer was lost{when}{reply}"),
    "failed": (Reason.FAILED, "was refused for good{when}{reply}"),
}
_TAKEN_AS_SENT = "may have been sent: the answer was lost, and it was taken as sent by hand{when}"
_EXCLUDED = {
    "paused": "the reader had paused",
    "suppressed": "the address is suppressed",
    "unsubscribed": "the reader had left before it went out",
    "erased": "the reader was erased before it went out",
    "cancelled": "the issue was cancelled before it went out",
    "withdrawn": "nothing was left in it for this reader after a post was withdrawn",
}


def _of_delivery(issue: Issue, fact: DeliveryFact, frame: Frame) -> Answer:
    """What became of one delivery."""
    when = f" on {frame.day(fact.at)}" if fact.at and fact.state else ""
    if fact.state == "excluded":
        why = _EXCLUDED.get(fact.reason or "", fact.reason or "no reason is on record")
        reason = {
            "paused": Reason.PAUSED,
            "suppressed": Reason.SUPPRESSED,
            "unsubscribed": Reason.NOT_SUBSCRIBED,
            "cancelled": Reason.CANCELLED,
        }.get(fact.reason or "", Reason.EXCLUDED)
        return Answer(reason, f"{_name(issue)} was not sent to this reader: {why}.")
    if issue.status is IssueStatus.CANCELLED and fact.state in (None, "deferred"):
        return Answer(
            Reason.CANCELLED, f"{_name(issue)} was cancelled before it went out to this reader."
        )
    reason, what = _STATES.get(fact.state, (Reason.EXCLUDED, f"is {fact.state}{{when}}{{reply}}"))
    if fact.reason == TAKEN_AS_SENT:
        what = _TAKEN_AS_SENT
    reply = " ".join(str(part) for part in (fact.code, fact.reply) if part)
    said = what.format(when=when, reply=f" ({reply})" if reply else "")
    return Answer(reason, f"{_name(issue)} {said}.")


def _only_totals(issue: Issue, what: str) -> Answer:
    """What is left to say of an issue whose deliveries were let go of (`[privacy] keep_deliveries`)."""
    ended = f", which ended {issue.finished:%Y-%m-%d}" if issue.finished else ""
    return Answer(
        Reason.ONLY_TOTALS,
        f"{what}{ended}; of it only totals are kept, so what became of it for this reader is not on record any more.",
    )


def _why_not(
    reader: ReaderFacts, post: PostFacts, frame: Frame, reaches: Sequence[Reach]
) -> Answer:
    """The one reason why no issue brought this post to this reader."""
    title = f'"{post.post.content.title}"'
    why = hidden(post.post)
    if why is not None:
        return Answer(Reason.HIDDEN, f"{title} {why}: no issue holds it.")
    if post.post.history:
        return Answer(
            Reason.HISTORY,
            f"{title} is history: it was old news when it came in (or there at the first poll), and is owed to nobody. "
            "A special issue can mail it.",
        )
    if post.covered and post.holders.isdisjoint(issue.id for issue in reader.released):
        return Answer(
            Reason.COVERED,
            f"{title} counts as mailed: an issue held it that this database has lost (`dateline adopt --skip`). Who has "
            "it is not on record; it is owed to nobody again.",
        )
    seals = [
        issue.sealed_at or 0
        for issue in reader.released
        if issue.kind == REGULAR and issue.id in post.holders
    ]
    number, held = life(post.lines, seals)
    covering = [
        reach
        for reach in reaches
        if min(reach.start, reach.issue.start or 0) < number <= (reach.issue.end or 0)
    ]
    if covering:  # what met him as a reader tells more than what came out before or after
        met = [one for one in covering if one.state and one.state.status in READERS]
        return _covered(reader, post, (met or covering)[0], number, frame)
    again = _held_again(reader, post)
    if held and again is not None:
        return again
    return _not_yet(reader, post, number, frame)


def _covered(
    reader: ReaderFacts, post: PostFacts, reach: Reach, number: int, frame: Frame
) -> Answer:
    """Why an issue whose range covers the post did not bring it to this reader."""
    issue, state, start = reach.issue, reach.state, reach.start
    title, name = f'"{post.post.content.title}"', _name(issue)
    when = frame.day(issue.released) if issue.released else ""
    if state is None or state.status is SubscriptionStatus.PENDING:
        return Answer(
            Reason.NOT_SUBSCRIBED,
            f"{title} was in reach of {name}, released {when}, before this reader had subscribed.",
        )
    if state.status is SubscriptionStatus.UNSUBSCRIBED:
        return Answer(
            Reason.NOT_SUBSCRIBED,
            f"{title} was in reach of {name}, released {when}, while this reader had left.",
        )
    if issue.id not in post.holders:
        return _not_held(post, issue, frame)
    if not start < number:
        return Answer(
            Reason.POSITION,
            f"{title} is in {name}, but this reader had come out of step: his issues had reached journal number {start} "
            "elsewhere or before he left, and his edition began behind it.",
        )
    if state.status is SubscriptionStatus.PAUSED:
        return Answer(
            Reason.PAUSED, f"{title} was in {name}, released {when}, while this reader had paused."
        )
    if frame.newsletter.languages == "own" and not same_language(
        post.post.content.language, reader.language
    ):
        return Answer(
            Reason.LANGUAGE,
            f"{title} is in {post.post.content.language}; {frame.newsletter.slug} brings each reader only posts in his own language.",
        )
    if post.post.content.translation_key is not None:
        return Answer(
            Reason.TRANSLATION,
            f"{name} had a translation of {title}; a post comes once, in the reader's language.",
        )
    if issue.has_only_totals:
        return _only_totals(issue, f"{title} is in {name}")
    return Answer(
        Reason.EXCLUDED, f"{title} is in {name}, but not in this reader's edition as it was then."
    )


def _not_held(post: PostFacts, issue: Issue, frame: Frame) -> Answer:
    """Why an issue does not hold a post that its range covers."""
    title, name = f'"{post.post.content.title}"', _name(issue)
    if not frame.newsletter.select.matches(post.post):
        return Answer(
            Reason.SELECTION, f"{title} is outside the selection of {frame.newsletter.slug}."
        )
    sealed = issue.sealed_at or issue.end or 0
    taken = [
        line for line in post.lines if line.number <= sealed and line.kind is ChangeKind.WITHDRAWN
    ]
    if taken:
        return Answer(
            Reason.WITHDRAWN_THEN,
            f"{title} was withdrawn when {name} was made, and has been in no issue since.",
        )
    return Answer(
        Reason.WITHDRAWN_THEN,
        f"{title} could not be in {name}: it was quarantined, or outside the selection, when that was made.",
    )


def _held_again(reader: ReaderFacts, post: PostFacts) -> Answer | None:
    """The sentence about a restored post that an earlier issue held."""
    for line in post.lines:
        if line.kind is not ChangeKind.RESTORED:
            continue
        for issue in reader.released:
            if (
                issue.kind == REGULAR
                and issue.id in post.holders
                and (issue.sealed_at or 0) < line.number
            ):
                return Answer(
                    Reason.HELD_BEFORE,
                    f'"{post.post.content.title}" was restored after {_name(issue)} had held it; it is owed to nobody again.',
                )
    return None


def _not_yet(reader: ReaderFacts, post: PostFacts, number: int, frame: Frame) -> Answer:
    """Why nothing that was released so far covers the post."""
    title, state = f'"{post.post.content.title}"', reader.subscription
    if reader.suppressed:
        return Answer(
            Reason.SUPPRESSED,
            f"{title} does not come: the address is suppressed {reader.suppressed}.",
        )
    if state.status is SubscriptionStatus.UNSUBSCRIBED:
        return Answer(
            Reason.NOT_SUBSCRIBED,
            f"{title} does not come: this reader left on {frame.day(state.changed)}.",
        )
    if state.status is SubscriptionStatus.PENDING:
        return Answer(
            Reason.NOT_SUBSCRIBED, f"{title} does not come: this reader has not confirmed."
        )
    frequency = reader.frequencies.get(state.frequency)
    start = frequency.end if frequency else 0
    if state.position is not None:
        start = state.position
    if number <= start:
        if state.position is not None:
            return Answer(
                Reason.POSITION,
                f"{title} does not come: what this reader has had, or missed while away, reaches journal number {start}.",
            )
        first = next(
            (issue for issue in reader.released if issue.frequency == state.frequency), None
        )
        if first is None or number <= (first.start or 0):
            return Answer(
                Reason.BEFORE_START,
                f"{title} came in before {frame.newsletter.slug} ({state.frequency}) began here.",
            )
        return Answer(
            Reason.NOT_SUBSCRIBED,
            f"{title} was in reach of an earlier issue ({state.frequency}), from before this reader came to it.",
        )
    if not frame.newsletter.select.matches(post.post):
        return Answer(
            Reason.SELECTION, f"{title} is outside the selection of {frame.newsletter.slug}."
        )
    if frame.newsletter.languages == "own" and not same_language(
        post.post.content.language, reader.language
    ):
        return Answer(
            Reason.LANGUAGE,
            f"{title} does not come: it is in {post.post.content.language}, and each reader gets his own language only.",
        )
    if state.status is SubscriptionStatus.PAUSED:
        return Answer(Reason.PAUSED, f"{title} does not come while this reader has paused.")
    minimum = frame.newsletter.minimum_posts
    few = f" (an issue waits for {minimum} posts)" if minimum > 1 else ""
    return Answer(Reason.COMING, f"{title} has not been sent yet{few}. {_coming(reader, frame)}")


def _name(issue: Issue) -> str:
    return (
        f"{issue.newsletter} No. {issue.number} (issue {issue.id})"
        if issue.number
        else f"issue {issue.id}"
    )
