"""`newsletter/on_hand.py` under gates: nobody is lost between the places, no slow provider holds up the others."""

from __future__ import annotations

from collections import Counter, deque
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from newsletter.flusher import Answer, Request
from newsletter.gates import Gate, Gates, provider_key
from newsletter.ledger import Batch, Delivery, Flushed, Standing
from newsletter.on_hand import LONG_WAIT_S, Held, OnHand
from newsletter.pacing import Bounds

WALL = datetime(2026, 9, 15, 18, 0, tzinfo=UTC)
SLOW, QUICK = "slow.example", "quick.example"


def a_delivery(number: int, domain: str) -> Delivery:
    """To a reader of a domain."""
    address = f"reader{number}@{domain}"
    return Delivery(1, number, number, number, 0, address, "", None, "en", None, 0)


def in_hand(gates: Gates | None, *batches: list[str]) -> OnHand:
    """Batches of an issue each, whose readers are at these domains."""
    hand, number = OnHand(gates), 0
    for id_, domains in enumerate(batches, 1):
        pending: deque[Delivery] = deque()
        for domain in domains:
            number += 1
            pending.append(a_delivery(number, domain))
        batch = Batch(id=id_, issue=id_, first=1, last=number, attempt=1)
        hand.held[id_] = Held(batch, 1000.0, pending)
    return hand


def slowed(**bounds: object) -> Gates:
    """Gates with bounds for the slow provider."""
    key = provider_key(SLOW)
    gate = Gate(key, Bounds(**bounds), 0.0)  # type: ignore[arg-type]  # a test names its fields
    return Gates(groups={SLOW: key}, providers=[gate])


def ask(hand: OnHand, gates: Gates, room: int, now: float) -> tuple[Request, bool]:
    """A turn's request, and whether it came short."""
    naming = gates.naming(now, [job.address for job in hand.reserve])
    request = hand.request(room, notices=False, lease=False, fresh=False, naming=naming)
    return request, naming.came_short


def wanted(request: Request) -> list[str]:
    """The domains of those to be named."""
    return [d.address.rpartition("@")[2] for work in request.works for d in work.wanted]


def test_those_of_a_slow_provider_wait_and_the_others_are_named() -> None:
    gates = slowed(rate_per_s=1.0)
    hand = in_hand(gates, [SLOW] * 10 + [QUICK] * 10)
    request, came_short = ask(hand, gates, 8, 10.0)
    assert Counter(wanted(request)) == {SLOW: 2, QUICK: 6}
    assert not came_short
    assert len(hand.held[1].pending) == 12
    request, came_short = ask(hand, gates, 8, 10.0)
    assert Counter(wanted(request)) == {QUICK: 4}
    assert came_short


@given(
    batches=st.lists(
        st.lists(st.sampled_from([SLOW, QUICK, "x.example"]), max_size=12), max_size=4
    ),
    rooms=st.lists(st.integers(0, 9), max_size=6),
    fails=st.booleans(),
    refused=st.integers(0, 3),
)
def test_every_delivery_is_in_one_place(
    batches: list[list[str]], rooms: list[int], fails: bool, refused: int
) -> None:
    gates = slowed(rate_per_s=2.0, at_once=2)
    hand = in_hand(gates, *batches)
    everybody = sorted(d.number for held in hand.held.values() for d in held.pending)
    for turn, room in enumerate(rooms):
        request, _ = ask(hand, gates, room, float(turn))
        assert len(wanted(request)) <= room
        if fails and turn % 2:
            hand.restore(request)
        else:
            named = {
                work.batch.id: frozenset(d.number for d in list(work.wanted)[refused:])
                for work in request.works
            }
            flushed = {
                number: Flushed(standing=Standing.HELD, named=numbers)
                for number, numbers in named.items()
            }
            assert list(hand.apply(request, Answer(flushed=flushed, lease_until=99.0))) == []
        places = [
            number
            for held in hand.held.values()
            for number in [*held.named, *(d.number for d in held.pending)]
        ]
        assert sorted(places) == everybody
        assert {job.delivery.number for job in hand.reserve if job.delivery} == {
            number for held in hand.held.values() for number in held.named
        }


def test_batches_that_wait_are_put_back_where_places_are_needed_or_after_long() -> None:
    gates = slowed(rate_per_s=1.0)
    hand = in_hand(gates, [SLOW] * 30, [SLOW] * 30, [SLOW] * 30)
    gates.providers[provider_key(SLOW)].pacer.take(0.0)
    naming = gates.naming(0.5)
    hand.park(naming, WALL, crowded=False)
    assert hand.pending == 90
    hand.park(naming, WALL, crowded=True)
    assert [len(held.pending) for held in hand.held.values()] == [30, 0, 0]
    due = [held.not_before for held in hand.held.values()]
    assert due == [None, WALL + timedelta(seconds=30), WALL + timedelta(seconds=60)]
    assert hand.can_settle
    late = gates.naming(LONG_WAIT_S)
    hand.park(late, WALL, crowded=False)
    assert hand.pending == 0


def test_what_was_named_for_a_relay_that_is_set_aside_is_named_anew() -> None:
    hand = in_hand(None, [QUICK] * 4)
    naming = Gates().naming(0.0)
    for lane in ("relay one", "relay two"):
        request = hand.request(2, notices=False, lease=False, fresh=False, naming=naming)
        numbers = frozenset(d.number for work in request.works for d in work.wanted)
        answer = Answer(flushed={1: Flushed(standing=Standing.HELD, named=numbers)})
        object.__setattr__(request, "lane", lane)
        list(hand.apply(request, answer))
    assert hand.withdraw_reserve(["relay one"])
    assert [job.lane for job in hand.reserve] == ["relay two", "relay two"]
    assert [d.number for d in hand.held[1].pending] == [1, 2]
    assert not hand.withdraw_reserve(["relay one"])
