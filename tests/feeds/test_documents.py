"""What lies beside the documents: sidecars, and the list of what is gone; and what a document may weigh."""

import json
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from feeds.conditional import document_hash
from feeds.documents import SIDECARS, read_sidecar
from feeds.removals import GONE_FILE
from feeds.spec import MEDIA_TYPES, FeedSettings
from posts.settings import Selection
from tests.feeds.arrange import NOON, a_site, save
from tests.feeds.newsroom import Newsroom


@pytest.fixture
def newsroom(sqlite_engine: sa.Engine, tmp_path: Path) -> Newsroom:
    """Two posts, built."""
    made = Newsroom(sqlite_engine, tmp_path)
    save(sqlite_engine, 1, tags=("Air",))
    save(sqlite_engine, 2)
    made.build()
    return made


def sidecar(newsroom: Newsroom, name: str = "all.json") -> dict[str, Any]:
    """The sidecar of a document."""
    found = read_sidecar(newsroom.outlet.built / SIDECARS / f"{name}.json")
    assert found is not None
    return dict(found)


def changed_since(newsroom: Newsroom, number: int) -> list[bytes]:
    """The entries of the JSON document of all posts that changed after a version."""
    body = newsroom.files()["/feeds/all.json"]
    return [
        body[at : at + length]
        for at, length, version in sidecar(newsroom)["entries"]
        if version > number
    ]


def gone(newsroom: Newsroom) -> list[str]:
    """The addresses that are gone."""
    path = newsroom.outlet.built / GONE_FILE
    found: list[str] = json.loads(path.read_bytes()) if path.exists() else []
    return found


@pytest.mark.parametrize("format_", MEDIA_TYPES)
def test_a_sidecar_says_where_the_entries_stand(newsroom: Newsroom, format_: str) -> None:
    body = newsroom.files()[f"/feeds/all.{format_}"]
    noted = sidecar(newsroom, f"all.{format_}")
    assert noted["etag"] == document_hash(body)
    assert noted["history"] == [[noted["etag"], 1]]
    first, second = (body[at : at + length] for at, length, _ in noted["entries"])
    assert b"Post 2" in first
    assert b"Post 1" in second
    assert noted["head"] == noted["entries"][0][0]
    assert b"Post 1" not in body[noted["tail_at"] :]


def test_a_sidecar_names_what_each_version_brought(newsroom: Newsroom) -> None:
    save(newsroom.engine, 3)
    newsroom.build()
    save(newsroom.engine, 1, title="Edited", tags=("Air",), at=NOON + timedelta(hours=1))
    newsroom.build()
    assert sidecar(newsroom)["number"] == 3
    assert len(sidecar(newsroom)["history"]) == 3
    assert [b"Edited" in entry for entry in changed_since(newsroom, 2)] == [True]
    assert len(changed_since(newsroom, 1)) == 2


def test_a_comment_more_is_news_to_a_sidecar_though_no_line_says_so(newsroom: Newsroom) -> None:
    save(newsroom.engine, 1, tags=("Air",), comment_count=1, comments_url="https://b.example/#c")
    newsroom.build()
    assert len(changed_since(newsroom, 1)) == 1


def test_a_post_that_comes_back_into_the_document_is_news_to_its_readers(
    sqlite_engine: sa.Engine, tmp_path: Path
) -> None:
    few = FeedSettings(slug="few", title="Few", size=3)
    newsroom = Newsroom(sqlite_engine, tmp_path, configured=(few,), archive_size=3)
    for number in range(1, 8):
        save(sqlite_engine, number)
    newsroom.build()
    before = sidecar(newsroom, "few.json")
    newsroom.withdraw(6, NOON + timedelta(minutes=8))
    newsroom.build()
    after = sidecar(newsroom, "few.json")
    body = newsroom.files()["/feeds/few.json"]
    news = [body[at : at + n] for at, n, version in after["entries"] if version > before["number"]]
    assert [b"Post 4" in entry for entry in news] == [True]


def test_the_same_bytes_keep_their_sidecar(newsroom: Newsroom) -> None:
    before = sidecar(newsroom)
    newsroom.build()
    assert sidecar(newsroom) == before


def test_a_removed_feed_is_noted_as_gone_until_it_comes_back(newsroom: Newsroom) -> None:
    save(newsroom.engine, 1, tags=(), at=NOON + timedelta(hours=1))
    newsroom.build()
    assert gone(newsroom) == [f"/feeds/tag-air.{ending}" for ending in ("atom", "json", "rss")]
    folder = newsroom.outlet.public / "feeds"
    assert not list(folder.glob("tag-air*"))
    assert not list((newsroom.outlet.built / SIDECARS).glob("tag-air*"))
    save(newsroom.engine, 3, tags=("Air",), at=NOON + timedelta(hours=2))
    newsroom.build()
    assert gone(newsroom) == []


def test_what_is_gone_is_known_again_where_the_list_was_lost(
    sqlite_engine: sa.Engine, tmp_path: Path
) -> None:
    newsroom = Newsroom(sqlite_engine, tmp_path, archive_size=2)
    for number in range(1, 4):
        save(sqlite_engine, number, tags=("Air",))
    newsroom.build()
    for number in range(1, 4):
        save(sqlite_engine, number, tags=(), at=NOON + timedelta(hours=1))
    newsroom.build()
    before = gone(newsroom)
    assert "/feeds/tag-air.atom" in before
    assert "/feeds/tag-air/archive/00001.rss" in before
    (newsroom.outlet.built / GONE_FILE).unlink()
    newsroom.build()
    assert gone(newsroom) == before, "the list alone"
    shutil.rmtree(newsroom.outlet.built)
    newsroom.build()
    assert gone(newsroom) == before, "all that the build remembers"
    newsroom.build("all", thorough=False)
    assert gone(newsroom) == before


def test_a_removed_feed_takes_its_archive_with_it(sqlite_engine: sa.Engine, tmp_path: Path) -> None:
    settings = FeedSettings(slug="air", title="Air", select=Selection(tags=("Air",)))
    newsroom = Newsroom(sqlite_engine, tmp_path, configured=(settings,), archive_size=2)
    for number in range(1, 6):
        save(sqlite_engine, number, tags=("Air",))
    newsroom.build()
    assert "/feeds/air/archive/00002.rss" in newsroom.files()
    newsroom.outlet = replace(newsroom.outlet, configured=())
    newsroom.build()
    assert not [name for name in newsroom.files() if name.startswith("/feeds/air")]
    assert "/feeds/air/archive/00002.rss" in gone(newsroom)


def test_a_selection_that_shrinks_leaves_no_document_behind(
    sqlite_engine: sa.Engine, tmp_path: Path
) -> None:
    both = FeedSettings(slug="mine", title="Mine", select=Selection(tags=("Air", "Water")))
    newsroom = Newsroom(sqlite_engine, tmp_path, configured=(both,), archive_size=2)
    for number in range(1, 8):
        save(sqlite_engine, number, tags=("Air" if number > 4 else "Water",))
    newsroom.build()
    assert "/feeds/mine/archive/00003.atom" in newsroom.files()
    air = FeedSettings(slug="mine", title="Mine", select=Selection(tags=("Air",)))
    newsroom.outlet = replace(newsroom.outlet, configured=(air,))
    newsroom.build()
    names = [name for name in newsroom.files() if name.startswith("/feeds/mine/archive/")]
    assert names == [f"/feeds/mine/archive/00001.{ending}" for ending in ("atom", "json", "rss")]
    other = newsroom.elsewhere(tmp_path / "other")
    other.build()
    assert other.files() == newsroom.files()


def test_a_document_keeps_to_a_megabyte_in_every_format(
    sqlite_engine: sa.Engine, tmp_path: Path
) -> None:
    newsroom = Newsroom(sqlite_engine, tmp_path, archive_size=5)
    for number in range(1, 21):
        save(sqlite_engine, number, html=f"<p>{number} {'x ' * 75_000}</p>")
    newsroom.build()
    lengths = {format_: len(newsroom.files()[f"/feeds/all.{format_}"]) for format_ in MEDIA_TYPES}
    assert max(lengths.values()) <= 1_000_000
    assert min(lengths.values()) > 850_000
    assert newsroom.titles("/feeds/all.rss") == [f"Post {number}" for number in range(20, 14, -1)]


def test_an_interrupted_build_goes_on_where_it_was(
    newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(newsroom.engine, 3, tags=("Air",), at=NOON + timedelta(hours=1))
    place = newsroom.outlet.public / "feeds" / "all.atom"
    place.unlink()
    place.mkdir()  # in the way: the build fails in the middle
    with pytest.raises(OSError, match=r"all\.atom"):
        newsroom.build()
    place.rmdir()
    newsroom.build(thorough=False)
    other = newsroom.elsewhere(newsroom.outlet.public.parent / "other")
    other.build()
    assert other.files() == newsroom.files()


def test_a_comment_more_waits_for_a_thorough_build(newsroom: Newsroom) -> None:
    comments = {"comments_url": "https://b.example/#c", "tags": ("Air",)}
    save(newsroom.engine, 1, comment_count=1, **comments)
    assert newsroom.build(thorough=False).written == []
    assert "/feeds/all.rss" in newsroom.build().written


def test_the_site_says_which_settings_build_all(newsroom: Newsroom) -> None:
    newsroom.outlet = replace(newsroom.outlet, site=a_site(accent="#000000"))
    assert newsroom.build().written == []
