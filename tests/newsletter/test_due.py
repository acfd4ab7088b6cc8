"""When an issue is due: tables for the clock changes, and each wall time once (DESIGN.md 4)."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.due import due_time, next_time, parse_schedule, wall_key, wall_moment

CHICAGO, MADRID = ZoneInfo("America/Chicago"), ZoneInfo("Europe/Madrid")
MINUTE = timedelta(minutes=1)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def met(
    line: str, zone: ZoneInfo, start: datetime, end: datetime, *, step: timedelta = MINUTE
) -> list[tuple[str, datetime]]:
    """Each due time that ticks from `start` to `end` meet for the first time, with the moment of that tick."""
    schedule, seen, found = parse_schedule(line), set(), []
    moment = start
    while moment < end:
        due = due_time(schedule, zone, start, moment)
        if due is not None and wall_key(due) not in seen:
            seen.add(wall_key(due))
            found.append((wall_key(due), moment))
        moment += step
    return found


@pytest.mark.parametrize(
    ("line", "zone", "day", "wall", "moment"),
    [
        pytest.param("30 1 * * *", CHICAGO, "2026-11-01", "2026-11-01T01:30", "2026-11-01T06:30", id="01:30 Chicago in autumn, the first of two"),
        pytest.param("30 2 * * *", MADRID, "2026-10-25", "2026-10-25T02:30", "2026-10-25T00:30", id="02:30 Madrid in autumn, the first of two"),
        pytest.param("30 2 * * *", CHICAGO, "2026-03-08", "2026-03-08T02:30", "2026-03-08T08:30", id="02:30 Chicago in spring, at what the clock calls 03:30"),
        pytest.param("30 2 * * *", MADRID, "2026-03-29", "2026-03-29T02:30", "2026-03-29T01:30", id="02:30 Madrid in spring, at what the clock calls 03:30"),
    ],
)  # fmt: skip
def test_rfc5545_3_3_5_a_wall_time_comes_once_on_the_day_of_a_clock_change(
    line: str, zone: ZoneInfo, day: str, wall: str, moment: str
) -> None:
    noon = datetime.fromisoformat(day + "T12:00").replace(tzinfo=UTC)
    found = met(line, zone, noon - timedelta(hours=15), noon + timedelta(hours=9))
    assert found == [(wall, datetime.fromisoformat(moment).replace(tzinfo=UTC))]


@pytest.mark.parametrize("zone", [CHICAGO, MADRID], ids=str)
@pytest.mark.parametrize("line", ["*/20 * * * *", "15 1,2,3 * * *", "30 2 * * sun"])
def test_every_wall_time_around_every_clock_change_comes_once(zone: ZoneInfo, line: str) -> None:
    for change in (
        datetime(2026, 3, 8, 8, tzinfo=UTC),
        datetime(2026, 3, 29, 1, tzinfo=UTC),
        datetime(2026, 10, 25, 1, tzinfo=UTC),
        datetime(2026, 11, 1, 7, tzinfo=UTC),
    ):
        start, end = change - timedelta(hours=6), change + timedelta(hours=6)
        found = met(line, zone, start, end)
        assert len({wall for wall, _ in found}) == len(found)
        assert [moment for wall, moment in found] == [
            wall_moment(datetime.fromisoformat(wall), zone) for wall, _ in found
        ]
        # no moment of a wall time passes without one: several wall times at one moment are one due time
        walls = (
            start.astimezone(zone).replace(tzinfo=None) - timedelta(hours=2) + n * MINUTE
            for n in range(16 * 60)
        )
        due = parse_schedule(line)
        expected = {wall_moment(wall, zone) for wall in walls if due.wall_from(wall) == wall}
        assert {moment for _, moment in found} == {
            moment for moment in expected if start <= moment < end
        }


@settings(max_examples=60, deadline=None)
@given(
    minute=st.integers(0, 59),
    hour=st.integers(0, 23),
    zone=st.sampled_from(
        [
            "America/Chicago",
            "Europe/Madrid",
            "Australia/Lord_Howe",
            "Pacific/Apia",
            "Asia/Kathmandu",
            "America/Havana",
            "UTC",
        ]
    ),
    day=st.integers(0, 364),
    gaps=st.lists(st.integers(1, 300), min_size=20, max_size=60),
)
def test_each_wall_time_comes_once_and_never_early_however_the_ticks_fall(
    minute: int, hour: int, zone: str, day: int, gaps: list[int]
) -> None:
    where = ZoneInfo(zone)
    schedule = parse_schedule(f"{minute} {hour} * * *")
    moment = start = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day)
    newest: datetime | None = None
    for gap in gaps:
        due = due_time(schedule, where, start, moment)
        if due is not None:
            assert start <= due.astimezone(UTC) <= moment
            assert newest is None or due.astimezone(UTC) >= newest
            newest = due.astimezone(UTC)
            assert (due.hour, due.minute) == (hour, minute)
            assert moment - newest < timedelta(hours=25, minutes=1)
        moment += gap * MINUTE


def test_several_missed_times_give_the_newest() -> None:
    now = datetime(2026, 9, 10, 13, 0, tzinfo=UTC)
    due = due_time(parse_schedule("0 7 * * *"), CHICAGO, LONG_AGO, now)
    assert due is not None
    assert wall_key(due) == "2026-09-10T07:00"


def test_times_before_since_do_not_count() -> None:
    schedule = parse_schedule("0 7 * * *")
    started = datetime(2026, 9, 10, 12, 1, tzinfo=UTC)  # 07:01 in Chicago
    assert due_time(schedule, CHICAGO, started, started + timedelta(hours=23)) is None
    assert due_time(schedule, CHICAGO, started, started + timedelta(hours=24)) is not None


def test_the_next_time_is_after_now_and_moved_by_a_gap() -> None:
    before = datetime(2026, 3, 8, 7, 45, tzinfo=UTC)
    assert next_time(parse_schedule("30 2 * * *"), CHICAGO, before) == datetime(
        2026, 3, 8, 8, 30, tzinfo=UTC
    )
    at = datetime(2026, 9, 10, 12, 0, tzinfo=UTC)
    assert next_time(parse_schedule("0 7 * * *"), CHICAGO, at) == at + timedelta(days=1)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("0 18 * *", "4 fields"),
        ("0 18 * * 1", "by name"),
        ("0 18 * * 0-5", "by name"),
        ("0 18 * * fri#2", "by name"),
        ("0 18 1 * mon", "together"),
        ("0 0 30 feb *", "never comes"),
        ("61 * * * *", "higher than the maximum"),
        ("0 0 * * fri-mon", "begins on Monday"),
        ("@daily", "1 fields"),
        ("five * * * *", '"five"'),
        ("0 0 * smarch *", '"smarch"'),
    ],
)
def test_a_line_that_is_no_schedule_says_why(line: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_schedule(line)


@pytest.mark.parametrize(
    "line",
    [
        "0 18 * * *",
        "30 7 * * mon-fri",
        "*/15 8-18 * * sat,sun",
        "0 6 1 * *",
        "0 6 last * *",
        "0 0 29 feb *",
        "0 9 * jan-jun MON",
    ],
)
def test_a_line_that_is_a_schedule_is_taken(line: str) -> None:
    assert parse_schedule(line).line == line.lower()
