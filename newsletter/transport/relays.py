"""Several relays, in order: the first that is well takes the mail, at its own pace; one with trouble is tried again.

A message is named for one relay, whose limits have counted it; no other takes it. When its relay is set aside it goes
back and is named anew, for the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from newsletter.gates import Gate, Gates
from newsletter.runs import Log, without_addresses
from newsletter.transport.base import Outcome, Parcel, Supply, Trouble
from newsletter.transport.pool import SmtpTransport

_TICK_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayStanding:
    """How a relay stands, for a person: its name, its trouble, the rate it gets, whether it takes the mail now."""

    name: str
    trouble: str | None
    rate_per_s: float | None
    is_slowed: bool
    is_used: bool


class _Lane:
    """One relay: its pool of connections, its gate, and what it is supplied with."""

    may_finish: Callable[[Parcel], bool]
    """The supply's own: it is asked for every message, and there is nothing to add."""

    def __init__(self, chain: RelayChain, gate: Gate) -> None:
        self.gate = gate
        self.pool: SmtpTransport
        self.taken = 0
        self.told: str | None = None
        self._is_free = False
        self._chain = chain
        self._gates = chain.gates
        self._overall = chain.gates.overall
        self._supply: Supply
        self._timer: asyncio.TimerHandle | None = None
        self._seen_per_s = 0.0
        self._seen_at = chain.loop.time()
        self._seen_of = 0

    def start(self, supply: Supply) -> None:
        """Begins to take from `supply`."""
        self._supply = supply
        self._look()
        self.may_finish = supply.may_finish
        self.pool.start(self)

    # what the pool calls

    @property
    def has_parcels(self) -> bool:
        """True when the next one is for this relay and its pace lets it go."""
        if not self._supply.has_parcels:
            return False
        if self._is_free:
            return True
        if not self._is_mine():
            return False
        wait = self._wait()
        if wait > 0:
            self._wake_in(wait)
        return wait == 0

    def take(self) -> Parcel | None:
        """The next one that is for this relay, when its pace lets it go."""
        if self.pool.trouble is not None:
            return None
        if not self._is_free:
            if not self._is_mine():
                return None
            wait = self._wait()
            if wait > 0:
                self._wake_in(wait)
                return None
        parcel = self._supply.take()
        if parcel is not None:
            self.taken += 1
            if not self._is_free:
                self._count()
        return parcel

    def done(self, parcel: Parcel, outcome: Outcome) -> None:
        """Learns the relay's and the provider's pace from the answer."""
        if outcome.slow_down or not self._gates.is_open or self.gate.pacer.is_slowed:
            now = self._chain.loop.time()
            self._gates.heard(self.gate, parcel.recipient, outcome, now, self._seen(now))
            self._look()
        self._supply.done(parcel, outcome)

    # its pace

    def _look(self) -> None:
        """Nothing is asked of a message while there is one relay, without a rate: it is asked for every one."""
        is_only = len(self._chain.lanes) == 1
        self._is_free = is_only and self.gate.pacer.rate_per_s is None and self._overall is None

    def _is_mine(self) -> bool:
        if len(self._chain.lanes) == 1:
            return True
        if not self._supply.has_parcels:  # puts the one in front that may go
            return False
        named_for = self._gates.head_lane()
        if named_for is not None:
            return named_for == self.gate.key
        return self._gates.lane(self._chain.loop.time()) is self.gate

    def _wait(self) -> float:
        rate, overall = self.gate.pacer.rate_per_s, self._overall
        if rate is None and overall is None:
            return 0.0
        now = self._chain.loop.time()
        wait = self.gate.pacer.wait(now)
        return wait if overall is None else max(wait, overall.pacer.wait(now))

    def _count(self) -> None:
        if self.gate.pacer.rate_per_s is not None:
            self.gate.pacer.take(self._chain.loop.time())
        if self._overall is not None:
            self._overall.pacer.take(self._chain.loop.time())

    def _wake_in(self, wait_s: float) -> None:
        loop = self._chain.loop
        if self._timer is None or self._timer.when() <= loop.time():
            self._timer = loop.call_later(wait_s, self.pool.wake)

    def _seen(self, now: float) -> float:
        """Messages a second of late: in the last second, or in the one before."""
        lately = (self.taken - self._seen_of) / max(now - self._seen_at, 1.0)
        return max(lately, self._seen_per_s)

    def sample(self, now: float) -> bool:
        """Looks at what was taken since the last time, every second or so; True when something was."""
        self._look()
        taken, took_s = self.taken - self._seen_of, now - self._seen_at
        if took_s >= 1.0:
            self._seen_per_s = taken / took_s
            self._seen_of, self._seen_at = self.taken, now
        return taken > 0

    def close(self) -> None:
        """No more timers."""
        if self._timer is not None:
            self._timer.cancel()


class RelayChain:
    """A transport over one or more relays, in order; all its calls come from one event loop.

    `build` makes the pool of the nth relay, which tells `changed` when its trouble begins or ends.
    """

    def __init__(
        self,
        gates: Gates,
        build: Callable[[int, Callable[[], None]], SmtpTransport],
        log: Log,
        *,
        tick_s: float = _TICK_S,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self._gates = gates
        self._log = log
        self._tick_s = tick_s
        self._timer: asyncio.TimerHandle | None = None
        self._is_closing = self._was_busy = False
        self.lanes: Sequence[_Lane] = [_Lane(self, gate) for gate in gates.relays]
        for number, lane in enumerate(self.lanes):
            lane.pool = build(number, self._changed)
        self._supply: Supply | None = None

    def start(self, supply: Supply) -> None:
        """Begins to take from `supply` whenever woken."""
        self._supply = supply
        for lane in self.lanes:
            lane.start(supply)
        self._timer = self.loop.call_later(self._tick_s, self._tick)

    def wake(self) -> None:
        """There may be something to take."""
        for lane in self.lanes:
            lane.pool.wake()

    @property
    def trouble(self) -> Trouble | None:
        """None while any relay can be used; else the trouble of the one that can be tried soonest."""
        soonest: Trouble | None = None
        for lane in self.lanes:
            trouble = lane.pool.trouble
            if trouble is None:
                return None
            if soonest is None or trouble.until < soonest.until:
                soonest = trouble
        return soonest

    @property
    def gates(self) -> Gates:
        """What bounds which deliveries may be named."""
        return self._gates

    @property
    def rate_per_s(self) -> float | None:
        """What the relay in use and the rate over all allow."""
        lane = self._gates.lane(self.loop.time())
        gates = [gate for gate in (lane, self._gates.overall) if gate is not None]
        rates = [gate.pacer.rate_per_s for gate in gates if gate.pacer.rate_per_s is not None]
        return min(rates, default=None)

    def standings(self) -> list[RelayStanding]:
        """How each relay stands, in order."""
        used = self._gates.lane(self.loop.time())
        return [
            RelayStanding(
                name=lane.gate.name,
                trouble=without_addresses(trouble.what) if trouble is not None else None,
                rate_per_s=lane.gate.pacer.rate_per_s,
                is_slowed=lane.gate.pacer.is_slowed,
                is_used=lane.gate is used and trouble is None,
            )
            for lane in self.lanes
            for trouble in [lane.pool.trouble]
        ]

    async def close(self, grace_s: float) -> None:
        """Takes nothing more, waits at most `grace_s` for answers on all relays, then gives each parcel its outcome."""
        self._is_closing = True
        if self._timer is not None:
            self._timer.cancel()
        for lane in self.lanes:
            lane.close()
        await asyncio.gather(*(lane.pool.close(grace_s) for lane in self.lanes))

    def _tick(self) -> None:
        now = self.loop.time()
        self._timer = self.loop.call_later(self._tick_s, self._tick)
        busy = [lane.sample(now) for lane in self.lanes]
        self._was_busy = any(busy)
        self._changed()
        if len(self.lanes) > 1:
            self.wake()

    def _changed(self) -> None:
        """A relay's trouble began or ended: which ones are to be named for, which tried out?"""
        if self._is_closing:
            return
        down = self._gates.down
        any_ready = any(lane.pool.is_ready for lane in self.lanes)
        for lane in self.lanes:
            trouble = lane.pool.trouble
            lane.gate.is_down = not lane.pool.is_ready if any_ready else trouble is not None
            if len(self.lanes) > 1:
                self._tell(lane, trouble)
        if self._gates.down != down:
            self._gates.changed()
        if len(self.lanes) > 1 and self._supply is not None:
            self._try_out(self._supply)

    def _try_out(self, supply: Supply) -> None:
        """Connects to those before the one in use whose time has come, while there is something to send."""
        if not (self._was_busy or supply.has_parcels):
            return
        used = self._gates.lane(self.loop.time())
        for lane in self.lanes:
            if lane.gate is used:
                return
            lane.pool.try_out()

    def _tell(self, lane: _Lane, trouble: Trouble | None) -> None:
        if trouble is not None and trouble.what != lane.told:
            lane.told = trouble.what
            self._log.warning(
                "relay was set aside", relay=lane.gate.name, why=without_addresses(trouble.what)
            )
        elif lane.told is not None and lane.pool.is_ready:
            lane.told = None
            self._log.info("relay was well again", relay=lane.gate.name)
