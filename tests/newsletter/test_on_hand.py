"""What a sender has on hand, and in which order it is named."""

from collections import deque

from newsletter.flusher import Answer, Followed
from newsletter.ledger import Batch, Delivery, Flushed, Standing
from newsletter.on_hand import Held, OnHand


def a_batch(issue: int, size: int, *, instant: bool = False) -> Held:
    batch = Batch(id=issue, issue=issue, first=1, last=size, attempt=1, is_instant=instant)
    pending = deque(
        Delivery(
            issue, number, number, number, 0, f"r{number}@example.net", "", None, "en", None, 0
        )
        for number in range(1, size + 1)
    )
    return Held(batch, 1e9, pending)


def test_issues_are_named_in_turn() -> None:
    hand = OnHand()
    hand.held = {1: a_batch(1, 3), 2: a_batch(2, 3)}
    request = hand.request(4, notices=False, lease=False, fresh=False)
    assert {work.batch.issue: len(work.wanted) for work in request.works} == {1: 2, 2: 2}


def test_an_instant_issue_is_named_before_all_others() -> None:
    hand = OnHand()
    hand.held = {1: a_batch(1, 5), 2: a_batch(2, 3, instant=True), 3: a_batch(3, 5)}
    request = hand.request(4, notices=False, lease=False, fresh=False)
    assert {work.batch.issue: len(work.wanted) for work in request.works} == {1: 1, 2: 3, 3: 0}


def test_a_batch_is_not_given_back_before_it_is_known_whom_it_is_for() -> None:
    hand, full = OnHand(), a_batch(1, 2)
    nothing = hand.request(4, notices=False, lease=True, fresh=False)
    list(hand.apply(nothing, Answer(leased=full.batch, lease_until=1e9)))
    assert (hand.is_loading, hand.can_settle) == (True, False)
    assert hand.request(4, notices=False, lease=False, fresh=False).settle == []
    hand.follow(Followed(leased=full.batch, deliveries=list(full.pending)))
    assert (hand.is_loading, hand.pending) == (False, 2)


def test_nothing_of_a_batch_whose_issue_stands_still_is_kept_for_the_wire() -> None:
    hand = OnHand()
    hand.held = {1: a_batch(1, 4), 2: a_batch(2, 4)}
    request = hand.request(4, notices=False, lease=False, fresh=False)
    flushed = {
        work.batch.id: Flushed(
            standing=Standing.HELD, named=frozenset(one.number for one in work.wanted)
        )
        for work in request.works
    }
    list(hand.apply(request, Answer(flushed=flushed, lease_until=1e9)))
    again = hand.request(0, notices=False, lease=False, fresh=False)
    flushed[1] = Flushed(standing=Standing.STOPPED)
    list(hand.apply(again, Answer(flushed=flushed, lease_until=1e9)))
    assert {job.held.batch.id for job in hand.reserve if job.held is not None} == {2}
    assert (hand.held[1].named, len(hand.held[1].pending)) == ({}, 0)
