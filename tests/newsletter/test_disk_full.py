"""A full disk: nothing goes out that was not written first, results are kept, and a text under way gets no dot
(DESIGN.md 8.11, mail.md 4.4)."""

import asyncio
import random
from collections.abc import Iterator
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
import structlog

from newsletter.books import books
from newsletter.flusher import Flusher
from newsletter.runs import Pace, State
from newsletter.sealed import Messages
from newsletter.sender import Sender
from newsletter.transport.pool import SmtpTransport
from newsletter.transport.smtp import Relay
from posts.database import open_engine, reading
from tests.actions.relay import Board, a_relay
from tests.newsletter.ledger_builders import KEYS, NOW, a_released_issue, issue_status, on_wire


class Disk:
    """Fails every commit of an engine while it is full; `met`: how many have failed."""

    def __init__(self, engine: sa.Engine) -> None:
        self.is_full = False
        self.met = 0
        sa.event.listen(engine, "commit", self._commit)

    def _commit(self, conn: sa.Connection) -> None:
        if self.is_full:
            self.met += 1
            raise sa.exc.OperationalError("COMMIT", {}, OSError(28, "database or disk is full"))


@pytest.fixture
def board() -> Iterator[Board]:
    """A relay."""
    with a_relay() as made:
        yield made


@pytest.fixture
def senders(sqlite_engine: sa.Engine) -> Iterator[sa.Engine]:
    """The sender's own engine on the same database: what the test reads does not fail."""
    made = open_engine(sqlite_engine.url.render_as_string(hide_password=False))
    yield made
    made.dispose()


def run(engine: sa.Engine, port: int, enough: object) -> Sender:
    """Sends over two connections until `enough`."""
    messages = Messages(
        keys=KEYS, web_url="https://p.example", from_domain="news.example", zone=ZoneInfo("UTC")
    )
    flusher = Flusher(
        engine=engine,
        keys=KEYS,
        messages=messages,
        owner="one",
        clock=lambda: NOW,
        lease=timedelta(seconds=60),
        in_doubt="resend",
    )
    relay = Relay(host="127.0.0.1", port=port, tls="none", helo="news.example")

    async def send() -> Sender:
        sender = Sender(
            flusher,
            SmtpTransport(relay, 2, random.random),
            Pace(connections=2, flush_every=2, retry_for=timedelta(hours=24)),
            sender="press@news.example",
            clock=lambda: NOW,
            chance=random.random,
            log=structlog.get_logger(),
        )
        await sender.run(stop=lambda: False, enough=enough, grace_s=lambda: 2.0)  # type: ignore[arg-type]
        return sender

    return asyncio.run(send())


def test_what_cannot_be_named_is_not_sent(
    sqlite_engine: sa.Engine, senders: sa.Engine, board: Board
) -> None:
    issue = a_released_issue(sqlite_engine, 20)
    disk = Disk(senders)
    disk.is_full = True

    def enough(state: State) -> bool:
        if disk.met and state.trouble is not None:
            disk.is_full = False  # so that the end is quick; nothing more is named then
            assert "disk is full" in state.trouble
            return True
        return False

    run(senders, board.port, enough)
    assert board.offered == []
    with reading(sqlite_engine) as conn:
        found = books(conn, issue)
    assert (found.queued, found.balance) == (20, True)


def test_at_a_flush_results_are_kept_and_a_text_under_way_gets_no_dot(
    sqlite_engine: sa.Engine, senders: sa.Engine, board: Board
) -> None:
    issue = a_released_issue(sqlite_engine, 20)
    disk = Disk(senders)
    board.hold = {"reader1@example.net"}  # its 354 comes when the disk is known to be full

    def on_message(count: int) -> None:
        if count == 1:
            disk.is_full = True

    board.on_message = on_message
    seen: list[int] = []

    def enough(state: State) -> bool:
        if disk.is_full and disk.met and state.trouble is not None:
            board.released.set()
            # once more, so that what came in since the first failure was in a flush that failed
            if board.cut_short and disk.met >= 2:
                seen.append(len(board.messages))
                board.hold = set()
                disk.is_full = False
        return state.idle and not state.open

    sender = run(senders, board.port, enough)
    # another connection's 354 may come just then too: it gets no dot either
    assert "reader1@example.net" in board.cut_short
    assert (
        len(set(board.cut_short)) == len(board.cut_short) <= 2
    )  # one text for each connection, none twice
    assert seen[0] <= 2 * 2 + 2  # no more than had been named before
    assert sorted(board.recipients) == sorted(f"reader{n}@example.net" for n in range(1, 21))
    with reading(sqlite_engine) as conn:
        found = books(conn, issue)
    assert (found.sent, found.in_doubt, found.balance) == (20, 0, True)
    assert sender.counts.sent == 20
    assert on_wire(sqlite_engine, issue) == []
    assert issue_status(sqlite_engine, issue) == "done"
