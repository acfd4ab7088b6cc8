"""Sends what is due: the delivery program's work, and the same by hand."""

import asyncio
import os
import random
import secrets
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from types import FrameType

import structlog
import uvloop
from sqlalchemy.exc import SQLAlchemyError

from dateline.actions.follow import DeliverResult, Progress, follow
from dateline.actions.gates import relay_settings
from dateline.actions.holding import note, note_after, refuse_held, watching
from dateline.actions.relay import build_transport, refuse_to_send
from dateline.actions.release import reseal
from dateline.actions.reporting import build_report
from dateline.actions.signing import load_signing_keys
from dateline.deliver_lock import DeliverLock
from dateline.press import Press
from newsletter.books import count_open
from newsletter.flusher import Flusher
from newsletter.headers import domain_of
from newsletter.issues import get_issue
from newsletter.overview import list_next_retries
from newsletter.paces import FoundPace, list_paces
from newsletter.progress import RateMeter, Reporter
from newsletter.runs import Counts, Pace, State
from newsletter.sealed import Messages
from newsletter.sender import Sender
from newsletter.senders import forget_sender
from posts.database import open_engine, reading, writing
from posts.errors import DatelineError, Refused

__all__ = [
    "DeliverResult",
    "Progress",
    "deliver",
    "deliver_notices",
    "deliver_once",
    "run_daemon",
]

_WEATHER_PATIENCE_S = 20.0
"""By hand, without `--until-done`, weather is waited out so long."""
_LOCK_WAIT_S = 4.0
_ORPHAN_GRACE_S = 0.3
_LAST_WORD_S = 0.6
"""The daemon was killed: what is on the wire gets this long, and then the program is gone, whatever it was at."""
_LOOK_S = 1.0
"""A run by hand looks into the database for what it shows so often."""
_NO_ISSUE = 0
"""Ids begin at 1: of this issue there is nothing to send."""

log = structlog.get_logger()


def deliver(
    press: Press,
    *,
    issue: int | None = None,
    until_done: bool = False,
    stop: Callable[[], bool] = lambda: False,
    progress: Callable[[Progress], None] | None = None,
) -> DeliverResult:
    """Sends what is due (of one issue, with `issue`, and all notices) and returns; `until_done` waits for retries.

    Beside a running daemon it sends nothing and follows the daemon's work. Raises Refused where nothing may be sent,
    NotFound for an issue that does not exist.
    """
    if issue is not None and issue != _NO_ISSUE:
        with reading(press.engine) as conn:
            get_issue(conn, issue)
    refuse_to_send(
        press
    )  # beside a daemon too: one that waits for a key would be followed for ever
    with DeliverLock(press.var) as lock:
        if not lock.acquire("dateline deliver"):
            return follow(press, issue, until_done, stop, progress, lock.holder())
        with reading(press.engine) as conn:
            total = count_open(conn, issue, in_doubt=press.config.mail.in_doubt)
        gone = _Enough(
            total, until_done=until_done, progress=progress, look=lambda: _look(press, issue)
        )
        counts = _send(press, issue, stop, gone, lambda: _grace_s(press))
        refuse_held(press)
        with reading(press.engine) as conn:
            waiting = count_open(conn, issue, in_doubt=press.config.mail.in_doubt)
        return DeliverResult(
            sent=counts.sent,
            deferred=counts.deferred,
            failed=counts.failed,
            excluded=counts.excluded,
            in_doubt=counts.in_doubt,
            notices=counts.notices,
            waiting=waiting,
            trouble=gone.trouble,
        )


def deliver_once(press: Press) -> DeliverResult:
    """What is due now, for `run --once`."""
    return deliver(press)


def deliver_notices(press: Press) -> DeliverResult:
    """Sends the notices that are due and no issue, as after `issues test`; beside a daemon it leaves them to it."""
    return deliver(press, issue=_NO_ISSUE)


def run_daemon(press: Press) -> None:
    """The delivery program under the daemon: until its standard input closes or a signal comes.

    Raises Refused, naming the holder, when another process sends for this press and does not end soon.
    """
    ending = _Ending(press)
    ending.watch()
    with DeliverLock(press.var) as lock:
        if not lock.acquire("the daemon's delivery program", wait_s=_LOCK_WAIT_S):
            raise Refused(
                f"mail is sent by {lock.holder()} already",
                where=str(press.var),
                remedy="End it first; one sender is enough.",
            )
        told: str | None = None
        while not ending.is_asked():
            try:
                refuse_to_send(press)
            except Refused as refusal:
                # pages and feeds go on; what is due waits until the setting is mended and the daemon restarted, or
                # until the database is adopted
                if told != str(refusal):
                    told = str(refusal)
                    log.error("nothing is sent", why=told)
                ending.wait(1.0)
                continue
            log.info("delivery began", pid=os.getpid())
            _send(press, None, ending.is_asked, _never, ending.grace_s)
    log.info("delivery ended")


def _never(state: State, counts: Counts) -> bool:
    return False


class _Enough:
    """When a run by hand is over: nothing is due (or, with `until_done`, nothing is left), or trouble lasts."""

    def __init__(
        self,
        total: int,
        *,
        until_done: bool,
        progress: Callable[[Progress], None] | None,
        look: Callable[[], "_Look"],
    ) -> None:
        self._total = total
        self._until_done = until_done
        self._progress = progress
        self._look = look
        self._seen = _Look()
        self._looked_at = float("-inf")
        self._meter = RateMeter()
        self._told_at = 0.0
        self.trouble: str | None = None

    def __call__(self, state: State, counts: Counts) -> bool:
        """Asked all the time; shows progress on the way."""
        if self._progress is not None and time.monotonic() - self._told_at >= 0.1:
            self._told_at = time.monotonic()
            self._progress(self._now(state, counts))
        patience = float("inf") if self._until_done else _WEATHER_PATIENCE_S
        if state.ours or state.trouble_s > patience:
            self.trouble = state.trouble
            return True
        over = state.idle and not (self._until_done and state.open)
        if over and self._progress is not None:
            self._progress(self._now(state, counts))
        return over

    def _now(self, state: State, counts: Counts) -> Progress:
        done, now = counts.sent + counts.failed + counts.excluded, time.monotonic()
        self._meter.note(done + counts.deferred + counts.in_doubt + counts.notices, now)
        if now - self._looked_at >= _LOOK_S:
            self._looked_at, self._seen = now, self._look()
        rate = self._meter.rate_per_s(now)
        left = max(0, self._total - done - counts.deferred - counts.in_doubt)
        return Progress(
            done=done,
            total=max(self._total, done),
            sent=counts.sent,
            deferred=counts.deferred,
            failed=counts.failed,
            excluded=counts.excluded,
            in_doubt=counts.in_doubt,
            notices=counts.notices,
            trouble=state.trouble,
            rate_per_s=rate,
            time_left_s=left / rate if left and rate and state.trouble is None else None,
            next_retry=self._seen.next_retry if counts.deferred else None,
            found_rates=self._seen.found_rates,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """What a run by hand sees in the database on its way, for next to nothing."""

    found_rates: tuple[FoundPace, ...] = ()
    next_retry: datetime | None = None


def _look(press: Press, issue: int | None) -> _Look:
    try:
        with reading(press.engine) as conn:
            retries = list_next_retries(conn, None if issue is None else [issue])
            return _Look(
                found_rates=tuple(list_paces(conn)), next_retry=min(retries.values(), default=None)
            )
    except SQLAlchemyError:
        return _Look()  # the sender tells of it, and goes on when the database does


def _send(
    press: Press,
    issue: int | None,
    stop: Callable[[], bool],
    enough: Callable[[State, Counts], bool],
    grace_s: Callable[[], float],
) -> Counts:
    """Sends as the holder of the lock: on SQLite that proves every former owner dead."""
    mail = press.config.mail
    owner = f"{os.uname().nodename}:{os.getpid()}:{secrets.token_hex(4)}"
    engine = open_engine(
        press.engine.url.render_as_string(hide_password=False), power_safe=mail.power_safe
    )
    try:
        flusher = Flusher(
            engine=engine,
            keys=press.keys,
            messages=Messages(
                keys=press.keys,
                web_url=press.config.web.url,
                from_domain=domain_of(mail.from_),
                zone=press.config.site.zone,
                signing_keys=load_signing_keys(press),
            ),
            owner=owner,
            clock=press.clock,
            lease=press.patience.lease,
            in_doubt=mail.in_doubt,
            only=issue,
            reseal=lambda withdrawn: _reseal(press, withdrawn),
            note_before=lambda conn, entries: note(press, conn, *entries),
            note_after=lambda entries: note_after(press, entries),
        )
        taken = flusher.recover(everyone=engine.dialect.name == "sqlite")
        if taken:
            log.warning("batches were taken over", batches=taken)
        with (
            watching(press) as is_held,
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            ends = lambda: stop() or is_held()  # noqa: E731  asked all the time
            try:
                return runner.run(_run(press, flusher, ends, enough, grace_s))
            finally:
                flusher.close()
    finally:
        _sign_off(press, owner)
        engine.dispose()


def _sign_off(press: Press, owner: str) -> None:
    """Takes the row of this process away; where the database has failed, time does."""
    try:
        with writing(press.engine) as conn:
            forget_sender(conn, owner)
    except SQLAlchemyError as error:
        log.warning("the last report was left behind", why=type(error).__name__)


def _reseal(press: Press, issue: int) -> None:
    """Seals an issue anew; where that fails it stands still, and the others go on."""
    try:
        reseal(press, issue)
    except DatelineError as error:
        log.error("issue could not be sealed anew", issue=issue, why=str(error))


async def _run(
    press: Press,
    flusher: Flusher,
    stop: Callable[[], bool],
    enough: Callable[[State, Counts], bool],
    grace_s: Callable[[], float],
) -> Counts:
    mail = press.config.mail
    pace = Pace(
        connections=max(relay.connections for relay in relay_settings(mail)),
        flush_every=mail.flush_every,
        retry_for=mail.retry_for,
    )
    transport = build_transport(press)
    sender = Sender(
        flusher,
        transport,
        pace,
        sender=mail.from_,
        clock=press.clock,
        chance=random.random,
        log=log,
    )
    reporter = Reporter()
    flusher.report = lambda: reporter.due(time.monotonic())

    def is_enough(state: State) -> bool:
        report = build_report(state, sender.counts, transport)
        reporter.note(report, time.monotonic(), rests=state.idle)
        return enough(state, sender.counts)

    await sender.run(stop=stop, enough=is_enough, grace_s=grace_s)
    return sender.counts


def _grace_s(press: Press) -> float:
    return press.config.mail.stop_grace.total_seconds()


class _Ending:
    """How the delivery program is told to end: a signal (in good order) or its daemon's death (at once)."""

    def __init__(self, press: Press) -> None:
        self._press = press
        self._asked = threading.Event()
        self._orphaned = False

    def watch(self) -> None:
        """Begins to listen to signals and to standard input."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._signalled)
        threading.Thread(target=self._until_closed, name="stdin", daemon=True).start()

    def is_asked(self) -> bool:
        """True when it is time to end."""
        return self._asked.is_set()

    def wait(self, seconds: float) -> None:
        """Waits, but not longer than until it is time to end."""
        self._asked.wait(seconds)

    def grace_s(self) -> float:
        """How long to wait for what is on the wire."""
        return _ORPHAN_GRACE_S if self._orphaned else _grace_s(self._press)

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        self._asked.set()

    def _until_closed(self) -> None:
        try:
            while os.read(sys.stdin.fileno(), 4096):
                pass
        except (OSError, ValueError):
            pass
        self._orphaned = True
        self._asked.set()
        time.sleep(_LAST_WORD_S)
        os._exit(1)
