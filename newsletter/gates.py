"""Which messages may go now: a gate for each relay, one for each provider, one for all (pure: time comes in).

Relays and the whole are slowed on the wire (transport/relays.py); limits and providers where deliveries are picked to be
named, so that a slow provider never stands in the way of the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from newsletter.pacing import Bounds, Found, Pacer, Window
from newsletter.transport.base import Kind, Outcome

ALL, RELAY, PROVIDER = "all", "relay", "provider"

MOST_THROTTLED = 3
"""So many providers that ask for fewer at once: it is the relay that does."""

_AT_ONCE_S = 10.0
_STRIKES_S = 60.0
_LONGEST_PARK_S = 900.0
_SOON_S, _LEAST_PER_S = 60.0, 0.2
"""What opens later or takes less is nothing that a run by hand waits for."""
_NO_BOUND = 1_000_000


def relay_key(host: str, port: int) -> str:
    """The key of a relay's pace."""
    return f"{RELAY} {host.lower()}:{port}"


def provider_key(domain: str) -> str:
    """The key of a provider's pace: of the domain, or of the first of a group of them."""
    return f"{PROVIDER} {domain}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a flush asks of one pace. `wanted`: how many it would name; `returned`: named and counted before, and never
    sent; `rate_per_s`: what all processes together may send; `found`: our own rate, where it is new."""

    key: str
    windows: tuple[Window, ...] = ()
    rate_per_s: float | None = None
    wanted: int = 0
    returned: int = 0
    found: Found | None = None


@dataclass(slots=True, kw_only=True)
class Room:
    """How a pace stands. `granted`: so many of the wanted may be named; after counting, `free` (None: no limit) and
    `opens`, when a limit that is used up lets one through again. `found`: the newest rate that anybody found."""

    ask: Ask
    granted: int
    free: int | None = None
    opens: datetime | None = None
    found: Found | None = None
    next_at: datetime | None = None
    slots: dict[Window, dict[datetime, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What bounds a flush. `lane`: the key of the relay that is named for; `over`: providers whose found rates are to be
    forgotten; `provider_of`: the key for an address."""

    asks: Sequence[Ask]
    lane: str | None
    over: frozenset[str]
    shared: bool
    provider_of: Callable[[str], str]


class Gate:
    """What one relay or provider lets through. `is_down`: the relay has trouble and another one has none."""

    __slots__ = (
        "bounds",
        "free",
        "is_down",
        "key",
        "on_wire",
        "opens",
        "pacer",
        "parked",
        "returned",
    )

    def __init__(self, key: str, bounds: Bounds, now: float) -> None:
        self.key = key
        self.bounds = bounds
        # relays are paced on the wire, providers at each flush
        slack = 1.0 if key.startswith(PROVIDER) else 0.0
        self.pacer = Pacer(bounds.rate_per_s, now, slack=slack)
        self.free: int | None = None
        self.opens = float("-inf")
        self.on_wire = 0
        self.returned = 0
        self.parked = float("-inf")
        self.is_down = False

    @property
    def name(self) -> str:
        """The relay's or provider's own name."""
        return self.key.partition(" ")[2] or self.key

    def window_room(self, now: float) -> int:
        """How many its limits let through, as the database last said; it says anew when it is asked."""
        if self.free is None or (self.free <= 0 and now >= self.opens):
            return _NO_BOUND
        return max(0, self.free)

    def speed_per_s(self) -> float | None:
        """What goes through in the long run, or None."""
        speeds = [window.most / window.length_s for window in self.bounds.windows]
        if self.pacer.rate_per_s is not None:
            speeds.append(self.pacer.rate_per_s)
        if self.bounds.at_once is not None:
            # how long an answer takes is not known; to look too early costs little, too late leaves the provider idle
            speeds.append(20.0 * self.bounds.at_once)
        return min(speeds, default=None)

    def is_shared(self, *, shared: bool) -> bool:
        """True when the database is to be asked before something is named."""
        return bool(self.bounds.windows) or (shared and self.pacer.rate_per_s is not None)


class Naming:
    """One pick of deliveries: `room` of all together, and `may` for each in turn, which counts it."""

    __slots__ = (
        "_gates",
        "_left",
        "_waiting",
        "again_s",
        "came_short",
        "comes_s",
        "counts",
        "lane",
        "now",
        "room",
    )

    def __init__(self, gates: Gates, lane: Gate | None, now: float, waiting: Iterable[str]) -> None:
        self._gates = gates
        self.now = now
        self._left: dict[str, int] = {}
        self._waiting = Counter(map(gates.provider_of, waiting))
        self.counts: Counter[str] = Counter()
        self.lane = lane
        self.came_short = False
        """True after a pick that left room, because none of those who are left may be named."""
        self.comes_s = 0.0
        """Until what was put off for a slow provider has had its turn; not for one that is as good as closed."""
        self.again_s = float("inf")
        """After how long it is worth while to pick again, where a provider held somebody back; where only those on the
        wire are in the way, an answer says it."""
        rooms = [gate.window_room(now) for gate in (lane, gates.overall) if gate is not None]
        self.room = min(rooms, default=_NO_BOUND)

    def park_s(self, addresses: Iterable[str]) -> float:
        """After how long it is worth while to look at these again; 0.0: they need not wait."""
        delay_s, is_closed = self._gates.park_s(addresses, self.now)
        if not is_closed:
            self.comes_s = max(self.comes_s, delay_s)
        return delay_s

    def may(self, address: str) -> bool:
        """True when this one may be named now: it is counted."""
        key = self._gates.provider_of(address)
        gate = self._gates.providers.get(key)
        if gate is None:
            return True
        left = self._left.get(key)
        if left is None:
            left = self._room_of(gate, key)
        if left <= 0:
            if left == 0:
                self.again_s = min(self.again_s, _wait_s(gate, self.now))
            self._left[key] = -1
            return False
        self._left[key] = left - 1
        gate.pacer.take(self.now)
        self.counts[key] += 1
        return True

    def _room_of(self, gate: Gate, key: str) -> int:
        room = max(0, min(gate.window_room(self.now), int(gate.pacer.tokens(self.now))))
        if gate.bounds.at_once is not None:
            # as many again as may be on the wire wait behind them, no more: they take the room of others
            room = min(room, max(0, 2 * gate.bounds.at_once - gate.on_wire - self._waiting[key]))
        return room


def _wait_s(gate: Gate, now: float) -> float:
    """When a provider's rate or limit lets one through again; inf where neither stands in the way."""
    if gate.window_room(now) <= 0:
        return gate.opens - now
    wait = gate.pacer.wait(now)
    # a little more than one at a time
    return max(wait, 0.05) if wait > 0 else float("inf")


class Gates:
    """All gates of a run. `groups` says which provider a domain belongs to; `shared`: others send beside us."""

    def __init__(
        self,
        relays: Sequence[Gate] = (),
        *,
        overall: Gate | None = None,
        groups: Mapping[str, str] | None = None,
        providers: Sequence[Gate] = (),
        shared: bool = False,
    ) -> None:
        self.relays = list(relays)
        self.overall = overall
        self.providers = {gate.key: gate for gate in providers}
        self.shared = shared
        self.head_lane: Callable[[], str | None] = lambda: None
        """The key of the relay that the next message was named for; set by who names. None: whichever is used now."""
        self.changed: Callable[[], None] = lambda: None
        """Called when a relay is set aside or used again; set by who names."""
        self._groups = dict(groups or {})
        self._listed = frozenset(self.providers)
        self._throttled: dict[str, float] = {}
        self._strikes: dict[str, tuple[int, float]] = {}
        self._over: set[str] = set()
        self._bounded = bool(self.providers) or any(
            gate.is_shared(shared=shared) for gate in self._whole()
        )
        self.is_open = not self._bounded

    def _whole(self) -> list[Gate]:
        return [*self.relays, *([self.overall] if self.overall is not None else [])]

    def _all(self) -> list[Gate]:
        return [*self._whole(), *self.providers.values()]

    # naming

    def provider_of(self, address: str) -> str:
        """The key of the provider that takes mail for an address."""
        domain = address.rpartition("@")[2].lower()
        return self._groups.get(domain) or PROVIDER + " " + domain

    def lane(self, now: float) -> Gate | None:
        """The relay to name for: the first that is well and whose limit is not used up, else the first that is well."""
        well = [gate for gate in self.relays if not gate.is_down]
        for gate in well:
            if gate.window_room(now) > 0:
                return gate
        return well[0] if well else None

    def naming(self, now: float, waiting: Iterable[str] = ()) -> Naming:
        """A pick of deliveries to be named; `waiting`: the addresses of those that are named and not on the wire."""
        return Naming(self, self.lane(now), now, waiting)

    def closed(self, now: float) -> Gate | None:
        """The relay whose limit opens soonest, while none of those that are well lets anything through."""
        lane = None if self.is_open else self.lane(now)
        if lane is None or lane.window_room(now) > 0:
            return None
        return min((gate for gate in self.relays if not gate.is_down), key=lambda gate: gate.opens)

    def used_up(self, now: float, wall: datetime) -> str | None:
        """Which limit keeps all from going, and until when; None where none does."""
        closed = self.closed(now)
        if closed is None:
            return None
        limits = ", ".join(window.text for window in closed.bounds.windows)
        opens = wall + timedelta(seconds=closed.opens - now)
        return f"{closed.name}: its limit ({limits}) is used up until {opens:%d %B %H:%M} UTC"

    @property
    def down(self) -> frozenset[str]:
        """The relays that are set aside while another one is well: what was named for them is to be named anew."""
        return frozenset(gate.key for gate in self.relays if gate.is_down)

    def park_s(self, addresses: Iterable[str], now: float) -> tuple[float, bool]:
        """After how long it is worth while to look at deliveries again whose providers are slow: the least of them,
        behind what was put off before; and whether none of these takes anything worth waiting for."""
        soonest, is_closed = _LONGEST_PARK_S, True
        for key, count in Counter(map(self.provider_of, addresses)).items():
            gate = self.providers.get(key)
            if gate is None:
                return 0.0, False
            opens = gate.opens if gate.window_room(now) <= 0 else now
            speed = gate.speed_per_s() or 1.0
            gate.parked = min(max(gate.parked, opens, now) + count / speed, now + _LONGEST_PARK_S)
            soonest = min(soonest, gate.parked - now)
            rate = gate.pacer.rate_per_s
            is_closed &= opens - now > _SOON_S or (rate is not None and rate < _LEAST_PER_S)
        return soonest, is_closed

    # on the wire

    def is_bounded(self, address: str) -> bool:
        """True when the provider has bounds, or is slowed."""
        return self.provider_of(address) in self.providers

    def may_start(self, address: str) -> bool:
        """True when a message may go on the wire: not too many to its provider are there."""
        gate = self.providers.get(self.provider_of(address))
        return gate is None or gate.bounds.at_once is None or gate.on_wire < gate.bounds.at_once

    def started(self, address: str) -> None:
        """A message went on the wire."""
        gate = self.providers.get(self.provider_of(address))
        if gate is not None:
            gate.on_wire += 1

    def ended(self, address: str) -> bool:
        """A message on the wire has its outcome; True when that lets another one to its provider go."""
        gate = self.providers.get(self.provider_of(address))
        if gate is None or not gate.on_wire:
            return False
        gate.on_wire -= 1
        return gate.bounds.at_once is not None

    def not_sent(self, lane: str | None, address: str) -> None:
        """A message was named for `lane` and never sent: its limits count it no more."""
        for gate in self._whole():
            if gate.bounds.windows and (gate.key == lane or gate is self.overall):
                gate.returned += 1
        provider = self.providers.get(self.provider_of(address))
        if provider is not None and provider.bounds.windows:
            provider.returned += 1

    def heard(
        self, relay: Gate, address: str, outcome: Outcome, now: float, seen_per_s: float
    ) -> None:
        """What an answer says of the pace of a relay and of a provider; `seen_per_s`: what went out of late."""
        if outcome.slow_down:
            if outcome.of_relay:
                relay.pacer.slow_down(now, seen_per_s)
            else:
                self._throttle(relay, self.provider_of(address), now, seen_per_s)
        elif outcome.kind is Kind.ACCEPTED:
            for gate in self._whole():
                if gate is relay or gate is self.overall:
                    gate.pacer.accepted(now)
            provider = self.providers.get(self.provider_of(address))
            if provider is not None:
                provider.pacer.accepted(now)
                if provider.key not in self._listed and not provider.pacer.is_slowed:
                    self._let_go(provider.key)

    def _throttle(self, relay: Gate, key: str, now: float, seen_per_s: float) -> None:
        gate = self.providers.get(key)
        times, last = self._strikes.get(key, (0, now))
        times = times + 1 if now - last < _STRIKES_S else 1
        if len(self._strikes) > 1000:
            self._strikes.clear()
        self._strikes[key] = (times, now)
        if gate is None and relay.pacer.is_slowed and times < MOST_THROTTLED:
            # the relay has been asking already; one provider among many shows when it goes on asking
            relay.pacer.slow_down(now, seen_per_s)
            return
        if gate is None:
            gate = self.providers[key] = Gate(key, Bounds(), now)
            self._over.discard(key)
            self.is_open = False
        gate.pacer.slow_down(now, seen_per_s)
        self._throttled[key] = now
        late = {key: at for key, at in self._throttled.items() if now - at < _AT_ONCE_S}
        self._throttled = late
        if len(late) >= MOST_THROTTLED:
            relay.pacer.slow_down(now, seen_per_s)
            for one in late:
                if one not in self._listed:
                    self._let_go(one)
            self._throttled = {}

    def _let_go(self, key: str) -> None:
        self.providers.pop(key, None)
        self._over.add(key)
        self.is_open = not (self._bounded or self.providers)

    # what the database knows

    @property
    def wants_sync(self) -> bool:
        """True when something is to be told to the database or asked of it even where nothing is named."""
        return bool(self._over) or any(
            gate.pacer.is_changed or gate.returned for gate in self._all()
        )

    def plan(self, naming: Naming | None, wanted: int, now: float, wall: datetime) -> Plan | None:
        """What the next flush asks of the database, which names `wanted` deliveries and notices; None: nothing."""
        asks = self._asks(naming, wanted, now, wall)
        if not asks and not self._over:
            return None
        over, self._over = frozenset(self._over), set()
        lane = naming.lane.key if naming is not None and naming.lane is not None else None
        return Plan(
            asks=asks, lane=lane, over=over, shared=self.shared, provider_of=self.provider_of
        )

    def _asks(self, naming: Naming | None, wanted: int, now: float, wall: datetime) -> list[Ask]:
        asks = []
        for gate in self._all():
            if gate.key.startswith(PROVIDER):
                count = naming.counts[gate.key] if naming is not None else 0
            else:
                is_named_for = naming is not None and gate in (naming.lane, self.overall)
                count = wanted if is_named_for else 0
            asked = gate.is_shared(shared=self.shared) and count > 0
            if not (asked or gate.pacer.is_changed or gate.returned):
                continue
            found = self._found_of(gate, now, wall) if gate.pacer.is_changed else None
            asks.append(
                Ask(
                    key=gate.key,
                    windows=gate.bounds.windows,
                    rate_per_s=gate.pacer.rate_per_s,
                    wanted=count,
                    returned=gate.returned,
                    found=found,
                )
            )
            gate.returned = 0
            gate.pacer.is_changed = False
        return asks

    def failed(self, plan: Plan) -> None:
        """The flush failed: what it would have told is still to be told."""
        self._over |= plan.over
        gates = {gate.key: gate for gate in self._all()}
        for ask in plan.asks:
            gate = gates.get(ask.key)
            if gate is not None:
                gate.returned += ask.returned
                gate.pacer.is_changed = gate.pacer.is_changed or ask.found is not None

    def told(self, rooms: Mapping[str, Room], now: float, wall: datetime) -> None:
        """What the database said."""
        for gate in self._all():
            room = rooms.get(gate.key)
            if room is None:
                continue
            gate.free = room.free
            if room.opens is not None:
                gate.opens = now + (room.opens - wall).total_seconds()
            if room.found is not None:
                self._adopt(gate, room.found, now, wall)

    def restore(self, found: Mapping[str, Found], now: float, wall: datetime) -> None:
        """Goes on from what was found before: by key."""
        for key in found:
            if key.startswith(PROVIDER + " ") and key not in self.providers:
                self.providers[key] = Gate(key, Bounds(), now)
                self.is_open = False
        for gate in self._all():
            if gate.key in found:
                self._adopt(gate, found[gate.key], now, wall)

    def _adopt(self, gate: Gate, found: Found, now: float, wall: datetime) -> None:
        slowed = now - max(0.0, (wall - found.slowed).total_seconds())
        raised = now - max(0.0, (wall - found.raised).total_seconds())
        if not gate.pacer.is_changed and max(slowed, raised) > gate.pacer.changed_at + 0.001:
            gate.pacer.adopt(found.rate_per_s, slowed, raised)

    def _found_of(self, gate: Gate, now: float, wall: datetime) -> Found:
        pacer = gate.pacer
        slowed_s = min(now - pacer.slowed_at, 365 * 86400.0)
        return Found(
            rate_per_s=pacer.rate_per_s if pacer.is_slowed else None,
            slowed=wall - timedelta(seconds=slowed_s),
            raised=wall - timedelta(seconds=max(0.0, now - pacer.raised_at)),
        )
