"""What an outcome means for one recipient: tried again, failed, in doubt, or nothing at all (pure; DESIGN.md 8.11)."""

from datetime import datetime, timedelta
from typing import NamedTuple

from newsletter.transport.base import Kind, Outcome
from newsletter.transport.replies import is_dead

LEAST_ATTEMPTS = 8
"""A refused recipient is given up only after this many attempts of its own, however short `retry_for` is."""

MOST_LOST = 3
"""A delivery whose answer was lost more often than this waits for a person: a relay that always hangs up after the
final dot may have delivered each time."""

FARTHEST = timedelta(hours=6)
"""Nothing waits for longer. A time that lies farther ahead is of a clock that was wrong: it counts as come."""

_FIRST_WAIT = timedelta(minutes=5)
_LONGEST_WAIT = timedelta(hours=4)
_REPLY_LENGTH = 500


class Verdict(NamedTuple):
    """What is written of one delivery. `state` None: nothing came of it, it is queued as before.

    A tuple, as a delivery is: one is made for every message.
    """

    state: str | None
    reason: str | None = None
    code: int | None = None
    enhanced: str | None = None
    reply: str | None = None
    attempts: int = 0
    first_refused: datetime | None = None
    not_before: datetime | None = None
    dead: bool = False

    @property
    def is_final(self) -> bool:
        """True when this recipient is done with."""
        return self.state in ("sent", "failed", "excluded")


def wait_after(attempts: int, chance: float) -> timedelta:
    """How long to wait after the nth refusal: 5 minutes, doubled each time up to 4 hours, a quarter of it by chance."""
    doublings = min(max(0, attempts - 1), 10)
    whole = min(_FIRST_WAIT * (1 << doublings), _LONGEST_WAIT)
    return whole * (0.875 + 0.25 * chance)


def sent(outcome: Outcome, attempts: int, first_refused: datetime | None) -> Verdict:
    """What is kept of an acceptance."""
    return Verdict(
        state="sent",
        code=outcome.code,
        enhanced=outcome.enhanced,
        reply=outcome.text[:_REPLY_LENGTH] or None,
        attempts=attempts + 1,
        first_refused=first_refused,
    )


def verdict(
    outcome: Outcome,
    *,
    attempts: int,
    first_refused: datetime | None,
    now: datetime,
    retry_for: timedelta,
    chance: float,
    lost_before: int = 0,
) -> Verdict:
    """What is kept of `outcome` for a recipient refused `attempts` times before, first at `first_refused`.

    `chance` in [0, 1) spreads retries; `lost_before` counts the answers of this delivery that were lost before.
    """
    reply = outcome.text[:_REPLY_LENGTH] or None
    if outcome.kind is Kind.ACCEPTED:
        return sent(outcome, attempts, first_refused)
    if outcome.kind is Kind.PERMANENT:
        return Verdict(
            state="failed",
            reason="refused",
            code=outcome.code,
            enhanced=outcome.enhanced,
            reply=reply,
            attempts=attempts + 1,
            first_refused=first_refused or now,
            dead=is_dead(outcome.code, outcome.enhanced, outcome.text),
        )
    if outcome.kind is Kind.UNKNOWN:
        held = lost_before >= MOST_LOST
        return Verdict(
            state="in doubt",
            reason="held" if held else "lost reply",
            reply=reply,
            attempts=attempts,
            first_refused=first_refused,
            not_before=None if held else now + wait_after(lost_before + 1, chance) / 5,
        )
    if outcome.kind is Kind.TEMPORARY:
        return _deferred(outcome, attempts + 1, first_refused or now, now, retry_for, chance)
    return Verdict(state=None, attempts=attempts, first_refused=first_refused)


def _deferred(
    outcome: Outcome,
    attempts: int,
    first_refused: datetime,
    now: datetime,
    retry_for: timedelta,
    chance: float,
) -> Verdict:
    first_refused = min(first_refused, now)  # one ahead is of a clock that was wrong
    over = now - first_refused >= retry_for and attempts >= LEAST_ATTEMPTS
    return Verdict(
        state="failed" if over else "deferred",
        reason="refused for too long" if over else None,
        code=outcome.code,
        enhanced=outcome.enhanced,
        reply=outcome.text[:_REPLY_LENGTH] or None,
        attempts=attempts,
        first_refused=first_refused,
        not_before=None if over else now + wait_after(attempts, chance),
    )
