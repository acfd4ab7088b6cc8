"""SQL of posts without their texts: what a build must know of each, and what each line of the journal said of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

import sqlalchemy as sa

from posts.model import Change, ChangeKind, Post, Status
from posts.rows import comment_places
from posts.tables import journal, posts, revisions

_IDS_A_STATEMENT = 250  # pairs too stay below the old bound of 999 parameters
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """A post at its newest revision, without title and text: what chooses it, orders it and tells its versions apart.

    `comments_url` has both places of its comments, as `rows.comment_places` writes them.
    """

    id: int
    guid: str
    path: str
    status: Status
    fault: str | None
    revision: int
    content_hash: str
    published: datetime
    updated: datetime
    language: str
    tags: tuple[str, ...]
    comment_count: int | None
    comments_url: str | None
    withdrawn_by: str | None
    withdrawal_reason: str | None

    @property
    def is_public(self) -> bool:
        """True when feeds, pages and issues may show it."""
        return self.status is Status.PUBLISHED and self.fault is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of the journal with what its revision said of itself."""

    change: Change
    language: str
    tags: tuple[str, ...]
    authors: tuple[str, ...]
    has_enclosures: bool


_OUTLINE = (
    posts.c.id,
    posts.c.guid,
    posts.c.path,
    posts.c.status,
    posts.c.fault,
    posts.c.revision,
    posts.c.content_hash,
    posts.c.published,
    posts.c.updated,
    posts.c.language,
    posts.c.tags,
    posts.c.comment_count,
    posts.c.comments_url,
    posts.c.withdrawn_by,
    posts.c.withdrawal_reason,
)


def list_outlines(conn: sa.Connection, ids: Iterable[int]) -> dict[int, Outline]:
    """The outlines of these posts, whatever their status, by row id."""
    found: dict[int, Outline] = {}
    for some in _slices(ids):
        for row in conn.execute(sa.select(*_OUTLINE).where(posts.c.id.in_(some))):
            found[row.id] = Outline(
                **{**row._mapping, "status": Status(row.status), "tags": tuple(row.tags)}
            )
    return found


def outline_of(post: Post) -> Outline:
    """The outline of a post that was read whole."""
    return Outline(
        id=post.id,
        guid=post.guid,
        path=post.path,
        status=post.status,
        fault=post.fault,
        revision=post.revision,
        content_hash=post.content_hash,
        published=post.published,
        updated=post.updated,
        language=post.content.language,
        tags=post.content.tags,
        comment_count=post.content.comment_count,
        comments_url=comment_places(post.content.comments_url, post.content.comments_feed_url),
        withdrawn_by=post.withdrawn_by,
        withdrawal_reason=post.withdrawal_reason,
    )


def list_lines(conn: sa.Connection, after: int, upto: int, *, limit: int) -> list[Line]:
    """The first `limit` lines of `(after, upto]`, each with the tags, authors and language of its own revision.

    A post's newest revision is read from its row; an older one from the stored content, which the database takes apart.
    """
    query = (
        sa.select(
            journal.c.number,
            journal.c.post,
            journal.c.revision,
            journal.c.kind,
            journal.c.at,
            posts.c.revision.label("newest"),
            posts.c.language,
            posts.c.tags,
            posts.c.authors,
            posts.c.enclosures,
        )
        .join(posts, posts.c.id == journal.c.post)
        .where(journal.c.number > after, journal.c.number <= upto)
        .order_by(journal.c.number)
        .limit(limit)
    )
    rows = conn.execute(query).all()
    older = _older(conn, {(row.post, row.revision) for row in rows if row.revision != row.newest})
    return [_line(row, older.get((row.post, row.revision), row)) for row in rows]


def list_faulty(conn: sa.Connection) -> set[int]:
    """The published posts that are quarantined; answered from an index, for a build asks it each time."""
    query = sa.select(posts.c.id).where(
        posts.c.status == Status.PUBLISHED, posts.c.fault.is_not(None)
    )
    return set(conn.execute(query).scalars())


def stream_marks(conn: sa.Connection) -> Iterator[tuple[int, str]]:
    """Row id and mark of every post that is or was public, by row id, a thousand rows in memory at a time."""
    query = (
        sa.select(
            posts.c.id,
            posts.c.status,
            posts.c.fault,
            posts.c.comment_count,
            posts.c.comments_url,
            posts.c.withdrawn_by,
            posts.c.withdrawal_reason,
        )
        .where(posts.c.id > sa.bindparam("after"))
        .where(posts.c.status.in_((Status.PUBLISHED, Status.WITHDRAWN)))
        .order_by(posts.c.id)
        .limit(1000)
    )
    after = -1
    while rows := conn.execute(query, {"after": after}).all():
        for row in rows:
            yield row.id, outline_mark(row)
        after = rows[-1].id


def outline_mark(row: Outline | sa.Row[*tuple[Any, ...]]) -> str:
    """What may change of a post without a line in the journal: its comments, a quarantine, the words of a withdrawal."""
    comments = f"{row.comment_count} {row.comments_url}" if row.comments_url else ""
    return f"{row.status} {row.fault is None} {row.withdrawn_by} {row.withdrawal_reason} {comments}"


def _older(
    conn: sa.Connection, wanted: Collection[tuple[int, int]]
) -> dict[tuple[int, int], sa.Row[*tuple[Any, ...]]]:
    content = revisions.c.content
    found = {}
    for some in _slices(sorted(wanted)):
        query = sa.select(
            revisions.c.post,
            revisions.c.revision,
            content["language"].as_string().label("language"),
            content["tags"].label("tags"),
            content["authors"].label("authors"),
            content["enclosures"].label("enclosures"),
        ).where(sa.tuple_(revisions.c.post, revisions.c.revision).in_(some))
        for row in conn.execute(query):
            found[(row.post, row.revision)] = row
    return found


def _line(row: sa.Row[*tuple[Any, ...]], said: sa.Row[*tuple[Any, ...]]) -> Line:
    return Line(
        change=Change(
            number=row.number,
            post=row.post,
            revision=row.revision,
            kind=ChangeKind(row.kind),
            at=row.at,
        ),
        language=said.language,
        tags=tuple(said.tags),
        authors=tuple(said.authors),
        has_enclosures=bool(said.enclosures),
    )


def _slices(values: Iterable[_T]) -> Iterator[tuple[_T, ...]]:
    rest = iter(values)
    while some := tuple(islice(rest, _IDS_A_STATEMENT)):
        yield some
