"""The build over a real store: what is touched is written, and nothing else."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from shutil import rmtree

import feedparser
import pytest
import sqlalchemy as sa

from feeds.publish import FRAGMENTS_FILE, STATE_FILE
from feeds.spec import FeedSettings
from posts import store
from posts.database import writing
from posts.errors import NotFound
from posts.settings import Selection
from tests.feeds.arrange import NOON, WEB_URL, a_site, save
from tests.feeds.newsroom import Newsroom

ALL = ["/feeds/all.atom", "/feeds/all.rss", "/feeds/all.json"]


@pytest.fixture
def newsroom(engine: sa.Engine, tmp_path: Path) -> Iterator[Newsroom]:
    """Two posts: one English about air, one Spanish about Juárez."""
    save(engine, 1, tags=("Air",))
    save(engine, 2, tags=("Juárez",), language="es")
    return Newsroom(engine, tmp_path)


@pytest.fixture
def small(sqlite_engine: sa.Engine, tmp_path: Path) -> Iterator[Newsroom]:
    """The same on SQLite alone, where the database does not matter."""
    save(sqlite_engine, 1, tags=("Air",))
    save(sqlite_engine, 2, tags=("Juárez",), language="es")
    return Newsroom(sqlite_engine, tmp_path)


def named(written: list[str]) -> set[str]:
    """The feeds that were written, by name."""
    return {path.removeprefix("/feeds/").split(".")[0] for path in written}


def test_the_first_build_writes_every_feed_in_every_format(newsroom: Newsroom) -> None:
    done = newsroom.build()
    assert named(done.written) == {
        "all",
        "updates",
        "headlines",
        "media",
        "tag-air",
        "tag-juarez",
        "language-en",
        "language-es",
        "/feeds",
    }
    assert set(newsroom.files()) == set(done.written)
    assert len(done.written) == 8 * 3 + 1
    assert done.entries_rendered == 2 * 2  # with full text, and as headlines
    assert newsroom.titles("/feeds/all.atom") == ["Post 2", "Post 1"]
    assert newsroom.titles("/feeds/tag-juarez.rss") == ["Post 2"]


def test_a_build_without_news_writes_nothing(newsroom: Newsroom) -> None:
    newsroom.build()
    done = newsroom.build()
    assert (done.written, done.removed, done.entries_rendered, done.unchanged) == ([], [], 0, 25)


def test_a_new_post_touches_only_the_feeds_that_select_it(newsroom: Newsroom) -> None:
    newsroom.build()
    save(newsroom.engine, 3, tags=("Air",))
    done = newsroom.build()
    assert named(done.written) == {"all", "headlines", "tag-air", "language-en"}
    assert done.entries_rendered == 2
    assert newsroom.titles("/feeds/all.atom") == ["Post 3", "Post 2", "Post 1"]


def test_a_post_that_changes_its_tags_leaves_the_old_tags_feed(newsroom: Newsroom) -> None:
    save(newsroom.engine, 3, tags=("Air",))
    newsroom.build()
    save(newsroom.engine, 3, tags=("Juárez",))
    done = newsroom.build()
    assert named(done.written) == {"all", "headlines", "tag-air", "tag-juarez", "language-en"}
    assert newsroom.titles("/feeds/tag-air.atom") == ["Post 1"]
    assert newsroom.titles("/feeds/tag-juarez.atom") == ["Post 3", "Post 2"]


def test_the_feed_of_a_tag_that_nobody_carries_is_removed(newsroom: Newsroom) -> None:
    newsroom.build()
    save(newsroom.engine, 1, tags=())
    done = newsroom.build()
    assert done.removed == [f"/feeds/tag-air.{ending}" for ending in ("atom", "json", "rss")]
    assert not [name for name in newsroom.files() if "tag-air" in name]
    assert b"tag-air" not in newsroom.files()["/feeds.opml"]


def test_a_feed_that_is_no_more_is_removed_also_when_the_state_is_lost(small: Newsroom) -> None:
    small.build()
    save(small.engine, 1, tags=())
    rmtree(small.outlet.built)
    assert len(small.build().removed) == 3


def test_a_configured_feed_is_removed_with_its_setting(small: Newsroom) -> None:
    settings = FeedSettings(slug="air", title="Air", select=Selection(tags=("Air",)))
    small.outlet = replace(small.outlet, configured=(settings,))
    small.build()
    assert small.titles("/feeds/air.atom") == ["Post 1"]
    small.outlet = replace(small.outlet, configured=())
    assert len(small.build().removed) == 3


def test_a_withdrawn_post_leaves_and_comes_back_when_restored(newsroom: Newsroom) -> None:
    newsroom.build()
    before = newsroom.files()
    guid = "tag:border.example.org,2009-09-15:2"
    with writing(newsroom.engine) as conn:
        store.withdraw_post(conn, guid, now=NOON + timedelta(hours=1))
    newsroom.build()
    assert newsroom.titles("/feeds/all.atom") == ["Post 1"]
    assert "/feeds/language-es.atom" not in newsroom.files()
    with writing(newsroom.engine) as conn:
        store.restore_post(conn, guid, now=NOON + timedelta(hours=2))
    assert newsroom.build().entries_rendered == 0
    assert newsroom.files() == before


def test_a_post_quarantined_elsewhere_leaves_though_no_line_says_so(small: Newsroom) -> None:
    small.build()
    with writing(small.engine) as conn:
        store.mark_quarantined(conn, store.list_posts(conn)[0].id, "bad in a digest")
    small.build()
    assert small.titles("/feeds/all.atom") == ["Post 1"]


def test_a_comment_more_is_shown_though_no_line_says_so(newsroom: Newsroom) -> None:
    comments = {"comments_url": "https://border.example.org/1#c", "tags": ("Air",)}
    save(newsroom.engine, 1, comment_count=1, **comments)
    newsroom.build()
    times = newsroom.times()
    assert save(newsroom.engine, 1, comment_count=2, **comments) is None
    done = newsroom.build()
    assert named(done.written) == {"all", "headlines", "tag-air", "language-en"}
    assert b">2</slash:comments>" in newsroom.files()["/feeds/all.rss"]
    assert newsroom.times()["/feeds/all.rss"] > times["/feeds/all.rss"]


def test_two_builds_of_one_store_are_the_same_byte_for_byte(
    newsroom: Newsroom, tmp_path: Path
) -> None:
    newsroom.build()
    save(newsroom.engine, 3, tags=("Air", "Juárez"))
    save(newsroom.engine, 1, tags=("Air",), title="Retitled", at=NOON + timedelta(hours=1))
    newsroom.build()
    other = Newsroom(newsroom.engine, tmp_path / "other host")
    other.build()
    assert other.files() == newsroom.files()
    times = newsroom.times() | {"/feeds.opml": 0.0}  # a list of feeds has no time in the store
    assert other.times() | {"/feeds.opml": 0.0} == times


def test_a_lost_build_folder_changes_neither_bytes_nor_validators(small: Newsroom) -> None:
    small.build()
    before, times = small.files(), small.times()
    rmtree(small.outlet.built)
    done = small.build()
    assert (done.written, done.entries_rendered) == ([], 4)
    assert (small.files(), small.times()) == (before, times)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda path: path.unlink(), id="deleted"),
        pytest.param(lambda path: path.write_bytes(b"<feed/>"), id="overwritten"),
    ],
)
def test_a_damaged_document_is_written_again(small: Newsroom, damage: object) -> None:
    small.build()
    before = small.files()
    assert callable(damage)
    damage(small.outlet.public / "feeds" / "all.rss")
    assert small.build().written == ["/feeds/all.rss"]
    assert small.files() == before


@pytest.mark.parametrize("content", [b"", b"{", b"no database" * 1000])
def test_a_state_that_cannot_be_read_is_none(small: Newsroom, content: bytes) -> None:
    small.build()
    before = small.files()
    (small.outlet.built / STATE_FILE).write_bytes(content)
    save(small.engine, 3)
    small.build()
    assert small.titles("/feeds/all.atom")[0] == "Post 3"
    assert small.files()["/feeds/tag-air.atom"] == before["/feeds/tag-air.atom"]


def test_a_database_put_back_from_a_backup_is_built_anew(
    small: Newsroom, tmp_path_factory: pytest.TempPathFactory
) -> None:
    small.build()
    save(small.engine, 1, title="After the backup", tags=("Air",), at=NOON + timedelta(hours=1))
    small.build()
    with writing(small.engine) as conn:  # another history with the same numbers
        conn.exec_driver_sql("UPDATE journal SET post = 2, revision = 1 WHERE number = 3")
        conn.exec_driver_sql("UPDATE posts SET title = 'Post 1', revision = 1 WHERE id = 1")
    small.build()
    assert small.titles("/feeds/tag-air.atom") == ["Post 1"]


def test_a_retitled_post_keeps_its_id_and_moves_last_modified(small: Newsroom) -> None:
    small.build()
    save(small.engine, 1, title="Retitled", tags=("Air",), at=NOON + timedelta(hours=1))
    small.build()
    read = feedparser.parse(small.files()["/feeds/tag-air.atom"])
    assert [(entry.title, entry.id) for entry in read.entries] == [
        ("Retitled", "tag:border.example.org,2009-09-15:1")
    ]
    assert small.times()["/feeds/tag-air.atom"] == (NOON + timedelta(hours=1)).timestamp()


def test_a_document_holds_the_newest_of_its_size(sqlite_engine: sa.Engine, tmp_path: Path) -> None:
    newsroom = Newsroom(sqlite_engine, tmp_path)
    newsroom.outlet = replace(
        newsroom.outlet, configured=(FeedSettings(slug="few", title="Few", size=2),)
    )
    for number in range(1, 55):
        save(sqlite_engine, number)
    newsroom.build()
    # The archive has the first 50; what it does not have is in the document whatever its size.
    assert newsroom.titles("/feeds/few.atom") == ["Post 54", "Post 53", "Post 52", "Post 51"]
    assert len(newsroom.titles("/feeds/all.rss")) == 50


def test_a_changed_setting_builds_the_feeds_that_show_it(small: Newsroom) -> None:
    small.build()
    small.outlet = replace(small.outlet, site=a_site(title="The Border Post"))
    done = small.build()
    assert len(done.written) == 25
    assert done.entries_rendered == 0


def test_a_new_address_of_the_server_renders_every_entry_again(small: Newsroom) -> None:
    small.build()
    small.outlet = replace(small.outlet, web_url="https://news.example.org")
    assert small.build().entries_rendered == 4
    assert not [name for name, body in small.files().items() if WEB_URL.encode() in body]


def test_one_feed_built_alone_leaves_the_news_for_the_others(newsroom: Newsroom) -> None:
    newsroom.build()
    save(newsroom.engine, 3, tags=("Air",))
    assert named(newsroom.build(only="all").written) == {"all"}
    assert newsroom.titles("/feeds/tag-air.atom") == ["Post 1"]
    assert named(newsroom.build().written) == {"headlines", "tag-air", "language-en"}
    assert newsroom.titles("/feeds/tag-air.atom") == ["Post 3", "Post 1"]


def test_one_feed_built_alone_does_not_forget_the_others(small: Newsroom) -> None:
    small.build()
    small.build(only="all")
    assert small.build().unchanged == 25


def test_a_feed_that_does_not_exist_is_named(small: Newsroom) -> None:
    with pytest.raises(NotFound, match='no feed "alll"'):
        small.build(only="alll")


def test_a_store_without_posts_has_an_empty_feed(sqlite_engine: sa.Engine, tmp_path: Path) -> None:
    newsroom = Newsroom(sqlite_engine, tmp_path)
    written = newsroom.build().written
    assert [path for path in written if "all" in path] == ALL
    assert len(written) == 4 * 3 + 1
    assert newsroom.titles("/feeds/all.atom") == []
    assert newsroom.build().written == []


def test_a_post_that_cannot_be_rendered_comes_back_refused(newsroom: Newsroom) -> None:
    newsroom.build()
    before = newsroom.files()
    save(newsroom.engine, 3, html="<p>\x0b</p>")
    done = newsroom.build()
    assert [post.content.title for post, _ in done.refused] == ["Post 3"]
    assert newsroom.files() == before
    bad = frozenset(post.id for post, _ in done.refused)
    assert newsroom.build(without=bad).refused == []
    assert newsroom.titles("/feeds/all.atom") == ["Post 2", "Post 1"]


def test_a_lost_cache_of_entries_gives_the_same_bytes(small: Newsroom) -> None:
    small.build()
    (small.outlet.built / FRAGMENTS_FILE).write_bytes(b"no database")
    (small.outlet.public / "feeds" / "all.atom").unlink()
    before = small.files()
    small.build()
    assert {name: small.files()[name] for name in before} == before
    assert small.titles("/feeds/all.atom") == ["Post 2", "Post 1"]
