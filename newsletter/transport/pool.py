"""The SMTP transport: as many connections to one relay as are needed and allowed, and its weather (DESIGN.md 8.11)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from newsletter.transport.base import Kind, Outcome, Supply, Trouble
from newsletter.transport.replies import Phase
from newsletter.transport.smtp import Relay, SetUpFailed, SmtpConnection

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 900.0
"""A relay that took its leave is left alone for a second, then longer each time, up to a quarter of an hour."""

MOST_POLICY_REFUSALS = 3
"""So many refusals for what we are, none accepted in between, stop the relay."""

_IDLE_S = 15.0
_MORE_S = 60.0
_QUIT_WAIT_S = 0.02


class SmtpTransport:
    """A pool of connections; all its calls come from one event loop. `chance` gives [0, 1) and spreads retries."""

    def __init__(
        self,
        relay: Relay,
        connections: int,
        chance: Callable[[], float],
        *,
        first_wait_s: float = FIRST_WAIT_S,
        tick_s: float = 1.0,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._relay = relay
        self._most = self._allowed = connections
        self._chance = chance
        self._first_wait_s = first_wait_s
        self._tick_s = tick_s
        self._changed = changed
        self._loop = asyncio.get_running_loop()
        self._supply: Supply | None = None
        self._connections: dict[SmtpConnection, float] = {}
        self._connecting: set[asyncio.Task[None]] = set()
        self._trouble: Trouble | None = None
        self._on_trial = False
        self._failures = 0
        self._policy_refusals = 0
        self._connect_from = 0.0
        self._more_from = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._is_closing = False

    def start(self, supply: Supply) -> None:
        """Begins to take from `supply` whenever woken."""
        self._supply = supply
        self._timer = self._loop.call_later(self._tick_s, self._tick)

    @property
    def trouble(self) -> Trouble | None:
        """What keeps it from sending; None again once it is time to try."""
        if self._trouble is not None and self._trouble.until <= self._loop.time():
            return None
        return self._trouble

    @property
    def is_ready(self) -> bool:
        """True while there is no trouble and, after some, a connection has been let in again."""
        return self.trouble is None and not (self._on_trial and not self._connections)

    def try_out(self) -> None:
        """After trouble: opens a connection, to see whether it is over, with nothing to send."""
        if self._is_closing or self.is_ready or self.trouble is not None or self._connecting:
            return
        self._begin_connection()

    @property
    def rate_per_s(self) -> None:
        """As many as it can."""
        return None

    @property
    def gates(self) -> None:
        """Nothing bounds it."""
        return None

    def wake(self) -> None:
        """There may be something to take: gives it to idle connections, then opens more."""
        if self._is_closing or self._supply is None or self.trouble is not None:
            return
        for connection in list(self._connections):
            if not self._supply.has_parcels:
                return
            connection.pump()
        now = self._loop.time()
        while (
            self._supply.has_parcels
            # with none open, "no more of you" says nothing: it let one in before
            and (now >= self._connect_from or not self._connections)
            and len(self._connections) + len(self._connecting) < self._allowed
            # one at a time until the relay has let the first one in
            and (self._connections or not self._connecting)
        ):
            self._begin_connection()

    def _begin_connection(self) -> None:
        task = self._loop.create_task(self._connect())
        self._connecting.add(task)
        task.add_done_callback(self._connected)

    async def close(self, grace_s: float) -> None:
        """Takes nothing more, waits for answers to final dots, then gives every open parcel its outcome."""
        self._is_closing = True
        if self._timer is not None:
            self._timer.cancel()
        for task in list(self._connecting):
            task.cancel()
        await asyncio.gather(*self._connecting, return_exceptions=True)
        deadline = self._loop.time() + grace_s
        while self._awaiting() and self._loop.time() < deadline:
            await asyncio.sleep(0.02)
        polite = False
        for connection in list(self._connections):
            if connection.talk is None or connection.talk.is_idle:
                connection.quit()
                polite = True
            else:
                connection.abort("sending was stopped")
        if polite:
            await asyncio.sleep(_QUIT_WAIT_S if grace_s > 1 else 0)

    def _awaiting(self) -> bool:
        return any(c.talk is not None and c.talk.awaits_dot for c in self._connections)

    async def _connect(self) -> None:
        connection = SmtpConnection(self._relay, self._ended)
        try:
            await connection.set_up()
        except SetUpFailed as failed:
            connection.abort("set-up failed")
            self._set_up_failed(failed)
            return
        except asyncio.CancelledError:
            connection.abort("sending was stopped")
            raise
        self._connections[connection] = self._loop.time()
        self._on_trial = False
        self._changed()
        assert self._supply is not None
        connection.converse(self._supply, self._heard)

    def _connected(self, task: asyncio.Task[None]) -> None:
        self._connecting.discard(task)
        if not task.cancelled():
            task.result()
            self.wake()

    def _set_up_failed(self, failed: SetUpFailed) -> None:
        what = f"{self._relay.host}:{self._relay.port}: {failed.phase}: {failed.outcome.reply}"
        if failed.outcome.kind is Kind.OURS:
            self._stop(what)
        elif self._connections:
            # the relay lets no more of us in than there are
            self._allowed = max(1, len(self._connections))
            self._connect_from = self._more_from = self._loop.time() + _MORE_S
        else:
            self._back_off(what)

    def _heard(self, outcome: Outcome, phase: Phase) -> None:
        """What a reply says of the relay itself."""
        if outcome.kind is Kind.ACCEPTED:
            self._failures = self._policy_refusals = 0
            self._trouble = None
            self._on_trial = False
        elif outcome.kind is Kind.OURS:
            self._stop(f"the relay refuses the sender: {outcome.reply}")
        elif outcome.policy:
            self._policy_refusals += 1
            if self._policy_refusals >= MOST_POLICY_REFUSALS:
                self._policy_refusals = 0
                self._stop(f"the relay refuses our mail by policy: {outcome.reply}")
        elif outcome.kind is Kind.WEATHER and not outcome.slow_down:
            self._back_off(f"the relay asks to wait: {outcome.reply}")

    def _back_off(self, what: str) -> None:
        if self.trouble is not None:
            return
        wait = min(self._first_wait_s * 2.0 ** min(self._failures, 20), LONGEST_WAIT_S)
        self._failures += 1
        self._set_trouble(what, wait * (0.75 + 0.5 * self._chance()))

    def _stop(self, what: str) -> None:
        self._set_trouble(what, LONGEST_WAIT_S, ours=True)

    def _set_trouble(self, what: str, wait_s: float, *, ours: bool = False) -> None:
        self._trouble = Trouble(what=what, until=self._loop.time() + wait_s, ours=ours)
        self._on_trial = True
        self._loop.call_later(wait_s + 0.01, self._try_again)
        self._changed()

    def _try_again(self) -> None:
        self._changed()
        self.wake()

    def _ended(self, connection: SmtpConnection, why: str) -> None:
        was_sending = self._connections.pop(connection, None) is not None
        if was_sending and why != "done" and not self._is_closing:
            idle = connection.talk is None or connection.talk.was_idle
            if not idle and self.trouble is None:
                self._back_off(f"{self._relay.host}:{self._relay.port}: {why}")
        if not self._is_closing:
            self._loop.call_soon(self.wake)

    def _tick(self) -> None:
        now = self._loop.time()
        self._timer = self._loop.call_later(self._tick_s, self._tick)
        for connection, busy_at in list(self._connections.items()):
            if connection.talk is not None and not connection.talk.is_idle:
                self._connections[connection] = now
                connection.check(now)
            elif now - busy_at > _IDLE_S:
                connection.quit()
        if self._allowed < self._most and now >= self._more_from:
            self._allowed += 1
            self._more_from = now + _MORE_S
        self.wake()
