"""A seeded random walk through a newsroom's year, and a judge who knows only dates.

The walk lets readers and editors do what they do, at random, between hourly ticks; it keeps a diary of what happened
when. The judge reads the diary and the dated settings, never a number, a position or a range: who was a reader of
which frequency at which time, when posts came in, went and came back, when each issue was cut, released and sent.
"""

import random
from bisect import bisect_left
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import sqlalchemy as sa

from newsletter import drafts, issues, subscribers
from newsletter.explain import Answer, Frame, Reason, explain_post
from newsletter.facts import get_post_facts, get_reader_facts
from newsletter.frequencies import DueOutcome
from newsletter.issues import Issue, IssueStatus
from newsletter.reaches import list_reaches
from newsletter.subscriptions import Subscription, get_subscription
from newsletter.tables import deliveries, subscriptions
from newsletter.tables import issues as issue_table
from posts import store
from posts.database import reading, writing
from posts.errors import Refused
from tests.newsletter.newsroom import DAY, HOUR, MINUTE, Newsroom

FREQUENCIES = ("daily", "weekly", "monthly")


@dataclass
class ReaderDiary:
    """What one reader did: status and frequency from each moment on."""

    subscription: Subscription
    states: list[tuple[datetime, str, str]] = field(default_factory=list)
    suppressed: datetime | None = None

    def at(self, moment: datetime) -> tuple[str, str]:
        """Status and frequency at a moment."""
        state = ("none", "none")
        for when, status, frequency in self.states:
            if when > moment:
                break
            state = (status, frequency)
        return state

    def statuses(self, start: datetime, end: datetime) -> set[str]:
        """Every status in [start, end]."""
        during = {status for when, status, _ in self.states if start < when <= end}
        return during | {self.at(start)[0]}


@dataclass
class PostDiary:
    """What happened to one post. `history`: older than the site's max_age when it came in."""

    id: int
    entered: datetime
    history: bool
    taken: list[tuple[datetime, bool]] = field(default_factory=list)
    entries: list[datetime] = field(default_factory=list)

    def is_public(self, moment: datetime) -> bool:
        """True when readers could see it at a moment."""
        public = moment >= self.entered
        for when, restored in self.taken:
            if when <= moment:
                public = restored
        return public


@dataclass
class IssueDiary:
    """One released issue: the moment up to which it looked for posts, its release, when it went out."""

    id: int
    frequency: str
    cut: datetime
    released: datetime
    sent: datetime | None = None
    cancelled: bool = False
    posts: dict[int, frozenset[int]] = field(default_factory=dict)

    @property
    def held(self) -> frozenset[int]:
        """Every post that one of its editions holds."""
        return frozenset().union(*self.posts.values())


class Walk:
    """The year itself."""

    def __init__(self, room: Newsroom, *, seed: int, readers: int) -> None:
        self.room, self.rng = room, random.Random(seed)
        self.readers: list[ReaderDiary] = []
        self.posts: dict[str, PostDiary] = {}
        self.issues: dict[int, IssueDiary] = {}
        self.ticks: list[datetime] = []
        self.composed: dict[int, datetime] = {}
        self.events: dict[str, int] = {}
        self.outage_until = self.draft_until = room.now
        self.draft: Issue | None = None
        room.begin()
        for _ in range(readers):
            self.join()

    def count(self, what: str) -> None:
        """One more event of a kind."""
        self.events[what] = self.events.get(what, 0) + 1

    def hour(self, moment: datetime) -> None:
        """One hour: a tick unless the daemon is down, then whatever happens."""
        room, rng = self.room, self.rng
        room.now = moment
        if moment >= self.outage_until:
            self.ticks.append(moment)
            for result in room.tick():
                self.count(f"due: {result.outcome}")
                assert result.error is None, result.error
                if result.outcome is DueOutcome.RELEASED:
                    assert result.issue is not None
                    self.note_release(result.issue)
            if rng.random() < 1 / 240:
                self.count("outage")
                self.outage_until = moment + rng.randint(2, 40) * HOUR
        room.now = moment + 5 * MINUTE
        self.send_some()
        for chance, act in (
            (1 / 11, self.publish),
            (1 / 50, self.withdraw),
            (1 / 40, self.restore),
            (1 / 60, self.revise),
            (1 / 30, self.join),
            (1 / 16, self.leave),
            (1 / 20, self.come_back),
            (1 / 8, self.change_frequency),
            (1 / 24, self.pause),
            (1 / 20, self.resume),
            (1 / 250, self.suppress),
            (1 / 50, self.lay_draft),
        ):
            if rng.random() < chance:
                room.now += timedelta(seconds=rng.randint(1, 200))
                act()
        self.end_draft()

    def publish(self) -> None:
        """A post comes in, now and then dated back, sometimes so far that it is history."""
        name = f"p{len(self.posts)}"
        age = self.rng.choice([0, 0, 0, 0, 0, 1, 3, 10, 20, 400])
        if age:
            self.count("backdated")
        row = self.room.post(name, published=self.room.now - age * DAY)
        self.posts[name] = PostDiary(row, self.room.now, history=age * DAY > self.room.site.max_age)
        self.posts[name].entries.append(self.room.now)
        self.count("published")

    def young(self, *, public: bool) -> str | None:
        """The name of one of the newest posts that is public (or not)."""
        found = [
            n for n in list(self.posts)[-40:] if self.posts[n].is_public(self.room.now) is public
        ]
        return self.rng.choice(found) if found else None

    def withdraw(self) -> None:
        """A post is taken back; what is being sent is sent first (an issue in flight is sealed anew elsewhere)."""
        name = self.young(public=True)
        if self.rng.random() < 0.5:  # so new that no issue has held it
            newest = list(self.posts)[-1:]
            name = newest[0] if newest and self.posts[newest[0]].is_public(self.room.now) else None
        if name is not None:
            self.send_some(all_of_it=True)
            self.room.withdraw(name)
            self.posts[name].taken.append((self.room.now, False))
            self.count("withdrawn")

    def restore(self) -> None:
        """A post comes back; where no issue had held it, that is as if it came in."""
        name = self.young(public=False)
        if name is not None:
            post = self.posts[name]
            self.room.restore(name)
            post.taken.append((self.room.now, True))
            held = any(
                post.id in ids for issue in self.issues.values() for ids in issue.posts.values()
            )
            if not held:
                post.entries.append(self.room.now)
            self.count("restored, held before" if held else "restored")

    def revise(self) -> None:
        """A post changes; that mails nobody."""
        name = self.young(public=True)
        if name is not None:
            self.room.post(name, html=f"<p>{self.room.now}</p>", published=self.posts[name].entered)
            self.count("revised")

    def join(self) -> None:
        """Somebody subscribes."""
        frequency = self.rng.choice(FREQUENCIES)
        language = self.rng.choice(["en", "es"])
        made = self.room.reader(f"r{len(self.readers)}", frequency=frequency, language=language)
        self.readers.append(ReaderDiary(made, [(self.room.now, "active", frequency)]))
        self.count("joined")

    def someone(self, *statuses: str) -> ReaderDiary | None:
        """A reader in one of these states."""
        found = [reader for reader in self.readers if reader.at(self.room.now)[0] in statuses]
        return self.rng.choice(found) if found else None

    def act(self, reader: ReaderDiary | None, what: str, call: str, *args: str) -> None:
        """Lets a reader do something, and notes it."""
        if reader is None:
            return
        new = self.room.change(reader.subscription, call, *args)
        reader.states.append((self.room.now, str(new.status), new.frequency))
        self.count(what)

    def leave(self) -> None:
        """Somebody unsubscribes."""
        self.act(self.someone("active", "paused"), "left", "leave")

    def come_back(self) -> None:
        """Somebody who had left subscribes again, half of them to another frequency."""
        reader = self.someone("unsubscribed")
        if reader is not None and self.rng.random() < 0.5:
            self.act(reader, "changed while away", "change_frequency", self.rng.choice(FREQUENCIES))
        self.act(reader, "came back", "activate")

    def change_frequency(self) -> None:
        """Somebody changes to another frequency."""
        reader = self.someone("active", "active", "paused")
        self.act(reader, "changed frequency", "change_frequency", self.rng.choice(FREQUENCIES))

    def pause(self) -> None:
        """Somebody pauses."""
        self.act(self.someone("active"), "paused", "pause")

    def resume(self) -> None:
        """Somebody goes on."""
        self.act(self.someone("paused"), "resumed", "resume")

    def suppress(self) -> None:
        """An address is found dead."""
        reader = self.someone("active")
        if reader is not None and reader.suppressed is None:
            self.room.suppress(reader.subscription)
            reader.suppressed = self.room.now
            self.count("suppressed")

    def lay_draft(self) -> None:
        """An editor composes an issue by hand, and lets it lie."""
        if self.draft is None:
            self.draft = self.room.compose(self.rng.choice(FREQUENCIES))
            if self.draft is not None:
                self.composed[self.draft.id] = self.room.now
                self.draft_until = self.room.now + self.rng.randint(1, 72) * HOUR
                self.count("draft")

    def end_draft(self) -> None:
        """The editor releases it or throws it away."""
        room = self.room
        if self.draft is None or room.now < self.draft_until:
            return
        draft, self.draft = self.draft, None
        if self.rng.random() < 0.3:
            with writing(room.engine) as conn:
                assert drafts.cancel_draft(conn, draft, now=room.now)
            self.count("draft thrown away")
            return
        try:
            room.release(draft)
        except Refused:
            again = room.compose(draft.frequency)
            self.count("draft composed anew")
            if again is None:
                return
            draft = again
            self.composed[draft.id] = room.now
            room.release(draft)
        self.note_release(draft.id)
        self.count("draft released")

    def note_release(self, issue_id: int) -> None:
        """Writes a release into the diary."""
        with reading(self.room.engine) as conn:
            issue = issues.get_issue(conn, issue_id)
            held = issues.list_edition_posts(conn, issue_id)
        assert issue.frequency is not None
        cut = self.composed.get(issue_id) or self.first_tick_at(issue.wall_time)
        self.issues[issue_id] = IssueDiary(
            issue_id,
            issue.frequency,
            cut,
            self.room.now,
            posts={edition: frozenset(ids) for edition, ids in held.items()},
        )

    def first_tick_at(self, wall_time: str | None) -> datetime:
        """The first look at the clock after a due time: the moment its issue was cut."""
        assert wall_time is not None
        due = datetime.fromisoformat(wall_time).replace(tzinfo=self.room.site.zone)
        moment = self.ticks[0] + (due - self.ticks[0])  # as a moment, whatever the zone does
        return self.ticks[bisect_left(self.ticks, moment)]

    def send_some(self, *, all_of_it: bool = False) -> None:
        """Sends what is released, most of it at once; some issues wait for hours, a few are cancelled half sent."""
        for issue in self.issues.values():
            if issue.sent is not None or (not all_of_it and self.rng.random() < 0.3):
                continue
            issue.sent = self.room.now
            issue.cancelled = self.rng.random() < 0.05
            self.send(issue.id, half=issue.cancelled)
            if issue.cancelled:
                self.count("cancelled")

    def send(self, issue_id: int, *, half: bool) -> None:
        """What the sender does at a flush: asks once more who may be mailed, and mails."""
        with writing(self.room.engine) as conn:
            mine = (deliveries.c.issue == issue_id) & deliveries.c.state.is_(None)
            status = (
                sa.select(subscriptions.c.status)
                .where(subscriptions.c.id == deliveries.c.subscription)
                .scalar_subquery()
            )
            away = mine & (status != "active")
            conn.execute(
                sa.update(deliveries)
                .where(away)
                .values(
                    state="excluded",
                    reason=sa.case((status == "paused", "paused"), else_="unsubscribed"),
                    at=self.room.now,
                )
            )
            chosen = mine & (deliveries.c.number % 2 == 0) if half else mine
            conn.execute(sa.update(deliveries).where(chosen).values(state="sent", at=self.room.now))
            end = IssueStatus.CANCELLED if half else IssueStatus.DONE
            conn.execute(
                sa.update(issue_table).where(issue_table.c.id == issue_id).values(status=end)
            )


@dataclass
class Verdict:
    """What the judge found, by kind; `faults` must be empty."""

    pairs: int = 0
    owed: int = 0
    sent: int = 0
    excused: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


_ALLOWED = {
    # who left and came back may have been in an issue that was then cancelled
    "left": {Reason.NOT_SUBSCRIBED, Reason.POSITION, Reason.CANCELLED},
    "paused": {Reason.PAUSED, Reason.NOT_SUBSCRIBED, Reason.POSITION},
    "cancelled": {Reason.CANCELLED},
    "suppressed": {Reason.SUPPRESSED},
    "withdrawn": {Reason.HIDDEN, Reason.WITHDRAWN_THEN, Reason.HELD_BEFORE},
    "later": {Reason.COMING, Reason.HELD_BEFORE},
}
"""What `explain` may say for each excuse that the diary knows."""


def judge(walk: Walk, end: datetime) -> Verdict:
    """Looks at every reader and every post."""
    verdict = Verdict()
    released = sorted(walk.issues.values(), key=lambda issue: (issue.released, issue.id))
    room = walk.room
    frame = Frame(newsletter=room.newsletter, zone=room.site.zone, now=end)
    with reading(room.engine) as conn:
        found = store.list_by_ids(conn, [post.id for post in walk.posts.values()])
        facts = {
            name: get_post_facts(conn, found[post.id], room.newsletter.slug)
            for name, post in walk.posts.items()
        }
        for reader in walk.readers:
            subscription = get_subscription(conn, reader.subscription.id)
            person = subscribers.get_subscriber(conn, subscription.subscriber)
            about = get_reader_facts(
                conn, room.keys, subscription, address=person.address, language=person.language
            )
            reaches = list_reaches(about)
            got: dict[int, list[int]] = {}
            for fact in about.deliveries.values():
                if fact.state == "sent":
                    _judge_delivery(verdict, reader, walk.issues[fact.issue])
                    for post_id in fact.posts or ():
                        got.setdefault(post_id, []).append(fact.issue)
            for name, post in walk.posts.items():
                answers = explain_post(about, facts[name], frame, reaches=reaches)
                _judge_pair(verdict, reader, name, post, got.get(post.id, []), released, answers)
    return verdict


def _judge_delivery(verdict: Verdict, reader: ReaderDiary, issue: IssueDiary) -> None:
    """Nobody is mailed who was no active reader of this frequency when the issue was released and went out."""
    who = f"{reader.subscription.id}/issue {issue.id}"
    if reader.at(issue.released) != ("active", issue.frequency):
        verdict.faults.append(f"{who}: sent to one who was {reader.at(issue.released)}")
    if issue.sent is not None and reader.at(issue.sent)[0] != "active":
        verdict.faults.append(f"{who}: sent to one who was {reader.at(issue.sent)} by then")
    if reader.suppressed is not None and reader.suppressed <= issue.released:
        verdict.faults.append(f"{who}: sent to one who was suppressed")


def _judge_pair(
    verdict: Verdict,
    reader: ReaderDiary,
    name: str,
    post: PostDiary,
    carriers: list[int],
    released: list[IssueDiary],
    answers: list[Answer],
) -> None:
    times = len(carriers)
    verdict.pairs += 1
    verdict.sent += times
    who = f"{reader.subscription.id}/{name}"
    reasons = {answer.reason for answer in answers}
    if times > 1:
        verdict.faults.append(f"{who}: sent {times} times")
    if not answers or (times == 1) != (Reason.SENT in reasons):
        verdict.faults.append(f"{who}: sent {times} times, explained as {answers}")
    if Reason.EXCLUDED in reasons:
        verdict.faults.append(f"{who}: no real reason: {answers}")
    if post.history:
        if times or Reason.HISTORY not in reasons | (
            {Reason.HISTORY} if Reason.HIDDEN in reasons else set()
        ):
            verdict.faults.append(f"{who}: history, {answers}")
        return
    excused: set[str] = set()
    was_owed = False
    for entered in post.entries:
        carrier = _carrier(reader, entered, released)
        if carrier is None or any(entered < later < carrier.released for later in post.entries):
            continue  # taken back and come back before it went out: the later coming counts
        if reader.at(entered)[0] == "none":
            _judge_newcomer(verdict, reader, post, carrier, entered, released, carriers, who)
            continue
        if post.id in carrier.held and reader.at(carrier.released)[0] == "paused" and times:
            verdict.faults.append(f"{who}: passed over in issue {carrier.id}, sent by {carriers}")
        if reader.at(entered)[0] != "active":
            excused |= _excuses(reader, post, entered, carrier)
            continue
        excuses = _excuses(reader, post, entered, carrier)
        if "withdrawn" in excuses:  # public again, a later issue may have passed him over
            for later in released[released.index(carrier) + 1 :]:
                if reader.at(later.released)[1] == later.frequency:
                    excuses |= _excuses(reader, post, entered, later)
            if reader.states[-1][1] != "active":
                excuses |= {"left", "paused"}
        if not excuses:
            verdict.owed += 1
            if carriers != [carrier.id]:
                verdict.faults.append(
                    f"{who}: owed by issue {carrier.id}, sent by {carriers}: {answers}"
                )
        elif times == 0:
            for excuse in excuses:
                verdict.excused[excuse] = verdict.excused.get(excuse, 0) + 1
            if any(issue.released > carrier.released for issue in released):
                excuses |= {"later"}
            if reader.suppressed is not None:
                excuses |= {"suppressed"}
            if any(when > entered and status == "paused" for when, status, _ in reader.states):
                # who left and came back may have paused when the next issue reached the post
                excuses |= {"paused"} if "left" in excuses else set()
            excused |= excuses
            was_owed = True
    allowed = set().union(*(_ALLOWED[one] for one in excused), {Reason.HIDDEN})
    if was_owed and times == 0 and not reasons & allowed:
        verdict.faults.append(f"{who}: excused by {excused}, explained as {answers}")


def _judge_newcomer(
    verdict: Verdict,
    reader: ReaderDiary,
    post: PostDiary,
    carrier: IssueDiary,
    entered: datetime,
    released: list[IssueDiary],
    carriers: list[int],
    who: str,
) -> None:
    """Somebody who joined after a post had come in gets the next issue whole, and nothing of those before it."""
    joined, _, frequency = reader.states[0]
    first = next(
        (one for one in released if one.cut >= entered and one.frequency == frequency), None
    )
    if first is None or (len(reader.states) > 1 and reader.states[1][0] <= first.released):
        return
    if joined > first.released:
        if first.id in carriers or (post.id in first.held and carriers):
            verdict.faults.append(f"{who}: joined after issue {first.id}, sent by {carriers}")
    elif not _excuses(reader, post, joined, first):
        verdict.owed += 1
        if carriers != [first.id]:
            verdict.faults.append(f"{who}: new, owed by issue {first.id}, sent by {carriers}")


def _carrier(
    reader: ReaderDiary, entered: datetime, released: list[IssueDiary]
) -> IssueDiary | None:
    """The first issue of the reader's frequency that was cut after the post came in."""
    for issue in released:
        if issue.cut >= entered and reader.at(issue.released)[1] == issue.frequency:
            return issue
    return None


def _excuses(
    reader: ReaderDiary, post: PostDiary, entered: datetime, issue: IssueDiary
) -> set[str]:
    """Why this issue may not have brought the post, by the diary."""
    until = issue.sent or issue.released
    excuses = {
        {"unsubscribed": "left", "paused": "paused"}[status]
        for status in reader.statuses(entered, until)
        if status != "active"
    }
    if issue.cancelled:
        excuses.add("cancelled")
    if reader.suppressed is not None and reader.suppressed <= issue.released:
        excuses.add("suppressed")
    if not post.is_public(issue.released):
        excuses.add("withdrawn")
    return excuses
