"""A sender that stands still past its lease and then goes on beside another: nobody is left out, and whoever gets the
issue twice is named (DESIGN.md 8.6, mail.md 4.1)."""

import random
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from dateline.deliver_lock import FILE_NAME
from dateline.press import Press
from newsletter import leases
from newsletter.books import books, list_doubts
from newsletter.ledger import Batch, Delivery, Result, Standing, Work, flush
from newsletter.retry import Verdict
from posts.database import reading, writing
from tests.faults.press import (
    a_press,
    a_sink,
    assert_exact,
    kill,
    own_program,
    wait_until,
    watched_books,
)
from tests.faults.test_kills import BOUND, CONNECTIONS, FLUSH_EVERY
from tests.newsletter.ledger_builders import (
    KEYS,
    MINUTE,
    NOW,
    a_released_issue,
    issue_status,
    states,
)

pytestmark = pytest.mark.faults

SENT = Verdict(state="sent", code=250, reply="2.0.0 queued", attempts=1)
LEASE = MINUTE
WINDOW = 6


class Owner:
    """A sender at the ledger, step by step: what is named goes to the wire, answers come later, flushes after that."""

    def __init__(self, engine: sa.Engine, name: str, wire: Counter[int]) -> None:
        self.engine = engine
        self.name = name
        self.wire = wire
        self.batch: Batch | None = None
        self.pending: list[Delivery] = []
        self.named: dict[int, Delivery] = {}
        self.results: list[Result] = []

    def lease(self, now: datetime) -> bool:
        """Takes a batch where it holds none."""
        if self.batch is not None:
            return True
        with writing(self.engine) as conn:
            self.batch = leases.lease_batch(conn, self.name, now, now + LEASE)
        if self.batch is None:
            return False
        with reading(self.engine) as conn:
            self.pending = leases.list_deliveries(conn, self.batch, KEYS, now, "resend")
        return True

    def flush(self, now: datetime) -> None:
        """Writes what it knows, names more within its window, and gives an empty batch back."""
        assert self.batch is not None
        room = max(0, WINDOW - len(self.named))
        wanted, self.pending = self.pending[:room], self.pending[room:]
        work = Work(
            batch=self.batch, keep=list(self.named), wanted=wanted, results=list(self.results)
        )
        with writing(self.engine) as conn:
            made = flush(conn, work, now, now + LEASE)
        self.results.clear()
        if made.standing is Standing.LOST:
            # the sockets are closed without a dot: what is named here and not on the wire goes nowhere
            self.batch, self.pending, self.named = None, [], {}
            return
        self.named |= {one.number: one for one in wanted if one.number in made.named}
        if not (self.named or self.pending):
            with writing(self.engine) as conn:
                leases.settle_batch(conn, self.batch, now, "resend")
            self.batch = None

    def answer(self, chance: random.Random) -> None:
        """Some of the named get their dot and their answer."""
        for number in sorted(self.named):
            if chance.random() < 0.6:
                self.wire[number] += 1
                self.results.append(Result(delivery=self.named.pop(number), verdict=SENT))


@pytest.mark.parametrize("seed", range(4))
def test_two_owners_and_many_stalls_lose_nobody_and_name_every_repeat(
    engine: sa.Engine, seed: int, size: tuple[int, int]
) -> None:
    recipients, most = size
    chance, wire = random.Random(seed), Counter[int]()
    issue = a_released_issue(engine, recipients, batch=15)
    owners = [Owner(engine, "one", wire), Owner(engine, "two", wire)]
    stalls, takeovers, now = 0, 0, NOW
    while issue_status(engine, issue) != "done":
        now += timedelta(seconds=5)
        takeovers += recovered(engine, now)
        owner = chance.choice(owners)
        if chance.random() < 0.5 and owner.named and stalls < most:
            # it stands still past its lease, with dots on the wire; the other takes over, and then it goes on
            stalls += 1
            owner.answer(chance)
            now += 2 * LEASE
            takeovers += recovered(engine, now)
            other = owners[owner is owners[0]]
            if chance.random() < 0.7 and other.batch is None and other.lease(now):
                other.flush(now)
        elif owner.lease(now):
            owner.flush(now)
            owner.answer(chance)
        with writing(engine) as conn:
            leases.finish_issues(conn, now)
            assert books(conn, issue).balance
    assert stalls == most
    assert set(states(engine, issue).values()) == {"sent"}
    assert set(wire) == set(range(1, recipients + 1)), "lost"
    with reading(engine) as conn:
        doubts = list_doubts(conn, issue)
    repeats = {number for number, amount in wire.items() if amount > 1}
    assert repeats <= {doubt.number for doubt in doubts}
    assert sum(amount - 1 for amount in wire.values()) <= len(doubts) <= takeovers * WINDOW
    assert all(doubt.settled for doubt in doubts)
    print(f"{recipients} deliveries, {stalls} stalls, {len(doubts)} in doubt, {len(repeats)} twice")


def recovered(engine: sa.Engine, now: datetime) -> int:
    """How many batches were taken from owners whose lease has lapsed."""
    with writing(engine) as conn:
        return leases.recover(conn, now)


@pytest.fixture
def size(request: pytest.FixtureRequest) -> tuple[int, int]:
    """Deliveries and stalls of one walk: a short form always, the long one with `--long`."""
    return (900, 60) if request.config.getoption("--long") else (60, 4)


@pytest.mark.parametrize(
    ("lease_s", "recipients"),
    [
        pytest.param(6, 2000, id="a short lease"),
        pytest.param(60, 20000, id="the real lease", marks=pytest.mark.long),
    ],
)
def test_a_program_stopped_past_its_lease_and_continued_beside_another_repeats_only_what_is_named(
    tmp_path: Path, lease_s: int, recipients: int
) -> None:
    with a_sink(tmp_path, delay_s=0.015) as (port, received):
        press = a_press(tmp_path, port, connections=CONNECTIONS, flush_every=FLUSH_EVERY)
        issue = a_released_issue(press.engine, recipients, batch=100)
        with watched_books(press, issue):
            first = own_program(press, "--lease", str(lease_s))
            wait_until(lambda: received.count() >= 120)
            stop_between_transactions(first, press)
            lapsed = time.monotonic() + lease_s + 0.2
            (press.var / FILE_NAME).unlink()  # two hosts do not see each other's lock
            second = own_program(press, "--lease", str(lease_s))
            try:
                wait_until(lambda: time.monotonic() > lapsed and received.count() >= 200)
                assert received.count() < recipients
                first.send_signal(signal.SIGCONT)
                wait_until(lambda: issue_status(press.engine, issue) == "done")
            finally:
                kill(first)
                kill(second)
        found = assert_exact(press, issue, received, recipients, stopped_at_most=BOUND, kills=1)
    assert found.doubts


def stop_between_transactions(process: subprocess.Popen[bytes], press: Press) -> None:
    """SIGSTOP, but not while it holds SQLite's lock: then nobody can go on beside it, and there is no stall to test."""
    database = press.engine.url.database
    assert database is not None
    for _ in range(100):
        process.send_signal(signal.SIGSTOP)
        conn = sqlite3.connect(database, timeout=0.5)
        try:
            conn.execute("BEGIN IMMEDIATE")
            conn.rollback()
            return
        except sqlite3.OperationalError:
            process.send_signal(signal.SIGCONT)
        finally:
            conn.close()
    raise AssertionError("it was never between two transactions")
