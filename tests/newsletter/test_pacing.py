"""`newsletter/pacing.py`: a set rate is kept, a slower one is found when the relay asks for it."""

from datetime import UTC, datetime, timedelta

import pytest

from newsletter.pacing import Pacer, parse_limit


def sent_in(pacer: Pacer, start: float, seconds: float, *, accepted: bool = True) -> int:
    """How many go in so many seconds, asking every millisecond."""
    sent = 0
    for step in range(int(seconds * 1000)):
        now = start + step / 1000
        while pacer.wait(now) == 0.0:
            pacer.take(now)
            if accepted:
                pacer.accepted(now)
            sent += 1
            if pacer.rate_per_s is None:
                break
    return sent


def test_without_a_rate_nobody_waits() -> None:
    pacer = Pacer(None, 0.0)
    assert pacer.rate_per_s is None
    assert pacer.wait(0.0) == 0.0


@pytest.mark.parametrize("rate", [0.5, 2.0, 10.0, 200.0])
def test_a_set_rate_is_kept_and_reached(rate: float) -> None:
    sent = sent_in(Pacer(rate, 0.0), 0.0, 60.0)
    assert 60 * rate * 0.98 - 1 <= sent <= 60 * rate + max(1.0, rate / 10) + 1


def test_a_burst_is_a_tenth_of_a_second_and_no_more() -> None:
    pacer = Pacer(100.0, 0.0)
    now, burst = 3600.0, 0
    while pacer.wait(now) == 0.0:
        pacer.take(now)
        burst += 1
    assert burst == 10


def test_a_relay_that_complains_gets_half() -> None:
    pacer = Pacer(100.0, 0.0)
    sent_in(pacer, 0.0, 10.0)
    pacer.slow_down(10.0)
    assert pacer.rate_per_s == pytest.approx(50.0, rel=0.15)
    assert pacer.is_slowed


def test_several_complaints_at_once_count_as_one() -> None:
    pacer = Pacer(100.0, 0.0)
    sent_in(pacer, 0.0, 10.0)
    for late in (10.0, 10.1, 10.9):
        pacer.slow_down(late)
    assert pacer.rate_per_s == pytest.approx(50.0, rel=0.15)


def test_without_a_rate_a_complaint_halves_what_was_seen() -> None:
    pacer = Pacer(None, 0.0)
    for step in range(10_000):
        pacer.take(step / 1000)
    pacer.slow_down(10.0)
    assert pacer.rate_per_s == pytest.approx(500.0, rel=0.1)


def test_a_relay_of_two_a_second_is_found_within_a_minute() -> None:
    pacer, window = Pacer(50.0, 0.0), list[float]()
    for step in range(60_000):
        now = step / 1000
        if pacer.wait(now) > 0:
            continue
        pacer.take(now)
        window = [at for at in window if now - at < 1.0]
        if len(window) >= 2:
            pacer.slow_down(now)
        else:
            window.append(now)
            pacer.accepted(now)
    assert pacer.rate_per_s is not None
    assert 0.5 <= pacer.rate_per_s <= 4.0


def test_it_creeps_up_to_the_set_rate_again_and_not_beyond() -> None:
    pacer = Pacer(10.0, 0.0)
    sent_in(pacer, 0.0, 10.0)
    pacer.slow_down(10.0)
    slowed = pacer.rate_per_s
    assert slowed is not None
    sent_in(pacer, 10.0, 6.0)
    crept = pacer.rate_per_s
    assert crept is not None
    assert slowed < crept < 10.0
    sent_in(pacer, 16.0, 120.0)
    assert not pacer.is_slowed


def test_it_never_stands_still() -> None:
    pacer = Pacer(1.0, 0.0)
    for hour in range(50):
        pacer.slow_down(hour * 3600.0)
    assert pacer.rate_per_s is not None
    assert pacer.rate_per_s >= 1 / 60
    assert pacer.wait(51 * 3600.0) == 0.0


HOUR_LIMIT = parse_limit("10 in 1h")


@pytest.mark.parametrize(
    ("since_slot_s", "free"),
    [
        pytest.param(3600, 0, id="what was named at the end of its slot is not an hour old"),
        pytest.param(3660, 0, id="what was named then may have left a slot later"),
        pytest.param(3719, 0, id="one second before that is an hour ago"),
        pytest.param(3720, 10, id="all of it is more than an hour ago"),
    ],
)
def test_a_limit_is_kept_whenever_in_its_slot_a_message_was_named_and_left(
    since_slot_s: int, free: int
) -> None:
    slot = HOUR_LIMIT.slot_of(datetime(2026, 9, 15, 18, 0, 59, tzinfo=UTC))
    counted, now = [(slot, 10)], slot + timedelta(seconds=since_slot_s)
    assert HOUR_LIMIT.free(counted, now) == free
    assert HOUR_LIMIT.opens(counted, now) == max(now, slot + timedelta(seconds=3720))
