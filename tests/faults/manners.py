"""Relays that misbehave, by a plan: who gets which treatment follows from the seed and the recipient alone."""

import json
import zlib
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.smtp_sink import Manners

KEPT_AND_UNANSWERED = ("close after dot", "hang after text")
"""Lost replies to texts that the relay has kept: each may become a repeat."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a relay does wrong. Shares are of recipients, at their first offer, unless a line says otherwise."""

    seed: int = 1
    greet_421: float = 0.0
    """Share of connections that are sent away at once."""
    most_connections: int = 0
    """A connection beyond so many is greeted with 421; 0: there is no limit."""
    refuse_every: int = 0
    """Each so manieth recipient is told to come back (4xx)."""
    refuse_for_good: float = 0.0
    """5xx, at each offer."""
    refuse_at_dot: float = 0.0
    """4xx after the whole text."""
    hang_at_data: float = 0.0
    """No 354, and not a word more."""
    hang_after_text: float = 0.0
    """The text is kept, and not a word more."""
    close_after_dot: float = 0.0
    """The text is kept, and the connection closed before the answer."""
    drop_after_dot: float = 0.0
    """The connection is closed before the answer, and the text is not kept."""
    slow: float = 0.0
    """Share of bursts of answers that take `slow_s`."""
    slow_s: float = 0.0
    smtputf8: bool = True

    def text(self) -> str:
        """For a command line."""
        return json.dumps(asdict(self))

    @classmethod
    def parse(cls, text: str) -> "Plan":
        """From a command line."""
        return cls(**json.loads(text))


class Hostile(Manners):
    """Does as planned, and notes each misdeed: a line `recipient what` (or `- what`)."""

    def __init__(self, plan: Plan, events: Path) -> None:
        self._plan = plan
        self._events = events.open("a", encoding="utf-8", buffering=1)
        self._offers: Counter[str] = Counter()
        self._count: Counter[str] = Counter()
        self._open = 0
        self.smtputf8 = plan.smtputf8

    def greeting(self) -> str:
        """220, or 421 to some."""
        self._open += 1
        most = self._plan.most_connections
        if (most and self._open > most) or self._nth("connection", self._plan.greet_421):
            self._note("-", "greeted with 421")
            return "421 4.3.2 too busy"
        return super().greeting()

    def parted(self) -> None:
        """There is room for another."""
        self._open -= 1

    def rcpt(self, recipient: str) -> str:
        """Refuses some for good, each so manieth for now."""
        self._offers[recipient] += 1
        if self._share("for good", recipient) < self._plan.refuse_for_good:
            self._note(recipient, "refused for good")
            return "550 5.2.0 refused"
        self._count["rcpt"] += 1
        every = self._plan.refuse_every
        if every and self._count["rcpt"] % every == 0:
            self._note(recipient, "refused for now")
            return "450 4.2.1 come back later"
        return super().rcpt(recipient)

    def data(self, recipient: str) -> str | None:
        """354, or nothing."""
        if self._falls_on(recipient, "hang at DATA", self._plan.hang_at_data):
            return None
        return super().data(recipient)

    def dot(self, recipient: str) -> tuple[bool, str | None]:
        """Keeps or not, answers or not."""
        plan = self._plan
        if self._falls_on(recipient, "refused at dot", plan.refuse_at_dot):
            return False, "451 4.2.1 come back later"
        if self._falls_on(recipient, "hang after text", plan.hang_after_text):
            return True, None
        if self._falls_on(recipient, "close after dot", plan.close_after_dot):
            return True, ""
        if self._falls_on(recipient, "drop after dot", plan.drop_after_dot):
            return False, ""
        return super().dot(recipient)

    def wait_s(self) -> float:
        """Slow to some."""
        return self._plan.slow_s if self._nth("burst", self._plan.slow) else 0.0

    def _falls_on(self, recipient: str, what: str, share: float) -> bool:
        falls = self._offers[recipient] == 1 and self._share(what, recipient) < share
        if falls:
            self._note(recipient, what)
        return falls

    def _nth(self, what: str, share: float) -> bool:
        self._count[what] += 1
        return self._share(what, str(self._count[what])) < share

    def _share(self, what: str, whom: str) -> float:
        """A number in [0, 1) that is the same in every run."""
        mixed = zlib.crc32(f"{self._plan.seed} {what} {whom}".encode())
        return (mixed * 2654435761 % 2**32) / 2**32

    def _note(self, recipient: str, what: str) -> None:
        self._events.write(f"{recipient} {what}\n")
