"""What changes without a journal line is seen by its mark."""

import sqlalchemy as sa

from posts import store
from posts.database import reading, writing
from posts.marks import list_marks, post_mark
from tests.feeds.arrange import save

COMMENTS = "https://border.example.org/1#c"


def test_the_mark_of_a_row_is_the_mark_of_its_post(engine: sa.Engine) -> None:
    save(engine, 1, comment_count=2, comments_url=COMMENTS)
    save(engine, 2)
    with reading(engine) as conn:
        stored = store.list_posts(conn)
        assert list_marks(conn, [post.id for post in stored]) == {
            post.id: post_mark(post) for post in stored
        }


def test_a_comment_more_is_another_mark(engine: sa.Engine) -> None:
    save(engine, 1, comment_count=2, comments_url=COMMENTS)
    with reading(engine) as conn:
        before = list_marks(conn, [1])
    assert save(engine, 1, comment_count=3, comments_url=COMMENTS) is None
    with reading(engine) as conn:
        assert list_marks(conn, [1]) != before


def test_a_quarantined_or_withdrawn_post_has_no_mark(engine: sa.Engine) -> None:
    save(engine, 1)
    save(engine, 2)
    with writing(engine) as conn:
        first, second = (post.id for post in reversed(store.list_posts(conn)))
        store.mark_quarantined(conn, first, "bad")
        store.withdraw_post(
            conn, "tag:border.example.org,2009-09-15:2", now=store.list_posts(conn)[0].published
        )
    with reading(engine) as conn:
        assert list_marks(conn, [first, second]) == {}
