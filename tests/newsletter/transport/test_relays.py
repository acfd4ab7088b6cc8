"""`newsletter/transport/relays.py` on real sockets: the first relay that is well takes the mail, at its own pace."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from newsletter.gates import Gate, Gates, relay_key
from newsletter.pacing import Bounds
from newsletter.transport.base import Kind
from newsletter.transport.pool import SmtpTransport
from newsletter.transport.relays import RelayChain
from newsletter.transport.smtp import Relay
from tests.newsletter.transport.desk import Desk, a_parcel, a_relay, run, send
from tests.newsletter.transport.scripted import DROP, Script, Server, Talk, obedient, serving
from tests.newsletter.transport.test_tls import Mailbox, client_side
from tests.newsletter.transport.test_tls import a_relay as a_secure_relay
from tests.smtp_sink import Sink

GONE = "421 4.3.2 closing for now"


class Told:
    """Keeps what was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def _tell(self, event: str, **values: Any) -> None:
        self.lines.append(f"{event} {values}")

    info = warning = error = _tell


def a_chain(
    *relays: Relay,
    bounds: tuple[Bounds, ...] = (),
    total: float | None = None,
    told: Told | None = None,
    first_wait_s: float = 0.01,
    connections: int = 1,
) -> RelayChain:
    """A chain that looks at its clocks often and tries again at once."""
    now = asyncio.get_running_loop().time()
    each = bounds or tuple(Bounds() for _ in relays)
    gates = Gates(
        [
            Gate(relay_key(relay.host, relay.port), bound, now)
            for relay, bound in zip(relays, each, strict=True)
        ],
        overall=Gate("all", Bounds(rate_per_s=total), now) if total else None,
    )

    def build(number: int, changed: Callable[[], None]) -> SmtpTransport:
        return SmtpTransport(
            relays[number],
            connections,
            lambda: 0.0,
            first_wait_s=first_wait_s,
            tick_s=0.01,
            changed=changed,
        )

    return RelayChain(gates, build, told or Told(), tick_s=0.01)


def both(
    first: tuple[Script, ...],
    second: tuple[Script, ...] = (obedient(),),
    *,
    readers: int = 6,
    first_wait_s: float = 0.01,
    **changes: object,
) -> tuple[Desk, list[Server], Told]:
    """Sends to so many readers through two relays that follow these scripts."""
    names = [f"reader{number}" for number in range(readers)]
    desk, told = Desk(*names), Told()

    async def test() -> list[Server]:
        async with serving(*first) as one, serving(*second) as two:
            chain = a_chain(
                a_relay(one.port, **changes),
                a_relay(two.port),
                told=told,
                first_wait_s=first_wait_s,
            )
            await send(desk, chain, *names)
            return [one, two]

    return desk, run(test()), told


def all_accepted(desk: Desk) -> bool:
    """True when each reader was accepted, once."""
    return all(
        [outcome.kind for outcome in outcomes].count(Kind.ACCEPTED) == 1
        and outcomes[-1].kind is Kind.ACCEPTED
        for outcomes in desk.outcomes.values()
    )


def test_while_the_first_is_well_the_second_gets_nothing() -> None:
    desk, (one, two), told = both((obedient(),))
    assert all_accepted(desk)
    assert (len(one.texts), two.connections) == (6, [])
    assert told.lines == []


@pytest.mark.parametrize("greeting", [GONE, "554 not you", DROP])
def test_where_the_first_does_not_greet_the_second_carries_on(greeting: str) -> None:
    desk, (one, two), told = both((obedient(greeting=greeting),), first_wait_s=60)
    assert all_accepted(desk)
    assert (len(one.texts), len(two.texts)) == (0, 6)
    assert len(told.lines) == 1
    assert "relay was set aside" in told.lines[0]


def test_a_relay_that_refuses_our_log_in_is_set_aside_for_the_next() -> None:
    desk, (one, two), _told = both((obedient(),), username="gazette", password="secret")
    assert all_accepted(desk)
    assert (len(one.texts), len(two.texts)) == (0, 6)


def test_a_relay_that_says_535_to_our_log_in_is_set_aside_for_the_next() -> None:
    names = [f"reader{number}" for number in range(6)]
    desk, told, mailbox = Desk(*names), Told(), Mailbox()

    async def test() -> int:
        async with a_secure_relay(mailbox) as port, serving(obedient()) as two:
            first = a_relay(
                port, tls="starttls", context=client_side(), username="press", password="wrong"
            )
            await send(desk, a_chain(first, a_relay(two.port), told=told), *names)
            return len(two.texts)

    assert run(test()) == 6
    assert all_accepted(desk)
    assert (mailbox.texts, len(mailbox.mechanisms)) == ([], 1)
    assert "535" in told.lines[0]


def test_a_relay_without_starttls_is_set_aside_for_the_next() -> None:
    desk, (one, two), told = both((obedient(),), tls="starttls")
    assert all_accepted(desk)
    assert (len(one.texts), len(two.texts)) == (0, 6)
    assert "STARTTLS" in told.lines[0]


def test_a_relay_that_refuses_the_sender_is_set_aside_for_the_next() -> None:
    refusing = obedient(
        {"MAIL": ["550 5.7.1 no"] * 9, "RCPT": ["503 no"] * 9, "DATA": ["503 no"] * 9}
    )
    desk, (_one, two), _told = both((refusing,))
    assert all_accepted(desk)
    assert len(two.texts) == 6


def test_a_relay_that_dies_between_two_messages_loses_nobody() -> None:
    dying = obedient({"DOT": ["250 ok", "250 ok"], "MAIL": ["250 ok", "250 ok", DROP]})
    desk, (one, two), _told = both((dying, obedient(greeting=GONE)), first_wait_s=60)
    assert all_accepted(desk)
    assert (len(one.texts), len(two.texts)) == (2, 4)


def test_a_relay_that_asks_for_a_pause_in_mid_session_is_set_aside() -> None:
    tired = obedient({"RCPT": ["250 ok", GONE]})
    desk, (one, two), _told = both((tired, obedient(greeting=GONE)), first_wait_s=60)
    assert all_accepted(desk)
    assert (len(one.texts), len(two.texts)) == (1, 5)


def test_the_first_is_used_again_once_it_is_well() -> None:
    desk, told = Desk("ana"), Told()

    async def test() -> None:
        async with (
            serving(obedient(greeting=GONE), obedient(greeting=GONE), obedient()) as one,
            serving(obedient()) as two,
        ):
            chain = a_chain(a_relay(one.port), a_relay(two.port), told=told)
            desk.transport = chain
            chain.start(desk)
            chain.wake()
            await desk.until("ana")
            assert len(two.texts) == 1
            number = 0
            while not one.texts:
                number += 1
                desk.parcels.append(a_parcel(f"reader{number}"))
                chain.wake()
                await desk.until(f"reader{number}")
            assert len(one.texts) + len(two.texts) == number + 1
            assert chain.standings()[0].is_used
            desk.parcels.append(a_parcel("last"))
            chain.wake()
            await desk.until("last")
            assert len(one.texts) == 2
            await chain.close(1)
            assert len(one.connections) == 3

    run(test())
    assert all_accepted(desk)
    assert [line.partition(" {")[0] for line in told.lines] == [
        "relay was set aside",
        "relay was well again",
    ]


def test_a_relay_is_tried_out_with_nothing_to_lose() -> None:
    desk, (one, two), _told = both((obedient(greeting=GONE),), readers=60)
    assert all_accepted(desk)
    assert len(one.connections) > 1
    # what was once named for the first came back once; after that only an empty connection asked
    assert sum(kinds.count(Kind.WEATHER) for kinds in map(desk.kinds, desk.outcomes)) == 0
    assert len(two.texts) == 60


def test_while_all_have_trouble_it_is_that_of_the_one_that_is_tried_soonest() -> None:
    async def test() -> None:
        desk = Desk("ana")
        async with serving(obedient(greeting=GONE)) as two, serving(obedient()) as one:
            chain = a_chain(a_relay(one.port, tls="starttls"), a_relay(two.port), first_wait_s=30)
            desk.transport = chain
            chain.start(desk)
            chain.wake()
            while chain.trouble is None:
                await asyncio.sleep(0.005)
            assert GONE in chain.trouble.what
            assert not chain.trouble.ours
            assert [standing.is_used for standing in chain.standings()] == [False, False]
            await chain.close(0)

    run(test())


def test_what_was_named_for_a_relay_is_taken_by_no_other() -> None:
    async def test() -> None:
        desk = Desk("ana")
        async with serving(obedient()) as one, serving(obedient()) as two:
            chain = a_chain(a_relay(one.port), a_relay(two.port))
            chain.gates.head_lane = lambda: relay_key("127.0.0.1", two.port)
            await send(desk, chain, "ana")
            assert (len(one.texts), len(two.texts)) == (0, 1)

    run(test())


@pytest.mark.parametrize("total", [None, 50.0])
def test_a_relays_rate_and_the_rate_over_all_are_kept(total: float | None) -> None:
    names = [f"reader{number}" for number in range(25)]
    desk = Desk(*names)

    async def test() -> float:
        async with serving(obedient()) as one:
            chain = a_chain(
                a_relay(one.port), bounds=(Bounds(rate_per_s=None if total else 50.0),), total=total
            )
            assert chain.rate_per_s == 50.0
            began = time.monotonic()
            await send(desk, chain, *names)
            return time.monotonic() - began

    # 5 at once, then 20 at 50 a second
    assert 0.35 <= run(test()) <= 2.0
    assert all_accepted(desk)


class Choosy(Sink):
    """Takes so many recipients a second over all its connections, and says 450 to others."""

    times: list[float]
    per_s = 20

    def _command(self, answers: list[bytes]) -> bool:
        line = bytes(self._buffer.partition(b"\n")[0]) if b"\n" in self._buffer else b""
        before = len(answers)
        if not super()._command(answers):
            return False
        verb = line[:4].upper()
        if verb == b"RCPT":
            now = time.monotonic()
            self.times[:] = [at for at in self.times if now - at < 1.0]
            self._refused = len(self.times) >= self.per_s
            if self._refused:
                answers[before:] = [b"450 4.7.1 too many messages, slow down\r\n"]
            else:
                self.times.append(now)
        elif verb == b"DATA" and self._refused:
            self._in_text = False
            answers[before:] = [b"503 5.5.1 nobody\r\n"]
        return True


def test_a_relay_that_throttles_is_slowed_to_and_everybody_gets_it_once() -> None:
    names = [f"reader{number}" for number in range(80)]
    desk = Desk()
    desk.parcels.extend(
        a_parcel(name, domain=f"domain{n % 7}.example") for n, name in enumerate(names)
    )

    async def test() -> None:
        def accept() -> Choosy:
            sink = Choosy(None)
            sink.times = times
            return sink

        times: list[float] = []
        loop = asyncio.get_running_loop()
        listening = await loop.create_server(accept, "127.0.0.1", 0)
        async with listening:
            chain = a_chain(a_relay(listening.sockets[0].getsockname()[1]), connections=3)
            async with asyncio.timeout(30):
                await send(desk, chain, *names)
        gate = chain.gates.relays[0]
        assert gate.pacer.is_slowed
        assert gate.pacer.rate_per_s is not None
        assert gate.pacer.rate_per_s < 60

    asyncio.run(test())
    assert all_accepted(desk)


def test_closing_gives_each_message_on_either_relay_its_outcome() -> None:
    async def test() -> None:
        desk = Desk("ana", "ben", repeats=False)

        async def silent(talk: Talk) -> None:
            await obedient({"DOT": ["(hang)"]})(talk)

        async with serving(silent) as one, serving(obedient()) as two:
            chain = a_chain(a_relay(one.port), a_relay(two.port))
            desk.transport = chain
            chain.start(desk)
            chain.wake()
            while not one.texts:
                await asyncio.sleep(0.005)
            await chain.close(0.05)
        assert desk.kinds("ana") == [Kind.UNKNOWN]
        assert desk.kinds("ben") in ([], [Kind.WEATHER])

    run(test())
