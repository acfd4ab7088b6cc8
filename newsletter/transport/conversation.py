"""One SMTP connection's talk after its set-up: which bytes to write, what each reply means (pure; mail.md 3.3).

With PIPELINING the next envelope rides behind the final dot, so that a connection costs one round trip a message:
at most one dot and one envelope behind it are open. Without, every command waits for its answer. Replies match the
commands strictly in order.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from newsletter.transport.base import Kind, Outcome, Parcel, Supply
from newsletter.transport.replies import Phase, Reply, outcome_of

MESSAGES_A_CONNECTION = 100

_DOT = b".\r\n"
_UNFIT = re.compile(r"[\x00-\x20<>\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a relay's EHLO offers; `size` 0: no limit told."""

    pipelining: bool = False
    size: int | None = None
    smtputf8: bool = False
    eight_bit: bool = False
    starttls: bool = False
    auth: frozenset[str] = frozenset()


@dataclass(slots=True, eq=False)
class _Slot:
    """A parcel on this connection."""

    parcel: Parcel
    refusal: Outcome | None = None
    taken_rcpt: bool = False
    dotted: bool = False


class Disorder(Exception):
    """The talk cannot go on; the connection is to be closed without another byte."""


class Conversation:
    """The state of one connection between set-up and QUIT; `write` takes a list of chunks."""

    def __init__(
        self,
        offer: Offer,
        supply: Supply,
        write: Callable[[Sequence[bytes]], None],
        heard: Callable[[Outcome, Phase], None] = lambda outcome, phase: None,
        *,
        limit: int = MESSAGES_A_CONNECTION,
    ) -> None:
        self._offer = offer
        self._supply = supply
        self._write = write
        self._heard = heard
        self._left = limit
        self._expected: deque[tuple[Phase | None, _Slot | None]] = deque()
        self._open: _Slot | None = None
        self._dotted: deque[_Slot] = deque()
        self._reset = False
        self.closing = False
        self.bytes_behind_dot = 0
        self.was_idle = False
        """After the end: nothing was awaited when it came, the relay only tired of waiting."""

    @property
    def phase(self) -> Phase | None:
        """What the next reply answers; None while nothing is awaited. A RSET counts as MAIL."""
        return (self._expected[0][0] or Phase.MAIL) if self._expected else None

    @property
    def is_idle(self) -> bool:
        """True when nothing is awaited."""
        return not self._expected

    @property
    def awaits_dot(self) -> bool:
        """True while a final dot is unanswered."""
        return bool(self._dotted)

    @property
    def is_spent(self) -> bool:
        """True when it has carried its number of messages: time for QUIT."""
        return self._left <= 0

    def pump(self) -> None:
        """Starts the next envelope where the talk allows one now."""
        chunks: list[bytes] = []
        self._start(chunks)
        if chunks:
            self._write(chunks)

    def received(self, reply: Reply) -> None:
        """Goes on after a reply; raises Disorder where nobody waits for it or the relay takes its leave (421)."""
        if not self._expected:
            raise Disorder(f"a reply that nobody waited for: {reply.code} {reply.text[:80]}")
        phase, slot = self._expected[0]
        if not _fits(phase, reply.code):
            raise Disorder(f"a reply that fits nothing that was said: {reply.code}")
        self._expected.popleft()
        chunks: list[bytes] = []
        if slot is not None and phase is not None:
            self._answer(phase, slot, reply, chunks)
        if reply.code == 421:
            raise Disorder(f"421 {reply.text[:200]}")
        self._start(chunks)
        if chunks:
            self._write(chunks)

    def lost(self, why: str, *, dot_left: bool = True) -> None:
        """The connection is gone: a dot without an answer is in doubt, all else is safe to repeat.

        `dot_left` False: the last final dot is known to have never left this machine.
        """
        self.closing = True
        self.was_idle = not self._expected
        slots = list(self._dotted)
        for place, slot in enumerate(slots):
            unknown = dot_left or place < len(slots) - 1
            self._done(slot, Outcome(kind=Kind.UNKNOWN if unknown else Kind.WEATHER, text=why))
        if self._open is not None:
            self._done(self._open, self._open.refusal or Outcome(kind=Kind.WEATHER, text=why))
        self._dotted.clear()
        self._expected.clear()
        self._open = None

    def _start(self, chunks: list[bytes]) -> None:
        if self.closing or self._open is not None or self._left <= 0:
            return
        if self._expected and not self._offer.pipelining:
            return
        parcel = self._next_parcel()
        if parcel is None:
            return
        self._left -= 1
        slot = self._open = _Slot(parcel)
        group = self._mail(parcel)
        if self._reset:
            self._reset = False
            group = b"RSET\r\n" + group
            self._expected.append((None, None))
        self._expected.append((Phase.MAIL, slot))
        if self._offer.pipelining:
            group += _rcpt(parcel) + b"DATA\r\n"
            self._expected.append((Phase.RCPT, slot))
            self._expected.append((Phase.DATA, slot))
        chunks.append(group)
        self.bytes_behind_dot += len(group)

    def _next_parcel(self) -> Parcel | None:
        """The next parcel that this relay can take; those it cannot are refused here, named (mail.md 1.3, 3.1)."""
        while (parcel := self._supply.take()) is not None:
            refusal = unfit(parcel, self._offer)
            if refusal is None:
                return parcel
            self._supply.done(parcel, refusal)
        return None

    def _mail(self, parcel: Parcel) -> bytes:
        line = f"MAIL FROM:<{parcel.sender}>"
        if self._offer.size is not None:
            line += f" SIZE={len(parcel.body)}"
        if _needs_utf8(parcel):
            line += " BODY=8BITMIME SMTPUTF8" if self._offer.eight_bit else " SMTPUTF8"
        elif self._offer.eight_bit and not parcel.body.isascii():
            line += " BODY=8BITMIME"
        return line.encode() + b"\r\n"

    def _answer(self, phase: Phase, slot: _Slot, reply: Reply, chunks: list[bytes]) -> None:
        if phase is Phase.DOT:
            self._answer_dot(slot, reply)
        elif phase is Phase.DATA:
            self._answer_data(slot, reply, chunks)
        else:
            if phase is Phase.RCPT and 200 <= reply.code <= 299:
                slot.taken_rcpt = True
            elif not 200 <= reply.code <= 299 and slot.refusal is None:
                slot.refusal = self._told(phase, reply)
            if not self._offer.pipelining:
                self._next_step(phase, slot, chunks)

    def _next_step(self, phase: Phase, slot: _Slot, chunks: list[bytes]) -> None:
        """Lock-step: the next command, or the end of this envelope."""
        if slot.refusal is not None:
            self._give_up(slot, slot.refusal)
        elif phase is Phase.MAIL:
            chunks.append(_rcpt(slot.parcel))
            self._expected.append((Phase.RCPT, slot))
        else:
            chunks.append(b"DATA\r\n")
            self._expected.append((Phase.DATA, slot))

    def _answer_data(self, slot: _Slot, reply: Reply, chunks: list[bytes]) -> None:
        if reply.code != 354:
            self._give_up(slot, slot.refusal or self._told(Phase.DATA, reply))
            return
        if slot.refusal is not None:
            if slot.taken_rcpt:
                raise Disorder("DATA was accepted for a message that was refused")
            # nobody is addressed: an empty text ends the transaction (RFC 2920 3.1)
            chunks.append(_DOT)
            self._expected.append((None, None))
            self._give_up(slot, slot.refusal)
            return
        if self.closing or not self._supply.may_finish(slot.parcel):
            raise Disorder("no longer ours to send")
        slot.dotted = True
        self._open = None
        self._dotted.append(slot)
        chunks += _framed(slot.parcel)
        self.bytes_behind_dot = 0
        self._expected.append((Phase.DOT, slot))

    def _answer_dot(self, slot: _Slot, reply: Reply) -> None:
        self._dotted.remove(slot)
        self._done(slot, self._told(Phase.DOT, reply))

    def _give_up(self, slot: _Slot, outcome: Outcome) -> None:
        self._open = None
        self._reset = True
        self._done(slot, outcome)

    def _told(self, phase: Phase, reply: Reply) -> Outcome:
        outcome = outcome_of(phase, reply)
        self._heard(outcome, phase)
        return outcome

    def _done(self, slot: _Slot, outcome: Outcome) -> None:
        self._supply.done(slot.parcel, outcome)


def unfit(parcel: Parcel, offer: Offer) -> Outcome | None:
    """Why this relay cannot be given a parcel at all, found before the wire; None when it can."""
    if _UNFIT.search(parcel.recipient) or _UNFIT.search(parcel.sender):
        return Outcome(
            kind=Kind.PERMANENT,
            code=553,
            enhanced="5.1.3",
            text="5.1.3 not an address for the wire",
        )
    if _needs_utf8(parcel) and not offer.smtputf8:
        return Outcome(
            kind=Kind.PERMANENT,
            code=553,
            enhanced="5.6.7",
            text="5.6.7 the relay does not take addresses outside ASCII (SMTPUTF8 is not offered)",
        )
    if offer.size and len(parcel.body) > offer.size:
        return Outcome(
            kind=Kind.PERMANENT,
            code=552,
            enhanced="5.3.4",
            text=f"5.3.4 the message has {len(parcel.body)} bytes, the relay takes {offer.size}",
        )
    return None


def _fits(phase: Phase | None, code: int) -> bool:
    """True when `code` can be an answer to `phase` at all; where not, replies and commands have come apart."""
    return code >= 400 or (code == 354 if phase is Phase.DATA else 200 <= code <= 299)


def _needs_utf8(parcel: Parcel) -> bool:
    return not (parcel.recipient.isascii() and parcel.sender.isascii())


def _rcpt(parcel: Parcel) -> bytes:
    return f"RCPT TO:<{parcel.recipient}>\r\n".encode()


def _framed(parcel: Parcel) -> list[bytes]:
    """The text as it goes on the wire. Sealed messages have no line that begins with a dot; others are stuffed."""
    body = parcel.body
    if parcel.dot_free:
        return [body, _DOT] if body.endswith(b"\r\n") else [body, b"\r\n" + _DOT]
    if b"\r\n." in body or body.startswith(b"."):
        body = body.replace(b"\r\n.", b"\r\n..")
        body = b"." + body if body.startswith(b".") else body
    return [body, _DOT] if body.endswith(b"\r\n") else [body, b"\r\n" + _DOT]
