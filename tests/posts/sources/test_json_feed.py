import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posts.errors import SourceError
from posts.sources.json_feed import is_json_feed, parse_json_feed

URL = "https://blog.example/feed.json"


def parsed(feed: object):
    body = feed if isinstance(feed, bytes) else json.dumps(feed).encode()
    return parse_json_feed(body, URL, source="blog", zone=ZoneInfo("UTC"))


def a_feed(*items: object, **more: object) -> dict[str, object]:
    return {
        "version": "https://jsonfeed.org/version/1.1",
        "title": "B",
        "items": list(items),
        **more,
    }


def test_a_feed_arrives_whole():
    feed = parsed(
        a_feed(
            {
                "id": "1",
                "url": "https://blog.example/1",
                "title": "T",
                "content_html": "<p>x</p>",
                "summary": "a & b",
                "date_published": "2009-09-15T08:00:00-06:00",
                "date_modified": "2009-09-16T08:00:00-06:00",
                "authors": [{"name": "Ana"}, {"url": "https://ana.example"}],
                "tags": ["t"],
                "language": "es",
                "attachments": [
                    {
                        "url": "https://blog.example/a.mp3",
                        "mime_type": "audio/mpeg",
                        "size_in_bytes": 9,
                    }
                ],
            },
            description="Notes",
            language="en-US",
            home_page_url="https://blog.example/",
        )
    )
    assert (feed.title, feed.tagline, feed.language, feed.home_url) == (
        "B",
        "Notes",
        "en-US",
        "https://blog.example/",
    )
    (post,) = feed.posts
    assert (post.guid, post.external_id, post.link, post.title) == (
        "1",
        "1",
        "https://blog.example/1",
        "T",
    )
    assert (post.raw_html, post.raw_summary) == ("<p>x</p>", "a &amp; b")
    assert post.published == datetime(2009, 9, 15, 14, tzinfo=UTC)
    assert post.updated == datetime(2009, 9, 16, 14, tzinfo=UTC)
    assert (post.authors, post.tags, post.language) == (("Ana",), ("t",), "es")
    assert [(one.url, one.type, one.length_bytes) for one in post.enclosures] == [
        ("https://blog.example/a.mp3", "audio/mpeg", 9)
    ]


def test_version_1_has_one_author_and_text_becomes_paragraphs():
    feed = parsed(
        a_feed(
            {"id": 7, "content_text": "a < b\n\nc", "author": {"name": "Bo"}},
            author={"name": "Ana"},
        )
    )
    assert (feed.posts[0].guid, feed.posts[0].authors) == ("7", ("Bo",))
    assert feed.posts[0].raw_html == "<p>a &lt; b</p><p>c</p>"


def test_the_feeds_author_is_that_of_items_without_one():
    assert parsed(a_feed({"id": "1", "content_text": "x"}, authors=[{"name": "Ana"}])).posts[
        0
    ].authors == ("Ana",)


def test_an_item_that_is_none_is_a_fault_and_the_others_come():
    feed = parsed(a_feed("junk", {"id": "1", "content_text": "x"}))
    assert [post.guid for post in feed.posts] == ["1"]
    assert feed.faults[0].what == "item 1 is not an object."


def test_the_first_of_two_items_with_one_id_counts():
    feed = parsed(a_feed({"id": "1", "title": "new"}, {"id": "1", "title": "old"}))
    assert [post.title for post in feed.posts] == ["new"]


def test_items_without_text_are_summaries():
    assert parsed(a_feed({"id": "1", "summary": "s"}, {"id": "2", "summary": "s"})).summaries_only
    assert not parsed(a_feed({"id": "1", "content_text": "s"})).summaries_only


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"{}",
        b'{"version": "2", "items": []}',
        b"\xff",
        b"[" * 100_000,
        b'{"items": {}}',
    ],
)
def test_what_is_no_json_feed_is_refused(body):
    with pytest.raises(SourceError):
        parsed(body)


@pytest.mark.parametrize(
    ("body", "kind", "answer"),
    [
        (b'\xef\xbb\xbf\n {"a": 1}', "text/plain", True),
        (b"<feed>", "application/feed+json", True),
        (b"<feed>", "application/xml", False),
    ],
)
def test_a_json_feed_is_known_by_type_or_first_character(body, kind, answer):
    assert is_json_feed(body, kind) == answer


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=8,
)
KEYS = st.sampled_from(
    [
        "id",
        "url",
        "title",
        "content_html",
        "summary",
        "authors",
        "author",
        "tags",
        "attachments",
        "date_published",
        "language",
    ]
)


@given(st.lists(st.dictionaries(KEYS, ANYTHING, max_size=6) | ANYTHING, max_size=4))
def test_whatever_the_items_hold_nothing_breaks(items):
    assert len(parsed(a_feed(*items)).posts) <= len(items)
