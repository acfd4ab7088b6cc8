"""`newsletter/sender.py` with a real ledger: what is named when a byte leaves, how many, and what stops it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from newsletter.books import books
from newsletter.flusher import Answer, Flusher, Request
from newsletter.gates import Gates
from newsletter.runs import Pace, State
from newsletter.sealed import Messages
from newsletter.sender import Sender
from newsletter.transport.base import Kind, Outcome, Parcel, Supply, Trouble
from posts.database import reading
from tests.newsletter.ledger_builders import (
    KEYS,
    NOW,
    TAIL,
    a_released_issue,
    issue_status,
    leave,
    on_wire,
    set_status,
    states,
)

ACCEPTED = Outcome(kind=Kind.ACCEPTED, code=250, text="ok")


class Wire:
    """A transport of `connections` that answer one loop turn later with what `reply` says of the nth message."""

    def __init__(
        self,
        engine: sa.Engine,
        issue: int,
        *,
        connections: int = 3,
        reply: Callable[[int], Outcome] = lambda nth: ACCEPTED,
        hook: Callable[[int], None] = lambda nth: None,
    ) -> None:
        self.engine, self.issue = engine, issue
        self.connections = connections
        self.reply, self.hook = reply, hook
        self.recipients: list[str] = []
        self.bodies: list[bytes] = []
        self.dot_free: list[bool] = []
        self.most_named = 0
        self.unnamed: list[str] = []
        self.closed = False
        self.trouble: Trouble | None = None
        self.gates: Gates | None = None
        self.rate_per_s: float | None = None
        self._free = connections
        self._supply: Supply | None = None

    def start(self, supply: Supply) -> None:
        """Begins."""
        self._supply = supply

    def wake(self) -> None:
        """Takes what it can carry: asks the database, as another process would see it, whether each is named."""
        assert self._supply is not None
        while self._free and not self.closed and (parcel := self._supply.take()) is not None:
            named = on_wire(self.engine, self.issue)
            self.most_named = max(self.most_named, len(named))
            number = int(parcel.recipient.partition("@")[0].removeprefix("reader"))
            if number not in named:
                self.unnamed.append(parcel.recipient)
            self._free -= 1
            asyncio.get_running_loop().call_soon(self._answer, parcel)

    def _answer(self, parcel: Parcel) -> None:
        assert self._supply is not None
        self._free += 1
        if not self._supply.may_finish(parcel):
            self._supply.done(parcel, Outcome(kind=Kind.WEATHER, text="not ours"))
            return
        self.recipients.append(parcel.recipient)
        self.bodies.append(parcel.body)
        self.dot_free.append(parcel.dot_free)
        nth = len(self.recipients)
        self.hook(nth)
        self._supply.done(parcel, self.reply(nth))
        self.wake()

    async def close(self, grace_s: float) -> None:
        """Waits for what it carries."""
        self.closed = True
        while self._free < self.connections:
            await asyncio.sleep(0)


class Told:
    """Keeps what was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def _tell(self, event: str, **values: Any) -> None:
        self.lines.append(f"{event} {values}")

    info = warning = error = _tell


def a_flusher(engine: sa.Engine, kind: type[Flusher] = Flusher) -> Flusher:
    """Who turns at the ledger."""
    return kind(
        engine=engine,
        keys=KEYS,
        messages=Messages(
            keys=KEYS,
            web_url="https://news.example",
            from_domain="news.example",
            zone=ZoneInfo("UTC"),
        ),
        owner="me",
        clock=lambda: NOW,
        lease=timedelta(seconds=60),
        in_doubt="resend",
    )


def send(
    wire: Wire,
    *,
    flush_every: int = 4,
    flusher: Flusher | None = None,
    enough: Callable[[State, Sender], bool] | None = None,
) -> tuple[Sender, Told]:
    """Sends until nothing is due (or `enough`), for at most ten seconds."""
    told = Told()

    async def run() -> Sender:
        sender = Sender(
            flusher or a_flusher(wire.engine),
            wire,
            Pace(
                connections=wire.connections,
                flush_every=flush_every,
                retry_for=timedelta(hours=24),
            ),
            sender="press@news.example",
            clock=lambda: NOW,
            chance=lambda: 0.5,
            log=told,
        )
        async with asyncio.timeout(10):
            await sender.run(
                stop=lambda: False,
                enough=lambda state: state.idle or bool(enough and enough(state, sender)),
                grace_s=lambda: 1.0,
            )
        return sender

    return asyncio.run(run()), told


def test_everybody_is_sent_to_once_and_the_issue_is_done(sqlite_engine: sa.Engine) -> None:
    issue = a_released_issue(sqlite_engine, 60, batch=25)
    wire = Wire(sqlite_engine, issue)
    sender, told = send(wire)
    assert sorted(wire.recipients) == sorted(f"reader{n}@example.net" for n in range(1, 61))
    assert sender.counts.sent == 60
    assert set(states(sqlite_engine, issue).values()) == {"sent"}
    assert issue_status(sqlite_engine, issue) == "done"
    assert not any("@" in line for line in told.lines)


@pytest.mark.parametrize("flush_every", [1, 4, 20])
def test_design_8_6_no_byte_leaves_before_a_flush_named_it_and_the_bound_holds(
    sqlite_engine: sa.Engine, flush_every: int
) -> None:
    issue = a_released_issue(sqlite_engine, 80, batch=30)
    wire = Wire(sqlite_engine, issue)
    send(wire, flush_every=flush_every)
    assert wire.unnamed == []
    assert 0 < wire.most_named <= 2 * wire.connections + flush_every


def test_who_leaves_meanwhile_is_not_written_to_beyond_what_was_named(
    sqlite_engine: sa.Engine,
) -> None:
    issue = a_released_issue(sqlite_engine, 60)

    def leaves(nth: int) -> None:
        if nth == 5:
            for subscriber in range(1, 61):
                leave(sqlite_engine, subscriber)

    wire = Wire(sqlite_engine, issue, hook=leaves)
    sender, _told = send(wire)
    assert len(wire.recipients) <= 5 + 2 * wire.connections + 4
    assert sender.counts.excluded == 60 - len(wire.recipients)
    with reading(sqlite_engine) as conn:
        assert books(conn, issue).excluded == {"unsubscribed": sender.counts.excluded}


def test_a_paused_issue_stops_at_the_next_flush_and_is_unharmed(sqlite_engine: sa.Engine) -> None:
    issue = a_released_issue(sqlite_engine, 60)

    def pauses(nth: int) -> None:
        if nth == 5:
            set_status(sqlite_engine, issue, "paused")

    wire = Wire(sqlite_engine, issue, hook=pauses)
    send(wire)
    found = list(states(sqlite_engine, issue).values())
    assert len(wire.recipients) <= 5 + 2 * wire.connections + 4
    assert (found.count("sent"), found.count(None)) == (
        len(wire.recipients),
        60 - len(wire.recipients),
    )
    assert on_wire(sqlite_engine, issue) == []


def test_weather_uses_nothing_up_and_is_repeated(sqlite_engine: sa.Engine) -> None:
    issue = a_released_issue(sqlite_engine, 10)
    weather = Outcome(kind=Kind.WEATHER, text="lost")
    wire = Wire(sqlite_engine, issue, reply=lambda nth: weather if nth % 2 else ACCEPTED)
    sender, _told = send(wire)
    assert sender.counts.sent == 10
    assert len(wire.recipients) == 20
    assert (sender.counts.deferred, sender.counts.failed, sender.counts.in_doubt) == (0, 0, 0)


def test_each_kind_of_answer_is_written_down(sqlite_engine: sa.Engine) -> None:
    issue = a_released_issue(sqlite_engine, 4)
    answers = {
        1: ACCEPTED,
        2: Outcome(kind=Kind.TEMPORARY, code=450, text="later"),
        3: Outcome(kind=Kind.PERMANENT, code=550, text="no"),
        4: Outcome(kind=Kind.UNKNOWN, text="lost"),
    }
    wire = Wire(sqlite_engine, issue, connections=1, reply=lambda nth: answers[nth])
    send(wire)
    assert states(sqlite_engine, issue) == {1: "sent", 2: "deferred", 3: "failed", 4: "in doubt"}
    with reading(sqlite_engine) as conn:
        assert books(conn, issue).recipients == 4


class FailingFlusher(Flusher):
    """Whose database fails for a while, after the third turn."""

    turns = 0

    def turn(self, request: Request) -> Answer:
        """As the real one, or a failure."""
        type(self).turns += 1
        if 3 < type(self).turns <= 5:
            return Answer(failed="the database failed: disk full")
        return Flusher.turn(self, request)


def test_while_the_database_fails_nothing_leaves_and_no_result_is_lost(
    sqlite_engine: sa.Engine,
) -> None:
    FailingFlusher.turns = 0
    issue = a_released_issue(sqlite_engine, 40)
    wire = Wire(sqlite_engine, issue)
    sender, told = send(wire, flusher=a_flusher(sqlite_engine, FailingFlusher))
    assert any("disk full" in line for line in told.lines)
    assert sorted(set(wire.recipients)) == sorted(wire.recipients)
    assert sender.counts.sent == len(wire.recipients) == 40
    assert wire.unnamed == []


class PatientWire(Wire):
    """Answers its first message at once, and the others when they may not be finished any more: what is on the wire when
    the flush of that first answer comes back."""

    refused = 0

    def _answer(self, parcel: Parcel) -> None:
        assert self._supply is not None
        gives_up = asyncio.get_running_loop().time() > self.until
        if self.recipients and self._supply.may_finish(parcel) and not gives_up:
            asyncio.get_running_loop().call_later(0.01, self._answer, parcel)
            return
        self.refused += not self._supply.may_finish(parcel)
        super()._answer(parcel)

    def start(self, supply: Supply) -> None:
        """Begins."""
        super().start(supply)
        self.until = asyncio.get_running_loop().time() + 5


def test_design_9_what_is_on_the_wire_when_its_issue_is_paused_gets_no_final_dot(
    sqlite_engine: sa.Engine,
) -> None:
    issue = a_released_issue(sqlite_engine, 60)
    wire = PatientWire(
        sqlite_engine, issue, hook=lambda nth: set_status(sqlite_engine, issue, "paused")
    )
    send(wire, flush_every=1)
    assert wire.recipients == ["reader1@example.net"]
    assert wire.refused >= wire.connections - 1
    assert list(states(sqlite_engine, issue).values()).count(None) == 59


def test_design_9_nothing_gets_its_final_dot_when_its_lease_is_nearly_over(
    sqlite_engine: sa.Engine,
) -> None:
    flusher = a_flusher(sqlite_engine)
    flusher.lease = timedelta(seconds=3)
    wire = Refusing(sqlite_engine, a_released_issue(sqlite_engine, 5))
    send(wire, flusher=flusher, enough=lambda state, sender: wire.refused >= 3)
    assert wire.recipients == []


class Refusing(Wire):
    """Counts those that may not be finished."""

    refused = 0

    def _answer(self, parcel: Parcel) -> None:
        assert self._supply is not None
        self.refused += not self._supply.may_finish(parcel)
        super()._answer(parcel)


def test_stopping_gives_back_what_was_not_sent(sqlite_engine: sa.Engine) -> None:
    issue = a_released_issue(sqlite_engine, 200)
    wire = Wire(sqlite_engine, issue)
    send(wire, enough=lambda state, sender: sender.counts.sent >= 20)
    found = list(states(sqlite_engine, issue).values())
    assert found.count("sent") == len(wire.recipients) < 200
    assert found.count(None) == 200 - len(wire.recipients)
    assert on_wire(sqlite_engine, issue) == []


def test_a_sealed_message_is_known_to_have_no_line_that_begins_with_a_dot(
    sqlite_engine: sa.Engine,
) -> None:
    wire = Wire(sqlite_engine, a_released_issue(sqlite_engine, 1))
    send(wire)
    assert wire.dot_free == [True]
    assert b"\n." not in wire.bodies[0]


def test_a_body_with_a_line_that_begins_with_a_dot_is_not_taken_for_one_without(
    sqlite_engine: sa.Engine,
) -> None:
    body = TAIL + b".dotted\r\n"
    wire = Wire(sqlite_engine, a_released_issue(sqlite_engine, 1, body=body))
    send(wire)
    assert wire.dot_free == [False]
