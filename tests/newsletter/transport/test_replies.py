"""`newsletter/transport/replies.py`: what a relay says and what it means (mail.md 3.2, 5.3)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.transport.base import Kind
from newsletter.transport.replies import (
    MAX_LINES,
    MAX_TEXT,
    BadReply,
    Phase,
    Reply,
    ReplyReader,
    is_dead,
    outcome_of,
)


def test_a_reply_of_many_lines_is_one_reply() -> None:
    reader = ReplyReader()
    assert reader.feed(b"250-relay.example\r\n250-SIZE 1000\r\n25") == []
    (reply,) = reader.feed(b"0 PIPELINING\r\n")
    assert reply == Reply(
        250, "relay.example SIZE 1000 PIPELINING", ("relay.example", "SIZE 1000", "PIPELINING")
    )


def test_several_replies_in_one_burst_come_in_order() -> None:
    replies = ReplyReader().feed(b"250 ok\r\n550 5.1.1 no\r\n354 go\r\n")
    assert [reply.code for reply in replies] == [250, 550, 354]
    assert replies[1].enhanced == "5.1.1"


def test_bare_line_feeds_and_codes_without_text_are_understood() -> None:
    assert [reply.code for reply in ReplyReader().feed(b"250\n354 \r\n")] == [250, 354]


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n", id="another protocol"),
        pytest.param(b"\r\n", id="an empty line"),
        pytest.param(b"25 short\r\n", id="two digits"),
        pytest.param(b"250-a\r\n550 b\r\n", id="two codes in one reply"),
        pytest.param(b"250 " + b"x" * 5000, id="a line without an end"),
        pytest.param(b"250 " + b"x" * 5000 + b"\r\n", id="a line that is too long"),
        pytest.param(b"250-more\r\n" * (MAX_LINES + 1), id="a reply without an end"),
    ],
)
def test_what_is_no_reply_is_said_to_be_none(raw: bytes) -> None:
    with pytest.raises(BadReply):
        ReplyReader().feed(raw)


def test_the_text_that_is_kept_is_bounded_and_printable() -> None:
    (reply,) = ReplyReader().feed(b"550-" + b"\x1b[31m\x00" * 300 + b"\r\n550 end\r\n")
    assert len(reply.text) <= MAX_TEXT
    assert reply.text.isprintable()


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_no_bytes_break_the_reader_in_another_way(chunks: list[bytes]) -> None:
    reader = ReplyReader()
    try:
        for chunk in chunks:
            reader.feed(chunk)
    except BadReply:
        return


@pytest.mark.parametrize(
    ("phase", "line", "kind"),
    [
        pytest.param(Phase.DOT, "250 2.0.0 queued as 1", Kind.ACCEPTED, id="accepted"),
        pytest.param(Phase.DOT, "354 again", Kind.UNKNOWN, id="nonsense after the dot"),
        pytest.param(Phase.DOT, "451 4.3.0 try later", Kind.TEMPORARY, id="4xx after the dot"),
        pytest.param(Phase.DOT, "421 closing", Kind.WEATHER, id="421 after the dot is an answer"),
        pytest.param(Phase.RCPT, "450 4.2.0 greylisted", Kind.TEMPORARY, id="greylisting"),
        pytest.param(Phase.RCPT, "452 4.2.2 mailbox full", Kind.TEMPORARY, id="a full mailbox"),
        pytest.param(Phase.RCPT, "450 4.7.1 too many messages", Kind.WEATHER, id="a rate answer"),
        pytest.param(Phase.RCPT, "452 4.5.3 too many recipients", Kind.WEATHER, id="452 4.5.3"),
        pytest.param(
            Phase.DATA, "452 4.3.1 Insufficient system storage", Kind.WEATHER, id="a full relay"
        ),
        pytest.param(Phase.MAIL, "451 4.3.0 try later", Kind.WEATHER, id="4xx at MAIL"),
        pytest.param(Phase.MAIL, "550 5.1.8 bad sender", Kind.OURS, id="5xx at MAIL"),
        pytest.param(Phase.AUTH, "535 5.7.8 no", Kind.OURS, id="a refused log-in"),
        pytest.param(Phase.AUTH, "454 4.7.0 not now", Kind.WEATHER, id="a log-in put off"),
        pytest.param(Phase.CONNECT, "554 no service", Kind.WEATHER, id="a refused greeting"),
        pytest.param(Phase.RCPT, "550 5.1.1 unknown", Kind.PERMANENT, id="nobody there"),
        pytest.param(Phase.DATA, "554 5.6.0 no", Kind.PERMANENT, id="5xx at DATA"),
        pytest.param(Phase.RCPT, "550 5.7.1 blocked", Kind.TEMPORARY, id="policy"),
        pytest.param(Phase.RCPT, "554 Relay access denied", Kind.TEMPORARY, id="no relaying"),
    ],
)
def test_what_a_reply_means_where_it_comes(phase: Phase, line: str, kind: Kind) -> None:
    (reply,) = ReplyReader().feed(line.encode() + b"\r\n")
    assert outcome_of(phase, reply).kind is kind


@pytest.mark.parametrize("line", ["550 5.7.1 blocked", "554 relay access denied", "530 5.7.0 auth"])
def test_policy_is_marked_so_that_several_in_a_row_stop_the_relay(line: str) -> None:
    (reply,) = ReplyReader().feed(line.encode() + b"\r\n")
    assert outcome_of(Phase.RCPT, reply).policy


@pytest.mark.parametrize(
    ("code", "enhanced", "text", "dead"),
    [
        pytest.param(550, "5.1.1", "5.1.1 no such user here", True, id="a dead code"),
        pytest.param(550, None, "User unknown in local table", True, id="a phrase"),
        pytest.param(550, None, "Unrouteable address", True, id="another phrase"),
        pytest.param(554, "5.4.4", "5.4.4 host not found", True, id="no such host"),
        pytest.param(550, "5.2.2", "5.2.2 mailbox full", False, id="a full mailbox"),
        pytest.param(550, "5.1.1", "5.1.1 rejected by spam filter", False, id="a code and spam"),
        pytest.param(550, None, "message refused by policy", False, id="policy"),
        pytest.param(550, None, "User unknown; blocked using a list", False, id="blocked"),
        pytest.param(450, "4.1.1", "4.1.1 user unknown", False, id="not for good"),
        pytest.param(None, "5.1.1", "no code at all", False, id="not the relay's word"),
        pytest.param(550, "5.0.0", "5.0.0 no", False, id="a refusal that says nothing"),
    ],
)
def test_who_is_called_dead(code: int | None, enhanced: str | None, text: str, dead: bool) -> None:
    assert is_dead(code, enhanced, text) is dead


def _read_at_once(received: bytes) -> list[Reply] | str:
    try:
        return ReplyReader().feed(received)
    except BadReply as error:
        return type(error).__name__


def _read_byte_by_byte(received: bytes) -> list[Reply] | str:
    reader, found = ReplyReader(), []
    try:
        for place in range(len(received)):
            found += reader.feed(received[place : place + 1])
    except BadReply as error:
        return type(error).__name__
    return found


_PIECES = st.sampled_from(
    [
        *(
            b"250 2.1.0 Ok",
            b"354 go",
            b"250-more",
            b"250 2.0.0 Ok: queued as 4F1",
            b"25",
            b"nonsense",
        ),
        *(b"\r\n", b"\n", b"\r", b"550 5.1.1 no", b"421", b" ", b"x" * 2100),
    ]
)


@given(st.lists(_PIECES, max_size=12).map(b"".join))
def test_a_burst_is_read_as_its_bytes_one_by_one(received: bytes) -> None:
    assert _read_at_once(received) == _read_byte_by_byte(received)
