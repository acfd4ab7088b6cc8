"""When an issue is due: wall times of a schedule in the site's zone (DESIGN.md 4).

APScheduler's CronTrigger fires twice in an autumn fold and can stand still when it is asked with a real zone at a
fire time (both tried); so it is asked for wall times as if they were UTC, and each is converted here, once.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger

_NAMES = ("minute", "hour", "day", "month", "weekday")
_NUMBER = re.compile(r"(\*|\d{1,2}(-\d{1,2})?)(/\d{1,2})?")
_MONTH = re.compile(r"[a-z]{3}(-[a-z]{3})?")
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MINUTE = timedelta(minutes=1)
_PROBE = datetime(2024, 1, 1, tzinfo=UTC)
_YEARS = timedelta(
    days=366 * 9
)  # the longest wait between two 29th of February, 2096 to 2104, and one more
_AROUND = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Schedule:
    """A cron line that has been checked; `parse_schedule` makes it."""

    line: str
    trigger: CronTrigger = field(repr=False, compare=False)

    def wall_from(self, wall: datetime) -> datetime:
        """The first wall time of the line at or after `wall`; both naive, in the site's zone."""
        fire = self.trigger.get_next_fire_time(None, wall.replace(tzinfo=UTC))
        assert isinstance(fire, datetime)  # parse_schedule refuses lines that never come
        return fire.replace(tzinfo=None)


@lru_cache(maxsize=256)  # a tick asks for the same lines every few seconds
def parse_schedule(line: str) -> Schedule:
    """The schedule that a cron line says; raises ValueError with the reason where it says none.

    Weekdays are names, and a day of the month and a weekday together are refused: cron means "or", APScheduler
    "and", and its 0 is Monday (DESIGN.md 4).
    """
    parts = line.lower().split()
    if len(parts) != len(_NAMES):
        raise ValueError(
            f"has {len(parts)} fields, not five (minute, hour, day, month, weekday); write it as `0 18 * * *`"
        )
    for name, part in zip(_NAMES, parts, strict=True):
        for item in part.split(","):
            _check_item(name, item)
    minute, hour, day, month, weekday = parts
    if day != "*" and weekday != "*":
        raise ValueError("names a day of the month and a weekday together; name one of them")
    try:
        trigger = CronTrigger(
            minute=minute, hour=hour, day=day, month=month, day_of_week=weekday, timezone=UTC
        )
        probe = CronTrigger(
            minute=minute,
            hour=hour,
            day=day,
            month=month,
            day_of_week=weekday,
            timezone=UTC,
            end_date=_PROBE + _YEARS,
        )
    except ValueError as error:
        raise ValueError(f"is not a schedule: {error}") from error
    if probe.get_next_fire_time(None, _PROBE) is None:
        raise ValueError("names a day that never comes")
    return Schedule(" ".join(parts), trigger)


def due_time(schedule: Schedule, zone: ZoneInfo, since: datetime, now: datetime) -> datetime | None:
    """The newest wall time of `schedule` not after `now`, in `zone`, or None; times before `since` do not count.

    Several missed ones give one, so that a daemon that slept sends one digest. A wall time inside a spring gap
    moves by the length of the gap; in an autumn fold the first counts (RFC 5545 3.3.5, DESIGN.md 4). The result
    keeps the wall time as written: in a gap it names an hour that no clock showed.
    """
    wall = now.astimezone(zone).replace(tzinfo=None)
    earliest = since.astimezone(zone).replace(tzinfo=None) - _AROUND
    shift = _shift(zone, wall)
    newest = _newest_wall(schedule, earliest, wall - shift)
    if newest is not None:
        shift = max(shift, _shift(zone, newest))
    if not shift:
        found = newest
    else:  # a clock change is near: wall times may stand in another order than their moments
        start = wall - 2 * shift if newest is None else newest - shift
        found = _newest_moment(schedule, zone, start, wall + shift, now)
    if found is None or wall_moment(found, zone) < since:
        return None
    return found.replace(tzinfo=zone, fold=0)


def next_time(schedule: Schedule, zone: ZoneInfo, now: datetime) -> datetime:
    """The moment (UTC) of the first wall time after `now`."""
    wall = now.astimezone(zone).replace(tzinfo=None)
    shift = _shift(zone, wall)
    fire = schedule.wall_from(wall - 2 * shift)
    moments: list[datetime] = []
    while not moments or fire <= wall + 2 * shift:
        moment = wall_moment(fire, zone)
        if moment > now:
            moments.append(moment)
        fire = schedule.wall_from(fire + _MINUTE)
    return min(moments)


def wall_moment(wall: datetime, zone: ZoneInfo) -> datetime:
    """The moment (UTC) of a naive wall time: the first of two in a fold, moved on in a gap (RFC 5545 3.3.5)."""
    return wall.replace(tzinfo=zone, fold=0).astimezone(UTC)


def wall_key(due: datetime) -> str:
    """How a due time is kept: its wall time without an offset, `YYYY-MM-DDTHH:MM`."""
    return due.strftime("%Y-%m-%dT%H:%M")


def parse_wall_key(key: str) -> datetime:
    """The naive wall time of a kept due time."""
    return datetime.fromisoformat(key)


def _check_item(name: str, item: str) -> None:
    if name == "weekday":
        ends = item.split("-")
        if item != "*" and (len(ends) > 2 or any(end not in _WEEKDAYS for end in ends)):
            raise ValueError(
                f'has the weekday "{item}"; write weekdays by name, `mon` to `sun` or `mon-fri`'
            )
        if len(ends) == 2 and _WEEKDAYS.index(ends[0]) > _WEEKDAYS.index(ends[1]):
            raise ValueError(
                f'has the weekdays "{item}"; the week begins on Monday: write `fri,sat,sun,mon`'
            )
        return
    named = (name == "month" and _MONTH.fullmatch(item)) or (name == "day" and item == "last")
    if not named and not _NUMBER.fullmatch(item):
        raise ValueError(f'has "{item}" as its {name}; write `*`, `5`, `1-5`, `*/15` or `0,30`')


def _shift(zone: ZoneInfo, wall: datetime) -> timedelta:
    """How far the zone's clock is moved within two days of `wall`."""
    before = (wall - _AROUND).replace(tzinfo=zone).utcoffset()
    after = (wall + _AROUND).replace(tzinfo=zone).utcoffset()
    assert before is not None
    assert after is not None
    return abs(after - before)


def _newest_wall(schedule: Schedule, earliest: datetime, latest: datetime) -> datetime | None:
    """The newest wall time in [earliest, latest]; by halves, since CronTrigger only looks ahead."""
    low = earliest.replace(second=0, microsecond=0)
    if schedule.wall_from(low) > latest:
        return None
    reach = _MINUTE
    while latest - reach > low and schedule.wall_from(latest - reach) > latest:
        reach *= 4
    low = max(low, latest - reach).replace(second=0, microsecond=0)
    high = latest.replace(second=0, microsecond=0) + _MINUTE
    while high - low > _MINUTE:
        middle = low + (high - low) // _MINUTE // 2 * _MINUTE
        if schedule.wall_from(middle) <= latest:
            low = middle
        else:
            high = middle
    return schedule.wall_from(low)


def _newest_moment(
    schedule: Schedule, zone: ZoneInfo, start: datetime, end: datetime, now: datetime
) -> datetime | None:
    """Of the wall times in [start, end], the one whose moment is newest and not after `now`."""
    best: tuple[datetime, datetime] | None = None
    wall = schedule.wall_from(start)
    while wall <= end:
        moment = wall_moment(wall, zone)
        if moment <= now and (best is None or (moment, wall) > best):
            best = (moment, wall)
        wall = schedule.wall_from(wall + _MINUTE)
    return best[1] if best else None
