"""Sends what is due: the delivery program's work, and the same by hand."""

from collections.abc import Callable
from dataclasses import dataclass

from dateline.press import Press


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run is: recipients with a final verdict of `total`, and what this run has done."""

    done: int
    total: int
    sent: int
    deferred: int
    failed: int
    excluded: int
    in_doubt: int
    notices: int
    trouble: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverResult:
    """What a run came to. `trouble` says why it ended before all was sent; `by`, who sends instead of us."""

    sent: int = 0
    deferred: int = 0
    failed: int = 0
    excluded: int = 0
    in_doubt: int = 0
    notices: int = 0
    waiting: int = 0
    trouble: str | None = None
    by: str | None = None


def deliver(
    press: Press,
    *,
    issue: int | None = None,
    until_done: bool = False,
    stop: Callable[[], bool] = lambda: False,
    progress: Callable[[Progress], None] | None = None,
) -> DeliverResult:
    """Sends what is due and returns; `until_done` waits for retries. Beside a running daemon it follows his work."""
    raise NotImplementedError


def deliver_once(press: Press) -> DeliverResult:
    """What is due now, for `run --once`."""
    return deliver(press)


def refuse_dead_links(press: Press) -> None:
    """Raises Refused while mail would go to a relay elsewhere with unsubscribe links that lead nowhere."""
    raise NotImplementedError


def run_daemon(press: Press) -> None:
    """The delivery program under the daemon: until its standard input closes or a signal comes."""
    raise NotImplementedError
