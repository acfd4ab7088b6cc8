"""SQL rows of the table `posts` and values of the model, both ways; the only place that knows which column is which."""

from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from posts.identity import link_key, text_hash
from posts.model import Content, Enclosure, Post, Status
from posts.tables import posts

Values = dict[str, Any]  # Any: column values of many types, checked by the table

NOTE = "correction"
"""The key of a correction's note in the stored content of the revision that carries it."""

POST_COLUMNS = tuple(
    column for column in posts.columns if column.name not in ("link_key", "text_hash")
)


def post_from_row(row: sa.Row[*tuple[Any, ...]]) -> Post:
    """The post of a row that was selected with `POST_COLUMNS`; `corrections.with_corrections` adds its corrections."""
    page, _, feed = (row.comments_url or "").partition(" ")
    return Post(
        id=row.id,
        guid=row.guid,
        slug=row.slug,
        path=row.path,
        source=row.source,
        external_id=row.external_id,
        status=Status(row.status),
        revision=row.revision,
        content=Content(
            title=row.title,
            html=row.html,
            source_text=row.source_text,
            language=row.language,
            link=row.link,
            summary=row.summary,
            authors=tuple(row.authors),
            tags=tuple(row.tags),
            enclosures=_enclosures(row.enclosures),
            comment_count=row.comment_count,
            comments_url=page or None,
            comments_feed_url=feed or None,
            lead=row.lead,
            translation_key=row.translation_key,
        ),
        content_hash=row.content_hash,
        published=row.published,
        updated=row.updated,
        first_seen=row.first_seen,
        history=row.history,
        number=row.number,
        fault=row.fault,
        withdrawn_by=row.withdrawn_by,
        withdrawal_reason=row.withdrawal_reason,
        missing_polls=row.missing_polls,
    )


def content_values(content: Content) -> Values:
    """The columns that hold a content, and those that find it again."""
    values = content_json(content)
    feed = values.pop("comments_feed_url")
    values["comments_url"] = comment_places(content.comments_url, feed)
    return {**values, "link_key": link_key(content.link), "text_hash": text_hash(content)}


def comment_places(page: str | None, feed: str | None) -> str | None:
    """Where a post's comments are read, as its row keeps it: the address of the page and, behind a space, of their feed.

    One column for both, before the texts: a build walks through it at every post, and a column that a migration adds
    stands behind the texts, where SQLite has to go through all pages of a row.
    """
    if not feed:
        return page
    return f"{(page or '').replace(' ', '%20')} {feed.replace(' ', '%20')}"


def content_json(content: Content) -> Values:
    """A content as plain values for JSON; `content_from_json` reads it back."""
    return {
        **asdict(content),
        "authors": list(content.authors),
        "tags": list(content.tags),
        "enclosures": [asdict(enclosure) for enclosure in content.enclosures],
    }


def content_from_json(values: Values) -> Content:
    """The content that `content_json` wrote; a note beside it is no part of it."""
    return Content(
        **{
            **{key: value for key, value in values.items() if key != NOTE},
            "authors": tuple(values["authors"]),
            "tags": tuple(values["tags"]),
            "enclosures": _enclosures(values["enclosures"]),
        }
    )


def _enclosures(values: list[Values]) -> tuple[Enclosure, ...]:
    return tuple(Enclosure(**value) for value in values)
