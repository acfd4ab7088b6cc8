"""What a sender has on hand: leased batches, the reserve of named messages, results not yet written (pure).

Every delivery of a held batch is in exactly one place: pending, named, or among the results.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice

from newsletter.flusher import Answer, Followed, NoticeResult, Request
from newsletter.gates import Gates, Naming
from newsletter.ledger import Batch, Delivery, Flushed, Result, Standing, Work
from newsletter.notices import Notice
from newsletter.retry import Verdict

NOTICES_AT_ONCE = 50
LONG_WAIT_S = 20.0
"""A batch of which nobody could be named for so long makes place for another."""


@dataclass(slots=True, eq=False)
class Held:
    """A batch that this process has leased until the monotonic time `until`.

    `named`: on the wire or waiting for it. `is_over`: lost, or its issue stands still; nothing more of it goes out.
    """

    batch: Batch
    until: float
    pending: deque[Delivery]
    named: dict[int, Delivery] = field(default_factory=dict)
    results: list[Result] = field(default_factory=list)
    is_loading: bool = False
    """It is not known yet whom it is for."""
    is_over: bool = False
    is_lost: bool = False
    not_before: datetime | None = None
    """Given back because its providers are slow: it is not to be leased again before this."""
    picked_at: float = 0.0
    """When some of it were last picked, or it was leased."""


@dataclass(slots=True, eq=False)
class Job:
    """A named message on its way: a delivery of a held batch, or a notice leased until `notice_until`. `lane`: the relay
    that it was named for."""

    held: Held | None = None
    delivery: Delivery | None = None
    notice: Notice | None = None
    notice_until: float = 0.0
    lane: str | None = None

    @property
    def address(self) -> str:
        """Whom it is for."""
        if self.delivery is not None:
            return self.delivery.address
        return self.notice.recipient if self.notice is not None else ""

    @property
    def until(self) -> float:
        """The monotonic time at which its lease lapses."""
        return self.held.until if self.held is not None else self.notice_until

    @property
    def is_over(self) -> bool:
        """True when it must not get its final dot any more."""
        return self.held is not None and self.held.is_over


class OnHand:
    """The places of all deliveries and notices in hand, and how a turn at the ledger moves them."""

    def __init__(self, gates: Gates | None = None) -> None:
        self._gates = gates
        self.held: dict[int, Held] = {}
        self.reserve: deque[Job] = deque()
        self.notices: dict[int, Job] = {}
        self.notice_results: list[NoticeResult] = []
        self.unwritten = 0
        """How many results wait for a flush: counted as they come, since it is asked for every message."""
        self.last_issue = 0

    @property
    def named(self) -> int:
        """How many are named and have no result."""
        return len(self.notices) + sum(len(held.named) for held in self.held.values())

    @property
    def pending(self) -> int:
        """How many are leased and not named."""
        return sum(len(held.pending) for held in self.held.values())

    @property
    def startable(self) -> int:
        """How many of the reserve may go on the wire: their providers have not too many there."""
        gates = self._gates
        if gates is None or gates.is_open:
            return len(self.reserve)
        return sum(gates.may_start(job.address) for job in self.reserve)

    def upcoming(self, held: Held, most: int) -> Iterator[Delivery]:
        """Who of a batch is likely to be named next. Those of a slow provider are not: made ahead, they would take the
        room of others."""
        gates = self._gates
        if gates is None or gates.is_open:
            return islice(held.pending, most)
        quick = (one for one in held.pending if not gates.is_bounded(one.address))
        return islice(quick, most)

    @property
    def is_empty(self) -> bool:
        """True when there is nothing in hand at all."""
        return not (self.held or self.notices or self.notice_results)

    @property
    def is_loading(self) -> bool:
        """True while it is not known of a leased batch whom it is for."""
        return any(held.is_loading for held in self.held.values())

    @property
    def can_settle(self) -> bool:
        """True when a batch is done with and can be given back."""
        return any(
            not (held.pending or held.named or held.is_loading) for held in self.held.values()
        )

    def request(
        self,
        room: int,
        *,
        notices: bool,
        lease: bool,
        fresh: bool,
        instant: bool = False,
        naming: Naming | None = None,
    ) -> Request:
        """The next turn: results so far, who is still named, up to `room` more to name, notices before deliveries.
        `naming` says who may be named; None: everybody."""
        notice_room = min(room, NOTICES_AT_ONCE) if notices else 0
        left = max(0, room - notice_room)
        wanted = self._pick(left) if naming is None else self._pick_of(left, naming)
        works = []
        for held in self.held.values():
            results, held.results = held.results, []
            works.append(
                Work(
                    batch=held.batch,
                    keep=tuple(held.named),
                    wanted=tuple(wanted.get(held.batch.id, ())),
                    results=tuple(results),
                )
            )
        settle = [
            work.batch.id
            for work in works
            if not (work.keep or work.wanted or self.held[work.batch.id].pending)
            and not self.held[work.batch.id].is_loading
        ]
        notice_results, self.notice_results = self.notice_results, []
        self.unwritten = 0
        return Request(
            works=works,
            settle=settle,
            notice_results=notice_results,
            notices_kept=tuple(self.notices),
            notice_room=notice_room,
            lease_one=lease,
            fresh_only=fresh,
            instant_only=instant,
            busy_issues=frozenset(held.batch.issue for held in self.held.values()),
            last_issue=self.last_issue,
            not_before={n: h.not_before for n, h in self.held.items() if h.not_before is not None},
        )

    def _pick(self, room: int) -> dict[int, list[Delivery]]:
        """Takes up to `room` deliveries out of pending: of instant issues first, then one of each issue in turn."""
        by_issue: dict[int, list[Held]] = {}
        for held in self.held.values():
            if held.pending and not held.is_over:
                by_issue.setdefault(held.batch.issue, []).append(held)
        picked: dict[int, list[Delivery]] = {}
        turns = deque(batches for batches in by_issue.values() if not batches[0].batch.is_instant)
        urgent = deque(batches for batches in by_issue.values() if batches[0].batch.is_instant)
        while (turns or urgent) and room > 0:
            queue = urgent or turns
            batches = queue.popleft()
            picked.setdefault(batches[0].batch.id, []).append(batches[0].pending.popleft())
            room -= 1
            if not batches[0].pending:
                batches.pop(0)
            if batches:
                queue.append(batches)
        return picked

    def _pick_of(self, room: int, naming: Naming) -> dict[int, list[Delivery]]:
        """As `_pick`, of those who may be named; the others go to the end, so that nobody is asked twice."""
        picked: dict[int, list[Delivery]] = {}
        unasked = {number: len(held.pending) for number, held in self.held.items()}
        turns = deque(held for held in self.held.values() if held.pending and not held.is_over)
        turns = deque(sorted(turns, key=lambda held: not held.batch.is_instant))
        while turns and room > 0:
            held = turns.popleft()
            while unasked[held.batch.id]:
                unasked[held.batch.id] -= 1
                delivery = held.pending.popleft()
                if naming.may(delivery.address):
                    picked.setdefault(held.batch.id, []).append(delivery)
                    held.picked_at = naming.now
                    room -= 1
                    (turns.appendleft if held.batch.is_instant else turns.append)(held)
                    break
                held.pending.append(delivery)
        naming.came_short = room > 0 and any(held.pending for held in self.held.values())
        return picked

    def park(self, naming: Naming, wall: datetime, *, crowded: bool) -> None:
        """Gives batches back of which nobody may be named: those that have waited for long, and where places are needed
        (`crowded`) all but the oldest."""
        waiting = [held for held in self.held.values() if held.pending and not held.is_over]
        is_long = LONG_WAIT_S <= naming.again_s < float("inf")
        for place, held in enumerate(waiting):
            waited_s = naming.now - held.picked_at
            if not (is_long or (crowded and place) or waited_s >= LONG_WAIT_S):
                continue
            delay_s = naming.park_s(delivery.address for delivery in held.pending)
            if delay_s > 0:
                held.pending.clear()
                held.not_before = wall + timedelta(seconds=delay_s)

    def restore(self, request: Request) -> None:
        """The turn failed: everything is where it was before."""
        for work in request.works:
            held = self.held[work.batch.id]
            held.results[:0] = work.results
            self.unwritten += len(work.results)
            if not held.is_over:
                held.pending.extendleft(reversed(work.wanted))
        self.notice_results[:0] = request.notice_results
        self.unwritten += len(request.notice_results)

    def apply(self, request: Request, answer: Answer) -> Iterator[str]:
        """Moves what the turn decided; gives the reason of each exclusion."""
        for work in request.works:
            held = self.held[work.batch.id]
            flushed = answer.flushed[work.batch.id]
            if flushed.standing is not Standing.HELD:
                self._stand_still(held, lost=flushed.standing is Standing.LOST)
            else:
                for delivery in work.wanted:
                    if delivery.number in flushed.named:
                        held.named[delivery.number] = delivery
                        self.reserve.append(Job(held=held, delivery=delivery, lane=request.lane))
                if len(flushed.named) + len(flushed.excluded) < len(work.wanted):
                    held.pending.extendleft(reversed(_without_room(work.wanted, flushed)))
                yield from (why for why in flushed.excluded.values() if why != "settled")
            if not held.is_lost:
                held.until = answer.lease_until
            is_empty = not (held.named or held.results or held.is_loading)
            if held.batch.id in answer.settled or (held.is_lost and is_empty):
                del self.held[held.batch.id]
        self._apply_notices(request, answer)
        if answer.leased is not None:
            self.last_issue = answer.leased.issue
            self.held[answer.leased.id] = Held(
                answer.leased, answer.lease_until, deque(), is_loading=True
            )

    def follow(self, followed: Followed) -> None:
        """Takes in whom a leased batch is for; lets go of one of which nothing may go out, so that its lease lapses."""
        if followed.leased is None:
            return
        held = self.held[followed.leased.id]
        held.is_loading, held.picked_at = False, time.monotonic()
        if followed.broken is not None:
            del self.held[followed.leased.id]
        elif not held.is_over:
            held.pending.extend(followed.deliveries)

    def _apply_notices(self, request: Request, answer: Answer) -> None:
        for number in request.notices_kept:
            if number in self.notices:
                mine = number in answer.notices_kept
                self.notices[number].notice_until = answer.lease_until if mine else 0.0
        for notice in reversed(answer.notices):
            job = Job(notice=notice, notice_until=answer.lease_until, lane=request.lane)
            self.notices[notice.id] = job
            self.reserve.appendleft(job)

    def _stand_still(self, held: Held, *, lost: bool) -> None:
        """Nothing more of this batch goes out; what is on the wire already is waited for."""
        held.is_over = True
        held.is_lost = held.is_lost or lost
        held.pending.clear()
        for job in [job for job in self.reserve if job.held is held]:
            self.reserve.remove(job)
            assert job.delivery is not None
            held.named.pop(job.delivery.number, None)

    def brings_forward(self) -> bool:
        """Puts the first whose provider may be given another one in front; False where there is none."""
        for place, job in enumerate(self.reserve):
            if self._gates is None or self._gates.may_start(job.address):
                if place:
                    del self.reserve[place]
                    self.reserve.appendleft(job)
                return True
        return False

    def withdraw_reserve(self, lanes: Collection[str] | None = None) -> bool:
        """Un-names what is not on the wire yet (and was named for `lanes`): who is written to is asked again when sending
        goes on. True when there was something."""
        going = [job for job in self.reserve if lanes is None or job.lane in lanes]
        if not going:
            return False
        kept = [job for job in self.reserve if lanes is not None and job.lane not in lanes]
        self.reserve = deque(kept)
        for job in reversed(going):
            self.not_sent(job)
            if job.delivery is not None and job.held is not None:
                self.give_back(job.held, job.delivery)
            elif job.notice is not None:
                self.notice_done(job.notice, Verdict(state=None))
        return True

    def not_sent(self, job: Job) -> None:
        """Limits count it no more."""
        if self._gates is not None and not self._gates.is_open:
            self._gates.not_sent(job.lane, job.address)

    def give_back(self, held: Held, delivery: Delivery) -> None:
        """Nothing came of this delivery (weather): it is pending again, before the others."""
        held.named.pop(delivery.number, None)
        # one that was parked meanwhile waits for its next lease
        if not held.is_over and held.not_before is None:
            held.pending.appendleft(delivery)

    def delivery_done(self, held: Held, delivery: Delivery, verdict: Verdict) -> None:
        """Keeps a verdict for the next flush."""
        held.named.pop(delivery.number, None)
        held.results.append(Result(delivery, verdict))
        self.unwritten += 1

    def notice_done(self, notice: Notice, verdict: Verdict) -> None:
        """Keeps what came of a notice for the next flush."""
        self.notices.pop(notice.id, None)
        self.notice_results.append(NoticeResult(notice=notice, verdict=verdict))
        self.unwritten += 1

    def forget_pending(self, batches: Iterable[Held]) -> None:
        """Nothing more is to be named of these batches."""
        for held in batches:
            held.pending.clear()


def _without_room(wanted: Sequence[Delivery], flushed: Flushed) -> list[Delivery]:
    """Those that another process left no room for."""
    dealt_with = flushed.named | flushed.excluded.keys()
    return [delivery for delivery in wanted if delivery.number not in dealt_with]
