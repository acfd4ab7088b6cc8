"""What every transport keeps, the maildir and the tests' recording sink as well as SMTP (base.py)."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from newsletter.transport.base import Kind, Transport
from newsletter.transport.maildir import GROUP, MaildirTransport, write_messages
from tests.newsletter.transport.desk import Desk, a_parcel, a_pool, run, send
from tests.newsletter.transport.scripted import obedient, serving
from tests.smtp_sink import Record, Sink

Received = Callable[[], list[str]]
"""Hashes of the messages that arrived, in any order."""
Opened = AbstractAsyncContextManager[tuple[Transport, Received]]


@asynccontextmanager
async def a_maildir(folder: Path) -> AsyncIterator[tuple[Transport, Received]]:
    """Files in a folder."""
    yield (
        MaildirTransport(folder / "outbox", wait_s=0.02),
        lambda: [_hash(file.read_bytes()) for file in (folder / "outbox" / "new").glob("*")],
    )


@asynccontextmanager
async def a_scripted(
    folder: Path, offers: tuple[str, ...]
) -> AsyncIterator[tuple[Transport, Received]]:
    """The scripted server."""
    async with serving(obedient(offers=offers)) as server:
        yield a_pool(server.port, 2), lambda: [_hash(text) for text in server.texts]


@asynccontextmanager
async def a_recorder(folder: Path) -> AsyncIterator[tuple[Transport, Received]]:
    """The sink of the kill tests, whose log says what it got."""
    log = folder / "log"
    with log.open("wb") as file:
        listening = await asyncio.get_running_loop().create_server(
            lambda: Sink(Record(file)), "127.0.0.1", 0
        )
        yield (
            a_pool(listening.sockets[0].getsockname()[1], 2),
            lambda: [line.split()[-1] for line in log.read_text().splitlines()],
        )
        listening.close()


KINDS: dict[str, Callable[[Path], Opened]] = {
    "maildir": a_maildir,
    "recorder": a_recorder,
    "pipelining": lambda folder: a_scripted(folder, ("PIPELINING",)),
    "lock-step": lambda folder: a_scripted(folder, ()),
}


@pytest.fixture(params=list(KINDS))
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Opened]:
    """Opens a transport of each kind, inside a loop."""
    return lambda: KINDS[request.param](tmp_path)


def _hash(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _body(name: str) -> bytes:
    return f"To: {name}\r\n\r\nnews for {name}\r\n".encode()


def a_desk(count: int) -> tuple[Desk, list[str]]:
    """So many messages, all different."""
    names = [f"reader{number}" for number in range(count)]
    desk = Desk()
    desk.parcels.extend(a_parcel(name, _body(name)) for name in names)
    return desk, names


@pytest.mark.parametrize("count", [1, 2 * GROUP + 3])
def test_each_message_arrives_once_and_has_one_outcome(
    opened: Callable[[], Opened], count: int
) -> None:
    async def test() -> None:
        desk, names = a_desk(count)
        async with opened() as (transport, received):
            await send(desk, transport, *names)
            assert sorted(received()) == sorted(_hash(_body(name)) for name in names)
        assert [desk.kinds(name) for name in names] == [[Kind.ACCEPTED]] * count

    run(test())


def test_nothing_is_taken_before_it_is_woken(opened: Callable[[], Opened]) -> None:
    async def test() -> None:
        desk, _names = a_desk(3)
        async with opened() as (transport, _received):
            await transport.close(0)
            transport.wake()
            await asyncio.sleep(0.02)
        assert desk.outcomes == {}
        assert len(desk.parcels) == 3

    run(test())


def test_what_may_not_be_finished_does_not_arrive_and_is_safe_to_repeat(
    opened: Callable[[], Opened],
) -> None:
    async def test() -> None:
        desk, _names = a_desk(1)
        desk.finishes = desk.repeats = False
        async with opened() as (transport, received):
            await send(desk, transport, "reader0")
            assert received() == []
        assert desk.kinds("reader0") == [Kind.WEATHER]

    run(test())


def test_what_comes_later_is_sent_when_it_is_woken(opened: Callable[[], Opened]) -> None:
    async def test() -> None:
        desk, _names = a_desk(1)
        async with opened() as (transport, received):
            desk.transport = transport
            transport.start(desk)
            transport.wake()
            await desk.until("reader0")
            desk.parcels.append(a_parcel("ana", _body("ana")))
            transport.wake()
            await desk.until("ana")
            await transport.close(1)
            assert len(received()) == 2

    run(test())


def test_after_closing_every_message_taken_has_its_outcome(opened: Callable[[], Opened]) -> None:
    async def test() -> None:
        desk, names = a_desk(500)
        desk.repeats = False
        async with opened() as (transport, received):
            desk.transport = transport
            transport.start(desk)
            transport.wake()
            await desk.done_event.wait()
            await transport.close(1)
            waiting = {parcel.recipient.partition("@")[0] for parcel in desk.parcels}
            assert waiting
            for name in names:
                assert len(desk.kinds(name)) == (0 if name in waiting else 1)
            arrived = set(received())
        for name in names:
            if desk.kinds(name) == [Kind.ACCEPTED]:
                assert _hash(_body(name)) in arrived
            elif desk.kinds(name) != [Kind.UNKNOWN]:
                assert _hash(_body(name)) not in arrived

    run(test())


def test_a_message_repeated_into_a_maildir_is_one_file(tmp_path: Path) -> None:
    for _ in range(2):
        (outcome,) = write_messages(tmp_path, [_body("ana")])
        assert outcome.kind is Kind.ACCEPTED
    assert len(list((tmp_path / "new").iterdir())) == 1
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_maildir_that_cannot_be_written_is_weather_and_is_tried_again(tmp_path: Path) -> None:
    async def test() -> None:
        (tmp_path / "outbox").write_text("a file stands where the folder should be")
        desk, _names = a_desk(2)
        async with a_maildir(tmp_path) as (transport, received):
            desk.transport = transport
            transport.start(desk)
            transport.wake()
            await desk.done_event.wait()
            assert desk.kinds("reader0") == [Kind.WEATHER]
            assert transport.trouble is not None
            assert not transport.trouble.ours
            (tmp_path / "outbox").unlink()
            await desk.until("reader0", "reader1")
            assert len(received()) == 2
            await transport.close(0)

    run(test())
