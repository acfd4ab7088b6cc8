"""What no line of the journal tells a build: quarantines, comments counted anew, files that somebody touched."""

from __future__ import annotations

import sqlalchemy as sa

from feeds.build_state import BuildState
from feeds.files import file_marks
from feeds.outlet import Outlet
from posts.outlines import list_faulty, stream_marks


def changed_posts(conn: sa.Connection, state: BuildState) -> set[int]:
    """Posts that were quarantined, or let out, since the last build; two short lists are compared."""
    return list_faulty(conn) ^ state.faulty()


def changed_marks(conn: sa.Connection, state: BuildState) -> list[int]:
    """Posts of which something else is to be shown; both sides are read post by post, in one order."""
    changed = []
    known = iter(state.stream_marks())
    id_, mark = next(known, (None, ""))
    for post, now in stream_marks(conn):
        while id_ is not None and id_ < post:
            id_, mark = next(known, (None, ""))
        if id_ == post and mark != now:
            changed.append(post)
    return changed


def damaged_documents(state: BuildState, outlet: Outlet) -> None:
    """Notes documents whose files are not as they were left, to be built again."""
    damaged = [
        (feed, number)
        for path, feed, number, marks in state.documents()
        if file_marks(outlet.place(path)) != marks
    ]
    if damaged:
        with state.transaction():
            state.mark_dirty(damaged)
