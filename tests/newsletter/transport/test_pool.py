"""`newsletter/transport/pool.py` on real sockets: connections, time limits, weather, and a relay that refuses us."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from newsletter.transport.base import Kind
from newsletter.transport.conversation import Offer
from newsletter.transport.pool import MOST_POLICY_REFUSALS, SmtpTransport
from newsletter.transport.smtp import Relay, SmtpConnection
from tests.newsletter.transport.desk import QUICK, Desk, a_parcel, a_pool, run, send
from tests.newsletter.transport.scripted import (
    DRIP,
    DROP,
    HANG,
    Heard,
    Script,
    Talk,
    obedient,
    serving,
)
from tests.newsletter.transport.sending import sent


@pytest.mark.parametrize("greeting", ["421 too busy", "454 later", "554 not you", HANG, DROP, DRIP])
def test_a_relay_that_does_not_greet_is_left_alone_and_asked_again(greeting: str) -> None:
    desk = Desk("ana")
    quick = replace(QUICK, greeting=0.05)
    server = sent(desk, obedient(greeting=greeting), obedient(), until=("ana",), timeouts=quick)
    assert desk.kinds("ana") == [Kind.ACCEPTED]
    assert len(server.connections) == 2


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DOT"])
@pytest.mark.parametrize("reply", ["450 4.7.1 rate limit exceeded", "452 4.3.1 system storage"])
def test_a_rate_answer_is_weather_and_asks_to_slow_down(verb: str, reply: str) -> None:
    desk = Desk("ana")
    behind = {"MAIL": {"RCPT": ["503 no"], "DATA": ["503 no"]}, "RCPT": {"DATA": ["503 no"]}}
    sent(desk, obedient({verb: [reply], **behind.get(verb, {})}), until=("ana",))
    assert desk.kinds("ana") == [Kind.WEATHER, Kind.ACCEPTED]
    assert desk.outcomes["ana"][0].slow_down


def stopped(script: Script, desk: Desk) -> SmtpTransport:
    """Sends until the transport has trouble that only the operator can help; gives it, closed."""

    async def test() -> SmtpTransport:
        async with serving(script) as server:
            transport = a_pool(server.port)
            desk.transport = transport
            transport.start(desk)
            transport.wake()
            while transport.trouble is None or not transport.trouble.ours:
                await asyncio.sleep(0.005)
            await transport.close(1.0)
            return transport

    return run(test())


@pytest.mark.parametrize("reply", ["550 5.7.1 sender rejected", "530 5.7.0 authenticate first"])
def test_a_refused_sender_stops_the_relay_and_is_held_against_nobody(reply: str) -> None:
    desk = Desk("ana", "ben")
    transport = stopped(obedient({"MAIL": [reply], "RCPT": ["503 no"], "DATA": ["503 no"]}), desk)
    assert (desk.kinds("ana"), desk.kinds("ben")) == ([Kind.OURS], [])
    assert transport.trouble is not None
    assert reply in transport.trouble.what


def test_several_refusals_by_policy_stop_the_relay() -> None:
    names = [f"reader{number}" for number in range(MOST_POLICY_REFUSALS)]
    desk = Desk(*names, "ana")
    refused = {"RCPT": ["554 5.7.1 blocked"] * 3, "DATA": ["503 no"] * 3}
    stopped(obedient(refused), desk)
    assert {kind for name in names for kind in desk.kinds(name)} == {Kind.TEMPORARY}
    assert desk.kinds("ana") == []


def test_a_reply_that_nobody_waits_for_ends_an_idle_connection_without_harm() -> None:
    async def test() -> None:
        async def script(talk: Talk) -> None:
            await obedient()(talk)

        async def chatty(talk: Talk) -> None:
            await talk.say("220 hi")
            await talk.line()
            await talk.say("250-x", "250 PIPELINING")
            for reply in ("250 ok", "250 ok", "354 go"):
                await talk.line()
                await talk.say(reply)
            await talk.text()
            await talk.say("250 queued")
            await asyncio.sleep(0.02)
            await talk.say("250 and another thing")
            await talk.line()

        desk = Desk("ana")
        async with serving(chatty, script) as server:
            transport = a_pool(server.port)
            desk.transport = transport
            transport.start(desk)
            transport.wake()
            await desk.until("ana")
            await asyncio.sleep(0.05)
            assert transport.trouble is None
            desk.parcels.append(a_parcel("ben"))
            transport.wake()
            await desk.until("ben")
            await transport.close(1.0)
            assert len(server.connections) == 2
        assert desk.kinds("ben") == [Kind.ACCEPTED]

    run(test())


@pytest.mark.parametrize(
    ("verb", "limit", "first"),
    [
        pytest.param("EHLO", "command", [], id="EHLO"),
        pytest.param("MAIL", "command", [Kind.WEATHER], id="MAIL"),
        pytest.param("DATA", "data", [Kind.WEATHER], id="DATA"),
        pytest.param("DOT", "dot", [Kind.UNKNOWN], id="dot"),
    ],
)
@pytest.mark.parametrize("how", [HANG, DRIP])
def test_a_slow_answer_meets_the_limit_of_its_phase(
    verb: str, limit: str, first: list[Kind], how: str
) -> None:
    desk = Desk("ana")
    quick = replace(QUICK, **{limit: 0.1})
    script = obedient({verb: [how]}, offers=())
    server = sent(desk, script, obedient(), until=("ana",), timeouts=quick)
    assert desk.kinds("ana") == (first if verb == "DOT" else [*first, Kind.ACCEPTED])
    assert verb == "DOT" or len(server.connections) == 2


def test_a_text_that_the_relay_stops_reading_meets_the_limit_of_a_block() -> None:
    async def deaf(talk: Talk) -> None:
        await talk.say("220 hi")
        await talk.line()
        await talk.say("250-x", "250 PIPELINING")
        for reply in ("250 ok", "250 ok", "354 go"):
            await talk.line()
            await talk.say(reply)
        await asyncio.Event().wait()

    desk = Desk()
    desk.parcels.append(a_parcel("ana", (b"z" * 990 + b"\r\n") * 20_000))
    quick = replace(QUICK, block=0.1)
    sent(desk, deaf, obedient(), until=("ana",), timeouts=quick)
    # its dot never left this machine
    assert desk.kinds("ana") == [Kind.WEATHER, Kind.ACCEPTED]


class Line(asyncio.Transport):
    """A socket's stand-in whose buffer is as full as a test says."""

    def __init__(self) -> None:
        super().__init__()
        self.unwritten = 0
        self.aborts = 0

    def writelines(self, list_of_data: object) -> None:
        """Takes all."""

    def get_write_buffer_size(self) -> int:
        """How much has not left."""
        return self.unwritten

    def abort(self) -> None:
        """The end."""
        self.aborts += 1


def test_the_ten_minutes_after_the_dot_begin_when_it_has_left() -> None:
    async def test() -> None:
        desk, line = Desk("ana"), Line()
        connection = SmtpConnection(Relay(host="relay.example", port=25), lambda *_: None)
        connection.connection_made(line)
        connection.offer = Offer(pipelining=True)
        connection.converse(desk, lambda *_: None)
        connection.data_received(b"250 ok\r\n250 ok\r\n354 go\r\n")
        began = asyncio.get_running_loop().time()
        for after_s, unwritten in ((1, 3000), (170, 2000), (340, 1000), (510, 10), (590, 0)):
            line.unwritten = unwritten
            connection.check(began + after_s)
        connection.check(began + 590 + 599)
        assert line.aborts == 0
        connection.check(began + 590 + 601)
        assert line.aborts == 1
        assert desk.kinds("ana") == [Kind.UNKNOWN]

    run(test())


def test_after_so_many_messages_it_says_quit_and_takes_a_new_connection() -> None:
    names = [f"reader{number}" for number in range(5)]
    desk = Desk(*names)
    server = sent(desk, obedient(), until=tuple(names), messages_a_connection=2)
    assert [len(heard.texts) for heard in server.connections] == [2, 2, 1]
    assert all(heard.commands[-1] == "QUIT" for heard in server.connections)
    assert {kind for name in names for kind in desk.kinds(name)} == {Kind.ACCEPTED}


def test_no_more_connections_are_opened_than_are_allowed() -> None:
    names = [f"reader{number}" for number in range(30)]
    desk = Desk(*names)

    async def test() -> list[Heard]:
        async with serving(obedient()) as server:
            await send(desk, a_pool(server.port, 3), *names)
            return server.connections

    heard = run(test())
    assert 1 <= len(heard) <= 3
    assert sum(len(one.texts) for one in heard) == 30


def test_a_relay_that_lets_in_one_connection_only_is_used_with_one() -> None:
    names = [f"reader{number}" for number in range(6)]
    desk = Desk(*names)

    async def test() -> None:
        async with serving(obedient(), obedient(greeting="421 one is enough")) as server:
            transport = a_pool(server.port, 3)
            await send(desk, transport, *names)
            assert transport.trouble is None
            assert len(server.connections) <= 3
            assert len(server.connections[0].texts) == 6

    run(test())


def test_closing_gives_every_open_message_its_outcome() -> None:
    async def test() -> None:
        desk = Desk("ana", "ben", repeats=False)
        async with serving(obedient({"DOT": [HANG]}, ahead_of_dot=3)) as server:
            transport = a_pool(server.port)
            desk.transport = transport
            transport.start(desk)
            transport.wake()
            while not server.texts:
                await asyncio.sleep(0.005)
            await transport.close(0.05)
        assert desk.kinds("ana") == [Kind.UNKNOWN]
        assert desk.kinds("ben") == [Kind.WEATHER]

    run(test())


def test_nobody_listening_is_weather_that_is_told() -> None:
    async def test() -> None:
        desk = Desk("ana")
        async with serving(obedient()) as server:
            port = server.port
        transport = a_pool(port)
        transport.start(desk)
        transport.wake()
        while transport.trouble is None:
            await asyncio.sleep(0.002)
        assert f"127.0.0.1:{port}: connect" in transport.trouble.what
        assert not transport.trouble.ours
        await transport.close(0)
        assert desk.kinds("ana") == []

    run(test())
