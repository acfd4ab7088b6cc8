"""Our sender as a process of its own: `python -m tests.benchmarks.ours FOLDER --issue N [--no-ledger]`.

It does what the delivery program does, from the first look at the database to the last commit, and tells its run.
Its imports are not timed: the delivery program is started with the daemon, not with a digest.

`--no-ledger` sends the same messages through the same transport out of memory: what the ledger costs is what lies
between the two.
"""

import argparse
import asyncio
import cProfile
import gc
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import FrameType

import sqlalchemy as sa
import uvloop

from dateline.actions.deliver import deliver
from dateline.actions.relay import build_transport
from dateline.config import load_config
from dateline.logs import configure_logs
from dateline.press import Press, open_press
from newsletter.books import books
from newsletter.headers import domain_of, envelope_address
from newsletter.leases import list_deliveries
from newsletter.ledger import Batch, Delivery
from newsletter.sealed import Messages
from newsletter.tables import batches
from newsletter.transport.base import Kind, Outcome, Parcel
from posts.database import reading
from tests.benchmarks.processes import Run, SenderFailed, Stopwatch


def send_with_ledger(press: Press, issue: int) -> Run:
    """The whole delivery program; raises SenderFailed where its books do not say that everybody was sent to."""
    watch = Stopwatch()
    deliver(press, issue=issue)
    with reading(press.engine) as conn:
        kept = books(conn, issue)
    run = watch.run(kept.sent)
    if kept.sent != kept.recipients:
        raise SenderFailed(f"not all was sent: {kept}")
    return run


def send_without_ledger(press: Press, issue: int) -> Run:
    """The same messages with no database: their recipients are read before the watch starts."""
    messages = Messages(
        keys=press.keys,
        web_url=press.config.web.url,
        from_domain=domain_of(press.config.mail.from_),
        zone=press.config.site.zone,
    )
    with reading(press.engine) as conn:
        chosen = sa.select(batches).where(batches.c.issue == issue).order_by(batches.c.first)
        deliveries = [
            delivery
            for row in conn.execute(chosen).all()
            for delivery in list_deliveries(
                conn,
                Batch(id=row.id, issue=issue, first=row.first, last=row.last, attempt=0),
                press.keys,
                press.clock(),
                "resend",
            )
        ]
        messages.load(conn, issue, {delivery.edition for delivery in deliveries})
    press.engine.dispose()
    supply = _Memory(deliveries, messages, press.config.mail.from_)
    gc.collect()
    gc.freeze()  # as the sender does
    watch = Stopwatch()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_send_from(supply, press))
    return watch.run(len(deliveries))


async def _send_from(supply: "_Memory", press: Press) -> None:
    transport = build_transport(press)
    transport.start(supply)
    transport.wake()
    while supply.left:
        supply.finished.clear()
        await supply.finished.wait()
    await transport.close(press.config.mail.stop_grace.total_seconds())


class _Memory:
    """A supply of what was read before; fails where one message is not accepted."""

    def __init__(self, deliveries: Sequence[Delivery], messages: Messages, sender: str) -> None:
        self._waiting = deque(deliveries)
        self._messages = messages
        self._sender = sender
        self.left = len(deliveries)
        self.finished = asyncio.Event()

    @property
    def has_parcels(self) -> bool:
        """True until the last one was taken."""
        return bool(self._waiting)

    def take(self) -> Parcel | None:
        """The next message, made just now."""
        if not self._waiting:
            return None
        delivery = self._waiting.popleft()
        body, dot_free = self._messages.build(delivery)
        recipient = envelope_address(delivery.address)
        return Parcel(sender=self._sender, recipient=recipient, body=body, dot_free=dot_free)

    def may_finish(self, parcel: Parcel) -> bool:
        """Nothing can come in between."""
        return True

    def done(self, parcel: Parcel, outcome: Outcome) -> None:
        """Counts."""
        if outcome.kind is not Kind.ACCEPTED:
            raise SenderFailed(outcome.reply)
        self.left -= 1
        if not self.left:
            self.finished.set()


@contextmanager
def profiling(file: Path) -> Iterator[None]:
    """Profiles each thread for itself: the sending one into FILE.sending, the others into FILE.NAME."""
    others: list[tuple[str, cProfile.Profile]] = []

    def begin(_frame: FrameType, _event: str, _value: object) -> None:
        # called in a new thread; enabling puts the profile in the place of this function
        profile = cProfile.Profile()
        others.append((threading.current_thread().name, profile))
        profile.enable()

    threading.setprofile(begin)
    sending = cProfile.Profile()
    try:
        with sending:
            yield
    finally:
        threading.setprofile(None)
        sending.dump_stats(f"{file}.sending")
        for name, profile in others:
            profile.create_stats()
            profile.dump_stats(f"{file}.{name}")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="ours")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--issue", type=int, required=True)
    parser.add_argument("--no-ledger", action="store_true")
    parser.add_argument("--profile", type=Path)
    parser.add_argument("--wait", action="store_true", help="for a line on standard input")
    given = parser.parse_args()
    configure_logs(level="warning")  # standard output is the run's
    press = open_press(load_config(given.folder / "config.toml", {}), given.folder)
    if given.wait:
        print("ready", flush=True)
        sys.stdin.readline()
    with profiling(given.profile) if given.profile is not None else nullcontext():
        send = send_without_ledger if given.no_ledger else send_with_ledger
        run = send(press, given.issue)
    run.print()
    if given.wait:
        sys.stdin.readline()  # who looks on is to stop first


if __name__ == "__main__":
    main()
