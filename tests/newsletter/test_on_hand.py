"""What a sender has on hand, and in which order it is named."""

from collections import deque

from newsletter.ledger import Batch, Delivery
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
