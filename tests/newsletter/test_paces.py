"""`newsletter/paces.py`: limits hold over restarts and processes, found rates are kept, what is over is let go of."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newsletter.gates import Ask, Room, provider_key, relay_key
from newsletter.paces import count_named, find_rooms, forget_paces, list_found, list_paces
from newsletter.pacing import Found, Window, parse_limit
from newsletter.tables import pace_counts, paces
from posts.database import reading, writing

NOW = datetime(2026, 9, 15, 18, 0, tzinfo=UTC)
RELAY = relay_key("Smtp.Relay.net", 587)
HOUR = Window(50, 3600)


def name(
    engine: sa.Engine,
    wanted: int,
    now: datetime,
    *,
    windows: tuple[Window, ...] = (HOUR,),
    returned: int = 0,
    rate_per_s: float | None = None,
) -> Room:
    """One flush's share: asks for room, names all that is granted."""
    ask = Ask(key=RELAY, windows=windows, wanted=wanted, returned=returned, rate_per_s=rate_per_s)
    shared = rate_per_s is not None
    with writing(engine) as conn:
        rooms = find_rooms(conn, [ask], now, shared=shared)
        count_named(conn, rooms, {RELAY: rooms[RELAY].granted}, now, shared=shared)
    return rooms[RELAY]


def found(rate: float | None, at: datetime) -> Found:
    """A rate found at a time."""
    return Found(rate_per_s=rate, slowed=at, raised=at)


def tell(engine: sa.Engine, key: str, what: Found | None, now: datetime) -> Found | None:
    """Writes a found rate down, as a flush does; gives the newest there is."""
    with writing(engine) as conn:
        return find_rooms(conn, [Ask(key=key, found=what)], now, shared=False)[key].found


def test_a_limit_grants_what_is_left_of_it_and_no_more(engine: sa.Engine) -> None:
    assert name(engine, 30, NOW).granted == 30
    room = name(engine, 30, NOW + timedelta(minutes=5))
    assert (room.granted, room.free) == (20, 0)
    assert name(engine, 1, NOW + timedelta(minutes=59, seconds=59)).granted == 0


def test_it_says_when_it_opens_again_and_does(engine: sa.Engine) -> None:
    name(engine, 50, NOW)
    room = name(engine, 50, NOW + timedelta(minutes=10))
    assert room.opens is not None
    assert NOW + timedelta(hours=1) <= room.opens <= NOW + timedelta(hours=1, minutes=2)
    assert name(engine, 50, room.opens - timedelta(seconds=1)).granted == 0
    assert name(engine, 60, room.opens).granted == 50


def test_the_least_of_several_limits_holds(engine: sa.Engine) -> None:
    both = (Window(10, 60), Window(15, 3600))
    assert name(engine, 99, NOW, windows=both).granted == 10
    assert name(engine, 99, NOW + timedelta(minutes=5), windows=both).granted == 5
    assert name(engine, 99, NOW + timedelta(minutes=9), windows=both).granted == 0


def test_what_was_named_and_never_sent_counts_no_more(engine: sa.Engine) -> None:
    name(engine, 50, NOW)
    assert name(engine, 50, NOW + timedelta(seconds=9), returned=12).granted == 12


def test_what_is_given_back_is_taken_from_the_oldest_so_that_the_rest_counts_for_longer(
    engine: sa.Engine,
) -> None:
    name(engine, 25, NOW)
    name(engine, 25, NOW + timedelta(minutes=30))
    name(engine, 0, NOW + timedelta(minutes=31), returned=25)
    assert name(engine, 99, NOW + timedelta(minutes=70)).granted == 25


def test_more_than_is_wanted_is_not_granted_after_a_return_of_more_than_counted(
    engine: sa.Engine,
) -> None:
    name(engine, 5, NOW)
    assert name(engine, 99, NOW + timedelta(seconds=9), returned=40).granted == 50


def test_slots_that_count_no_more_are_deleted(engine: sa.Engine) -> None:
    for minute in range(0, 600, 3):
        name(engine, 1, NOW + timedelta(minutes=minute))
    with reading(engine) as conn:
        slots = conn.execute(sa.select(sa.func.count()).select_from(pace_counts)).scalar_one()
    assert 15 <= slots <= 25


def test_a_clock_stepped_back_grants_nothing_twice(engine: sa.Engine) -> None:
    name(engine, 50, NOW)
    assert name(engine, 50, NOW - timedelta(minutes=50)).granted == 0


def test_a_clock_that_was_a_year_ahead_does_not_close_a_limit_for_a_year(
    engine: sa.Engine,
) -> None:
    name(engine, 50, NOW + timedelta(days=365))
    assert name(engine, 50, NOW).granted == 50


STEPS = st.lists(
    st.tuples(
        st.sampled_from([0, 1]),
        st.integers(0, 40),
        st.floats(0, 1200, allow_nan=False),
        st.booleans(),
    ),
    max_size=40,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS, limit=st.sampled_from(["50 in 1h", "7 in 2m", "20 in 10m"]))
def test_never_more_than_allowed_in_any_window_over_restarts_and_two_processes(
    sqlite_engine: sa.Engine, steps: list[tuple[int, int, float, bool]], limit: str
) -> None:
    window = parse_limit(limit)
    with writing(sqlite_engine) as conn:
        conn.execute(sa.delete(pace_counts))
    engines = [sa.create_engine(sqlite_engine.url) for _ in range(2)]
    named: list[tuple[datetime, int]] = []
    now = NOW
    for who, wanted, after_s, restarts in steps:
        now += timedelta(seconds=after_s)
        if restarts:
            engines[who].dispose()
            engines[who] = sa.create_engine(sqlite_engine.url)
        named.append((now, name(engines[who], wanted, now, windows=(window,)).granted))
    for one in engines:
        one.dispose()
    length = timedelta(seconds=window.length_s)
    for start, _ in named:
        assert sum(count for at, count in named if start <= at < start + length) <= window.most


@pytest.mark.parametrize("limit", ["", "10", "0 in 1h", "ten in 1h", "10 in 1y", "10 per 1h"])
def test_what_is_no_limit_is_refused(limit: str) -> None:
    with pytest.raises(ValueError, match="is not a limit"):
        parse_limit(limit)


def test_several_processes_share_a_rate(engine: sa.Engine) -> None:
    named, now = 0, NOW
    while now < NOW + timedelta(seconds=60):
        for _process in range(3):
            named += name(engine, 20, now, windows=(), rate_per_s=10.0).granted
        now += timedelta(seconds=0.5)
    assert 580 <= named <= 640


def test_a_shared_rate_goes_on_after_the_clock_was_stepped_back(engine: sa.Engine) -> None:
    name(engine, 20, NOW, windows=(), rate_per_s=10.0)
    earlier = NOW - timedelta(hours=1)
    assert name(engine, 20, earlier, windows=(), rate_per_s=10.0).granted == 20


def test_a_found_rate_is_kept_and_listed(engine: sa.Engine) -> None:
    tell(engine, RELAY, found(2.5, NOW), NOW)
    tell(engine, provider_key("gmail.com"), found(0.5, NOW), NOW)
    tell(engine, provider_key("quiet.example"), None, NOW)
    with reading(engine) as conn:
        listed = [(pace.kind, pace.name, pace.rate_per_s) for pace in list_paces(conn)]
        kept = list_found(conn, NOW)
    assert listed == [("relay", "smtp.relay.net:587", 2.5), ("provider", "gmail.com", 0.5)]
    assert kept[RELAY] == found(2.5, NOW)


def test_of_two_found_rates_the_newer_holds(engine: sa.Engine) -> None:
    newer = found(1.0, NOW + timedelta(seconds=5))
    tell(engine, RELAY, newer, NOW)
    assert tell(engine, RELAY, found(8.0, NOW), NOW) == newer


def test_a_rate_that_is_as_set_again_is_not_listed(engine: sa.Engine) -> None:
    tell(engine, RELAY, found(2.5, NOW), NOW)
    tell(engine, RELAY, found(None, NOW + timedelta(minutes=5)), NOW)
    with reading(engine) as conn:
        assert list_paces(conn) == []


def test_a_rate_that_nobody_asked_for_in_a_week_is_forgotten(engine: sa.Engine) -> None:
    for domain, at in (("old.example", NOW - timedelta(days=8)), ("new.example", NOW)):
        tell(engine, provider_key(domain), found(1.0, at), NOW)
    tell(engine, provider_key("over.example"), found(1.0, NOW), NOW)
    with reading(engine) as conn:
        assert set(list_found(conn, NOW)) == {
            provider_key("new.example"),
            provider_key("over.example"),
        }
    with writing(engine) as conn:
        forget_paces(conn, [provider_key("over.example")], NOW)
    with reading(engine) as conn:
        assert list(conn.execute(sa.select(paces.c.key)).scalars()) == [provider_key("new.example")]


def test_what_a_limit_counted_that_is_not_set_any_more_is_let_go_of(engine: sa.Engine) -> None:
    name(engine, 5, NOW - timedelta(days=41))
    with writing(engine) as conn:
        forget_paces(conn, (), NOW)
    with reading(engine) as conn:
        assert conn.execute(sa.select(pace_counts.c.key)).all() == []
