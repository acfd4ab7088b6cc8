"""SQL of corrections: their notes, kept for ever, and the posts that were corrected or withdrawn, newest first.

A note stands in the revision that its journal line (kind `corrected`) names, and nowhere else: a later revision from
the source changes none of them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from posts.model import Change, ChangeKind, Correction, Post, Status
from posts.rows import NOTE, content_json
from posts.tables import journal, posts, revisions

_IDS_A_STATEMENT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """When a post that is withdrawn was: `number` is the line of the journal, `at` its time."""

    post: int
    number: int
    at: datetime


def with_corrections(conn: sa.Connection, found: Sequence[Post]) -> list[Post]:
    """`found` with their corrections. Who makes posts of rows calls it; the store has done so already.

    A post at its first revision has none, so that mostly nothing is asked.
    """
    noted = list_corrections(conn, (post.id for post in found if post.revision > 1))
    return [
        replace(post, corrections=noted[post.id]) if post.id in noted else post for post in found
    ]


def list_corrections(conn: sa.Connection, ids: Iterable[int]) -> dict[int, tuple[Correction, ...]]:
    """The corrections of those of the posts that have any, oldest first, by row id."""
    wanted, noted = list(ids), dict[int, list[Correction]]()
    for start in range(0, len(wanted), _IDS_A_STATEMENT):
        # from the journal, whose index by post is small: most revisions are no corrections and hold long texts
        query = (
            sa.select(
                journal.c.post,
                journal.c.revision,
                revisions.c.at,
                revisions.c.content[NOTE].as_string().label("note"),
            )
            .join(
                revisions,
                (revisions.c.post == journal.c.post) & (revisions.c.revision == journal.c.revision),
            )
            .where(
                journal.c.post.in_(wanted[start : start + _IDS_A_STATEMENT]),
                journal.c.kind == ChangeKind.CORRECTED,
            )
            .order_by(journal.c.number)
        )
        for row in conn.execute(query):
            correction = Correction(at=row.at, note=row.note or "", revision=row.revision)
            noted.setdefault(row.post, []).append(correction)
    return {post: tuple(corrections) for post, corrections in noted.items()}


def save_correction(
    conn: sa.Connection, post: Post, note: str, *, updated: datetime, now: datetime
) -> None:
    """Writes the revision that carries a note: what the post says already, and the note beside it."""
    conn.execute(
        revisions.insert().values(
            post=post.id,
            revision=post.revision + 1,
            at=now,
            updated=updated,
            content_hash=post.content_hash,
            content={**content_json(post.content), NOTE: note},
        )
    )


def list_corrected_or_withdrawn(conn: sa.Connection, limit: int) -> list[Change]:
    """Of each post that carries a correction, or is withdrawn after it was public, its newest such line; newest first.

    It walks the whole journal (no index by kind), so a build asks it when a line of these kinds or a restoration
    came, not each time.
    """
    last = (
        sa.select(journal.c.post, sa.func.max(journal.c.number).label("number"))
        .join(posts, posts.c.id == journal.c.post)
        .where(_STILL_SO)
        .group_by(journal.c.post)
        .order_by(sa.func.max(journal.c.number).desc())
        .limit(limit)
        .subquery()
    )
    query = (
        sa.select(
            journal.c.number, journal.c.post, journal.c.revision, journal.c.kind, journal.c.at
        )
        .join(last, last.c.number == journal.c.number)
        .order_by(journal.c.number.desc())
    )
    return [_change(row) for row in conn.execute(query)]


def list_withdrawals(conn: sa.Connection, ids: Iterable[int]) -> dict[int, Withdrawal]:
    """When those of the posts that are withdrawn were (their newest line of the kind), by row id."""
    wanted, found = list(ids), dict[int, Withdrawal]()
    for start in range(0, len(wanted), _IDS_A_STATEMENT):
        query = (
            sa.select(journal.c.post, journal.c.number, journal.c.at)
            .join(posts, posts.c.id == journal.c.post)
            .where(
                journal.c.post.in_(wanted[start : start + _IDS_A_STATEMENT]),
                journal.c.kind == ChangeKind.WITHDRAWN,
                posts.c.status == Status.WITHDRAWN,
            )
            .order_by(journal.c.number)
        )
        for row in conn.execute(query):
            found[row.post] = Withdrawal(post=row.post, number=row.number, at=row.at)
    return found


_STILL_SO = sa.or_(
    sa.and_(journal.c.kind == ChangeKind.WITHDRAWN, posts.c.status == Status.WITHDRAWN),
    sa.and_(
        journal.c.kind == ChangeKind.CORRECTED,
        posts.c.status == Status.PUBLISHED,
        posts.c.fault.is_(None),
    ),
)


def _change(row: sa.Row[*tuple[Any, ...]]) -> Change:
    return Change(
        number=row.number,
        post=row.post,
        revision=row.revision,
        kind=ChangeKind(row.kind),
        at=row.at,
    )
