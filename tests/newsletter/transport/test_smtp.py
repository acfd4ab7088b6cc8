"""`newsletter/transport/{smtp,pool}.py` against a scripted server on a real socket: mail.md 3.2 and 3.3."""

from __future__ import annotations

import asyncio

import pytest

from newsletter.transport.base import Kind
from tests.newsletter.transport.desk import BODY, Desk, a_parcel, a_pool, run, send
from tests.newsletter.transport.scripted import (
    DROP,
    Talk,
    obedient,
    serving,
)
from tests.newsletter.transport.sending import sent


def test_two_messages_cost_one_group_each_and_arrive_as_they_were() -> None:
    desk = Desk("ana", "ben")
    server = sent(desk, obedient(ahead_of_dot=0))
    assert server.texts == [BODY, BODY]
    assert desk.kinds("ana") == desk.kinds("ben") == [Kind.ACCEPTED]
    assert desk.last("ana").text == "2.0.0 queued as Q1"
    assert server.connections[0].verbs() == "EHLO MAIL RCPT DATA MAIL RCPT DATA QUIT"


def test_rfc2920_the_next_envelope_is_sent_before_the_dot_is_answered() -> None:
    # the server answers the first dot only when it has the whole next group: lock-step would wait for ever
    desk = Desk("ana", "ben", "cai", "dan")

    async def script(talk: Talk) -> None:
        await talk.say("220 hi")
        await talk.line()
        await talk.say("250-x", "250 PIPELINING")
        await talk.read_ahead(3)
        for number in range(4):
            for reply in ("250 ok", "250 ok", "354 go"):
                await talk.line()
                await talk.say(reply)
            await talk.text()
            await talk.read_ahead(3 if number < 3 else 0)
            await talk.say("250 queued")

    server = sent(desk, script, until=("dan",))
    assert len(server.texts) == 4


def test_without_pipelining_it_goes_in_lock_step() -> None:
    lines_waiting: list[int] = []

    async def script(talk: Talk) -> None:
        async def step(reply: str) -> None:
            await talk.line()
            await asyncio.sleep(0)
            lines_waiting.append(len(talk.reader._buffer))  # type: ignore[attr-defined]
            await talk.say(reply)

        await talk.say("220 hi")
        await step("250 no extensions")
        for _ in range(2):
            for reply in ("250 ok", "250 ok", "354 go"):
                await step(reply)
            await talk.text()
            lines_waiting.append(len(talk.reader._buffer))  # type: ignore[attr-defined]
            await talk.say("250 queued")

    desk = Desk("ana", "ben")
    server = sent(desk, script)
    assert server.texts == [BODY, BODY]
    assert set(lines_waiting) == {0}


def test_a_server_without_ehlo_is_greeted_with_helo() -> None:
    desk = Desk("ana")
    server = sent(desk, obedient({"EHLO": ["502 what"]}), until=("ana",))
    assert server.connections[0].verbs().startswith("EHLO HELO MAIL RCPT DATA")


@pytest.mark.parametrize("offers", [("PIPELINING",), ()], ids=["pipelining", "lock-step"])
def test_a_refused_recipient_costs_nobody_else_his_mail(offers: tuple[str, ...]) -> None:
    desk = Desk("ana", "ben")
    answers = {"RCPT": ["550 5.1.1 no such user"], "DATA": ["503 no recipients"] if offers else []}
    server = sent(desk, obedient(answers, offers=offers))
    assert desk.kinds("ana") == [Kind.PERMANENT]
    assert desk.last("ana").reply == "550 5.1.1 no such user"
    assert desk.kinds("ben") == [Kind.ACCEPTED]
    assert len(server.connections) == 1


def test_a_refused_recipient_whose_data_got_354_is_ended_by_a_lone_dot() -> None:
    desk = Desk("ana", "ben")
    server = sent(desk, obedient({"RCPT": ["550 5.1.1 no"], "DOT": ["554 5.5.1 nobody"]}))
    assert server.texts == [b"", BODY]
    assert desk.last("ana").code == 550
    assert desk.kinds("ben") == [Kind.ACCEPTED]


def test_a_dot_refused_after_the_next_envelope_was_sent_is_the_first_ones_alone() -> None:
    desk = Desk("ana", "ben")
    scripts = obedient({"DOT": ["554 5.6.0 content"]}, ahead_of_dot=0)
    server = sent(desk, scripts)
    assert desk.kinds("ana") == [Kind.PERMANENT]
    assert desk.kinds("ben") == [Kind.ACCEPTED]
    assert server.texts == [BODY, BODY]


def test_data_refused_after_a_dot_is_that_messages_alone() -> None:
    desk = Desk("ana", "ben", "cai")
    server = sent(
        desk, obedient({"DATA": ["354 go", "451 4.3.0 not this one"]}), until=("ana", "ben", "cai")
    )
    assert desk.kinds("ana") == desk.kinds("cai") == [Kind.ACCEPTED]
    assert desk.kinds("ben") == [Kind.TEMPORARY]
    assert len(server.texts) == 2


def test_closed_between_dot_and_reply_only_that_one_is_in_doubt() -> None:
    desk = Desk("ana", "ben")
    server = sent(desk, obedient({"DOT": [DROP]}, ahead_of_dot=3), obedient())
    assert desk.kinds("ana") == [Kind.UNKNOWN]
    assert desk.kinds("ben") == [Kind.WEATHER, Kind.ACCEPTED]
    assert len(server.connections) == 2


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA"])
def test_closed_before_the_dot_is_repeated_and_nobody_is_in_doubt(verb: str) -> None:
    desk = Desk("ana")
    sent(desk, obedient({verb: [DROP]}), obedient(), until=("ana",))
    assert desk.kinds("ana") == [Kind.WEATHER, Kind.ACCEPTED]


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        pytest.param("450 4.2.0 greylisted", Kind.TEMPORARY, id="deferred"),
        pytest.param("552 5.2.2 mailbox full", Kind.PERMANENT, id="refused"),
        pytest.param("550 5.7.1 looks like spam", Kind.TEMPORARY, id="policy is not the reader's"),
        pytest.param("250 ok", Kind.ACCEPTED, id="accepted"),
    ],
)
def test_each_reply_to_the_dot_is_an_answer(reply: str, kind: Kind) -> None:
    desk = Desk("ana")
    sent(desk, obedient({"DOT": [reply]}), until=("ana",))
    assert desk.kinds("ana") == [kind]


def test_421_in_reply_to_the_dot_is_not_doubt() -> None:
    desk = Desk("ana", "ben")
    sent(desk, obedient({"DOT": ["421 4.3.2 going down"]}, ahead_of_dot=3), obedient())
    assert desk.kinds("ana") == desk.kinds("ben") == [Kind.WEATHER, Kind.ACCEPTED]


def test_replies_of_many_lines_are_read_to_the_last() -> None:
    desk = Desk("ana")
    many = "\r\n".join(["250-2.0.0 one", "250-2.0.0 two", "250 2.0.0 three"])
    sent(desk, obedient({"MAIL": [many], "DOT": [many]}), until=("ana",))
    assert desk.last("ana").text == "2.0.0 one 2.0.0 two 2.0.0 three"


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param("250 " + "x" * 5000, id="a line that is too long"),
        pytest.param("\r\n".join(["250-more"] * 200), id="a reply without an end"),
        pytest.param("hello there", id="garbage"),
        pytest.param("\udcff\udcfe\x00", id="bytes"),
        pytest.param("250-one\r\n550 two", id="two codes in one reply"),
        pytest.param("250 ok\r\n250 again\r\n250 ok\r\n250 ok\r\n250 ok", id="a reply too many"),
    ],
)
def test_what_is_no_reply_ends_the_connection_and_the_mail_is_repeated(reply: str) -> None:
    desk = Desk("ana")
    server = sent(desk, obedient({"MAIL": [reply]}), obedient(), until=("ana",))
    assert desk.kinds("ana") == [Kind.WEATHER, Kind.ACCEPTED]
    assert len(server.connections) == 2


def test_garbage_in_reply_to_the_dot_is_doubt() -> None:
    desk = Desk("ana")
    sent(desk, obedient({"DOT": ["hello"]}), until=("ana",))
    assert desk.kinds("ana") == [Kind.UNKNOWN]


def test_replies_are_read_while_a_long_text_is_written() -> None:
    # the server will not read on before its long reply has gone out: a client that only writes waits for ever
    long = "\r\n".join(["250-" + "x" * 2000] * 95 + ["250 ok"])

    async def script(talk: Talk) -> None:
        await talk.say("220 hi")
        await talk.line()
        await talk.say("250-x", "250 PIPELINING")
        for reply in ("250 ok", "250 ok", "354 go"):
            await talk.line()
            await talk.say(reply)
        await talk.say(long)
        await talk.text()
        for _ in range(3):
            await talk.line()
        await talk.say("250 ok", "250 ok", "354 go")
        await talk.text()
        await talk.say("250 queued")

    desk = Desk()
    big = b"Subject: x\r\n\r\n" + b"y" * 70 + b"\r\n"
    desk.parcels.append(a_parcel("ana", big + (b"z" * 70 + b"\r\n") * 120_000))
    desk.parcels.append(a_parcel("ben"))
    server = sent(desk, script)
    assert desk.kinds("ana") == desk.kinds("ben") == [Kind.ACCEPTED]
    assert len(server.texts[0]) > 4_000_000


def test_a_message_over_the_relays_size_fails_before_the_wire() -> None:
    desk = Desk("ben")
    desk.parcels.appendleft(a_parcel("ana", b"x" * 2000))
    server = sent(desk, obedient(offers=("PIPELINING", "SIZE 1000")))
    assert desk.last("ana").enhanced == "5.3.4"
    assert desk.kinds("ana") == [Kind.PERMANENT]
    assert not any("ana@" in line for line in server.connections[0].commands)
    assert f"MAIL FROM:<press@news.example> SIZE={len(BODY)}" in server.connections[0].commands


def test_an_address_outside_ascii_fails_where_smtputf8_is_not_offered() -> None:
    desk = Desk("añá", "ben")
    server = sent(desk, obedient(), until=("añá", "ben"))
    assert desk.kinds("añá") == [Kind.PERMANENT]
    assert desk.last("añá").enhanced == "5.6.7"
    assert server.texts == [BODY]


def test_an_address_outside_ascii_goes_where_smtputf8_is_offered() -> None:
    desk = Desk("añá")
    server = sent(desk, obedient(offers=("8BITMIME", "SMTPUTF8")), until=("añá",))
    assert server.connections[0].commands[1:3] == [
        "MAIL FROM:<press@news.example> BODY=8BITMIME SMTPUTF8",
        "RCPT TO:<añá@example.net>",
    ]


def test_lines_that_begin_with_a_dot_arrive_as_they_were() -> None:
    desk = Desk()
    desk.parcels.append(a_parcel("ana", b".a\r\n..b\r\n"))
    server = sent(desk, obedient(), until=("ana",))
    assert server.texts == [b"..a\r\n...b\r\n"]


def test_a_message_that_may_not_be_finished_gets_no_dot() -> None:
    async def test() -> None:
        desk = Desk("ana", repeats=False)
        desk.finishes = False
        async with serving(obedient()) as server:
            await send(desk, a_pool(server.port), "ana")
            assert server.texts == []
        assert desk.kinds("ana") == [Kind.WEATHER]

    run(test())
