"""How fast to send: a set rate, and a slower one where the relay asks for it (pure: time comes in, in seconds)."""

_MIN_RATE = 1 / 60
_SETTLE_S = 1.0
"""Refusals within this time of a slow-down were on their way before it: they say nothing new."""
_WINDOW_S = 5.0


class Pacer:
    """A token bucket whose rate halves when the relay complains and creeps up again when it does not (AIMD)."""

    def __init__(self, limit_per_s: float | None, now: float) -> None:
        self._limit = limit_per_s
        self._rate = limit_per_s
        self._tokens = 1.0
        self._filled = now
        self._slowed = float("-inf")
        self._raised = now
        self._window_from = now
        self._window_count = 0
        self._seen_rate = 0.0

    @property
    def rate_per_s(self) -> float | None:
        """What is allowed just now; None: no limit."""
        return self._rate

    @property
    def is_slowed(self) -> bool:
        """True while the relay is spared more than the settings say."""
        return self._rate != self._limit

    def wait(self, now: float) -> float:
        """0.0 when one may go now, else the seconds to wait before asking again."""
        if self._rate is None:
            return 0.0
        # a burst of a tenth of a second keeps a fast rate from being bound by timers
        room = max(1.0, self._rate / 10)
        self._tokens = min(room, self._tokens + (now - self._filled) * self._rate)
        self._filled = now
        return 0.0 if self._tokens >= 1.0 else max((1.0 - self._tokens) / self._rate, 0.001)

    def take(self, now: float) -> None:
        """Counts one that goes now."""
        self._tokens -= 1.0
        if now - self._window_from >= _WINDOW_S:
            self._seen_rate = self._window_count / (now - self._window_from)
            self._window_from, self._window_count = now, 0
        self._window_count += 1

    def slow_down(self, now: float) -> None:
        """The relay asked for fewer: half of what was allowed, or of what went out where nothing was set."""
        if now - self._slowed < _SETTLE_S:
            return
        seen = max(self._seen_rate, self._window_count / max(now - self._window_from, 1.0))
        current = seen if self._rate is None else min(self._rate, max(seen, _MIN_RATE))
        self._rate = max(current / 2, _MIN_RATE)
        self._tokens = 0.0
        self._filled = now
        self._slowed = self._raised = now

    def accepted(self, now: float) -> None:
        """The relay took one: after some quiet seconds it may be a little more again."""
        if self._rate is None or self._rate == self._limit or now - self._raised < _WINDOW_S:
            return
        self._raised = now
        self._rate = self._rate * 1.1 + 0.05
        if self._limit is not None:
            self._rate = min(self._rate, self._limit)
        elif now - self._slowed > 600 and self._rate > 1000:
            self._rate = None
