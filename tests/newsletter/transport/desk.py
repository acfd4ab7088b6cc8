"""A supply that a test fills, and transports that take from it; no ledger behind."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine
from dataclasses import replace
from typing import TypeVar

from newsletter.transport.base import Kind, Outcome, Parcel, Transport
from newsletter.transport.pool import SmtpTransport
from newsletter.transport.smtp import Relay, Timeouts

T = TypeVar("T")
BODY = b"Subject: Juarez\r\n\r\ntext\r\n"
QUICK = Timeouts(connect=5, greeting=5, command=5, data=5, block=5, dot=5)


class Desk:
    """Parcels wait here in order; `outcomes` keeps what came of whom, `repeats` puts weather back in front."""

    def __init__(self, *names: str, repeats: bool = True) -> None:
        self.parcels = deque(a_parcel(name) for name in names)
        self.outcomes: dict[str, list[Outcome]] = {}
        self.repeats = repeats
        self.finishes = True
        self.transport: Transport | None = None
        self.done_event = asyncio.Event()

    @property
    def has_parcels(self) -> bool:
        """True while one waits."""
        return bool(self.parcels)

    def take(self) -> Parcel | None:
        """The next; none while the transport has trouble, as the sender does it."""
        if self.transport is not None and self.transport.trouble is not None:
            return None
        return self.parcels.popleft() if self.parcels else None

    def may_finish(self, parcel: Parcel) -> bool:
        """As the test says."""
        return self.finishes

    def done(self, parcel: Parcel, outcome: Outcome) -> None:
        """Keeps what came of it."""
        self.outcomes.setdefault(name_of(parcel), []).append(outcome)
        if outcome.kind in (Kind.WEATHER, Kind.OURS) and self.repeats:
            self.parcels.appendleft(parcel)
        self.done_event.set()

    def kinds(self, name: str) -> list[Kind]:
        """What came of one reader's parcel, in order."""
        return [outcome.kind for outcome in self.outcomes.get(name, [])]

    def last(self, name: str) -> Outcome:
        """The last of it."""
        return self.outcomes[name][-1]

    async def until(self, *names: str) -> None:
        """Waits until each of `names` has an outcome that is not weather (of a parcel that is repeated)."""
        while not all(self._is_over(name) for name in names):
            self.done_event.clear()
            await self.done_event.wait()

    def _is_over(self, name: str) -> bool:
        kinds = self.kinds(name)
        return bool(kinds) and not (self.repeats and kinds[-1] is Kind.WEATHER)


def name_of(parcel: Parcel) -> str:
    """The local part."""
    return parcel.recipient.rpartition("@")[0]


def a_parcel(name: str, body: bytes = BODY, domain: str = "example.net") -> Parcel:
    """A message to `name`."""
    return Parcel(sender="press@news.example", recipient=f"{name}@{domain}", body=body)


def a_relay(port: int, **changes: object) -> Relay:
    """The scripted server as a relay, with short time-outs."""
    relay = Relay(host="127.0.0.1", port=port, helo="news.example", timeouts=QUICK)
    return replace(relay, **changes)  # type: ignore[arg-type]  # a test names its fields


def a_pool(port: int, connections: int = 1, /, **changes: object) -> SmtpTransport:
    """A pool that retries at once and looks at its clocks often."""
    return SmtpTransport(
        a_relay(port, **changes), connections, lambda: 0.0, first_wait_s=0.01, tick_s=0.01
    )


async def send(desk: Desk, transport: Transport, *names: str) -> None:
    """Sends until `names` have their outcomes, then closes."""
    desk.transport = transport
    transport.start(desk)
    transport.wake()
    await desk.until(*names)
    await transport.close(1.0)


def run(test: Coroutine[None, None, T]) -> T:
    """Runs a test in a loop of its own, for at most ten seconds."""

    async def within() -> T:
        async with asyncio.timeout(10):
            return await test

    return asyncio.run(within())
