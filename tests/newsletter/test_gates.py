"""`newsletter/gates.py`: who may be named now, which relay for, and what answers say of the pace."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from newsletter.gates import MOST_THROTTLED, Gate, Gates, Room, provider_key, relay_key
from newsletter.pacing import Bounds, Found, Window
from newsletter.transport.base import Kind, Outcome

WALL = datetime(2026, 9, 15, 18, 0, tzinfo=UTC)
TAKEN = Outcome(kind=Kind.ACCEPTED, code=250)
SLOW = Outcome(kind=Kind.WEATHER, code=450, slow_down=True)
SLOW_RELAY = Outcome(kind=Kind.WEATHER, code=421, slow_down=True, of_relay=True)
GMAIL = provider_key("gmail.com")
LIMIT = Window(50, 3600)


def a_relay(host: str = "one.example", **bounds: object) -> Gate:
    """A relay's gate."""
    return Gate(relay_key(host, 587), Bounds(**bounds), 0.0)  # type: ignore[arg-type]  # a test names its fields


def gates(*relays: Gate, **gmail: object) -> Gates:
    """Gates of these relays (or one without bounds), and bounds for gmail where there are any."""
    listed = [Gate(GMAIL, Bounds(**gmail), 0.0)] if gmail else []  # type: ignore[arg-type]  # as above
    groups = {"gmail.com": GMAIL, "googlemail.com": GMAIL} if gmail else {}
    return Gates(relays or (a_relay(),), groups=groups, providers=listed)


def allowed(made: Gates, now: float, *addresses: str, waiting: tuple[str, ...] = ()) -> list[str]:
    """Who of these may be named, asked in turn."""
    naming = made.naming(now, waiting)
    return [address for address in addresses if naming.may(address)]


def a_room(key: str, free: int, opens_in_s: float = 0.0) -> dict[str, Room]:
    """What the database says of a limit."""
    from newsletter.gates import Ask

    opens = WALL + timedelta(seconds=opens_in_s) if free <= 0 else None
    return {key: Room(ask=Ask(key=key), granted=0, free=free, opens=opens)}


def test_with_nothing_bounded_they_are_open_and_ask_nothing() -> None:
    made = gates()
    assert made.is_open
    assert not made.wants_sync
    assert made.plan(made.naming(0.0), 100, 0.0, WALL) is None


def test_a_message_costs_less_than_a_microsecond_where_nothing_is_bounded() -> None:
    made, rounds = gates(), 100_000
    began = time.process_time()
    for _ in range(rounds):
        if not made.is_open:
            made.started("ana@example.net")
    assert (time.process_time() - began) / rounds < 1e-6


def test_a_providers_connections_bound_who_is_named_and_who_starts() -> None:
    made = gates(at_once=2)
    readers = [f"r{n}@gmail.com" for n in range(9)]
    others = [f"r{n}@example.net" for n in range(9)]
    assert allowed(made, 0.0, *readers, *others) == [*readers[:4], *others]
    assert allowed(made, 0.0, *readers, waiting=tuple(readers[:3])) == readers[:1]
    for reader in readers[:2]:
        assert made.may_start(reader)
        made.started(reader)
    assert not made.may_start("x@googlemail.com")
    assert made.may_start(others[0])
    made.ended(readers[0])
    assert made.may_start(readers[2])


def test_a_provider_is_known_by_any_of_its_domains_in_any_case() -> None:
    made = gates(rate_per_s=1.0)
    assert made.provider_of("Ana@GoogleMail.com") == GMAIL
    assert allowed(made, 5.0, "a@gmail.com", "b@googlemail.com", "c@GMAIL.COM") == [
        "a@gmail.com",
        "b@googlemail.com",
    ]


def test_a_providers_rate_is_kept_and_reached_while_others_go_at_once() -> None:
    made, named, others = gates(rate_per_s=4.0), 0, 0
    for step in range(600):
        got = allowed(made, step / 10, *["r@gmail.com"] * 5, *["r@example.net"] * 5)
        named += got.count("r@gmail.com")
        others += got.count("r@example.net")
    assert 230 <= named <= 241
    assert others == 3000


def test_when_to_pick_again_is_when_the_slow_provider_takes_one() -> None:
    made = gates(rate_per_s=0.5)
    naming = made.naming(10.0)
    assert naming.may("a@gmail.com")
    assert naming.may("a@gmail.com")
    assert naming.again_s == float("inf")
    assert not naming.may("b@gmail.com")
    assert naming.again_s == pytest.approx(2.0, abs=0.1)


def test_a_provider_that_throttles_is_slowed_and_nobody_else() -> None:
    made = gates()
    made.heard(made.relays[0], "a@slow.example", SLOW, 10.0, 100.0)
    assert not made.is_open
    assert made.relays[0].pacer.rate_per_s is None
    assert made.providers[provider_key("slow.example")].pacer.rate_per_s == 50.0
    got = allowed(made, 10.0, *["x@slow.example"] * 9, *["x@quick.example"] * 9)
    assert got == ["x@quick.example"] * 9


def test_what_comes_before_anybody_is_addressed_slows_the_relay() -> None:
    made = gates()
    made.heard(made.relays[0], "a@slow.example", SLOW_RELAY, 10.0, 100.0)
    assert made.relays[0].pacer.rate_per_s == 50.0
    assert made.providers == {}
    assert made.is_open


def test_several_providers_that_throttle_at_once_are_one_relay_that_does() -> None:
    made = gates()
    for number in range(MOST_THROTTLED):
        made.heard(made.relays[0], f"a@domain{number}.example", SLOW, 10.0 + number, 100.0)
    assert made.relays[0].pacer.is_slowed
    assert made.providers == {}
    # and while it is slowed, a single answer is its, not the provider's
    made.heard(made.relays[0], "a@domain9.example", SLOW, 20.0, 100.0)
    assert made.providers == {}
    for later in (21.0, 22.0):
        made.heard(made.relays[0], "a@domain9.example", SLOW, later, 100.0)
    assert list(made.providers) == [provider_key("domain9.example")]


def found_rate(taken_per_s: float, seconds: int, *, listed: bool) -> tuple[float, int]:
    """Sends to a provider that takes so many a second; gives the rate found and how many were taken in the last half."""
    made = gates(at_once=50) if listed else gates()
    window: list[float] = []
    taken = 0
    for step in range(seconds * 20):
        now = step / 20
        for _ in range(20):
            if not allowed(made, now, "r@gmail.com"):
                break
            window = [at for at in window if now - at < 1.0]
            refused = len(window) >= taken_per_s
            if not refused:
                window.append(now)
                taken += now > seconds / 2
            made.heard(made.relays[0], "r@gmail.com", SLOW if refused else TAKEN, now, 400.0)
    rate = made.providers[GMAIL].pacer.rate_per_s
    assert rate is not None
    return rate, taken


@pytest.mark.parametrize("listed", [True, False])
def test_a_provider_of_two_a_second_is_found_within_a_minute(listed: bool) -> None:
    rate, taken = found_rate(2.0, 60, listed=listed)
    assert 0.8 <= rate <= 3.0
    # most of what it would have taken went through
    assert taken >= 0.6 * 2 * 30


def test_a_provider_that_asks_for_nothing_any_more_is_let_go_of() -> None:
    made = gates()
    made.heard(made.relays[0], "a@slow.example", SLOW, 10.0, 100.0)
    now = 10.0
    while made.providers and now < 3600:
        now += 1.0
        made.heard(made.relays[0], "a@slow.example", TAKEN, now, 100.0)
    assert made.providers == {}
    assert made.is_open
    assert made.wants_sync
    plan = made.plan(None, 0, now, WALL)
    assert plan is not None
    assert plan.over == {provider_key("slow.example")}
    assert not made.wants_sync


def test_the_first_relay_that_is_well_and_not_used_up_is_named_for() -> None:
    one, two = a_relay("one.example", windows=(LIMIT,)), a_relay("two.example")
    made = gates(one, two)
    assert made.lane(0.0) is one
    one.is_down = True
    assert made.lane(0.0) is two
    one.is_down = False
    made.told(a_room(one.key, 0, 60.0), 100.0, WALL)
    assert made.lane(101.0) is two
    assert made.lane(161.0) is one
    two.is_down = one.is_down = True
    assert made.lane(161.0) is None


def test_a_limit_that_is_used_up_closes_until_it_opens() -> None:
    one = a_relay(windows=(LIMIT,))
    made = gates(one)
    made.told(a_room(one.key, 7), 100.0, WALL)
    assert made.naming(100.0).room == 7
    made.told(a_room(one.key, 0, 60.0), 100.0, WALL)
    assert made.naming(101.0).room == 0
    assert made.closed(101.0) is one
    assert one.opens == 160.0
    assert made.naming(161.0).room > 0
    assert made.closed(161.0) is None


def test_a_providers_limit_closes_it_alone() -> None:
    made = gates(windows=(LIMIT,))
    made.told(a_room(GMAIL, 2), 0.0, WALL)
    got = allowed(made, 5.0, *["r@gmail.com"] * 4, "r@example.net")
    assert got == ["r@gmail.com", "r@gmail.com", "r@example.net"]
    made.told(a_room(GMAIL, 0, 90.0), 5.0, WALL)
    naming = made.naming(5.0)
    assert not naming.may("r@gmail.com")
    assert naming.again_s == 90.0
    assert naming.may("r@example.net")


def test_a_flush_asks_for_the_relay_in_use_the_provider_and_what_was_not_sent() -> None:
    one, two = a_relay("one.example", windows=(LIMIT,)), a_relay("two.example", windows=(LIMIT,))
    made = Gates(
        (one, two),
        groups={"gmail.com": GMAIL},
        providers=[Gate(GMAIL, Bounds(windows=(LIMIT,)), 0.0)],
    )
    naming = made.naming(0.0)
    assert naming.may("a@gmail.com")
    assert naming.may("b@example.net")
    made.not_sent(two.key, "c@gmail.com")
    plan = made.plan(naming, 2, 0.0, WALL)
    assert plan is not None
    assert plan.lane == one.key
    asks = {ask.key: (ask.wanted, ask.returned) for ask in plan.asks}
    assert asks == {one.key: (2, 0), two.key: (0, 1), GMAIL: (1, 1)}
    assert made.plan(None, 0, 0.0, WALL) is None


def test_a_found_rate_is_told_once_and_again_where_the_flush_failed() -> None:
    made = gates()
    made.heard(made.relays[0], "a@slow.example", SLOW_RELAY, 10.0, 100.0)
    assert made.wants_sync
    plan = made.plan(None, 0, 12.0, WALL)
    assert plan is not None
    at = WALL - timedelta(seconds=2)
    assert [ask.found for ask in plan.asks] == [Found(rate_per_s=50.0, slowed=at, raised=at)]
    assert not made.wants_sync
    made.failed(plan)
    assert made.wants_sync


def test_a_found_rate_is_taken_up_again_after_a_restart() -> None:
    one = a_relay(rate_per_s=10.0)
    made = gates(one)
    hour_ago = WALL - timedelta(hours=1)
    slow = provider_key("slow.example")
    kept = Found(rate_per_s=2.0, slowed=hour_ago, raised=hour_ago)
    made.restore({one.key: kept, slow: kept, "relay gone.example:25": kept}, 5.0, WALL)
    assert one.pacer.rate_per_s == 2.0
    assert made.providers[slow].pacer.rate_per_s == 2.0
    assert not made.is_open
    assert not made.wants_sync


def test_what_another_process_found_later_holds() -> None:
    one = a_relay(rate_per_s=10.0)
    made = gates(one)
    made.heard(one, "a@example.net", SLOW_RELAY, 10.0, 100.0)
    made.plan(None, 0, 10.0, WALL)
    older = Found(rate_per_s=1.0, slowed=WALL - timedelta(5), raised=WALL - timedelta(5))
    newer = Found(rate_per_s=3.0, slowed=WALL, raised=WALL + timedelta(seconds=5))
    for what, rate in ((older, 5.0), (newer, 3.0)):
        rooms = a_room(one.key, 1)
        rooms[one.key].found = what
        made.told(rooms, 16.0, WALL + timedelta(seconds=6))
        assert one.pacer.rate_per_s == rate


def test_what_is_put_off_for_a_slow_provider_queues_up_behind_what_was_put_off_before() -> None:
    made = gates(rate_per_s=10.0)
    batch = [f"r{n}@gmail.com" for n in range(200)]
    assert made.park_s(batch, 0.0) == (pytest.approx(20.0), False)
    assert made.park_s(batch, 0.0) == (pytest.approx(40.0), False)
    assert made.park_s(batch, 100.0) == (pytest.approx(20.0), False)
    assert made.park_s([*batch, "somebody@example.net"], 0.0) == (0.0, False)
    for _ in range(100):
        assert made.park_s(batch, 0.0)[0] <= 900.0


def test_what_waits_for_a_limit_is_nothing_that_a_run_by_hand_waits_for() -> None:
    made = gates(windows=(LIMIT,))
    made.told(a_room(GMAIL, 0, 600.0), 0.0, WALL)
    delay_s, is_closed = made.park_s(["a@gmail.com"], 0.0)
    assert 600.0 <= delay_s <= 900.0
    assert is_closed
