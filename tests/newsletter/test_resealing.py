"""`newsletter/resealing.py`: a post withdrawn while its issue goes out reaches nobody more (DESIGN.md 8.4)."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import sqlalchemy as sa

from newsletter import leases
from newsletter.books import books, list_doubts, requeue_failed
from newsletter.compose import EditionPlan
from newsletter.facts import get_reader_facts
from newsletter.issues import Issue, get_issue, list_seals, list_subjects
from newsletter.ledger import Batch, Delivery, Flushed, Result, Standing, Work, flush
from newsletter.render import SealedIssue
from newsletter.resealing import Resealed, list_reseals, reseal_issue
from newsletter.retry import Verdict
from newsletter.sealed import Messages
from newsletter.spec import NewsletterSettings
from newsletter.subscriptions import Subscription
from newsletter.web_copies import list_web_copies
from posts.database import reading, writing
from tests.newsletter.newsroom import MINUTE, Newsroom, plain_seal

SENT = Verdict(state="sent", code=250, reply="2.0.0 queued", attempts=1)
REFUSED = Verdict(state="failed", reason="refused", code=550, reply="5.7.1 no", attempts=1)


@pytest.fixture
def room(engine: sa.Engine) -> Newsroom:
    """A newsroom with a daily."""
    made = Newsroom(engine)
    made.begin()
    return made


def four_readers(room: Newsroom) -> list[Subscription]:
    """By name."""
    return [room.reader(name) for name in ("ana", "ben", "carla", "dan")]


def reseal(room: Newsroom, issue: Issue, seal: object = plain_seal) -> Resealed | None:
    """What the delivery program does."""
    return reseal_issue(
        room.engine,
        room.newsletter,
        issue.id,
        seal=seal,  # type: ignore[arg-type]  # a test may give one that looks
        now=room.now,
    )


class Worker:
    """A process at the ledger, by hand."""

    def __init__(self, room: Newsroom) -> None:
        self.room = room
        self.batch: Batch | None = None
        self.rows: dict[int, Delivery] = {}

    def lease(self) -> bool:
        """Takes the next batch there is."""
        room = self.room
        with writing(room.engine) as conn:
            self.batch = leases.lease_batch(conn, "one", room.now, room.now + MINUTE)
        if self.batch is None:
            return False
        with reading(room.engine) as conn:
            rows = leases.list_deliveries(conn, self.batch, room.keys, room.now, "resend")
        self.rows = {row.number: row for row in rows}
        return True

    def flush(self, *wanted: int, keep: Sequence[int] = (), **results: Verdict) -> Standing:
        """Names `wanted`; results by `n1=verdict`."""
        return self.flushed(*wanted, keep=keep, **results).standing

    def flushed(self, *wanted: int, keep: Sequence[int] = (), **results: Verdict) -> Flushed:
        """All that the flush says."""
        assert self.batch is not None
        work = Work(
            batch=self.batch,
            keep=keep,
            wanted=[self.rows[number] for number in wanted],
            results=[
                Result(delivery=self.rows[int(name[1:])], verdict=found)
                for name, found in results.items()
            ],
        )
        with writing(self.room.engine) as conn:
            return flush(conn, work, self.room.now, self.room.now + MINUTE)

    def give_back(self) -> None:
        """All that was named has its result."""
        assert self.batch is not None
        with writing(self.room.engine) as conn:
            leases.settle_batch(conn, self.batch, self.room.now, "resend")

    def send_rest(self) -> list[Delivery]:
        """Leases and sends all that is left; gives what went out."""
        assert self.lease()
        gone = [self.rows[number] for number in sorted(self.flushed(*self.rows).named)]
        self.flush(**{f"n{row.number}": SENT for row in gone})
        self.give_back()
        return gone


def test_after_the_next_flush_nobody_gets_the_post_and_all_get_the_issue(room: Newsroom) -> None:
    room.post("bridge")
    room.post("rumour")
    readers = four_readers(room)
    issue = room.send().issue
    worker = Worker(room)
    worker.lease()
    worker.flush(1, 2)
    room.now += MINUTE
    room.withdraw("rumour")
    # what is on the wire has its final dot before or after; nothing more is named
    assert worker.flush(3, keep=[2], n1=SENT) is Standing.STOPPED
    assert worker.flush(keep=[], n2=SENT) is Standing.STOPPED
    worker.give_back()
    assert not worker.lease()

    made = reseal(room, issue)

    assert made is not None
    assert (made.editions, made.emptied, made.excluded) == (1, 0, 0)
    assert [row.edition for row in worker.send_rest()] == [2, 2]
    got = [room.got(reader) for reader in readers]
    assert got == [["rumour", "bridge"], ["rumour", "bridge"], ["bridge"], ["bridge"]]
    with reading(room.engine) as conn:
        found = books(conn, issue.id)
    assert found.balance
    assert found.sent == found.recipients == 4


def test_both_seals_and_the_line_between_them_stay_on_record(room: Newsroom) -> None:
    room.post("bridge")
    room.post("rumour")
    four_readers(room)
    issue = room.send().issue
    room.withdraw("rumour")
    reseal(room, issue)
    with reading(room.engine) as conn:
        after = get_issue(conn, issue.id)
        assert list_reseals(conn, issue.id) == [(issue.seal, 3, after.seal)]
        # what previews, the web and the next subject are told is the edition that stands
        assert [copy.posts for copy in list_web_copies(conn, issue.id)] == [(1,)]
        assert list_subjects(conn, issue.id) == {"en": "bridge"}
        assert len(list_seals(conn, issue.id)) == 1
    assert after.seal != issue.seal
    assert (after.subject, after.date) == ("bridge", issue.date)


def test_the_rest_of_the_issue_is_what_was_sealed_whatever_it_says_now(room: Newsroom) -> None:
    room.post("bridge", title="Two arrests")
    room.post("rumour")
    four_readers(room)
    issue = room.send().issue
    room.now += MINUTE
    room.post("bridge", title="Three arrests", source_text="other")
    room.withdraw("rumour")
    seen: list[str] = []

    def watched(
        newsletter: NewsletterSettings, issue: Issue, editions: Sequence[EditionPlan]
    ) -> SealedIssue:
        seen.extend(post.content.title for edition in editions for post in edition.posts)
        return plain_seal(newsletter, issue, editions)

    assert reseal(room, issue, watched) is not None
    assert seen == ["Two arrests"]


def test_an_edition_left_empty_excludes_its_readers_by_name(room: Newsroom) -> None:
    room.newsletter = room.newsletter.model_copy(update={"languages": "own"})
    room.post("bridge")
    room.post("rumor", language="es")
    ana, luz = room.reader("ana"), room.reader("luz", language="es")
    issue = room.send().issue
    room.withdraw("rumor")
    made = reseal(room, issue)
    assert made is not None
    assert (made.editions, made.emptied, made.excluded) == (0, 1, 1)
    with reading(room.engine) as conn:
        found = books(conn, issue.id)
        facts = get_reader_facts(conn, room.keys, luz, address="luz@example.org", language="es")
    assert found.balance
    assert (found.excluded, found.queued) == ({"withdrawn": 1}, 1)
    assert facts.deliveries[issue.id].reason == "withdrawn"
    assert [row.subscriber for row in Worker(room).send_rest()] == [ana.subscriber]
    with reading(room.engine) as conn:
        leases.finish_issues(conn, room.now)
        assert not books(conn, issue.id).is_open


def test_an_issue_of_which_nothing_is_left_ends(room: Newsroom) -> None:
    room.post("rumour")
    four_readers(room)
    issue = room.send().issue
    room.withdraw("rumour")
    assert reseal(room, issue) is not None
    worker = Worker(room)
    assert worker.lease()
    assert worker.rows == {}
    worker.give_back()
    with writing(room.engine) as conn:
        assert leases.finish_issues(conn, room.now) == [issue.id]
        assert books(conn, issue.id).excluded == {"withdrawn": 4}
        assert list_web_copies(conn, issue.id) == []


def test_a_post_restored_afterwards_changes_nothing(room: Newsroom) -> None:
    room.post("bridge")
    room.post("rumour")
    readers = four_readers(room)
    issue = room.send().issue
    room.withdraw("rumour")
    room.restore("rumour")
    assert reseal(room, issue) is not None  # the withdrawal stands between
    assert reseal(room, issue) is None
    room.withdraw("bridge")
    room.restore("bridge")
    assert reseal(room, issue) is not None
    with reading(room.engine) as conn:
        assert books(conn, issue.id).excluded == {"withdrawn": 4}
    # and it is owed to nobody again: this issue has held it (DESIGN.md 3)
    room.post("later")
    room.now += MINUTE
    room.send()
    assert {tuple(room.got(reader)) for reader in readers} == {("later",)}


def test_while_somebody_holds_a_batch_nothing_is_sealed_anew(room: Newsroom) -> None:
    room.post("bridge")
    room.post("rumour")
    four_readers(room)
    issue = room.send().issue
    worker = Worker(room)
    worker.lease()
    worker.flush(1)
    room.withdraw("rumour")
    assert reseal(room, issue) is None
    worker.flush(n1=SENT)
    worker.give_back()
    assert reseal(room, issue) is not None


def test_what_comes_between_two_readings_seals_once(room: Newsroom) -> None:
    room.post("bridge")
    room.post("rumour")
    four_readers(room)
    issue = room.send().issue
    room.withdraw("rumour")

    def slow(
        newsletter: NewsletterSettings, issue: Issue, editions: Sequence[EditionPlan]
    ) -> SealedIssue:
        assert reseal(room, issue) is not None  # another process was quicker
        return plain_seal(newsletter, issue, editions)

    assert reseal(room, issue, slow) is None
    with reading(room.engine) as conn:
        assert len(list_reseals(conn, issue.id)) == 1
        assert len(list_seals(conn, issue.id)) == 1


def test_a_repeat_out_of_doubt_is_of_the_new_edition_and_a_late_answer_of_the_old(
    room: Newsroom,
) -> None:
    room.post("bridge")
    room.post("rumour")
    ana, ben, *_ = four_readers(room)
    issue = room.send().issue
    stalled = Worker(room)
    stalled.lease()
    stalled.flush(1, 2)
    room.withdraw("rumour")
    room.now += 5 * MINUTE
    with writing(room.engine) as conn:
        leases.recover(conn, room.now)
    assert reseal(room, issue) is not None
    assert room.got(ana) == ["rumour", "bridge"]  # in doubt: he may have what went out
    stalled.flush(n1=SENT)
    Worker(room).send_rest()
    assert room.got(ana) == ["rumour", "bridge"]
    assert room.got(ben) == ["bridge"]


def test_one_in_doubt_whose_edition_is_empty_now_is_not_sent_to_again(room: Newsroom) -> None:
    room.post("rumour")
    four_readers(room)
    issue = room.send().issue
    worker = Worker(room)
    worker.lease()
    worker.flush(1)
    room.withdraw("rumour")
    room.now += 5 * MINUTE
    with writing(room.engine) as conn:
        leases.recover(conn, room.now)
    reseal(room, issue)
    assert Worker(room).send_rest() == []
    with reading(room.engine) as conn:
        assert books(conn, issue.id).excluded == {"withdrawn": 4}
        assert [doubt.settled for doubt in list_doubts(conn, issue.id)] == [
            "not sent again: withdrawn"
        ]


def test_failed_ones_offered_again_get_the_edition_that_stands(room: Newsroom) -> None:
    room.post("bridge")
    room.post("rumour")
    ana, *_ = four_readers(room)
    issue = room.send().issue
    worker = Worker(room)
    worker.lease()
    worker.flush(1)
    worker.flush(n1=REFUSED)
    worker.give_back()
    room.withdraw("rumour")
    reseal(room, issue)
    assert room.got(ana) == ["rumour", "bridge"]
    with writing(room.engine) as conn:
        requeue_failed(conn, issue.id, room.now)
    assert room.got(ana) == ["bridge"]


def test_the_bytes_of_a_new_edition_are_those_of_its_own_parts(room: Newsroom) -> None:
    room.post("bridge")
    room.post("rumour")
    four_readers(room)

    def seal(
        newsletter: NewsletterSettings, issue: Issue, editions: Sequence[EditionPlan]
    ) -> SealedIssue:
        from newsletter.segments import items_hash

        made = plain_seal(newsletter, issue, editions)
        body = " ".join(post.content.title for post in editions[0].posts).encode()
        items = (b"To: ", "to", b"\r\n\r\n" + body + b"\r\n")
        edition = replace(made.editions[0], program=(0, "to", 1), seal=items_hash(items))
        return replace(made, parts=(items[0], items[2]), editions=(edition,))

    room.seal = seal
    issue = room.send().issue
    room.withdraw("rumour")
    reseal(room, issue, seal)
    worker = Worker(room)
    worker.lease()
    messages = Messages(
        keys=room.keys,
        web_url="https://press.example",
        from_domain="press.example",
        zone=room.site.zone,
    )
    with reading(room.engine) as conn:
        messages.load(conn, issue.id, {row.edition for row in worker.rows.values()})
    assert messages.build(worker.rows[1])[0].endswith(b"\r\n\r\nbridge\r\n")
