"""Kept entries: used while everything that they are made of is the same."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from feeds.fragments import Fragments, fragment_stamp
from feeds.rendering import FULL, HEADLINE
from posts.model import Post
from posts.outlines import outline_of
from tests.feeds.arrange import NOON, WEB_URL, a_post

ENTRY = {"atom": b"<entry/>", "rss": b"<item/>", "json": b"{}"}
SLUGS = {"Juárez": "juarez"}
POST = a_post(tags=("Juárez",), comment_count=1, comments_url="https://b.example/#c")


@pytest.fixture
def fragments(tmp_path: Path) -> Iterator[Fragments]:
    """An empty cache."""
    with closing(Fragments(tmp_path / "built" / "fragments.db")) as opened:
        yield opened


def with_content(**values: object) -> Post:
    """The post, its content changed and its revision not: what a refresh does."""
    return replace(POST, content=replace(POST.content, **values))


def stamp_of(post: Post, web_url: str = WEB_URL, slugs: dict[str, str] = SLUGS) -> bytes:
    """The stamp of a post."""
    return fragment_stamp(outline_of(post), web_url, slugs)


def test_a_kept_entry_is_found_by_its_stamp(fragments: Fragments) -> None:
    stamp = stamp_of(POST)
    fragments.save([(1, FULL, stamp, ENTRY)])
    assert fragments.find({1: stamp, 2: stamp}) == {1: ENTRY}


def test_an_entry_and_its_headline_are_kept_side_by_side(fragments: Fragments) -> None:
    headline = ENTRY | {"json": b"[]"}
    fragments.save([(1, FULL, b"s", ENTRY)])
    fragments.save([(1, HEADLINE, b"s", headline)])
    assert fragments.find({1: b"s"}) == {1: ENTRY}
    assert fragments.find({1: b"s"}, HEADLINE) == {1: headline}


def test_an_entry_of_another_stamp_is_not_found_and_is_replaced(fragments: Fragments) -> None:
    fragments.save([(1, FULL, b"old", ENTRY)])
    assert fragments.find({1: b"new"}) == {}
    fragments.save([(1, FULL, b"new", ENTRY | {"json": b"[]"})])
    assert fragments.find({1: b"new"})[1]["json"] == b"[]"
    assert fragments.find({1: b"old"}) == {}


@pytest.mark.parametrize(
    ("post", "web_url", "slugs"),
    [
        pytest.param(replace(POST, revision=2), WEB_URL, SLUGS, id="revision"),
        pytest.param(replace(POST, content_hash="x"), WEB_URL, SLUGS, id="content"),
        pytest.param(replace(POST, published=NOON), WEB_URL, SLUGS, id="date"),
        pytest.param(replace(POST, updated=NOON + timedelta(days=1)), WEB_URL, SLUGS, id="updated"),
        pytest.param(with_content(comment_count=2), WEB_URL, SLUGS, id="comment count"),
        pytest.param(
            with_content(comments_url="https://b.example/#d"), WEB_URL, SLUGS, id="comments"
        ),
        pytest.param(POST, "https://other.example", SLUGS, id="address of the server"),
        pytest.param(POST, WEB_URL, {"Juárez": "juarez-2"}, id="slug of a tag"),
    ],
)
def test_whatever_an_entry_shows_is_in_its_stamp(
    post: Post, web_url: str, slugs: dict[str, str]
) -> None:
    assert stamp_of(post, web_url, slugs) != stamp_of(POST)


def test_more_entries_than_a_statement_takes_are_found(fragments: Fragments) -> None:
    stamps = dict.fromkeys(range(1201), b"s")
    fragments.save([(post, FULL, b"s", ENTRY) for post in stamps])
    assert len(fragments.find(stamps)) == 1201


def test_a_broken_file_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "fragments.db"
    path.write_bytes(b"this is no database" * 500)
    with closing(Fragments(path)) as fragments:
        fragments.save([(1, FULL, b"s", ENTRY)])
        assert fragments.find({1: b"s"}) == {1: ENTRY}


def test_a_file_that_breaks_later_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "fragments.db"
    with closing(Fragments(path)) as fragments:
        fragments.save([(number, FULL, b"s", ENTRY) for number in range(2000)])
    body = path.read_bytes()
    path.write_bytes(body[:8192] + b"\xff" * (len(body) - 8192))
    with closing(Fragments(path)) as fragments:
        assert fragments.find(dict.fromkeys(range(2000), b"s")) == {}
        fragments.save([(1, FULL, b"s", ENTRY)])
        assert fragments.find({1: b"s"}) == {1: ENTRY}


def test_a_torn_entry_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "fragments.db"
    with closing(Fragments(path)) as fragments:
        fragments.save([(1, FULL, b"s", ENTRY), (2, FULL, b"s", ENTRY)])
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE entries SET rss = x'00' WHERE post = 1")
    with closing(Fragments(path)) as fragments:
        assert fragments.find({1: b"s", 2: b"s"}) == {2: ENTRY}


def test_what_is_missing_is_told_without_reading_an_entry(fragments: Fragments) -> None:
    fragments.save([(1, FULL, b"s", ENTRY), (2, FULL, b"old", ENTRY)])
    assert fragments.list_missing({1: b"s", 2: b"new", 3: b"s"}) == [2, 3]
