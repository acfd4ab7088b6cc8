"""`posts/identity.py`: ids, what a hash sees, canonical links."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posts.identity import content_hash, link_key, post_guid, text_hash
from tests.posts.builders import NOW, content, from_blog, incoming


def test_the_sources_own_id_is_the_posts_id() -> None:
    assert post_guid(from_blog(guid="https://blog.example/?p=1"), "frontera.example", NOW) == (
        "https://blog.example/?p=1"
    )


def test_rfc4151_a_file_without_an_id_gets_a_tag_uri_of_its_first_day() -> None:
    first_seen = datetime(2009, 9, 15, 23, 30, tzinfo=UTC)
    made = post_guid(incoming(external_id="2009/el niño.md"), "frontera.example", first_seen)
    assert made == "tag:frontera.example,2009-09-15:2009/el%20ni%C3%B1o.md"


def test_the_hash_does_not_see_comments_and_source_text() -> None:
    other = content(comment_count=5, comments_url="https://a.example/", source_text="x")
    assert content_hash(other) == content_hash(content())


def test_the_hash_tells_where_one_field_ends() -> None:
    assert content_hash(content(tags=("a", "b"))) != content_hash(content(tags=("a,b",)))
    assert content_hash(content(title="a", summary=None)) != content_hash(
        content(title="a", summary="")
    )


def test_the_text_is_the_same_whatever_the_links_are() -> None:
    old = content(html='<p>At <a href="http://a.example/">home</a>&nbsp;now</p>')
    new = content(html='<p>At <a href="https://b.example/">home</a>\u00a0now</p>')
    assert text_hash(old) == text_hash(new)
    assert text_hash(content(html="<p>At work now</p>")) != text_hash(old)


@pytest.mark.parametrize(
    "other",
    [
        "http://a.example/2009/x",
        "https://www.a.example/2009/x/",
        "https://A.example:443/2009/x#more",
        "https://a.example/2009/x?utm_source=rss&utm_medium=feed",
    ],
)
def test_one_address_has_one_key(other: str) -> None:
    assert link_key(other) == link_key("https://a.example/2009/x")


@pytest.mark.parametrize(
    "other",
    [
        "https://b.example/2009/x",
        "https://a.example/2009/y",
        "https://a.example/2009/x?p=1",
        "https://a.example:8000/2009/x",
    ],
)
def test_two_addresses_have_two_keys(other: str) -> None:
    assert link_key(other) != link_key("https://a.example/2009/x")


@given(st.text())
def test_no_link_crashes_the_key(link: str) -> None:
    link_key(link)
    link_key("https://" + link)
