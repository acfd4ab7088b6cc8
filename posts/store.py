"""The post store: reads and writes posts, each change with its journal line in the caller's transaction.

Callers that write begin with `database.writing()`. Writers take the journal's lock before they touch a row (see
`journal.lock_journal`); a race is decided by the row count of an UPDATE that names the state it read.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Literal

import sqlalchemy as sa

from posts import journal
from posts.corrections import save_correction, with_corrections
from posts.errors import NotFound, Refused
from posts.identity import link_key, text_hash
from posts.matching import Surroundings, stored_match
from posts.model import Change, ChangeKind, Content, IncomingPost, Post, Status
from posts.notes import clean_note
from posts.reconcile import Decision, Insert, Leave, Refresh, Revise, is_history, publication_kind
from posts.rows import POST_COLUMNS, content_from_json, post_from_row
from posts.saving import insert_post, refresh_post, revise_post, update_post, write_line
from posts.settings import Selection, Site
from posts.tables import post_labels, posts, revisions

MISSING_POLLS_ALLOWED = 1
"""A file gone in two polls is withdrawn (DESIGN.md 8.10)."""

_IDS_A_STATEMENT = 500
_CANDIDATES = 20
_EVERYTHING = Selection()
_PUBLIC = (posts.c.status == Status.PUBLISHED, posts.c.fault.is_(None))


def find_post(conn: sa.Connection, guid: str) -> Post | None:
    """The post with this id, whatever its status, or None."""
    return _find(conn, posts.c.guid == guid)


def get_post(conn: sa.Connection, guid: str) -> Post:
    """The post with this id, whatever its status; raises NotFound."""
    post = find_post(conn, guid)
    if post is None:
        raise NotFound(
            f'there is no post with the id "{guid}"', remedy="`posts list` shows the ids."
        )
    return post


def find_by_id(conn: sa.Connection, post_id: int) -> Post | None:
    """The post with this row id, or None."""
    return _find(conn, posts.c.id == post_id)


def find_by_external_id(conn: sa.Connection, source: str, external_id: str) -> Post | None:
    """The post that `source` knows under its own key, or None."""
    return _find(conn, posts.c.source == source, posts.c.external_id == external_id)


def find_by_slug(conn: sa.Connection, slug: str) -> Post | None:
    """The post with this slug, whatever its status, or None."""
    return _find(conn, posts.c.slug == slug)


def find_by_path(conn: sa.Connection, path: str) -> Post | None:
    """The post at `/YYYY/MM/SLUG/`, whatever its status, or None."""
    return _find(conn, posts.c.path == path)


def find_by_link(conn: sa.Connection, link: str) -> Post | None:
    """The newest post whose link is canonically this address, or None."""
    return _find(conn, posts.c.link_key == link_key(link))


def find_stored(
    conn: sa.Connection,
    incoming: IncomingPost,
    content: Content,
    *,
    present: Collection[str] | None = None,
    sources: Collection[str] | None = None,
) -> Post | None:
    """The stored post that `incoming` is, or None where it is new; raises PostError when its id is another post's.

    `present`: the external ids that its source has now (then a renamed file is known from a copy); `sources`: the
    names of all configured sources (then posts of a source whose location changed are known again).
    """
    around = Surroundings(present=present, sources=sources)
    same_key = sa.and_(
        posts.c.source == incoming.source, posts.c.external_id == incoming.external_id
    )
    named = _list(
        conn, sa.or_(posts.c.guid == incoming.guid, same_key) if incoming.guid else same_key
    )
    found = stored_match(incoming, content, named, around)
    if found is not None:
        return found
    alike = posts.c.text_hash == text_hash(content)
    key = link_key(content.link)
    query = sa.or_(posts.c.link_key == key, alike) if key else alike
    return stored_match(incoming, content, _list(conn, query, limit=_CANDIDATES), around)


def list_by_ids(conn: sa.Connection, ids: Iterable[int]) -> dict[int, Post]:
    """The posts with these row ids, whatever their status, by row id; those that are not there are left out."""
    found: dict[int, Post] = {}
    for some in _chunks(ids):
        found.update((post.id, post) for post in _list(conn, posts.c.id.in_(some)))
    return found


def list_posts(
    conn: sa.Connection,
    selection: Selection = _EVERYTHING,
    *,
    limit: int | None = None,
    offset: int = 0,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[Post]:
    """The public posts of a selection published in `[since, until)`, newest first."""
    where = [*_PUBLIC, *_selected(selection)]
    if since is not None:
        where.append(posts.c.published >= since)
    if until is not None:
        where.append(posts.c.published < until)
    return _list(conn, *where, limit=limit, offset=offset)


def count_posts(conn: sa.Connection, selection: Selection = _EVERYTHING) -> int:
    """How many public posts a selection holds."""
    query = sa.select(sa.func.count()).select_from(posts).where(*_PUBLIC, *_selected(selection))
    return conn.execute(query).scalar_one()


def list_all_posts(
    conn: sa.Connection,
    *,
    limit: int | None = None,
    offset: int = 0,
    status: Status | None = None,
) -> list[Post]:
    """Posts of any status, or of one, newest first."""
    where = [] if status is None else [posts.c.status == status]
    return _list(conn, *where, limit=limit, offset=offset)


def list_quarantined(conn: sa.Connection) -> list[Post]:
    """The posts that have a fault, newest first."""
    return _list(conn, posts.c.fault.is_not(None))


def list_source_posts(conn: sa.Connection, source: str) -> list[Post]:
    """All posts of a source, whatever their status, newest first."""
    return _list(conn, posts.c.source == source)


def list_external_ids(conn: sa.Connection, source: str) -> dict[str, int]:
    """What a source had and has not lost: external id to row id of its posts that are not withdrawn."""
    query = sa.select(posts.c.external_id, posts.c.id).where(
        posts.c.source == source, posts.c.status != Status.WITHDRAWN
    )
    return {row.external_id: row.id for row in conn.execute(query)}


def list_languages(conn: sa.Connection) -> list[str]:
    """The languages of public posts, in order."""
    query = sa.select(posts.c.language).where(*_PUBLIC).distinct()
    return sorted(conn.execute(query).scalars())


def get_revision(conn: sa.Connection, post_id: int, revision: int) -> Content:
    """What a post said at one revision; raises NotFound."""
    query = sa.select(revisions.c.content).where(
        revisions.c.post == post_id, revisions.c.revision == revision
    )
    values = conn.execute(query).scalar_one_or_none()
    if values is None:
        raise NotFound(f"post {post_id} has no revision {revision}")
    return content_from_json(values)


def next_scheduled(conn: sa.Connection) -> datetime | None:
    """When the next scheduled post comes due, or None."""
    query = sa.select(sa.func.min(posts.c.published)).where(posts.c.status == Status.SCHEDULED)
    moment: datetime | None = conn.execute(query).scalar_one()
    return moment


def save_post(
    conn: sa.Connection, incoming: IncomingPost, decision: Decision, *, now: datetime
) -> Change | None:
    """Carries a decision out; the journal line that it made, or None where readers see no change.

    None too where another transaction changed the post since it was read: the next poll decides anew. Raises
    PostError when the id belongs to a post of another place.
    """
    match decision:
        case Leave():
            return None
        case Refresh():
            refresh_post(conn, incoming, decision)
            return None
        case Insert():
            return insert_post(conn, incoming, decision, now=now)
        case Revise():
            return revise_post(conn, incoming, decision, now=now)


def withdraw_post(
    conn: sa.Connection,
    guid: str,
    *,
    now: datetime,
    by: Literal["hand", "source"] = "hand",
    reason: str | None = None,
) -> Change | None:
    """Takes a post back; None where it was never public, or readers are told nothing new. Raises NotFound, Refused.

    By "source" (its file is gone) it comes back with its file; by "hand" it stays back until `restore_post`, and
    `reason` is for readers (`notes.public_reason`). A hand may say another reason of a post that is withdrawn already:
    that is a further line, so that whoever shows the reason sees the change.
    """
    if by == "hand" and reason is not None:
        reason = clean_note(reason, "The reason")
    journal.lock_journal(conn)
    post = get_post(conn, guid)
    told = post.withdrawn_by == by and reason in (None, post.withdrawal_reason)
    if post.status is Status.WITHDRAWN and (by == "source" or told):
        return None
    values = {"status": Status.WITHDRAWN, "withdrawn_by": by, "withdrawal_reason": reason}
    was_public = post.status is Status.PUBLISHED or (
        post.status is Status.WITHDRAWN and post.number is not None
    )
    if not update_post(conn, post, values) or not was_public:
        return None
    return journal.append(conn, post.id, post.revision, ChangeKind.WITHDRAWN, now=now)


def correct_post(conn: sa.Connection, guid: str, note: str, *, now: datetime) -> Change | None:
    """Adds a note that a public post was wrong: a revision of kind corrected, which moves `updated`.

    None where its newest correction says this already. Raises NotFound, and Refused where readers do not see the post
    or the note is none.
    """
    note = clean_note(note, "The note")
    journal.lock_journal(conn)
    post = get_post(conn, guid)
    if not post.is_public:
        standing = "quarantined" if post.fault else post.status.value
        raise Refused(
            f'"{post.content.title}" is {standing}; only a post that readers see is corrected',
            remedy="`posts restore` brings a withdrawn one back; what nobody has read is mended at its source.",
        )
    if post.corrections and post.corrections[-1].note == note:
        return None
    updated = max(now, post.updated)
    save_correction(conn, post, note, updated=updated, now=now)
    if not update_post(conn, post, {"revision": post.revision + 1, "updated": updated}):
        raise Refused(f'"{post.content.title}" was just changed', remedy="Try again.")
    return journal.append(conn, post.id, post.revision + 1, ChangeKind.CORRECTED, now=now)


def restore_post(conn: sa.Connection, guid: str, *, now: datetime) -> Change | None:
    """Makes a withdrawn post public again; one that never was becomes a draft, for its source to decide on.

    None where no line was written (not withdrawn, never public). Raises NotFound.
    """
    journal.lock_journal(conn)
    post = get_post(conn, guid)
    if post.status is not Status.WITHDRAWN:
        return None
    status = Status.DRAFT if post.number is None else Status.PUBLISHED
    values = {
        "status": status,
        "withdrawn_by": None,
        "withdrawal_reason": None,
        "missing_polls": 0,
    }
    if not update_post(conn, post, values) or status is Status.DRAFT:
        return None
    return journal.append(conn, post.id, post.revision, ChangeKind.RESTORED, now=now)


def publish_due(conn: sa.Connection, now: datetime, *, site: Site) -> list[Change]:
    """Publishes the scheduled posts whose time has come, oldest first; safe to call from many processes."""
    due = (posts.c.status == Status.SCHEDULED, posts.c.published <= now)
    if conn.execute(sa.select(posts.c.id).where(*due).limit(1)).one_or_none() is None:
        return []
    journal.lock_journal(conn)
    changes = []
    for post in reversed(_list(conn, *due)):
        old = is_history(post.published, now=now, site=site)
        values = {
            "status": Status.PUBLISHED,
            "history": old if post.number is None else post.history,
        }
        if update_post(conn, post, values):
            kind = publication_kind(post)
            changes.append(write_line(conn, post.id, post.revision, kind, now=now))
    return changes


def mark_quarantined(conn: sa.Connection, post_id: int, fault: str) -> None:
    """Keeps a bad post out of feeds, pages and issues until it is mended; writes no line (DESIGN.md 8.2)."""
    conn.execute(posts.update().where(posts.c.id == post_id).values(fault=fault))


def lift_quarantine(conn: sa.Connection, post_id: int, *, now: datetime) -> Change | None:
    """Lets a mended post out; a post that was public gets a `restored` line, which its newsletters judge."""
    journal.lock_journal(conn)
    lifted = conn.execute(
        posts.update()
        .where(posts.c.id == post_id, posts.c.fault.is_not(None))
        .values(fault=None)
        .returning(posts.c.revision, posts.c.status, posts.c.number)
    ).one_or_none()
    if lifted is None or lifted.status != Status.PUBLISHED or lifted.number is None:
        return None
    return journal.append(conn, post_id, lifted.revision, ChangeKind.RESTORED, now=now)


def mark_missing(conn: sa.Connection, post_ids: Collection[int], *, source: str) -> list[int]:
    """Notes a poll of `source` that did not find these posts; gives those now to be withdrawn.

    Every other post of the source counts as found again, so it is called at every poll that could read the source.
    """
    missed = sa.select(posts.c.id).where(posts.c.source == source, posts.c.missing_polls > 0)
    for some in _chunks(set(conn.execute(missed).scalars()) - set(post_ids)):
        conn.execute(posts.update().where(posts.c.id.in_(some)).values(missing_polls=0))
    gone: list[int] = []
    for some in _chunks(post_ids):
        counted = conn.execute(
            posts.update()
            .where(posts.c.id.in_(some))
            .values(missing_polls=posts.c.missing_polls + 1)
            .returning(posts.c.id, posts.c.missing_polls)
        )
        gone += [row.id for row in counted if row.missing_polls > MISSING_POLLS_ALLOWED]
    return sorted(gone)


def _selected(selection: Selection) -> list[sa.ColumnElement[bool]]:
    """The clauses that say what `Selection.matches` says."""
    clauses: list[sa.ColumnElement[bool]] = []
    for kind, names in (("tag", selection.tags), ("author", selection.authors)):
        if names:
            carrying = sa.select(post_labels.c.post).where(
                post_labels.c.kind == kind, post_labels.c.name.in_(names)
            )
            clauses.append(posts.c.id.in_(carrying))
    if selection.languages:
        clauses.append(posts.c.language.in_(selection.languages))
    return clauses


def _find(conn: sa.Connection, *where: sa.ColumnElement[bool]) -> Post | None:
    found = _list(conn, *where, limit=1)
    return found[0] if found else None


def _list(
    conn: sa.Connection,
    *where: sa.ColumnElement[bool],
    limit: int | None = None,
    offset: int = 0,
) -> list[Post]:
    query = (
        sa.select(*POST_COLUMNS)
        .where(*where)
        .order_by(posts.c.published.desc(), posts.c.id.desc())
        .limit(limit)
        .offset(offset or None)
    )
    return with_corrections(conn, [post_from_row(row) for row in conn.execute(query)])


def _chunks(ids: Iterable[int]) -> Iterator[Sequence[int]]:
    """Slices that fit a statement: databases bound the number of its parameters."""
    rest = iter(ids)
    while some := tuple(islice(rest, _IDS_A_STATEMENT)):
        yield some
