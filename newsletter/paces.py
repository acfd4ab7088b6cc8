"""The SQL of pacing: rates that were found, and what the limits count; shared by all who send, kept over restarts.

Who asks for room locks the rows of `paces` first, in the order of their keys, and counts what was named before the
transaction ends: two processes never get the same room.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from newsletter.gates import ALL, PROVIDER, RELAY, Ask, Room
from newsletter.pacing import Found, Window
from newsletter.tables import pace_counts, paces
from posts.upsert import insert_into

KEPT = timedelta(days=7)
"""A found rate is let go of so long after the last time that somebody asked for fewer."""

_LONGEST_COUNT = timedelta(days=40)
"""No limit counts for longer (31 days, and two slots)."""

_AHEAD = timedelta(seconds=2)
"""Where several processes send, each may name two seconds' worth ahead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPace:
    """A pace that somebody asked for, as `status` shows it: `kind` relay, provider or all, and its name."""

    kind: str
    name: str
    rate_per_s: float
    slowed: datetime
    raised: datetime


def list_paces(conn: sa.Connection) -> list[FoundPace]:
    """Where sending was slowed down, and to what: relays first, then providers by name."""
    rows = conn.execute(
        sa.select(paces.c.key, paces.c.rate, paces.c.slowed, paces.c.raised)
        .where(paces.c.rate.is_not(None), paces.c.slowed.is_not(None))
        .order_by(paces.c.key)
    )
    found = []
    for row in rows:
        kind, _, name = row.key.partition(" ")
        found.append(
            FoundPace(
                kind=kind,
                name=name,
                rate_per_s=row.rate,
                slowed=row.slowed,
                raised=row.raised or row.slowed,
            )
        )
    return sorted(found, key=lambda pace: ((ALL, RELAY, PROVIDER).index(pace.kind), pace.name))


def list_found(conn: sa.Connection, now: datetime) -> dict[str, Found]:
    """The found rates by key, for a sender that begins."""
    rows = conn.execute(
        sa.select(paces.c.key, paces.c.rate, paces.c.slowed, paces.c.raised).where(
            paces.c.rate.is_not(None), paces.c.slowed > now - KEPT
        )
    )
    return {
        row.key: Found(rate_per_s=row.rate, slowed=row.slowed, raised=row.raised or row.slowed)
        for row in rows
    }


def find_rooms(
    conn: sa.Connection, asks: Iterable[Ask], now: datetime, *, shared: bool
) -> dict[str, Room]:
    """How many of the wanted may be named, by key; writes found rates down and takes over newer ones.

    `shared`: others send beside us, so that rates are shared too; on SQLite nobody does (DESIGN.md 9). The rows stay
    locked until the transaction ends; `count_named` is to be called before.
    """
    asks = sorted(asks, key=lambda ask: ask.key)
    if not asks:
        return {}
    conn.execute(
        insert_into(conn, paces).on_conflict_do_nothing(), [{"key": ask.key} for ask in asks]
    )
    rows = conn.execute(
        sa.select(paces.c.key, paces.c.rate, paces.c.slowed, paces.c.raised, paces.c.next_at)
        .where(paces.c.key.in_([ask.key for ask in asks]))
        .order_by(paces.c.key)
        .with_for_update()
    ).all()
    stored = {row.key: (_found(row.rate, row.slowed, row.raised), row.next_at) for row in rows}
    return {ask.key: _room(conn, ask, *stored[ask.key], now, shared=shared) for ask in asks}


def count_named(
    conn: sa.Connection,
    rooms: Mapping[str, Room],
    named: Mapping[str, int],
    now: datetime,
    *,
    shared: bool,
) -> None:
    """Counts what was named of each pace, in the transaction that names it, and says in `rooms` what is left."""
    for key, room in rooms.items():
        count = named.get(key, 0)
        for window, slots in room.slots.items():
            _count(conn, _window_key(key, window), window, slots, count, now)
        _look(room, now)
        if shared and count and room.ask.rate_per_s:
            after = room.next_at or now
            after += timedelta(seconds=count / room.ask.rate_per_s)
            conn.execute(sa.update(paces).where(paces.c.key == key).values(next_at=after))


def forget_paces(conn: sa.Connection, keys: Collection[str], now: datetime) -> None:
    """Lets go of providers' found rates that are over, and of all that nobody has confirmed for long."""
    is_over = paces.c.key.startswith(f"{PROVIDER} ") & paces.c.key.in_(keys)
    conn.execute(sa.delete(paces).where((paces.c.slowed <= now - KEPT) | is_over))
    # of limits that are not set any more; those that are let go of their own
    conn.execute(sa.delete(pace_counts).where(pace_counts.c.slot <= now - _LONGEST_COUNT))


def _found(
    rate_per_s: float | None, slowed: datetime | None, raised: datetime | None
) -> Found | None:
    if slowed is None:
        return None
    return Found(rate_per_s=rate_per_s, slowed=slowed, raised=raised or slowed)


def _room(
    conn: sa.Connection,
    ask: Ask,
    stored: Found | None,
    next_at: datetime | None,
    now: datetime,
    *,
    shared: bool,
) -> Room:
    room = Room(ask=ask, granted=ask.wanted)
    room.found = stored
    if ask.found is not None and (stored is None or ask.found.at >= stored.at):
        room.found = ask.found
        conn.execute(
            sa.update(paces)
            .where(paces.c.key == ask.key)
            .values(rate=ask.found.rate_per_s, slowed=ask.found.slowed, raised=ask.found.raised)
        )
    for window in ask.windows:
        room.slots[window] = _slots(conn, _window_key(ask.key, window), window, now)
        _give_back(conn, ask.key, window, room.slots[window], ask.returned)
    _look(room, now)
    if room.free is not None:
        room.granted = max(0, min(room.granted, room.free))
    if shared and ask.rate_per_s:
        room.next_at = _next_at(next_at, ask.rate_per_s, now)
        ahead = (now + _AHEAD - room.next_at).total_seconds() * ask.rate_per_s
        room.granted = max(0, min(room.granted, int(ahead)))
    return room


def _next_at(stored: datetime | None, rate_per_s: float, now: datetime) -> datetime:
    """When the next may go. What lies too far ahead is of a clock that was stepped back: it counts as now."""
    far = now + _AHEAD + timedelta(seconds=1 + 1 / rate_per_s)
    if stored is None or stored > far:
        return now
    return max(stored, now - timedelta(seconds=1 / rate_per_s))


def _window_key(key: str, window: Window) -> str:
    return f"{key} in {window.length_s}s"


def _slots(conn: sa.Connection, key: str, window: Window, now: datetime) -> dict[datetime, int]:
    rows = conn.execute(
        sa.select(pace_counts.c.slot, pace_counts.c.count.label("named"))
        .where(pace_counts.c.key == key)
        .order_by(pace_counts.c.slot)
    )
    return {row.slot: row.named for row in rows if window.counts(row.slot, now)}


def _give_back(
    conn: sa.Connection, key: str, window: Window, slots: dict[datetime, int], returned: int
) -> None:
    """Takes back what was counted and never sent: out of the oldest slots, so that what is left counts for longer."""
    for slot in sorted(slots):
        less = min(slots[slot], returned)
        if less <= 0:
            continue
        slots[slot] -= less
        returned -= less
        conn.execute(
            sa.update(pace_counts)
            .where(pace_counts.c.key == _window_key(key, window), pace_counts.c.slot == slot)
            .values(count=slots[slot])
        )


def _count(
    conn: sa.Connection,
    key: str,
    window: Window,
    slots: dict[datetime, int],
    count: int,
    now: datetime,
) -> None:
    if not count:
        return
    slot = window.slot_of(now)
    if slot in slots:
        slots[slot] += count
        conn.execute(
            sa.update(pace_counts)
            .where(pace_counts.c.key == key, pace_counts.c.slot == slot)
            .values(count=slots[slot])
        )
        return
    # a new slot begins: time to let go of those that count no more
    rows = conn.execute(sa.select(pace_counts.c.slot).where(pace_counts.c.key == key)).scalars()
    over = [old for old in rows if not window.counts(old, now)]
    if over:
        conn.execute(
            sa.delete(pace_counts).where(pace_counts.c.key == key, pace_counts.c.slot.in_(over))
        )
    slots[slot] = count
    conn.execute(sa.insert(pace_counts).values(key=key, slot=slot, count=count))


def _look(room: Room, now: datetime) -> None:
    """What the windows leave: the least of them."""
    room.free = room.opens = None
    for window, slots in room.slots.items():
        counted: Sequence[tuple[datetime, int]] = sorted(slots.items())
        free = window.free(counted, now)
        room.free = free if room.free is None else min(room.free, free)
        if free <= 0:
            opens = window.opens(counted, now)
            room.opens = opens if room.opens is None else max(room.opens, opens)
