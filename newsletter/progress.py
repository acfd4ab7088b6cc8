"""What a sending process says of itself, how fast it is, and how long the rest will take (pure)."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace

REPORT_EVERY_S = 1.0
"""A process that sends reports in a turn that it takes anyway, at most so often."""
REPORT_AT_REST_EVERY_S = 20.0
"""A process with nothing to do writes its report so often, to be known as alive (senders.py: LIVE_FOR)."""

_WINDOW_S, _SLOW_WINDOW_S = 10.0, 60.0
_SAMPLE_S = 0.25
_LEAST_S = 2.0
_ENOUGH = 20
"""So many messages in the last seconds say how fast it goes; fewer, and a minute is looked at."""
_FAST = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayReport:
    """One relay as a sending process sees it. `state`: a word or a sentence ("in use", "set aside until 18:03");
    `rate_per_s`: the rate found while the relay asks to be spared, None while nobody did."""

    name: str
    state: str
    rate_per_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderReport:
    """What a sending process did since it began. `rate_per_s`: messages with an answer a second, over the last
    seconds, None before there are samples; `trouble`: what holds it up, without an address."""

    sent: int = 0
    deferred: int = 0
    failed: int = 0
    excluded: int = 0
    in_doubt: int = 0
    notices: int = 0
    rate_per_s: float | None = None
    trouble: str | None = None
    relays: tuple[RelayReport, ...] = ()


def report_as_plain(report: SenderReport) -> dict[str, object]:
    """The report as JSON holds it."""
    return asdict(report)


def parse_report(plain: Mapping[str, object]) -> SenderReport:
    """The report that JSON holds; what another release of the program wrote and we do not know is passed over."""
    known = {name: plain[name] for name in SenderReport.__dataclass_fields__ if name in plain}
    listed = known.pop("relays", ())
    relays = tuple(_parse_relay(one) for one in listed) if isinstance(listed, list | tuple) else ()
    return SenderReport(**known, relays=relays)  # type: ignore[arg-type]  # our own JSON


def _parse_relay(plain: Mapping[str, object]) -> RelayReport:
    rate = plain.get("rate_per_s")
    return RelayReport(
        name=str(plain.get("name", "")),
        state=str(plain.get("state", "")),
        rate_per_s=float(rate) if isinstance(rate, int | float) else None,
    )


class RateMeter:
    """How fast a count grows, over the last ten seconds; over the last minute where it grows slowly.

    It begins with the growth: a wait before it does not make it slower.
    """

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()

    def note(self, total: int, now: float) -> None:
        """The count is `total` at the monotonic time `now`; call it as often as one likes."""
        samples = self._samples
        if len(samples) > 1 and samples[-1][0] - samples[-2][0] < _SAMPLE_S:
            samples.pop()
        samples.append((now, total))
        while len(samples) > 1 and samples[1][0] <= now - _SLOW_WINDOW_S:
            samples.popleft()

    def rate_per_s(self, now: float) -> float | None:
        """The growth a second; None before there are samples (two seconds, two messages)."""
        amount, span_s = self._since(now, _WINDOW_S)
        in_a_minute, minute_s = self._since(now, _SLOW_WINDOW_S)
        if amount < _ENOUGH and in_a_minute - amount < _FAST:
            amount, span_s = in_a_minute, minute_s
        elif amount == 0:
            return 0.0  # it was fast and has stopped
        return amount / span_s if amount >= 2 and span_s >= _LEAST_S else None

    def _since(self, now: float, window_s: float) -> tuple[int, float]:
        """The growth in the window and the seconds it took, from the last sample before it began."""
        begin: tuple[float, int] | None = None
        for sample in self._samples:
            if begin is None or sample[0] <= now - window_s or sample[1] <= begin[1]:
                begin = sample
            else:
                break
        if begin is None:
            return 0, 0.0
        return self._samples[-1][1] - begin[1], now - begin[0]


class Reporter:
    """Makes the reports of a process, and says when one is to be written: every second while there is something to do,
    every twenty at rest, and soon after the last result."""

    def __init__(self) -> None:
        self._meter = RateMeter()
        self._report = SenderReport()
        self._written: SenderReport | None = None
        self._written_at = float("-inf")
        self._rests = False

    def note(self, report: SenderReport, now: float, *, rests: bool) -> None:
        """How it stands at the monotonic time `now`; the rate is filled in here. `rests`: nothing is to be done."""
        answered = report.sent + report.deferred + report.failed + report.in_doubt + report.notices
        self._meter.note(answered, now)
        self._report, self._rests = report, rests

    def due(self, now: float) -> SenderReport | None:
        """The report, where it is time to write it (it counts as written then), else None."""
        is_news = self._report != self._written
        every_s = REPORT_EVERY_S if is_news or not self._rests else REPORT_AT_REST_EVERY_S
        if now - self._written_at < every_s:
            return None
        self._written, self._written_at = self._report, now
        return replace(self._report, rate_per_s=self._meter.rate_per_s(now))


def times_left(left: Mapping[int, int], rate_per_s: float | None) -> dict[int, float | None]:
    """The seconds until each issue has nobody left to be offered, at `rate_per_s` for all of them together.

    Issues take turns, so that each gets its share until the shorter ones are through. None where no rate is known.
    """
    if not rate_per_s:
        return dict.fromkeys(left)
    found: dict[int, float | None] = {}
    elapsed_s, served = 0.0, 0
    open_ones = len(left)
    for issue, amount in sorted(left.items(), key=lambda item: item[1]):
        elapsed_s += (amount - served) * open_ones / rate_per_s
        found[issue] = elapsed_s
        served = amount
        open_ones -= 1
    return found


def total_rate(rates: Iterable[float | None]) -> float | None:
    """The rates of several processes together; None where none has one."""
    known = [rate for rate in rates if rate is not None]
    return sum(known) if known else None
