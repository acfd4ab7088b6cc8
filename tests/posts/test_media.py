"""Posts with enclosures, on both databases."""

from datetime import timedelta

import sqlalchemy as sa

from posts import store
from posts.database import reading, writing
from posts.media import count_with_enclosures, list_with_enclosures
from posts.model import Enclosure
from tests.feeds.arrange import NOON, save

SOUND = Enclosure(url="https://b.example/a.mp3", type="audio/mpeg", length_bytes=9)


def test_only_public_posts_with_enclosures_are_listed_newest_first(engine: sa.Engine) -> None:
    for number in range(1, 6):
        save(engine, number, enclosures=() if number == 2 else (SOUND,))
    with writing(engine) as conn:
        last = store.find_by_external_id(conn, "content", "5")
        assert last is not None
        store.withdraw_post(conn, last.guid, now=NOON + timedelta(hours=1), reason="Wrong.")
    with reading(engine) as conn:
        assert [post.content.title for post in list_with_enclosures(conn, limit=2)] == [
            "Post 4",
            "Post 3",
        ]
        assert [post.external_id for post in list_with_enclosures(conn, limit=9, offset=2)] == ["1"]
        assert count_with_enclosures(conn) == 3
