"""`newsletter/ledger.py` and `leases.py`: the flush, its fence, takeover, and books that balance in between."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from newsletter import leases
from newsletter.books import books, list_doubts
from newsletter.ledger import Batch, Delivery, Flushed, InDoubt, Result, Standing, Work, flush
from newsletter.retry import Verdict
from newsletter.suppression import is_suppressed, suppress
from newsletter.tables import deliveries, editions, issue_posts, issues
from posts.database import reading, writing
from tests.newsletter.ledger_builders import (
    KEYS,
    MINUTE,
    NOW,
    a_released_issue,
    erase,
    issue_status,
    leave,
    on_wire,
    row,
    set_status,
    states,
)
from tests.newsletter.newsroom import Newsroom

SENT = Verdict(state="sent", code=250, reply="2.0.0 queued", attempts=1)
LATER = NOW + 10 * MINUTE


class Worker:
    """One process at the ledger, by hand."""

    def __init__(self, engine: sa.Engine, name: str = "one", in_doubt: InDoubt = "resend") -> None:
        self.engine = engine
        self.name = name
        self.in_doubt: InDoubt = in_doubt
        self.batch: Batch | None = None
        self.rows: list[Delivery] = []

    def lease(self, now: datetime = NOW, **wishes: object) -> bool:
        """Takes the next batch."""
        with writing(self.engine) as conn:
            self.batch = leases.lease_batch(conn, self.name, now, now + MINUTE, **wishes)  # type: ignore[arg-type]
        if self.batch is None:
            return False
        with reading(self.engine) as conn:
            self.rows = leases.list_deliveries(conn, self.batch, KEYS, now, self.in_doubt)
        return True

    def flush(
        self,
        wanted: Sequence[int] = (),
        keep: Sequence[int] = (),
        results: Mapping[int, Verdict] | None = None,
        now: datetime = NOW,
    ) -> Flushed:
        """One flush, by numbers."""
        assert self.batch is not None
        named = {delivery.number: delivery for delivery in self.rows}
        work = Work(
            batch=self.batch,
            keep=keep,
            wanted=[named[number] for number in wanted],
            results=[Result(delivery=named[n], verdict=v) for n, v in (results or {}).items()],
        )
        with writing(self.engine) as conn:
            return flush(conn, work, now, now + MINUTE)

    def settle(self, now: datetime = NOW) -> bool:
        """Gives the batch back."""
        assert self.batch is not None
        with writing(self.engine) as conn:
            return leases.settle_batch(conn, self.batch, now, self.in_doubt)


def take_over(engine: sa.Engine, now: datetime = LATER, *, everyone: bool = False) -> int:
    """Lapsed leases are taken from their owners."""
    with writing(engine) as conn:
        return leases.recover(conn, now, everyone=everyone)


@pytest.fixture
def issue(engine: sa.Engine) -> Iterator[int]:
    """Six readers in one batch; whatever a test does, the books balance at its end."""
    made = a_released_issue(engine, 6)
    yield made
    with reading(engine) as conn:
        assert books(conn, made).balance


def test_a_flush_names_what_goes_out_before_it_does(engine: sa.Engine, issue: int) -> None:
    worker = Worker(engine)
    worker.lease()
    assert worker.flush([1, 2, 3]).named == {1, 2, 3}
    assert on_wire(engine, issue) == [1, 2, 3]


def test_a_result_leaves_the_named_in_the_transaction_that_writes_it(
    engine: sa.Engine, issue: int
) -> None:
    worker = Worker(engine)
    worker.lease()
    worker.flush([1, 2])
    worker.flush([3], keep=[2], results={1: SENT})
    assert on_wire(engine, issue) == [2, 3]
    assert states(engine, issue)[1] == "sent"
    assert row(engine, issue, 1).reply == "2.0.0 queued"


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        pytest.param("leave", "unsubscribed", id="who has left"),
        pytest.param("pause", "paused", id="who has paused"),
        pytest.param("suppress", "suppressed", id="who is suppressed"),
        pytest.param("erase", "erased", id="who was erased"),
    ],
)
def test_who_may_not_be_mailed_any_more_is_excluded_by_the_flush_that_would_name_him(
    engine: sa.Engine, issue: int, act: str, reason: str
) -> None:
    worker = Worker(engine)
    worker.lease()
    if act == "suppress":
        with writing(engine) as conn:
            suppress(conn, KEYS, "Reader2@example.net", "by hand", "", NOW)
    elif act == "erase":
        erase(engine, 2)
    else:
        leave(engine, 2, "paused" if act == "pause" else "unsubscribed")
    flushed = worker.flush([1, 2, 3])
    assert flushed.named == {1, 3}
    assert flushed.excluded == {2: reason}
    assert (row(engine, issue, 2).state, row(engine, issue, 2).reason) == ("excluded", reason)


@pytest.mark.parametrize(
    ("is_settled", "said", "stored"),
    [
        pytest.param(False, "withdrawn", ("excluded", "withdrawn"), id="an edition left empty"),
        pytest.param(True, "settled", ("sent", "resolved by hand"), id="one settled by hand"),
    ],
)
def test_what_became_of_a_delivery_since_it_was_leased_is_seen_by_the_flush(
    engine: sa.Engine, issue: int, is_settled: bool, said: str, stored: tuple[str, str]
) -> None:
    worker = Worker(engine)
    worker.lease()
    with writing(engine) as conn:
        conn.execute(editions.update().values(replaced_by=0))
        if is_settled:
            conn.execute(
                deliveries.update()
                .where(deliveries.c.number == 2)
                .values(state="sent", reason="resolved by hand")
            )
    assert worker.flush([2]) == Flushed(standing=Standing.HELD, excluded={2: said})
    assert (row(engine, issue, 2).state, row(engine, issue, 2).reason) == stored


def test_design_8_8_no_reply_is_kept_of_a_reader_erased_while_it_was_on_its_way(
    engine: sa.Engine, issue: int
) -> None:
    worker = Worker(engine)
    worker.lease()
    worker.flush([1, 2])
    erase(engine, 1)
    told = SENT._replace(reply="2.0.0 queued for a reader")
    worker.flush(results={1: told, 2: told})
    assert (row(engine, issue, 1).state, row(engine, issue, 1).reply) == ("sent", None)
    assert row(engine, issue, 2).reply == "2.0.0 queued for a reader"


def test_an_erased_reader_is_excluded_when_the_batch_is_leased_after_it(
    engine: sa.Engine, issue: int
) -> None:
    erase(engine, 2)
    worker = Worker(engine)
    worker.lease()
    assert worker.flush([1, 2]).excluded == {2: "erased"}


@pytest.mark.parametrize("status", ["paused", "cancelled"])
def test_a_paused_or_cancelled_issue_is_not_named_and_its_results_are_written(
    engine: sa.Engine, issue: int, status: str
) -> None:
    worker = Worker(engine)
    worker.lease()
    worker.flush([1, 2])
    set_status(engine, issue, status)
    flushed = worker.flush([3], keep=[2], results={1: SENT})
    assert flushed.standing is Standing.STOPPED
    assert flushed.named == frozenset()
    assert states(engine, issue)[1] == "sent"
    assert on_wire(engine, issue) == [2]


def test_a_post_withdrawn_after_the_seal_stops_the_issue(engine: sa.Engine, issue: int) -> None:
    worker = Worker(engine)
    worker.lease()
    newsroom = Newsroom(engine)
    post = newsroom.post("juarez")
    with writing(engine) as conn:
        conn.execute(issue_posts.insert().values(issue=issue, place=1, post=post, revision=1))
    assert worker.flush([1]).standing is Standing.HELD
    newsroom.withdraw("juarez")
    assert worker.flush([2], keep=[1]).standing is Standing.STOPPED
    worker.flush(results={1: SENT})
    worker.settle()
    assert not Worker(engine, "two").lease()
    with reading(engine) as conn:
        assert leases.list_withdrawn(conn) == [issue]


def test_takeover_puts_exactly_the_named_without_a_result_in_doubt(
    engine: sa.Engine, issue: int
) -> None:
    worker = Worker(engine)
    worker.lease()
    worker.flush([1, 2, 3])
    worker.flush([4], keep=[2, 3], results={1: SENT})
    assert take_over(engine) == 1
    assert states(engine, issue) == {
        1: "sent", 2: "in doubt", 3: "in doubt", 4: "in doubt", 5: None, 6: None,
    }  # fmt: skip
    with reading(engine) as conn:
        assert [doubt.number for doubt in list_doubts(conn, issue)] == [2, 3, 4]


def test_a_lease_that_has_not_lapsed_is_not_taken_over_unless_its_owner_is_known_to_be_dead(
    engine: sa.Engine, issue: int
) -> None:
    Worker(engine).lease()
    assert take_over(engine, NOW) == 0
    assert take_over(engine, NOW, everyone=True) == 1


def test_a_former_owner_names_nothing_more(engine: sa.Engine, issue: int) -> None:
    former = Worker(engine)
    former.lease()
    former.flush([1])
    take_over(engine)
    assert former.flush([2], keep=[1]).standing is Standing.LOST
    assert on_wire(engine, issue) == []


def test_a_former_owner_gives_nothing_back(engine: sa.Engine, issue: int) -> None:
    one, two = Worker(engine), Worker(engine, "two")
    one.lease()
    take_over(engine)
    two.lease(LATER)
    assert not one.settle(LATER)
    assert two.flush([1], now=LATER).named == {1}
    assert not Worker(engine, "three").lease(LATER)


def test_a_late_result_counts_until_the_new_owner_has_named_that_delivery(
    engine: sa.Engine, issue: int
) -> None:
    former = Worker(engine)
    former.lease()
    former.flush([1, 2])
    take_over(engine)
    new = Worker(engine, "two")
    new.lease(LATER)
    new.flush([1], now=LATER)
    former.flush(results={1: SENT, 2: SENT}, now=LATER)
    assert states(engine, issue)[1] == "in doubt"  # the new owner is at it
    assert states(engine, issue)[2] == "sent"
    assert new.flush([2], keep=[1], now=LATER).excluded == {2: "settled"}
    with reading(engine) as conn:
        settled = {doubt.number: doubt.settled for doubt in list_doubts(conn, issue)}
    assert settled == {1: None, 2: "answered late, sent"}


def test_a_verdict_that_is_final_is_not_written_over(engine: sa.Engine, issue: int) -> None:
    worker = Worker(engine)
    worker.lease()
    worker.flush([1])
    worker.flush(results={1: SENT})
    worker.flush(results={1: Verdict(state="failed", code=550)})
    assert states(engine, issue)[1] == "sent"


@pytest.mark.parametrize(("in_doubt", "again"), [("resend", True), ("hold", False)])
def test_the_setting_decides_whether_doubt_is_sent_again(
    engine: sa.Engine, issue: int, in_doubt: InDoubt, again: bool
) -> None:
    first = Worker(engine)
    first.lease()
    first.flush([1])
    take_over(engine)
    second = Worker(engine, "two", in_doubt)
    second.lease(LATER)
    assert (1 in {delivery.number for delivery in second.rows}) is again


def test_what_a_person_is_to_settle_is_never_sent_again_by_itself(
    engine: sa.Engine, issue: int
) -> None:
    worker = Worker(engine)
    worker.lease()
    worker.flush([1])
    worker.flush(results={1: Verdict(state="in doubt", reason="held")})
    worker.settle()
    worker.lease(LATER)
    assert 1 not in {delivery.number for delivery in worker.rows}


def test_a_deferred_delivery_comes_back_when_its_time_has_come(
    engine: sa.Engine, issue: int
) -> None:
    worker = Worker(engine)
    worker.lease()
    worker.flush([1, 2])
    soon = Verdict(state="deferred", attempts=1, first_refused=NOW, not_before=NOW + 5 * MINUTE)
    everyone_else = dict.fromkeys(range(3, 7), SENT)
    worker.flush([3, 4, 5, 6], results={1: SENT, 2: soon})
    worker.flush(results=everyone_else)
    worker.settle()
    assert not worker.lease(NOW + 4 * MINUTE)
    assert worker.lease(NOW + 6 * MINUTE)
    assert [delivery.number for delivery in worker.rows] == [2]
    assert worker.rows[0].attempts == 1
    assert worker.rows[0].first_refused == NOW


def test_a_retry_that_a_wrong_clock_put_a_year_ahead_is_due(engine: sa.Engine, issue: int) -> None:
    worker, year = Worker(engine), timedelta(days=365)
    worker.lease()
    worker.flush([1])
    never = Verdict(state="deferred", attempts=1, first_refused=NOW, not_before=NOW + year)
    worker.rows = worker.rows[:1]
    worker.flush(results={1: never})
    with writing(engine) as conn:
        conn.execute(deliveries.update().where(deliveries.c.number > 1).values(state="sent"))
    worker.settle()
    with reading(engine) as conn:
        assert leases.find_waiting(conn, NOW, "resend").due
    assert worker.lease(NOW)
    assert [delivery.number for delivery in worker.rows] == [1]


def test_a_lease_that_a_wrong_clock_made_is_taken_over_when_the_clock_is_right_again(
    engine: sa.Engine, issue: int
) -> None:
    worker = Worker(engine)
    worker.lease(NOW + timedelta(days=365))
    assert take_over(engine, NOW) == 1
    assert worker.lease(NOW)


def test_an_issue_is_done_only_when_its_books_say_so(engine: sa.Engine, issue: int) -> None:
    worker = Worker(engine)
    worker.lease()
    worker.flush([1, 2, 3, 4, 5])
    worker.flush([6], results=dict.fromkeys(range(1, 6), SENT))
    with writing(engine) as conn:
        assert leases.finish_issues(conn, NOW) == []
    worker.flush(results={6: SENT})
    worker.settle()
    with writing(engine) as conn:
        assert leases.finish_issues(conn, NOW) == [issue]
    assert issue_status(engine, issue) == "done"


def test_an_issue_with_somebody_in_doubt_is_not_done(engine: sa.Engine, issue: int) -> None:
    worker = Worker(engine, in_doubt="hold")
    worker.lease()
    worker.flush([1, 2, 3, 4, 5, 6])
    worker.flush(results=dict.fromkeys(range(1, 6), SENT) | {6: Verdict(state="in doubt")})
    worker.settle()
    assert not worker.lease(LATER)
    with writing(engine) as conn:
        assert leases.finish_issues(conn, NOW) == []


def test_an_address_that_the_relay_calls_dead_is_suppressed_at_once(
    engine: sa.Engine, issue: int
) -> None:
    worker = Worker(engine)
    worker.lease()
    worker.flush([1])
    dead = Verdict(state="failed", code=550, enhanced="5.1.1", reply="5.1.1 unknown", dead=True)
    worker.flush(results={1: dead})
    with reading(engine) as conn:
        assert is_suppressed(conn, KEYS, "READER1@example.net")
        assert not is_suppressed(conn, KEYS, "reader2@example.net")


def test_batches_are_leased_round_robin_over_issues(engine: sa.Engine) -> None:
    large = a_released_issue(engine, 4, batch=1, newsletter="large")
    small = a_released_issue(engine, 2, batch=1, newsletter="small")
    leased = []
    last = 0
    for name in "abcd":
        worker = Worker(engine, name)
        worker.lease(after=last)
        assert worker.batch is not None
        last = worker.batch.issue
        leased.append(last)
    assert leased == [large, small, large, small]


def test_an_instant_issue_is_leased_before_all_others(engine: sa.Engine) -> None:
    weekly = a_released_issue(engine, 4, batch=1, newsletter="weekly")
    instant = a_released_issue(engine, 2, batch=1, newsletter="instant")
    with writing(engine) as conn:
        conn.execute(sa.update(issues).where(issues.c.id == instant).values(frequency="instant"))

    def lease(**how: Any) -> tuple[int, bool] | None:
        with writing(engine) as conn:
            batch = leases.lease_batch(conn, "me", NOW, NOW + MINUTE, **how)
            return batch and (batch.issue, batch.is_instant)

    assert lease(after=weekly) == (instant, True)
    assert lease(after=instant, instant=True) == (instant, True)
    assert lease(instant=True) is None
    assert lease() == (weekly, False)


def test_two_workers_never_hold_the_same_batch(engine: sa.Engine) -> None:
    a_released_issue(engine, 2, batch=1)
    one, two, three = Worker(engine, "one"), Worker(engine, "two"), Worker(engine, "three")
    assert one.lease()
    assert two.lease()
    assert one.batch is not None
    assert two.batch is not None
    assert one.batch.id != two.batch.id
    assert not three.lease()


def test_what_there_is_to_do_is_seen_without_writing(engine: sa.Engine, issue: int) -> None:
    def look(now: datetime = NOW) -> leases.Waiting:
        with reading(engine) as conn:
            return leases.find_waiting(conn, now, "resend")

    assert look() == leases.Waiting(due=True, lapsed=False, open=1, even=False)
    Worker(engine).lease()
    assert look() == leases.Waiting(due=False, lapsed=False, open=1, even=False)
    assert look(NOW + timedelta(minutes=2)).lapsed


def test_a_row_that_was_named_for_the_second_time_has_the_same_place_in_the_books(
    engine: sa.Engine, issue: int
) -> None:
    worker = Worker(engine)
    worker.lease()
    worker.flush([1])
    deferred = Verdict(state="deferred", attempts=1, first_refused=NOW, not_before=NOW)
    worker.flush([2], results={1: deferred})
    worker.flush([1], keep=[2])
    with reading(engine) as conn:
        found = books(conn, issue)
    assert (found.deferred, found.leased, found.recipients) == (1, 5, 6)
    take_over(engine)
    with reading(engine) as conn:
        assert books(conn, issue).in_doubt == 2
        count = conn.execute(
            sa.select(sa.func.count()).where(deliveries.c.state == "deferred")
        ).scalar_one()
    assert count == 0
