"""`posts/matching.py`: a post whose id or file name changed is known again, and a copied id is a fault."""

import pytest

from posts.errors import PostError
from posts.matching import Surroundings, stored_match
from posts.model import Content, IncomingPost, Post
from tests.posts.builders import BLOG, content, from_blog, incoming
from tests.posts.test_reconcile import stored

HTTP = content(
    link="http://www.blog.example/2009/juarez/",
    html='<p>By <a href="http://blog.example/">us</a>.</p>',
)
OLD = stored(
    HTTP, guid="http://blog.example/?p=1", source=BLOG, external_id="http://blog.example/?p=1"
)


def match(
    post: IncomingPost, said: Content, there: Post, around: Surroundings | None = None
) -> Post | None:
    return stored_match(post, said, [there], around or Surroundings())


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(
            content(link="https://blog.example/2009/juarez?utm_source=rss", html=HTTP.html),
            id="https",
        ),
        pytest.param(
            content(link="https://blog.example/2009/juarez", html="<p>Edited.</p>"),
            id="https, text edited",
        ),
        pytest.param(
            content(
                link="https://new.example/2009/juarez/",
                html='<p>By <a href="https://new.example/">us</a>.</p>',
            ),
            id="another domain",
        ),
    ],
)
def test_a_blog_that_moved_brings_the_same_posts(said: Content) -> None:
    moved = from_blog(guid="https://new.example/?p=1", external_id="https://new.example/?p=1")
    assert match(moved, said, OLD) == OLD


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(
            content(link="https://blog.example/2009/other", html="<p>Other.</p>"), id="another post"
        ),
        pytest.param(
            content(title="Other", link=HTTP.link, html="<p>Other.</p>"), id="another post there"
        ),
        pytest.param(
            content(link="https://new.example/2009/juarez/", html="<p>Edited.</p>"),
            id="another domain and text",
        ),
        pytest.param(content(html=HTTP.html), id="no link"),
    ],
)
def test_another_post_is_new(said: Content) -> None:
    assert match(from_blog(guid="2", external_id="2"), said, OLD) is None


def test_an_entry_that_stands_beside_its_twin_is_new() -> None:
    around = Surroundings(present={OLD.external_id, "2"})
    assert match(from_blog(guid="2", external_id="2"), HTTP, OLD, around) is None


def test_a_renamed_file_is_the_same_post() -> None:
    renamed = incoming(external_id="2009/juarez.md")
    around = Surroundings(present={"2009/juarez.md"})
    assert match(renamed, content(), stored(), around) == stored()


def test_a_copied_file_is_a_new_post() -> None:
    around = Surroundings(present={"juarez.md", "copy.md"})
    assert match(incoming(external_id="copy.md"), content(), stored(), around) is None


def test_a_file_renamed_and_edited_is_known_by_its_id() -> None:
    renamed = incoming(external_id="new.md", guid="juarez")
    around = Surroundings(present={"new.md"})
    there = stored(guid="juarez")
    assert match(renamed, content(title="New"), there, around) == there


@pytest.mark.parametrize(
    ("post", "around"),
    [
        pytest.param(
            incoming(guid="juarez", external_id="copy.md"),
            Surroundings(present={"juarez.md", "copy.md"}),
            id="two files",
        ),
        pytest.param(
            from_blog(guid="juarez"), Surroundings(sources={"content", BLOG}), id="two sources"
        ),
        pytest.param(from_blog(guid="juarez"), Surroundings(), id="two sources, others unknown"),
    ],
)
def test_one_id_for_two_posts_is_a_fault_that_names_both(
    post: IncomingPost, around: Surroundings
) -> None:
    with pytest.raises(PostError) as fault:
        match(post, content(title="Other"), stored(guid="juarez"), around)
    assert str(fault.value).startswith(post.place)
    assert "juarez.md" in str(fault.value)


def test_a_source_at_a_new_location_keeps_its_posts() -> None:
    around = Surroundings(sources={"https://new.example/feed"})
    moved = from_blog(source="https://new.example/feed", guid=OLD.guid, external_id=OLD.guid)
    assert match(moved, content(title="Edited"), OLD, around) == OLD


def test_an_entry_with_the_words_of_one_that_dropped_off_is_new() -> None:
    said = content(link="https://blog.example/2010/juarez/", html=HTTP.html)
    assert (
        match(from_blog(guid="2", external_id="2"), said, OLD, Surroundings(present={"2"})) is None
    )
