"""A run of the sender: its bounds, what it has done, how it stands, and whom it tells (pure)."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

_ADDRESS = re.compile(r"[^\s<>:;,\"']+@[^\s<>:;,\"']+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The bounds of a run; `connections`: of the relay that has most."""

    connections: int
    flush_every: int
    retry_for: timedelta

    @property
    def bound(self) -> int:
        """Most deliveries that are named and have no written result."""
        return 2 * self.connections + self.flush_every


@dataclass(slots=True, kw_only=True)
class Counts:
    """What this run has done."""

    sent: int = 0
    deferred: int = 0
    failed: int = 0
    excluded: int = 0
    in_doubt: int = 0
    notices: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How a run stands, for whoever decides when it is enough. `open`: batches and notices not finished at the last
    look; `idle`: nothing in hand, nothing due; `trouble_s`: how long there has been trouble."""

    idle: bool
    open: int
    trouble: str | None
    ours: bool
    trouble_s: float


class Log(Protocol):
    """Where a run tells what a person may want to know: a fixed phrase and values (structlog)."""

    def info(self, event: str, **values: object) -> object:
        """It went well."""

    def warning(self, event: str, **values: object) -> object:
        """It went on, somebody should look."""

    def error(self, event: str, **values: object) -> object:
        """Something was not done."""


def without_addresses(text: str) -> str:
    """`text` with mail addresses taken out: no address in any log (DESIGN.md 8.8)."""
    return _ADDRESS.sub("(address)", text)
