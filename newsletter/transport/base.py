"""What a transport is: it takes parcels from a supply and says of each what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from newsletter.gates import Gates


class Kind(StrEnum):
    """What came of offering one parcel (mail.md 3.2)."""

    ACCEPTED = "accepted"
    TEMPORARY = "temporary"
    """This recipient was refused for now; counts against this recipient's attempts."""
    PERMANENT = "permanent"
    UNKNOWN = "unknown"
    """No answer after the final dot: in doubt."""
    WEATHER = "weather"
    """Trouble with the relay, not with the reader: nothing is used up (DESIGN.md 8.11). Safe to repeat."""
    OURS = "ours"
    """The relay refuses the sender or our policy: stop, tell the operator, hold it against nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """An answer of the relay, or the lack of one; `text` is bounded and may hold an address."""

    kind: Kind
    code: int | None = None
    enhanced: str | None = None
    text: str = ""
    slow_down: bool = False
    """Fewer messages a second are asked for."""
    of_relay: bool = False
    """It was said before anybody was addressed, or of the relay itself: no one provider is meant."""
    policy: bool = False
    """It was refused for what we are, not for who was written to; several in a row stop the relay."""

    @property
    def reply(self) -> str:
        """Code and text as one line, as a person reads them."""
        return " ".join(part for part in (str(self.code or ""), self.text) if part)


@dataclass(slots=True, eq=False)
class Parcel:
    """One message on its way to a transport: the envelope as it goes on the wire, and the bytes (CRLF lines).

    `key` names it for the one who supplied it.
    """

    sender: str
    recipient: str
    body: bytes
    key: object = None
    dot_free: bool = False
    """No line of `body` begins with a dot, known from how it was made: looking took 21 us, a tenth of a message."""


class Supply(Protocol):
    """Where a transport gets parcels; only what a committed flush has named comes out of it (DESIGN.md 8.6)."""

    @property
    def has_parcels(self) -> bool:
        """True when `take` would give one, pacing apart."""

    def take(self) -> Parcel | None:
        """The next parcel to start, or None when there is none just now; the transport is woken when there is."""

    def may_finish(self, parcel: Parcel) -> bool:
        """Asked right before the final dot: False when the lease has lapsed or the parcel was revoked."""

    def done(self, parcel: Parcel, outcome: Outcome) -> None:
        """Takes what came of a parcel; called exactly once for each parcel taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Why nothing can be sent just now; `until` is a monotonic time. `ours`: only the operator can help."""

    what: str
    until: float
    ours: bool = False


class Transport(Protocol):
    """Takes messages: a pool of SMTP connections or a maildir. All calls come from one event loop."""

    def start(self, supply: Supply) -> None:
        """Begins to take from `supply` whenever woken."""

    def wake(self) -> None:
        """There may be something to take."""

    @property
    def trouble(self) -> Trouble | None:
        """What keeps it from sending, None while all is well."""

    @property
    def rate_per_s(self) -> float | None:
        """How many messages a second it takes just now; None: as many as it can."""

    @property
    def gates(self) -> Gates | None:
        """What bounds which deliveries may be named for it; None: nothing does."""

    async def close(self, grace_s: float) -> None:
        """Takes nothing more, waits at most `grace_s` for answers, then gives every open parcel its outcome:
        unknown after the final dot, weather before it."""
