"""How fast to send: set rates and limits, and a slower rate where somebody asks for it (pure: time comes in)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_MIN_RATE = 1 / 60
_SETTLE_S = 1.0
"""Refusals within this time of a slow-down were on their way before it: they say nothing new."""
_WINDOW_S = 5.0
_LIMIT = re.compile(r"([0-9]+) in ([0-9]+)([smhdw])")
_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_SLOTS = 60


@dataclass(frozen=True, slots=True)
class Window:
    """At most `most` messages in any `length_s` seconds; counted in slots of a sixtieth of that.

    A message is counted in the slot in which it is named, and leaves a little later. A slot therefore counts until all
    of it is a window and one slot old: never too many, a thirtieth less than allowed at most.
    """

    most: int
    length_s: int
    text: str = ""

    @property
    def slot_s(self) -> int:
        """Seconds of a slot."""
        return max(1, self.length_s // _SLOTS)

    def slot_of(self, now: datetime) -> datetime:
        """The slot in which `now` lies."""
        seconds = int(now.timestamp()) // self.slot_s * self.slot_s
        return datetime.fromtimestamp(seconds, UTC)

    def ends(self, slot: datetime) -> datetime:
        """When what was named in `slot` counts no more."""
        return slot + timedelta(seconds=self.length_s + 2 * self.slot_s)

    def counts(self, slot: datetime, now: datetime) -> bool:
        """True while a slot counts. One far ahead is of a clock that was wrong; it would close the window for long."""
        return self.ends(slot) > now and slot <= now + timedelta(seconds=self.length_s)

    def free(self, slots: Sequence[tuple[datetime, int]], now: datetime) -> int:
        """How many more may go now; below nought where more went than may."""
        return self.most - sum(count for slot, count in slots if self.counts(slot, now))

    def opens(self, slots: Sequence[tuple[datetime, int]], now: datetime) -> datetime:
        """When one more may go; `now` when it may already."""
        free, at = self.free(slots, now), now
        for slot, count in sorted(slots):
            if free > 0:
                break
            if self.counts(slot, now):
                free, at = free + count, self.ends(slot)
        return at


def parse_limit(text: str) -> Window:
    """The window that a setting names (`10000 in 1h`); raises ValueError."""
    match = _LIMIT.fullmatch(text.strip())
    if match is None or int(match[1]) < 1 or int(match[2]) < 1:
        raise ValueError(f'is not a limit: "{text}". Write it as 10000 in 1h.')
    return Window(int(match[1]), int(match[2]) * _UNIT_S[match[3]], text.strip())


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What the settings allow: messages a second, at once on the wire, in any such time. None: no bound."""

    rate_per_s: float | None = None
    at_once: int | None = None
    windows: tuple[Window, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A rate that was found, messages a second (None: as the settings say again), and when it last fell and rose."""

    rate_per_s: float | None
    slowed: datetime
    raised: datetime

    @property
    def at(self) -> datetime:
        """When it was last changed; of two, the later holds."""
        return max(self.slowed, self.raised)


class Pacer:
    """A token bucket whose rate halves when somebody complains and creeps up again when nobody does (AIMD)."""

    def __init__(self, limit_per_s: float | None, now: float, *, slack: float = 0.0) -> None:
        """`slack`: so many more may gather, for one who looks only now and then."""
        self._limit = limit_per_s
        self._slack = slack
        self._rate = limit_per_s
        self._tokens = 1.0
        self._filled = now
        self.slowed_at = float("-inf")
        self.raised_at = now
        self.is_changed = False
        """True when the rate has changed since somebody last wrote it down (and set this to False)."""
        self._window_from = now
        self._window_count = 0
        self._seen_rate = 0.0

    @property
    def rate_per_s(self) -> float | None:
        """What is allowed just now; None: no limit."""
        return self._rate

    @property
    def is_slowed(self) -> bool:
        """True while somebody is spared more than the settings say."""
        return self._rate != self._limit

    @property
    def changed_at(self) -> float:
        """When the rate last fell or rose; long ago while nobody asked for fewer."""
        never = self.slowed_at == float("-inf")
        return self.slowed_at if never else max(self.slowed_at, self.raised_at)

    def adopt(self, rate_per_s: float | None, slowed_at: float, raised_at: float) -> None:
        """Goes on from a rate that was found before, or by another process; never beyond what is set."""
        if rate_per_s is None or (self._limit is not None and rate_per_s >= self._limit):
            self._rate = self._limit
        else:
            self._rate = max(rate_per_s, _MIN_RATE)
        self.slowed_at, self.raised_at = slowed_at, raised_at
        self.is_changed = False

    def tokens(self, now: float) -> float:
        """How many may go at once now; without a limit more than anybody asks for."""
        if self._rate is None:
            return 1e9
        # a burst of a tenth of a second keeps a fast rate from being bound by timers
        room = max(1.0, self._rate / 10) + self._slack
        self._tokens = min(room, self._tokens + (now - self._filled) * self._rate)
        self._filled = now
        return self._tokens

    def wait(self, now: float) -> float:
        """0.0 when one may go now, else the seconds to wait before asking again."""
        if self._rate is None:
            return 0.0
        tokens = self.tokens(now)
        return 0.0 if tokens >= 1.0 else max((1.0 - tokens) / self._rate, 0.001)

    def take(self, now: float) -> None:
        """Counts one that goes now."""
        self._tokens -= 1.0
        if now - self._window_from >= _WINDOW_S:
            self._seen_rate = self._window_count / (now - self._window_from)
            self._window_from, self._window_count = now, 0
        self._window_count += 1

    def slow_down(self, now: float, seen_per_s: float | None = None) -> None:
        """Somebody asked for fewer: half of what was allowed, or of what went out (`seen_per_s`, where it was not
        counted here) where nothing was set."""
        if now - self.slowed_at < _SETTLE_S:
            return
        seen = max(self._seen_rate, self._window_count / max(now - self._window_from, 1.0))
        if seen_per_s is not None:
            seen = max(seen, seen_per_s)
        current = seen if self._rate is None else min(self._rate, max(seen, _MIN_RATE))
        self._rate = max(current / 2, _MIN_RATE)
        self._tokens = 0.0
        self._filled = now
        self.slowed_at = self.raised_at = now
        self.is_changed = True

    def accepted(self, now: float) -> None:
        """One was taken: after some quiet seconds it may be a little more again."""
        if self._rate is None or self._rate == self._limit or now - self.raised_at < _WINDOW_S:
            return
        self.raised_at = now
        self.is_changed = True
        self._rate = self._rate * 1.1 + 0.05
        if self._limit is not None:
            self._rate = min(self._rate, self._limit)
        elif now - self.slowed_at > 600 and self._rate > 1000:
            self._rate = None
