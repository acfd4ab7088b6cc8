"""Posts without their texts, on both databases."""

import dataclasses
from datetime import timedelta

import sqlalchemy as sa

from posts import store
from posts.database import reading, writing
from posts.outlines import (
    list_faulty,
    list_lines,
    list_outlines,
    outline_mark,
    outline_of,
    stream_marks,
)
from tests.feeds.arrange import NOON, save


def test_an_outline_is_the_post_without_its_texts(engine: sa.Engine) -> None:
    save(
        engine,
        1,
        tags=("Air",),
        comment_count=2,
        comments_url="https://b.example/#c",
        comments_feed_url="https://b.example/f",
    )
    with reading(engine) as conn:
        (post,) = store.list_posts(conn)
        assert list_outlines(conn, [post.id, 99]) == {post.id: outline_of(post)}
    assert not {"title", "html"} & {field.name for field in dataclasses.fields(outline_of(post))}


def test_a_line_has_the_tags_of_its_own_revision(engine: sa.Engine) -> None:
    save(engine, 1, tags=("Air",), authors=("Ana",))
    save(engine, 1, tags=("Water",), authors=(), language="es", at=NOON + timedelta(hours=1))
    with reading(engine) as conn:
        first, second = list_lines(conn, 0, 9, limit=10)
    assert (first.tags, first.authors, first.language) == (("Air",), ("Ana",), "en")
    assert (second.tags, second.authors, second.language) == (("Water",), (), "es")
    assert [first.change.number, second.change.number] == [1, 2]
    assert not first.has_enclosures


def test_lines_come_in_slices(engine: sa.Engine) -> None:
    for number in range(1, 6):
        save(engine, number)
    with reading(engine) as conn:
        lines = list_lines(conn, 1, 4, limit=2)
    assert [line.change.number for line in lines] == [2, 3]


def test_a_mark_tells_what_changes_without_a_line(engine: sa.Engine) -> None:
    comments = {"comments_url": "https://b.example/#c"}
    save(engine, 1, comment_count=1, **comments)
    with reading(engine) as conn:
        before = dict(stream_marks(conn))
        assert before == {id_: outline_mark(post) for id_, post in list_outlines(conn, [1]).items()}
    save(engine, 1, comment_count=2, **comments)
    with reading(engine) as conn:
        counted = dict(stream_marks(conn))
    with writing(engine) as conn:
        store.mark_quarantined(conn, 1, "bad")
        assert len({*before.values(), *counted.values(), *dict(stream_marks(conn)).values()}) == 3
        assert list_faulty(conn) == {1}
