"""SQL of what changes in a post without a line in the journal: its comment count, and a quarantine."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from posts.model import Post, Status
from posts.tables import posts

_IDS_A_STATEMENT = 500


def list_marks(conn: sa.Connection, ids: Sequence[int]) -> dict[int, str]:
    """The marks of those posts that are public, by row id. It reads no text: a build asks for all its posts' marks."""
    marks: dict[int, str] = {}
    for start in range(0, len(ids), _IDS_A_STATEMENT):
        query = sa.select(posts.c.id, posts.c.comment_count, posts.c.comments_url).where(
            posts.c.id.in_(ids[start : start + _IDS_A_STATEMENT]),
            posts.c.status == Status.PUBLISHED,
            posts.c.fault.is_(None),
        )
        for row in conn.execute(query):
            marks[row.id] = _mark(row.comment_count, row.comments_url)
    return marks


def post_mark(post: Post) -> str:
    """The mark of a post: what is shown of its comments, as one text; two equal marks show the same."""
    return _mark(post.content.comment_count, post.content.comments_url)


def _mark(comment_count: int | None, comments_url: str | None) -> str:
    return f"{comment_count} {comments_url}" if comments_url else ""
