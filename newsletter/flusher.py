"""One turn at the ledger: flush, lease, give back, all in one transaction, in a thread beside the sending.

It takes a request and gives an answer; between the two the loop that sends goes on with what was named before. What
follows the commit (`follow`) is done in another thread, so that the next turn need not wait for it.
"""

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from newsletter import leases, paces
from newsletter import notices as notice_store
from newsletter.counterfoil import Entry
from newsletter.gates import ALL, PROVIDER, Plan, Room
from newsletter.leases import Waiting
from newsletter.ledger import Batch, Delivery, Flushed, InDoubt, Standing, Work, flush
from newsletter.notices import Notice
from newsletter.noting import batch_entries, suppressed_entries
from newsletter.progress import SenderReport
from newsletter.retry import Verdict
from newsletter.sealed import Messages
from newsletter.senders import forget_all_senders, record_sender
from newsletter.tokens import Keys
from posts.database import Watch, Writer, reading, writing
from posts.errors import StoreError

_EVEN_EVERY_S = 10.0
_LOOK_ANYWAY_S = 30.0
_NO_BOUND = 1_000_000
_DATABASE_TROUBLE = (OperationalError, InternalError, InterfaceError, PoolTimeout, OSError)
"""A full disk, a lock that nobody lets go of, a server that is gone. Anything else is a fault of the program."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeResult:
    """The verdict on one notice."""

    notice: Notice
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a turn is to do. `settle`: batches all of whose deliveries are dealt with after this flush."""

    works: Sequence[Work] = ()
    settle: Collection[int] = ()
    notice_results: Sequence[NoticeResult] = ()
    notices_kept: Sequence[int] = ()
    notice_room: int = 0
    lease_one: bool = False
    fresh_only: bool = False
    """Lease only of an issue that is not in hand yet."""
    instant_only: bool = False
    """Lease only of an instant issue."""
    busy_issues: Collection[int] = ()
    last_issue: int = 0
    not_before: Mapping[int, datetime] = field(default_factory=dict)
    """Batches to settle that are not to be leased again before a time, since their providers are slow."""
    lane: str | None = None
    """The relay that is named for."""
    plan: Plan | None = None
    recover: bool = False
    """Take over lapsed leases, once those of the batches in hand are renewed: a clock that was stepped on lets all lapse."""


@dataclass(slots=True, kw_only=True)
class Answer:
    """What a turn came to. `failed`: nothing of it is in the database; everything in the request still stands."""

    flushed: dict[int, Flushed] = field(default_factory=dict)
    settled: set[int] = field(default_factory=set)
    notices: list[Notice] = field(default_factory=list)
    notices_kept: frozenset[int] = frozenset()
    leased: Batch | None = None
    """Nothing of it may be named before `Flusher.follow` has said whom it is for."""
    noted: Sequence[Entry] = ()
    """What is to be noted of it once it is committed."""
    done_issues: list[int] = field(default_factory=list)
    waiting: Waiting | None = None
    rooms: dict[str, Room] = field(default_factory=dict)
    lease_until: float = 0.0
    held_s: float = 0.0
    failed: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """What followed a turn. `deliveries`: those of the batch that it leased who may be offered now. `broken`: nothing of
    that batch may go out, its lease lapses; `failed`: the database failed, the batch is to be given back."""

    leased: Batch | None = None
    deliveries: Sequence[Delivery] = ()
    broken: str | None = None
    failed: str | None = None


@dataclass(slots=True, kw_only=True)
class Flusher:
    """Who turns requests into answers for one owner. `reseal` seals an issue anew of which a post was withdrawn.
    `report` gives what the process says of itself, when it is time to write that down.

    `note_before` is called when only the commit is left, `note_after` when it is done and before anything of a leased
    batch goes out (DESIGN.md 8.12); either may raise OSError or StoreError.
    """

    engine: sa.Engine
    keys: Keys
    messages: Messages
    owner: str
    clock: Callable[[], datetime]
    lease: timedelta
    in_doubt: InDoubt
    only: int | None = None
    reseal: Callable[[int], None] | None = None
    report: Callable[[], SenderReport | None] | None = None
    note_before: Callable[[sa.Connection, Sequence[Entry]], None] = lambda conn, entries: None
    note_after: Callable[[Sequence[Entry]], None] = lambda entries: None
    _evened: float = float("-inf")
    _writer: Writer | None = None
    _watch: Watch | None = None
    _quiet: Answer | None = None
    _looked: float = float("-inf")

    def close(self) -> None:
        """Gives back the connection of the turns."""
        if self._writer is not None:
            self._writer.close()

    def recover(self, *, everyone: bool) -> int:
        """Takes over what former owners left; `everyone`: all leases there are, their owners are known to be dead."""
        with writing(self.engine) as conn:
            now = self.clock()
            if everyone:
                forget_all_senders(conn)
            paces.forget_paces(conn, (), now)
            notice_store.recover_notices(conn, now, everyone=everyone)
            return leases.recover(conn, now, everyone=everyone)

    def turn(self, request: Request) -> Answer:
        """Does what is asked in one transaction; a database that fails gives an answer that says so."""
        answer = Answer(lease_until=time.monotonic() + self.lease.total_seconds())
        began = time.monotonic()
        try:
            if self._writer is None:
                self._writer = Writer(self.engine)
            with self._writer.writing() as conn:
                began = time.monotonic()
                self._write(conn, request, answer)
                self._note_before(conn, request)
            answer.held_s = time.monotonic() - began
            answer.notices = [self.messages.signed(notice) for notice in answer.notices]
        except _DATABASE_TROUBLE as error:
            return Answer(failed=_told(error))
        return answer

    def follow(self, answer: Answer) -> Followed:
        """What follows a turn's commit: notes it, then reads whom the leased batch is for.

        For a thread of its own, in the order of the turns. A lease that cannot be noted is let go of: nothing of it goes
        out, and it lapses.
        """
        batch = answer.leased
        try:
            self.note_after(answer.noted)
        except (OSError, StoreError) as error:
            return Followed(leased=batch, broken=f"the counterfoil cannot be written: {error}")
        if batch is None:
            return Followed()
        try:
            return Followed(leased=batch, deliveries=self._load(batch))
        except StoreError as error:
            return Followed(leased=batch, broken=f"issue {batch.issue}: {error}")
        except _DATABASE_TROUBLE as error:
            return Followed(leased=batch, failed=_told(error))

    def look(self) -> Answer:
        """What there is to do, without a word written unless an issue's books are even.

        Where nothing at all was open, only a commit can change that: until there is one the answer stays.
        """
        try:
            self._report_at_rest()
            if self._is_quiet() and self._quiet is not None:
                return self._quiet
            self._reseal()
            with reading(self.engine) as conn:
                waiting = leases.find_waiting(conn, self.clock(), self.in_doubt, self.only)
            answer = Answer(waiting=waiting)
            if waiting.even and time.monotonic() - self._evened > _EVEN_EVERY_S:
                # an issue that waits for a person looks even every time; asking costs a walk over its deliveries
                self._evened = time.monotonic()
                with writing(self.engine) as conn:
                    answer.done_issues = leases.finish_issues(conn, self.clock())
        except _DATABASE_TROUBLE as error:
            self._quiet = None
            return Answer(failed=_told(error))
        is_busy = waiting.open or waiting.due or waiting.lapsed or waiting.even
        self._quiet = None if is_busy else answer
        return answer

    def _report_at_rest(self) -> None:
        """A process that has nothing to flush says that it lives."""
        report = self.report() if self.report is not None else None
        if report is not None:
            with writing(self.engine) as conn:
                record_sender(conn, self.owner, report, self.clock())

    def _is_quiet(self) -> bool:
        """True while the last look found nothing and nobody has committed since. An idle press looks every second."""
        if self._watch is None:
            self._watch = Watch(self.engine)
        changed = (
            self._watch.has_changed()
        )  # asked first: what comes after it is seen at the next look
        if changed or time.monotonic() - self._looked > _LOOK_ANYWAY_S:
            self._looked = time.monotonic()
            return False
        return True

    def _reseal(self) -> None:
        """Before it is asked what is due: a run by hand would end, since of such an issue nothing is."""
        if self.reseal is None:
            return
        with reading(self.engine) as conn:
            withdrawn = leases.list_withdrawn(conn)
        for issue in withdrawn:
            self.reseal(issue)

    def _write(self, conn: sa.Connection, request: Request, answer: Answer) -> None:
        now = self.clock()
        if self.report is not None and (report := self.report()) is not None:
            record_sender(conn, self.owner, report, now)
        until = now + self.lease
        if request.plan is not None:
            # locked first, counted last: two processes never get the same room
            answer.rooms = paces.find_rooms(
                conn, request.plan.asks, now, shared=request.plan.shared
            )
            request = fitted(request, request.plan, answer.rooms)
        for work in request.works:
            answer.flushed[work.batch.id] = flush(conn, work, now, until)
        for work in request.works:
            batch = work.batch
            stands = answer.flushed[batch.id].standing
            if batch.id in request.settle and stands is not Standing.LOST:
                later = request.not_before.get(batch.id)
                leases.settle_batch(conn, batch, now, self.in_doubt, not_before=later)
                answer.settled.add(batch.id)
        if answer.settled:
            answer.done_issues = leases.finish_issues(conn, now)
        for result in request.notice_results:
            notice_store.record_notice(
                conn, self.keys, self.owner, result.notice, result.verdict, now
            )
        answer.notices_kept = notice_store.renew_notices(
            conn, self.owner, request.notices_kept, until
        )
        if request.recover:
            notice_store.recover_notices(conn, now)
            leases.recover(conn, now)
        if request.notice_room > 0:
            answer.notices = notice_store.lease_notices(
                conn,
                self.keys,
                self.owner,
                now,
                until,
                limit=request.notice_room,
                in_doubt=self.in_doubt,
            )
        if request.plan is not None:
            named = count_named(request, request.plan, answer)
            paces.count_named(conn, answer.rooms, named, now, shared=request.plan.shared)
            if request.plan.over:
                paces.forget_paces(conn, request.plan.over, now)
        if request.lease_one:
            answer.leased = leases.lease_batch(
                conn,
                self.owner,
                now,
                until,
                busy=request.busy_issues,
                after=request.last_issue,
                only=self.only,
                fresh=request.fresh_only,
                instant=request.instant_only,
            )
        answer.noted = batch_entries(request.works, answer.settled, answer.leased)

    def _note_before(self, conn: sa.Connection, request: Request) -> None:
        notices = [(result.notice, result.verdict) for result in request.notice_results]
        try:
            self.note_before(conn, suppressed_entries(request.works, notices, self.keys))
        except StoreError as error:
            raise OSError(str(error)) from error  # a turn that failed: all of it is tried again

    def _load(self, batch: Batch) -> list[Delivery]:
        with reading(self.engine) as conn:
            deliveries = leases.list_deliveries(conn, batch, self.keys, self.clock(), self.in_doubt)
            self.messages.load(conn, batch.issue, {delivery.edition for delivery in deliveries})
        return deliveries


def fitted(request: Request, plan: Plan, rooms: Mapping[str, Room]) -> Request:
    """The request with no more to be named than there is room for; what is left out stays pending. Notices go first."""
    whole = [room.granted for room in rooms.values() if room.ask.wanted and _is_whole(room.ask.key)]
    providers = {key: room.granted for key, room in rooms.items() if room.ask.wanted}
    left = min(whole, default=_NO_BOUND)
    notice_room = min(request.notice_room, left)
    left -= notice_room
    works = []
    for work in request.works:
        wanted = []
        for delivery in work.wanted:
            key = plan.provider_of(delivery.address)
            if left > 0 and providers.get(key, 1) > 0:
                wanted.append(delivery)
                left -= 1
                if key in providers:
                    providers[key] -= 1
        works.append(work if len(wanted) == len(work.wanted) else replace(work, wanted=wanted))
    return replace(request, works=works, notice_room=notice_room)


def count_named(request: Request, plan: Plan, answer: Answer) -> Counter[str]:
    """How many were named of each pace: of the relay in use and of all, and of each provider."""
    named = Counter(plan.provider_of(notice.recipient) for notice in answer.notices)
    for work in request.works:
        going = answer.flushed[work.batch.id].named
        named.update(plan.provider_of(d.address) for d in work.wanted if d.number in going)
    total = sum(named.values())
    named.update({key: total for key in (plan.lane, ALL) if key is not None})
    return named


def _is_whole(key: str) -> bool:
    return not key.startswith(PROVIDER)


def _told(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error
    return f"the database failed: {type(error).__name__}: {str(cause).splitlines()[0][:200]}"
