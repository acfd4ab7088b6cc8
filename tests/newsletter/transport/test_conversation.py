"""`newsletter/transport/conversation.py`: every case of mail.md 3.2 and 3.3, without a socket."""

from collections import deque

import pytest

from newsletter.transport.base import Kind, Outcome, Parcel
from newsletter.transport.conversation import Conversation, Disorder, Offer, unfit
from newsletter.transport.replies import ReplyReader

PIPELINING = Offer(pipelining=True)


class Desk:
    """A supply that a test fills; `said` is what was written, `outcomes` what came of whom."""

    def __init__(self, *names: str, offer: Offer = PIPELINING, limit: int = 100) -> None:
        self.parcels = deque(a_parcel(name) for name in names)
        self.outcomes: list[tuple[str, Kind]] = []
        self.texts: dict[str, Outcome] = {}
        self.finishes = True
        self.said = ""
        self.talk = Conversation(offer, self, self._write, limit=limit)
        self._reader = ReplyReader()

    @property
    def has_parcels(self) -> bool:
        return bool(self.parcels)

    def take(self) -> Parcel | None:
        return self.parcels.popleft() if self.parcels else None

    def may_finish(self, parcel: Parcel) -> bool:
        return self.finishes

    def done(self, parcel: Parcel, outcome: Outcome) -> None:
        name = parcel.recipient.partition("@")[0]
        self.outcomes.append((name, outcome.kind))
        self.texts[name] = outcome

    def _write(self, chunks: object) -> None:
        assert isinstance(chunks, list)
        self.said += b"".join(chunks).decode().replace("\r\n", "|")

    def hears(self, *replies: str) -> str:
        """Feeds replies, gives what was written in answer."""
        self.said = ""
        for reply in replies:
            for whole in self._reader.feed(reply.encode() + b"\r\n"):
                self.talk.received(whole)
        return self.said

    def pumped(self) -> str:
        """Starts what can start."""
        self.said = ""
        self.talk.pump()
        return self.said


def a_parcel(name: str, body: bytes = b"text\r\n", sender: str = "press@news.example") -> Parcel:
    """A message to `name@example.net`."""
    return Parcel(sender=sender, recipient=f"{name}@example.net", body=body)


def envelope(name: str) -> str:
    """What the envelope of one parcel reads."""
    return f"MAIL FROM:<press@news.example>|RCPT TO:<{name}@example.net>|DATA|"


def test_the_next_envelope_rides_behind_the_final_dot() -> None:
    desk = Desk("ana", "ben", "cai")
    assert desk.pumped() == envelope("ana")
    assert desk.hears("250 ok", "250 ok", "354 go") == "text|.|" + envelope("ben")
    assert desk.hears("250 queued", "250 ok", "250 ok", "354 go") == "text|.|" + envelope("cai")
    assert desk.outcomes == [("ana", Kind.ACCEPTED)]


def test_at_most_one_dot_and_one_envelope_are_open() -> None:
    desk = Desk("ana", "ben", "cai")
    desk.pumped()
    desk.hears("250 ok", "250 ok", "354 go")
    assert desk.pumped() == ""
    assert len(desk.parcels) == 1


def test_without_pipelining_every_command_waits_for_its_answer() -> None:
    desk = Desk("ana", "ben", offer=Offer())
    assert desk.pumped() == "MAIL FROM:<press@news.example>|"
    assert desk.hears("250 ok") == "RCPT TO:<ana@example.net>|"
    assert desk.hears("250 ok") == "DATA|"
    assert desk.hears("354 go") == "text|.|"
    assert desk.hears("250 queued") == "MAIL FROM:<press@news.example>|"


def test_a_lock_step_refusal_is_reset_before_the_next() -> None:
    desk = Desk("ana", "ben", offer=Offer())
    desk.pumped()
    desk.hears("250 ok")
    assert desk.hears("550 5.1.1 no such user") == "RSET|MAIL FROM:<press@news.example>|"
    assert desk.outcomes == [("ana", Kind.PERMANENT)]


def test_a_refused_recipient_whose_data_is_refused_too_keeps_his_own_refusal() -> None:
    desk = Desk("ana", "ben")
    desk.pumped()
    said = desk.hears("250 ok", "550 5.1.1 no such user", "503 no valid recipients")
    assert said == "RSET|" + envelope("ben")
    assert desk.texts["ana"].enhanced == "5.1.1"


def test_a_refused_recipient_whose_data_is_taken_gets_a_lone_dot() -> None:
    desk = Desk("ana", "ben")
    desk.pumped()
    said = desk.hears("250 ok", "550 5.1.1 no such user", "354 go")
    assert said == ".|RSET|" + envelope("ben")
    assert desk.outcomes == [("ana", Kind.PERMANENT)]
    assert (
        desk.hears("554 no valid recipients", "250 ok", "250 ok", "250 ok", "354 go") == "text|.|"
    )


def test_a_refused_sender_whose_recipient_and_data_are_taken_ends_the_connection() -> None:
    desk = Desk("ana")
    desk.pumped()
    with pytest.raises(Disorder):
        desk.hears("550 5.1.8 bad sender", "250 ok", "354 go")
    desk.talk.lost("disorder")
    assert desk.outcomes == [("ana", Kind.OURS)]


def test_a_refused_dot_changes_nothing_for_the_envelope_behind_it() -> None:
    desk = Desk("ana", "ben")
    desk.pumped()
    desk.hears("250 ok", "250 ok", "354 go")
    assert desk.hears("554 5.6.0 no", "250 ok", "250 ok", "354 go") == "text|.|"
    desk.hears("250 queued")
    assert desk.outcomes == [("ana", Kind.PERMANENT), ("ben", Kind.ACCEPTED)]


def test_refused_data_is_the_result_of_its_own_message() -> None:
    desk = Desk("ana", "ben")
    desk.pumped()
    assert desk.hears("250 ok", "250 ok", "451 4.3.0 later") == "RSET|" + envelope("ben")
    assert desk.outcomes == [("ana", Kind.TEMPORARY)]


def test_a_connection_lost_after_the_dot_is_doubt_and_the_envelope_behind_it_is_not() -> None:
    desk = Desk("ana", "ben")
    desk.pumped()
    desk.hears("250 ok", "250 ok", "354 go")
    desk.talk.lost("reset by peer")
    assert desk.outcomes == [("ana", Kind.UNKNOWN), ("ben", Kind.WEATHER)]


@pytest.mark.parametrize("heard", [[], ["250 ok"], ["250 ok", "250 ok"]])
def test_a_connection_lost_before_the_dot_is_safe_to_repeat(heard: list[str]) -> None:
    desk = Desk("ana")
    desk.pumped()
    desk.hears(*heard)
    desk.talk.lost("reset by peer")
    assert desk.outcomes == [("ana", Kind.WEATHER)]


def test_a_dot_that_never_left_this_machine_is_safe_to_repeat() -> None:
    desk = Desk("ana")
    desk.pumped()
    desk.hears("250 ok", "250 ok", "354 go")
    desk.talk.lost("no answer in time", dot_left=False)
    assert desk.outcomes == [("ana", Kind.WEATHER)]


def test_421_after_the_dot_is_an_answer_and_ends_the_connection() -> None:
    desk = Desk("ana", "ben")
    desk.pumped()
    desk.hears("250 ok", "250 ok", "354 go")
    with pytest.raises(Disorder):
        desk.hears("421 4.3.2 shutting down")
    desk.talk.lost("421")
    assert desk.outcomes == [("ana", Kind.WEATHER), ("ben", Kind.WEATHER)]


def test_a_reply_that_nobody_waits_for_ends_the_connection() -> None:
    with pytest.raises(Disorder):
        Desk().hears("250 hello again")


def test_a_revoked_message_gets_no_dot() -> None:
    desk = Desk("ana")
    desk.pumped()
    desk.finishes = False
    with pytest.raises(Disorder):
        desk.hears("250 ok", "250 ok", "354 go")
    assert "." not in desk.said
    desk.talk.lost("revoked")
    assert desk.outcomes == [("ana", Kind.WEATHER)]


def test_after_its_number_of_messages_a_connection_is_spent() -> None:
    desk = Desk("ana", "ben", "cai", limit=2)
    desk.pumped()
    assert desk.hears("250 ok", "250 ok", "354 go") == "text|.|" + envelope("ben")
    assert desk.hears("250 queued", "250 ok", "250 ok", "354 go") == "text|.|"
    assert not desk.talk.is_idle
    desk.hears("250 queued")
    assert desk.talk.is_spent
    assert desk.talk.is_idle


@pytest.mark.parametrize(
    ("offer", "recipient", "body", "line"),
    [
        pytest.param(Offer(size=100), "ana", b"text\r\n", "SIZE=6", id="SIZE"),
        pytest.param(
            Offer(smtputf8=True, eight_bit=True),
            "añá",
            b"t\r\n",
            "BODY=8BITMIME SMTPUTF8",
            id="UTF8",
        ),
        pytest.param(Offer(eight_bit=True), "ana", b"t\xc3\xb1\r\n", "BODY=8BITMIME", id="8 bit"),
        pytest.param(Offer(eight_bit=True), "ana", b"t\r\n", None, id="7 bit asks for nothing"),
        pytest.param(Offer(), "ana", b"t\r\n", None, id="nothing offered, nothing asked"),
    ],
)
def test_parameters_are_given_only_where_they_are_offered_and_needed(
    offer: Offer, recipient: str, body: bytes, line: str | None
) -> None:
    desk = Desk(offer=offer)
    desk.parcels.append(a_parcel(recipient, body))
    ending = f" {line}|" if line else "|"
    assert desk.pumped() == f"MAIL FROM:<press@news.example>{ending}"


@pytest.mark.parametrize(
    ("parcel", "offer", "enhanced"),
    [
        pytest.param(a_parcel("añá"), Offer(pipelining=True), "5.6.7", id="no SMTPUTF8"),
        pytest.param(a_parcel("ana", b"x" * 101), Offer(size=100), "5.3.4", id="over SIZE"),
        pytest.param(a_parcel("a\r\nRSET"), Offer(smtputf8=True), "5.1.3", id="a line break"),
        pytest.param(a_parcel("a>b"), Offer(), "5.1.3", id="a bracket"),
    ],
)
def test_what_a_relay_cannot_take_is_refused_before_the_wire(
    parcel: Parcel, offer: Offer, enhanced: str
) -> None:
    outcome = unfit(parcel, offer)
    assert outcome is not None
    assert (outcome.kind, outcome.enhanced) == (Kind.PERMANENT, enhanced)
    desk = Desk("ben", offer=offer)
    desk.parcels.appendleft(parcel)
    assert "ben" in desk.pumped() or not offer.pipelining
    assert desk.outcomes[0][1] is Kind.PERMANENT


def test_lines_that_begin_with_a_dot_are_stuffed_wherever_they_come_from() -> None:
    desk = Desk()
    desk.parcels.append(a_parcel("ana", b".first\r\nplain\r\n.second"))
    desk.pumped()
    assert desk.hears("250 ok", "250 ok", "354 go") == "..first|plain|..second|.|"


@pytest.mark.parametrize(
    ("heard", "odd"),
    [
        pytest.param([], "354 go", id="MAIL"),
        pytest.param(["250 ok"], "354 go", id="RCPT"),
        pytest.param(["250 ok", "250 ok"], "250 ok", id="DATA"),
        pytest.param(["250 ok", "250 ok", "354 go"], "354 go", id="dot"),
    ],
)
def test_a_reply_that_fits_nothing_that_was_said_ends_the_connection(
    heard: list[str], odd: str
) -> None:
    desk = Desk("ana", "ben")
    desk.pumped()
    desk.hears(*heard)
    with pytest.raises(Disorder):
        desk.hears(odd)
    desk.talk.lost("disorder")
    assert desk.outcomes[0] == ("ana", Kind.UNKNOWN if len(heard) == 3 else Kind.WEATHER)
