"""SQL of how a decision becomes rows: the writes behind `store.save_post` and its like."""

from datetime import datetime

import sqlalchemy as sa

from posts import journal
from posts.labels import first_free_slug, save_labels
from posts.matching import id_taken
from posts.model import Change, ChangeKind, IncomingPost, Post, Status
from posts.reconcile import Insert, Refresh, Revise
from posts.rows import (
    POST_COLUMNS,
    Values,
    comment_places,
    content_json,
    content_values,
    post_from_row,
)
from posts.tables import posts, revisions
from posts.text import ascii_slug
from posts.upsert import insert_into


def insert_post(
    conn: sa.Connection, incoming: IncomingPost, decision: Insert, *, now: datetime
) -> Change | None:
    """Stores a new post with its first revision, slug and labels; its line where it is public.

    None too where another transaction stored it first. Raises PostError when its id is another post's.
    """
    journal.lock_journal(conn)
    guid = decision.guid if incoming.guid else _free_guid(conn, decision.guid)
    slug = _free_slug(conn, decision.slug)
    post_id = conn.execute(
        insert_into(conn, posts)
        .values(
            guid=guid,
            slug=slug,
            path=f"/{decision.month}/{slug}/",
            source=incoming.source,
            external_id=incoming.external_id,
            status=decision.status,
            revision=1,
            content_hash=decision.content_hash,
            published=decision.published,
            updated=decision.updated,
            first_seen=now,
            history=decision.history,
            **content_values(decision.content),
        )
        .on_conflict_do_nothing()
        .returning(posts.c.id)
    ).scalar_one_or_none()
    if post_id is None:
        _refuse_taken_id(conn, incoming, guid)
        return None
    _save_revision(conn, post_id, 1, decision, now=now)
    save_labels(conn, post_id, decision.content)
    if decision.kind is None:
        return None
    return write_line(conn, post_id, 1, decision.kind, now=now)


def _refuse_taken_id(conn: sa.Connection, incoming: IncomingPost, guid: str) -> None:
    """Raises PostError where the id is another post's; else another transaction was first with this very post."""
    row = conn.execute(sa.select(*POST_COLUMNS).where(posts.c.guid == guid)).one_or_none()
    if row and (row.source, row.external_id) != (incoming.source, incoming.external_id):
        raise id_taken(incoming, post_from_row(row))


def revise_post(
    conn: sa.Connection, incoming: IncomingPost, decision: Revise, *, now: datetime
) -> Change | None:
    """Changes a stored post; its line where readers see it. None too where it is no longer as it was read."""
    stored = decision.stored
    journal.lock_journal(conn)
    revision = stored.revision + 1 if decision.is_new_revision else stored.revision
    withdrawn = decision.status is Status.WITHDRAWN
    values: Values = {
        **content_values(decision.content),
        "source": incoming.source,
        "external_id": incoming.external_id,
        "status": decision.status,
        "revision": revision,
        "content_hash": decision.content_hash,
        "published": decision.published,
        "updated": decision.updated,
        "history": decision.history,
        "fault": None if decision.is_new_revision else stored.fault,
        "withdrawn_by": "source" if withdrawn else None,
        "withdrawal_reason": "its source made it a draft again" if withdrawn else None,
        "missing_polls": 0,
    }
    if not update_post(conn, stored, values):
        return None
    if decision.is_new_revision:
        _save_revision(conn, stored.id, revision, decision, now=now)
        save_labels(conn, stored.id, decision.content)
    if decision.kind is None:
        return None
    return write_line(conn, stored.id, revision, decision.kind, now=now)


def refresh_post(conn: sa.Connection, incoming: IncomingPost, decision: Refresh) -> None:
    """Notes other comment counts or another place in its source: no revision, no line."""
    conn.execute(
        posts.update()
        .where(posts.c.id == decision.stored.id)
        .values(
            comment_count=decision.comment_count,
            comments_url=comment_places(decision.comments_url, decision.comments_feed_url),
            source=incoming.source,
            external_id=incoming.external_id,
            missing_polls=0,
        )
    )


def update_post(conn: sa.Connection, post: Post, values: Values) -> bool:
    """True when the post was still what `post` says; else somebody else changed it and nothing is written."""
    result = conn.execute(
        posts.update()
        .where(
            posts.c.id == post.id,
            posts.c.revision == post.revision,
            posts.c.status == post.status,
        )
        .values(**values)
    )
    return result.rowcount == 1


def write_line(
    conn: sa.Connection, post_id: int, revision: int, kind: ChangeKind, *, now: datetime
) -> Change:
    """Appends to the journal; a post keeps the number of the line that published it."""
    change = journal.append(conn, post_id, revision, kind, now=now)
    if kind is ChangeKind.PUBLISHED:
        conn.execute(posts.update().where(posts.c.id == post_id).values(number=change.number))
    return change


def _save_revision(
    conn: sa.Connection, post_id: int, revision: int, decision: Insert | Revise, *, now: datetime
) -> None:
    conn.execute(
        revisions.insert().values(
            post=post_id,
            revision=revision,
            at=now,
            updated=decision.updated,
            content_hash=decision.content_hash,
            content=content_json(decision.content),
        )
    )


def _free_slug(conn: sa.Connection, wanted: str) -> str:
    slug = ascii_slug(wanted)
    return _first_free(conn, posts.c.slug, slug)


def _free_guid(conn: sa.Connection, wanted: str) -> str:
    """An id that we made ourselves is numbered when taken: two folders may hold files of one name."""
    return _first_free(conn, posts.c.guid, wanted)


def _first_free(conn: sa.Connection, column: sa.Column[str], wanted: str) -> str:
    # Two steps: the first is one look at the index, and mostly the last; the second walks the whole of it, since
    # neither database answers a LIKE from an index in every locale.
    if conn.execute(sa.select(column).where(column == wanted)).one_or_none() is None:
        return wanted
    alike = column.startswith(f"{wanted}-", autoescape=True)
    return first_free_slug(
        wanted, [wanted, *conn.execute(sa.select(column).where(alike)).scalars()]
    )
