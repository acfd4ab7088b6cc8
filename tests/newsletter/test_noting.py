"""`newsletter/noting.py` and who calls it: suppressions are noted before their commit, batches after it and before any
mail of them; and a flush never waits for that."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from newsletter.counterfoil import Entry, What
from newsletter.flusher import Answer, Flusher, Request
from newsletter.sealed import Messages
from newsletter.suppression import hash_address
from newsletter.tables import batches
from newsletter.transport.base import Kind, Outcome
from posts.database import reading
from posts.errors import StoreError
from tests.newsletter.ledger_builders import (
    KEYS,
    a_released_issue,
    issue_status,
    on_wire,
    states,
)
from tests.newsletter.test_sender import Wire, a_flusher, send

DEAD = Outcome(kind=Kind.PERMANENT, code=550, enhanced="5.1.1", text="5.1.1 user unknown")


class Foil:
    """Keeps what was noted."""

    def __init__(self) -> None:
        self.before: list[Entry] = []
        self.after: list[Entry] = []

    def note_before(self, conn: sa.Connection, entries: Sequence[Entry]) -> None:
        self.before += entries

    def note_after(self, entries: Sequence[Entry]) -> None:
        self.after += entries


def _noting(engine: sa.Engine, foil: Foil) -> Flusher:
    flusher = a_flusher(engine)
    flusher.note_before, flusher.note_after = foil.note_before, foil.note_after
    return flusher


def test_each_lease_and_each_giving_back_is_noted_in_order(sqlite_engine: sa.Engine) -> None:
    foil, issue = Foil(), a_released_issue(sqlite_engine, 9, batch=5)
    send(Wire(sqlite_engine, issue), flusher=_noting(sqlite_engine, foil))
    with reading(sqlite_engine) as conn:
        ids = conn.execute(sa.select(batches.c.id).order_by(batches.c.id)).scalars().all()
    for batch in ids:
        mine = [entry for entry in foil.after if entry.batch == batch]
        assert [entry.what for entry in mine] == [What.LEASED, What.SETTLED]
        assert {(entry.issue, entry.attempt) for entry in mine} == {(issue, 1)}
    assert foil.before == []


def test_an_address_that_a_relay_calls_dead_is_noted_before_the_commit(
    sqlite_engine: sa.Engine,
) -> None:
    foil, issue = Foil(), a_released_issue(sqlite_engine, 1)
    send(Wire(sqlite_engine, issue, reply=lambda nth: DEAD), flusher=_noting(sqlite_engine, foil))
    who = hash_address(KEYS, "reader1@example.net")
    assert foil.before == [Entry(what=What.SUPPRESSED, who=who, reason="dead")]


def test_what_cannot_be_noted_before_the_commit_is_not_committed(sqlite_engine: sa.Engine) -> None:
    issue = a_released_issue(sqlite_engine, 1)

    class Full(Foil):
        def note_before(self, conn: sa.Connection, entries: Sequence[Entry]) -> None:
            raise StoreError("the counterfoil cannot be written: no room")

    answer = _noting(sqlite_engine, Full()).turn(Request(lease_one=True))
    assert "no room" in (answer.failed or "")
    with reading(sqlite_engine) as conn:
        assert conn.execute(sa.select(batches.c.owner, batches.c.attempt)).one() == (None, 0)
    assert states(sqlite_engine, issue) == {1: None}


@pytest.mark.parametrize("error", [OSError("no room"), StoreError("no room")])
def test_nothing_goes_out_of_a_batch_whose_lease_cannot_be_noted(
    sqlite_engine: sa.Engine, error: Exception
) -> None:
    class Full(Foil):
        def note_after(self, entries: Sequence[Entry]) -> None:
            raise error

    issue = a_released_issue(sqlite_engine, 5)
    wire = Wire(sqlite_engine, issue)
    _, told = send(wire, flusher=_noting(sqlite_engine, Full()))
    assert wire.recipients == []
    assert any("no room" in line for line in told.lines)
    with reading(sqlite_engine) as conn:  # its lease lapses
        assert conn.execute(sa.select(batches.c.owner)).scalar_one() == "me"


def test_while_a_lease_is_noted_nothing_of_it_goes_out_and_results_are_written(
    sqlite_engine: sa.Engine,
) -> None:
    issue, first_is_written = a_released_issue(sqlite_engine, 40, batch=20), threading.Event()
    out_when_noted: list[int] = []

    class Slow(Foil):
        """Notes the second lease only when all of the first batch has its result in the database."""

        def note_after(self, entries: Sequence[Entry]) -> None:
            if any(entry.what is What.LEASED for entry in [*self.after, *entries][1:]):
                first_is_written.wait(8)
                out_when_noted.append(len(wire.recipients))
            super().note_after(entries)

    class Watched(Flusher):
        def turn(self, request: Request) -> Answer:
            answer = Flusher.turn(self, request)
            if list(states(sqlite_engine, issue).values()).count("sent") == 20:
                first_is_written.set()
            return answer

    flusher = a_flusher(sqlite_engine, Watched)
    foil = Slow()
    flusher.note_after = foil.note_after
    wire = Wire(sqlite_engine, issue)
    send(wire, flusher=flusher)
    assert first_is_written.is_set()
    assert out_when_noted[0] == 20
    assert len(wire.recipients) == 40


class FlakyMessages(Messages):
    """Cannot be read once."""

    failures = 0

    def load(self, conn: sa.Connection, issue: int, wanted: Iterable[int]) -> None:
        """As the real one, but for the first time."""
        type(self).failures += 1
        if type(self).failures == 1:
            raise OSError("disk fault")
        Messages.load(self, conn, issue, wanted)


def test_a_batch_that_cannot_be_read_for_a_moment_is_given_back_and_sent(
    sqlite_engine: sa.Engine,
) -> None:
    issue, flusher = a_released_issue(sqlite_engine, 5), a_flusher(sqlite_engine)
    FlakyMessages.failures = 0
    flusher.messages = FlakyMessages(
        keys=KEYS,
        web_url="https://news.example",
        from_domain="news.example",
        zone=ZoneInfo("UTC"),
    )
    wire = Wire(sqlite_engine, issue)
    _, told = send(wire, flusher=flusher)
    assert any("disk fault" in line for line in told.lines)
    assert sorted(wire.recipients) == [f"reader{n}@example.net" for n in range(1, 6)]
    assert issue_status(sqlite_engine, issue) == "done"
    assert on_wire(sqlite_engine, issue) == []


class ClosingWire(Wire):
    """Tells when the sender is at its end."""

    def __init__(self, engine: sa.Engine, issue: int) -> None:
        super().__init__(engine, issue)
        self.is_closed = threading.Event()

    async def close(self, grace_s: float) -> None:
        """As the real one."""
        await super().close(grace_s)
        self.is_closed.set()


def test_a_stop_while_a_lease_is_noted_gives_the_batch_back(sqlite_engine: sa.Engine) -> None:
    wire, asked = ClosingWire(sqlite_engine, a_released_issue(sqlite_engine, 5)), threading.Event()

    class Slow(Foil):
        def note_after(self, entries: Sequence[Entry]) -> None:
            asked.set()
            wire.is_closed.wait(8)
            super().note_after(entries)

    foil = Slow()
    flusher = _noting(sqlite_engine, foil)
    send(wire, flusher=flusher, enough=lambda state, sender: asked.is_set())
    assert wire.recipients == []
    assert [entry.what for entry in foil.after] == [What.LEASED, What.SETTLED]
    with reading(sqlite_engine) as conn:
        assert conn.execute(sa.select(batches.c.owner)).scalar_one() is None


def test_while_a_lease_is_noted_no_other_batch_is_leased(sqlite_engine: sa.Engine) -> None:
    issue, rounds = a_released_issue(sqlite_engine, 12, batch=3), threading.Semaphore(0)
    owned: list[int] = []

    class Slow(Foil):
        def note_after(self, entries: Sequence[Entry]) -> None:
            for _ in range(0 if owned else 4):  # rounds of the loop that sends
                rounds.acquire(timeout=8)
            with reading(sqlite_engine) as conn:
                query = sa.select(sa.func.count()).where(batches.c.owner.is_not(None))
                owned.append(conn.execute(query).scalar_one())

    wire = Wire(sqlite_engine, issue)
    send(
        wire,
        flusher=_noting(sqlite_engine, Slow()),
        enough=lambda state, sender: rounds.release() is not None,
    )
    assert owned[0] == 1
    assert len(wire.recipients) == 12
