"""The sources as an operator sees them: configuration, state and faults in one."""

from dataclasses import dataclass
from datetime import datetime

from dateline.press import Press
from posts.database import reading
from posts.model import SourceFault
from posts.source_states import get_state, list_faults
from posts.store import list_external_ids


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceView:
    """One configured source. `posts` are those it has that are not withdrawn; `failures` in a row."""

    source: str
    kind: str
    posts: int
    every_s: float
    feed_url: str | None
    first_polled: datetime | None
    polled: datetime | None
    next_poll: datetime | None
    failures: int
    summaries_only: bool
    faults: tuple[SourceFault, ...]


def list_sources(press: Press) -> list[SourceView]:
    """Every configured source, in the order of the configuration."""
    views = []
    with reading(press.engine) as conn:
        for settings in press.config.sources:
            state = get_state(conn, settings.name)
            views.append(
                SourceView(
                    source=settings.name,
                    kind=settings.kind,
                    posts=len(list_external_ids(conn, settings.name)),
                    every_s=settings.every.total_seconds(),
                    feed_url=state.feed_url,
                    first_polled=state.first_polled,
                    polled=state.polled,
                    next_poll=state.next_poll,
                    failures=state.failures,
                    summaries_only=state.summaries_only,
                    faults=tuple(list_faults(conn, settings.name)),
                )
            )
    return views
