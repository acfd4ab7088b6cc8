"""The sender: keeps a transport supplied with what the ledger has named, and the ledger with what came of it.

One event loop sends; one thread turns at the ledger beside it (flusher.py), another does what follows a turn, so that
the wire never waits for the disk, and no byte goes out that a commit has not named. Named and without a written result are never more than
2 x connections + flush_every (DESIGN.md 8.6).
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime

from newsletter.flusher import Answer, Flusher, Followed, Request
from newsletter.gates import Gates, Naming
from newsletter.headers import HeaderError
from newsletter.ledger import Delivery
from newsletter.making import Maker
from newsletter.on_hand import Held, Job, OnHand
from newsletter.retry import sent, verdict
from newsletter.runs import Counts, Log, Pace, State, without_addresses
from newsletter.transport.base import Kind, Outcome, Parcel, Transport

ISSUES_AT_ONCE = 4
"""So many batches are held, of different issues where there are some: a small issue never waits for a big one."""

_LEASE_AHEAD = 250
"""A batch is leased so many deliveries before they are needed: noting and reading it takes longer than sending what may
be named at once."""

_LEASE_MARGIN_S = 5.0
_QUIET_S = 0.1
_STEP_S = 0.25
_POLL_S = 1.0
_LONG_TROUBLE_S = 0.3
_FIRST_RETRY_S, _LONGEST_RETRY_S = 0.5, 30.0


class Sender:
    """Sends all that is due through one transport. `chance` gives [0, 1)."""

    def __init__(
        self,
        flusher: Flusher,
        transport: Transport,
        pace: Pace,
        *,
        sender: str,
        clock: Callable[[], datetime],
        chance: Callable[[], float],
        log: Log,
    ) -> None:
        now = time.monotonic()
        self._flusher = flusher
        self._transport = transport
        self._pace = pace
        self._clock = clock
        self._chance = chance
        self._log = log
        self._gates = transport.gates
        self._hand = OnHand(self._gates)
        self._maker = Maker(flusher.messages, self._hand, sender=sender, most=2 * pace.bound)
        self._changed = asyncio.Event()
        self._following: deque[asyncio.Future[Followed]] = deque()
        self._result_at = self._turn_at = self._retry_at = now
        self._look_at = self._lease_at = self._pick_at = self._parked_until = float("-inf")
        self._failures = 0
        self._due = self._may_lease = True
        self._dirty = self._frozen = self._stopping = self._fresh = self._is_short = False
        self._lapsed = False
        self._open = 0
        self._db_trouble: str | None = None
        self._told: str | None = None
        self._trouble_from: float | None = None
        self.counts = Counts()
        if self._gates is not None:
            self._gates.changed = self._changed.set
            self._gates.head_lane = lambda: (
                self._hand.reserve[0].lane if self._hand.reserve else None
            )

    # what the transport calls

    @property
    def has_parcels(self) -> bool:
        """True when a named message waits for the wire."""
        if not self._hand.reserve or self._frozen or self._stopping:
            return False
        if self._gates is not None and not self._gates.is_open and not self._hand.brings_forward():
            return False
        return not self._maker.is_at(self._hand.reserve[0])

    def take(self) -> Parcel | None:
        """The next named message, made just now; None while there is none, or trouble forbids it."""
        while self.has_parcels and self._transport.trouble is None:
            job = self._hand.reserve.popleft()
            if 2 * len(self._hand.reserve) < self._pace.flush_every:
                self._changed.set()
            if (parcel := self._parcel_of(job)) is not None:
                if self._gates is not None and not self._gates.is_open:
                    self._gates.started(parcel.recipient)
                return parcel
        return None

    def may_finish(self, parcel: Parcel) -> bool:
        """Asked before the final dot: False when the batch is not ours any more or its lease may have lapsed."""
        job = parcel.key
        assert isinstance(job, Job)
        in_time = time.monotonic() < job.until - _LEASE_MARGIN_S
        return in_time and not (job.is_over or self._frozen or self._stopping)

    def done(self, parcel: Parcel, outcome: Outcome) -> None:
        """What came of a message."""
        job = parcel.key
        assert isinstance(job, Job)
        if self._gates is not None and not self._gates.is_open:
            self._provider_answered(self._gates, parcel, outcome)
        if outcome.kind is Kind.ACCEPTED:
            self._told = self._trouble_from = None
            if job.delivery is not None and job.held is not None:
                self._record_sent(job.held, job.delivery, outcome)
                return
        self._record(job, outcome)

    def _provider_answered(self, gates: Gates, parcel: Parcel, outcome: Outcome) -> None:
        if gates.ended(parcel.recipient):
            self._pick_at = float("-inf")
            self._changed.set()
            if self._hand.reserve:
                asyncio.get_running_loop().call_soon(self._transport.wake)
        if outcome.kind in (Kind.WEATHER, Kind.OURS):
            assert isinstance(parcel.key, Job)
            self._hand.not_sent(parcel.key)

    # the loop

    async def run(
        self,
        *,
        stop: Callable[[], bool],
        enough: Callable[[State], bool],
        grace_s: Callable[[], float],
    ) -> None:
        """Sends until `stop`, or until `enough` says so of how the run stands; then gives back what is in hand."""
        # what is there now stays: walking over all of it, time and again, took a tenth of the time and held the wire up
        gc.freeze()
        try:
            await self._run(stop, enough, grace_s)
        finally:
            gc.unfreeze()

    async def _run(
        self,
        stop: Callable[[], bool],
        enough: Callable[[State], bool],
        grace_s: Callable[[], float],
    ) -> None:
        self._transport.start(self)
        helpers = self._flusher.messages.helpers
        with (
            ThreadPoolExecutor(1, thread_name_prefix="ledger") as thread,
            ThreadPoolExecutor(1, thread_name_prefix="following") as self._follower,
            ThreadPoolExecutor(max(1, helpers), thread_name_prefix="maker") as makers,
        ):
            loop = asyncio.get_running_loop()
            self._maker.begin(makers, lambda: loop.call_soon_threadsafe(self._transport.wake))
            while not stop():
                self._take_followed()
                self._weather()  # first, so that a run that ends for trouble can say which
                if enough(self._state()):
                    break
                if self._wants_turn():
                    await self._turn(thread)
                elif self._wants_look():
                    await self._look(thread)
                else:
                    await self._nap()
            await self._finish(thread, grace_s())

    async def _turn(self, thread: ThreadPoolExecutor, *, last: bool = False) -> None:
        hand = self._hand
        low = self._is_low
        lease = not last and self._may_lease and self._room > 0 and self._leases_more(low=low)
        naming = self._naming() if not last else None
        request = hand.request(
            0 if last else self._room if naming is None else min(self._room, naming.room),
            notices=self._due and not last,
            lease=lease,
            fresh=not low,
            instant=len(hand.held) >= ISSUES_AT_ONCE,
            naming=naming,
        )
        if self._gates is not None:
            request = self._planned(self._gates, request, naming)
        if self._lapsed and not last:
            request = replace(request, recover=True)
        if lease:
            self._lease_at = time.monotonic()
        self._dirty = self._fresh = False
        self._turn_at = time.monotonic()
        loop = asyncio.get_running_loop()
        answer = await loop.run_in_executor(thread, self._flusher.turn, request)
        if answer.failed is not None:
            hand.restore(request)
            if self._gates is not None and request.plan is not None:
                self._gates.failed(request.plan)
            self._failed(answer.failed)
            return
        self._database_is_well()
        if request.recover:
            self._lapsed = False
            self._due = self._may_lease = True
        if self._gates is not None and answer.rooms:
            self._gates.told(answer.rooms, time.monotonic(), self._clock())
        for _reason in hand.apply(request, answer):
            self.counts.excluded += 1
        if any(room.granted < room.ask.wanted for room in answer.rooms.values()):
            # others who send have taken the room: it comes back with time, not with asking
            self._pick_at = time.monotonic() + _STEP_S
        if lease and answer.leased is None and not (request.fresh_only or request.instant_only):
            self._may_lease = False
        if request.notice_room and len(answer.notices) < request.notice_room:
            self._due = False
        if answer.noted:
            self._follow(answer)
        self._told_of(answer)
        self._maker.order()
        if hand.reserve:
            self._transport.wake()
        if self._flusher.engine.dialect.name == "sqlite" and not last:
            # waiting writers poll there: the lock is left free as long as it was held (DESIGN.md 9)
            await asyncio.sleep(min(answer.held_s, 1.0))

    def _follow(self, answer: Answer) -> None:
        """Has done what follows a turn, beside the next ones."""
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._follower, self._flusher.follow, answer)
        future.add_done_callback(lambda _: self._changed.set())
        self._following.append(future)

    def _take_followed(self) -> None:
        """Takes in the batches of which it is known by now whom they are for."""
        while self._following and self._following[0].done():
            followed = self._following.popleft().result()
            self._hand.follow(followed)
            self._pick_at = float("-inf")
            if followed.broken is not None:
                self._log.error("issue could not be sent", why=followed.broken)
            if followed.failed is not None:
                self._failed(followed.failed)
            self._maker.order()

    def _naming(self) -> Naming | None:
        """Who may be named in the next turn; None: everybody."""
        if self._gates is None or self._gates.is_open:
            self._is_short, self._pick_at = False, float("-inf")
            return None
        waiting = [job.address for job in self._hand.reserve]
        return self._gates.naming(time.monotonic(), waiting)

    def _planned(self, gates: Gates, request: Request, naming: Naming | None) -> Request:
        """The request with what its limits need, after the pick; slow providers make place for others."""
        now, wall = time.monotonic(), self._clock()
        lane = naming.lane if naming is not None else gates.lane(now)
        if naming is not None:
            self._is_short = naming.came_short
            self._pick_at = now + min(naming.again_s, _POLL_S) if naming.came_short else now
            if naming.came_short and naming.room > 0:
                crowded = self._may_lease and len(self._hand.held) >= ISSUES_AT_ONCE
                self._hand.park(naming, wall, crowded=crowded)
                self._parked_until = max(self._parked_until, now + naming.comes_s + _POLL_S)
        named = sum(len(work.wanted) for work in request.works) + request.notice_room
        return replace(
            request,
            lane=lane.key if lane is not None and len(gates.relays) > 1 else None,
            plan=gates.plan(naming, named, now, wall),
        )

    async def _look(self, thread: ThreadPoolExecutor) -> None:
        self._look_at = time.monotonic()
        answer = await asyncio.get_running_loop().run_in_executor(thread, self._flusher.look)
        if answer.failed is not None:
            self._failed(answer.failed)
            return
        self._database_is_well()
        if answer.waiting is not None:
            self._fresh = True
            self._open = answer.waiting.open
            self._due = self._may_lease = answer.waiting.due
            self._lapsed = answer.waiting.lapsed
        self._told_of(answer)

    async def _finish(self, thread: ThreadPoolExecutor, grace_s: float) -> None:
        """The end: what is on the wire is waited for, the rest is given back, everything is written."""
        self._stopping = True
        await self._transport.close(grace_s)
        self._hand.withdraw_reserve()
        for _ in range(20):
            if self._following:
                await asyncio.wait(self._following)
            self._take_followed()
            self._hand.forget_pending(self._hand.held.values())
            if self._hand.is_empty:
                return
            await self._turn(thread, last=True)
            if self._db_trouble is not None:
                await asyncio.sleep(0.25)
        self._log.error("results could not be written", results=self._hand.unwritten)

    async def _nap(self) -> None:
        self._changed.clear()
        busy = self._hand.unwritten or self._hand.reserve
        try:
            async with asyncio.timeout(_QUIET_S if busy else _STEP_S):
                await self._changed.wait()
        except TimeoutError:
            return

    # what there is to do

    @property
    def _target(self) -> int:
        """How many to hold named: two seconds' worth, so that who has left meanwhile is not written to."""
        rate = self._transport.rate_per_s
        return self._pace.bound if rate is None else min(self._pace.bound, max(1, int(2 * rate)))

    @property
    def _room(self) -> int:
        """How many may be named now."""
        if self._frozen or self._stopping or self._transport.trouble is not None:
            return 0
        if self._gates is not None and self._gates.closed(time.monotonic()) is not None:
            return 0
        hand = self._hand
        return max(0, min(self._pace.bound - hand.named, self._target - hand.startable))

    @property
    def _is_low(self) -> bool:
        return self._is_short or self._hand.pending < self._target + _LEASE_AHEAD

    def _leases_more(self, *, low: bool) -> bool:
        """One batch is leased after the other while few are pending; else it is looked every second whether another
        issue came, and, when all places are taken, whether an instant one did: that goes before all."""
        if self._hand.is_loading:
            return False
        if len(self._hand.held) >= ISSUES_AT_ONCE:
            low = False
        return low or time.monotonic() - self._lease_at >= _POLL_S

    def _wants_turn(self) -> bool:
        now, hand = time.monotonic(), self._hand
        if now < self._retry_at:
            return False
        unwritten = hand.unwritten
        if unwritten >= self._pace.flush_every or self._dirty or hand.can_settle or self._lapsed:
            return True
        if unwritten and now - self._result_at >= _QUIET_S:
            return True
        if not hand.is_empty and now - self._turn_at > self._flusher.lease.total_seconds() / 4:
            return True
        if self._gates is not None and self._gates.wants_sync and now - self._turn_at >= _POLL_S:
            return True
        if self._room <= 0:
            return False
        few = 2 * hand.startable < min(self._target + 1, self._pace.flush_every)
        if few and hand.pending and now >= self._pick_at:
            return True
        return self._due or (self._may_lease and self._leases_more(low=self._is_low))

    def _wants_look(self) -> bool:
        now = time.monotonic()
        if now < self._retry_at:
            return False
        return now - self._look_at >= _POLL_S or (self._hand.is_empty and not self._fresh)

    # what came of it

    def _parcel_of(self, job: Job) -> Parcel | None:
        try:
            return self._maker.parcel(job)
        except HeaderError as error:
            self._record(job, Outcome(kind=Kind.PERMANENT, text=str(error)))
            return None

    def _record_sent(self, held: Held, delivery: Delivery, outcome: Outcome) -> None:
        """What `_record` does for all but the few: it is asked for every message."""
        hand = self._hand
        if not hand.unwritten:
            self._result_at = time.monotonic()
        hand.delivery_done(held, delivery, sent(outcome, delivery.attempts, delivery.first_refused))
        self.counts.sent += 1
        if hand.unwritten >= self._pace.flush_every:
            self._changed.set()

    def _record(self, job: Job, outcome: Outcome) -> None:
        said_nothing = outcome.kind in (Kind.WEATHER, Kind.OURS)
        if said_nothing and job.delivery is not None and job.held is not None:
            self._hand.give_back(job.held, job.delivery)
            return
        chance, now = self._chance(), self._clock()
        retry_for = self._pace.retry_for
        self._result_at = self._result_at if self._hand.unwritten else time.monotonic()
        if job.delivery is not None and job.held is not None:
            delivery = job.delivery
            found = verdict(
                outcome,
                attempts=delivery.attempts,
                first_refused=delivery.first_refused,
                now=now,
                retry_for=retry_for,
                chance=chance,
                lost_before=delivery.lost_before,
            )
            self._hand.delivery_done(job.held, delivery, found)
            self._count(found.state)
        elif job.notice is not None:
            notice = job.notice
            found = verdict(
                outcome,
                attempts=notice.attempts,
                first_refused=notice.first_refused,
                now=now,
                retry_for=retry_for,
                chance=chance,
            )
            self._hand.notice_done(notice, found)
            self.counts.notices += found.state == "sent"
        if self._hand.unwritten >= self._pace.flush_every:
            self._changed.set()

    def _count(self, state: str | None) -> None:
        if state is not None:
            name = state.replace(" ", "_")
            setattr(self.counts, name, getattr(self.counts, name) + 1)

    # trouble

    def _weather(self) -> None:
        """Tells of trouble once, and un-names what is not on the wire while it lasts."""
        trouble = self._transport.trouble
        if self._gates is not None and (down := self._gates.down) and trouble is None:
            self._dirty = self._hand.withdraw_reserve(down) or self._dirty
        what = self._db_trouble or (trouble.what if trouble is not None else None)
        waits = self._hand.pending or self._may_lease or self._due
        if what is None and self._gates is not None and waits:
            what = self._gates.used_up(time.monotonic(), self._clock())
        if what is None:
            return
        if self._trouble_from is None:
            self._trouble_from = time.monotonic()
        if what != self._told:
            self._told = what
            self._log.warning("sending was held up", why=without_addresses(what))
        if trouble is not None and self._hand.reserve:
            left = trouble.until - asyncio.get_running_loop().time()
            if left > _LONG_TROUBLE_S:
                self._hand.withdraw_reserve()
                self._dirty = True

    def _state(self) -> State:
        trouble = self._transport.trouble
        since = self._trouble_from
        return State(
            idle=self._fresh
            and self._hand.is_empty
            and not (self._due or self._may_lease)
            and time.monotonic() >= self._parked_until,
            open=self._open,
            trouble=without_addresses(self._told) if self._told else None,
            ours=trouble is not None and trouble.ours,
            trouble_s=time.monotonic() - since if since is not None else 0.0,
        )

    def _failed(self, why: str) -> None:
        """The database failed: nothing more goes out before it works again (mail.md 4.4)."""
        self._frozen = True
        self._db_trouble = why
        wait = min(_FIRST_RETRY_S * 2.0**self._failures, _LONGEST_RETRY_S)
        self._failures = min(self._failures + 1, 10)
        self._retry_at = time.monotonic() + wait

    def _database_is_well(self) -> None:
        if self._frozen:
            self._told = self._trouble_from = None
        self._frozen = False
        self._db_trouble = None
        self._failures = 0

    def _told_of(self, answer: Answer) -> None:
        for issue in answer.done_issues:
            self._flusher.messages.forget(issue)
            self._log.info("issue was done", issue=issue)
