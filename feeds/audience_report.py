"""The audience as people are told of it: per feed, and which programs ask without validators. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

CARELESS_REQUESTS = 10
"""A program is judged after so many requests: the first one of each reader comes without validators."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramCount:
    """Requests of a program: all, answered 304, without validators."""

    program: str
    major: str
    requests: int
    not_modified: int
    unconditional: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DayCount:
    """Requests of a day."""

    day: date
    requests: int
    not_modified: int
    unconditional: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceCount:
    """What a service declared last for a feed in one format, summed over its own ids of that address."""

    service: str
    format: str
    subscribers: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedAudience:
    """One feed over some days. `programs`: the most requests first; `services`: the most subscribers first."""

    services: tuple[ServiceCount, ...] = ()
    programs: tuple[ProgramCount, ...] = ()
    days: tuple[DayCount, ...] = ()

    @property
    def subscribers(self) -> int:
        """For how many readers services say that they ask; who reads by himself is not in it."""
        return sum(one.subscribers for one in self.services)

    @property
    def requests(self) -> int:
        """All requests."""
        return sum(one.requests for one in self.days)

    @property
    def not_modified(self) -> int:
        """Those that were answered 304."""
        return sum(one.not_modified for one in self.days)

    @property
    def unconditional(self) -> int:
        """Those that came without validators."""
        return sum(one.unconditional for one in self.days)


NOBODY = FeedAudience()
"""A feed that nobody asked for."""


def careless_programs(audiences: Iterable[FeedAudience]) -> list[ProgramCount]:
    """The programs that ask for whole documents again and again: at least half of their requests, over all feeds,
    came without validators. Those with the most such requests first."""
    sums: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for audience in audiences:
        for one in audience.programs:
            row = sums[one.program, one.major]
            row[0] += one.requests
            row[1] += one.not_modified
            row[2] += one.unconditional
    found = [
        ProgramCount(
            program=program,
            major=major,
            requests=requests,
            not_modified=not_modified,
            unconditional=unconditional,
        )
        for (program, major), (requests, not_modified, unconditional) in sums.items()
        if requests >= CARELESS_REQUESTS and 2 * unconditional >= requests
    ]
    return sorted(found, key=lambda one: (-one.unconditional, one.program, one.major))
