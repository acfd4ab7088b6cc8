"""SQL of tags and authors: their slugs, stored at first use, and which posts carry them."""

from collections.abc import Iterable

import sqlalchemy as sa

from posts.model import Content, Label, Status
from posts.tables import labels, post_labels, posts
from posts.text import ascii_slug
from posts.upsert import insert_into

KINDS = ("tag", "author")


def save_labels(conn: sa.Connection, post: int, content: Content) -> None:
    """Makes the labels of a post those of `content`; a name never seen gets a slug of its own.

    The caller holds the journal's lock, so that no two transactions look for a free slug at once.
    """
    wanted = {("tag", name) for name in content.tags} | {
        ("author", name) for name in content.authors
    }
    rows = conn.execute(
        sa.select(post_labels.c.kind, post_labels.c.name).where(post_labels.c.post == post)
    )
    there = {(row.kind, row.name) for row in rows}
    for kind, name in there - wanted:
        conn.execute(
            post_labels.delete().where(
                post_labels.c.post == post, post_labels.c.kind == kind, post_labels.c.name == name
            )
        )
    new = sorted(wanted - there)
    for kind, name in new:
        _save_slug(conn, kind, name)
    if new:
        conn.execute(
            post_labels.insert(), [{"post": post, "kind": kind, "name": name} for kind, name in new]
        )


def list_labels(conn: sa.Connection, kind: str) -> list[Label]:
    """The labels of `kind` ("tag" or "author") that public posts carry, by name."""
    count = sa.func.count()
    query = (
        sa.select(labels.c.name, labels.c.slug, count.label("posts"))
        .select_from(
            labels.join(
                post_labels,
                sa.and_(post_labels.c.kind == labels.c.kind, post_labels.c.name == labels.c.name),
            ).join(posts, posts.c.id == post_labels.c.post)
        )
        .where(labels.c.kind == kind, posts.c.status == Status.PUBLISHED, posts.c.fault.is_(None))
        .group_by(labels.c.name, labels.c.slug)
    )
    found = [
        Label(kind=kind, name=row.name, slug=row.slug, posts=row.posts)
        for row in conn.execute(query)
    ]
    # In Python: the databases' own orders differ (bytes here, a locale there), and bytes of feeds hang on it.
    return sorted(found, key=lambda label: label.name)


def list_slugs(conn: sa.Connection, kind: str) -> dict[str, str]:
    """The slugs of the labels that public posts carry, by name, in order of name.

    It looks for one post a label and counts none: a build asks it each time, and counting reads a row a post.
    """
    carried = (
        sa.select(1)
        .select_from(post_labels.join(posts, posts.c.id == post_labels.c.post))
        .where(
            post_labels.c.kind == labels.c.kind,
            post_labels.c.name == labels.c.name,
            posts.c.status == Status.PUBLISHED,
            posts.c.fault.is_(None),
        )
        .exists()
    )
    query = sa.select(labels.c.name, labels.c.slug).where(labels.c.kind == kind, carried)
    # In Python, as above.
    return {row.name: row.slug for row in sorted(conn.execute(query), key=lambda row: row.name)}


def find_slugs(conn: sa.Connection, kind: str, names: Iterable[str]) -> dict[str, str]:
    """The slugs of these labels by name, whoever carries them; a slug is never given to another name."""
    wanted = sorted(set(names))
    found: dict[str, str] = {}
    for start in range(0, len(wanted), 500):
        query = sa.select(labels.c.name, labels.c.slug).where(
            labels.c.kind == kind, labels.c.name.in_(wanted[start : start + 500])
        )
        found.update((row.name, row.slug) for row in conn.execute(query))
    return found


def find_label(conn: sa.Connection, kind: str, slug: str) -> Label | None:
    """The label of this slug, or None; `posts` is not counted."""
    query = sa.select(labels.c.name).where(labels.c.kind == kind, labels.c.slug == slug)
    name = conn.execute(query).scalar_one_or_none()
    return None if name is None else Label(kind=kind, name=name, slug=slug)


def first_free_slug(wanted: str, taken: Iterable[str]) -> str:
    """`wanted`, or the first of `wanted-2`, `wanted-3`, ... that is not taken. Pure."""
    there = set(taken)
    slug, number = wanted, 1
    while slug in there:
        number += 1
        slug = f"{wanted}-{number}"
    return slug


def _save_slug(conn: sa.Connection, kind: str, name: str) -> None:
    known = sa.select(labels.c.slug).where(labels.c.kind == kind, labels.c.name == name)
    if conn.execute(known).one_or_none() is not None:
        return
    wanted = ascii_slug(name)
    taken = conn.execute(
        sa.select(labels.c.slug).where(
            labels.c.kind == kind,
            sa.or_(labels.c.slug == wanted, labels.c.slug.like(f"{wanted}-%")),
        )
    ).scalars()
    conn.execute(
        insert_into(conn, labels)
        .values(kind=kind, name=name, slug=first_free_slug(wanted, taken))
        .on_conflict_do_nothing(index_elements=[labels.c.kind, labels.c.name])
    )
