"""SQL of posts that have enclosures: sound, pictures and files."""

import sqlalchemy as sa

from posts.corrections import with_corrections
from posts.model import Post, Status
from posts.rows import POST_COLUMNS, post_from_row
from posts.tables import posts

_PUBLIC_WITH_ENCLOSURES = sa.and_(
    posts.c.status == Status.PUBLISHED,
    posts.c.fault.is_(None),
    sa.cast(posts.c.enclosures, sa.Text) != "[]",
)


def list_with_enclosures(conn: sa.Connection, *, limit: int, offset: int = 0) -> list[Post]:
    """Public posts with enclosures, newest first."""
    query = (
        sa.select(*POST_COLUMNS)
        .where(_PUBLIC_WITH_ENCLOSURES)
        .order_by(posts.c.published.desc(), posts.c.id.desc())
        .limit(limit)
        .offset(offset or None)
    )
    return with_corrections(conn, [post_from_row(row) for row in conn.execute(query)])


def count_with_enclosures(conn: sa.Connection) -> int:
    """How many public posts have enclosures."""
    query = sa.select(sa.func.count()).select_from(posts).where(_PUBLIC_WITH_ENCLOSURES)
    return int(conn.execute(query).scalar_one())
