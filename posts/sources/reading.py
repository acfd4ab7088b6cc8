"""What reading a source gives, and the back-off after it failed."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from posts.model import IncomingPost, SourceFault
from posts.source_states import SourceState

_LONGEST_WAIT = timedelta(hours=6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One reading of one source: its posts that may have changed, and the state to remember once they are saved.

    `seen` holds the external ids of all posts that are there now, changed or not; None where a post that is not there
    says nothing (a remote feed, a folder of which a part could not be listed). `failed` is true when the source itself
    could not be read; its faults say why. `unchanged` is true when a server said that nothing is new: what was wrong
    with its posts before is wrong still. `is_first` is true until a reading of the source was saved. `chosen_feed` is the address that was found on a page, once.
    """

    state: SourceState
    posts: tuple[IncomingPost, ...] = ()
    faults: tuple[SourceFault, ...] = ()
    seen: frozenset[str] | None = None
    failed: bool = False
    unchanged: bool = False
    is_first: bool = False
    summaries_only: bool = False
    chosen_feed: str | None = None


def polled(state: SourceState, *, now: datetime, wait: timedelta) -> SourceState:
    """`state` after a reading that succeeded; the next is due after `wait`."""
    return replace(
        state,
        first_polled=state.first_polled or now,
        polled=now,
        next_poll=now + wait,
        failures=0,
    )


def backed_off(
    state: SourceState, *, now: datetime, every: timedelta, wait: timedelta | None = None
) -> SourceState:
    """`state` after a reading that failed: each failure in a row doubles the wait, up to six hours.

    `wait` is what the server asked for; it is kept to, within a day.
    """
    failures = state.failures + 1
    doubled = min(every * 2 ** min(failures - 1, 10), max(_LONGEST_WAIT, every))
    asked = min(wait or timedelta(0), timedelta(days=1))
    return replace(state, polled=now, next_poll=now + max(doubled, asked), failures=failures)
