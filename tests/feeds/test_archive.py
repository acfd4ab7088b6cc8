"""The walk along the journal, without a store."""

from feeds.archive import SUBSCRIPTION, Member, Standing, Walk, document_links, document_paths
from feeds.spec import list_feeds
from tests.feeds.arrange import WEB_URL, a_site

FEED = 1


def walked(*lines: tuple[int, bool | None], size: int = 3) -> Walk:
    """A walk from nothing: each line is a post and whether the feed selects it, None where it was withdrawn."""
    walk = Walk(lambda feed: (), lambda feed: 0, size)
    walk.know({post for post, _ in lines}, ())
    for number, (post, holds) in enumerate(lines, start=1):
        feeds = frozenset({FEED} if holds else ())
        walk.take(Standing(number=number, post=post, feeds=feeds, is_withdrawn=holds is None))
    return walk


def places(walk: Walk) -> dict[int, int | None]:
    """Document by post."""
    return {
        post: member.document for (_, post), member in walk.changed.items() if member is not None
    }


def test_a_full_tail_becomes_a_document_in_the_order_of_entering() -> None:
    walk = walked((5, True), (2, True), (9, True), (1, True))
    assert places(walk) == {5: 1, 2: 1, 9: 1, 1: None}
    assert walk.full == {FEED: 1}
    assert walk.touched == {(FEED, SUBSCRIPTION), (FEED, 1)}


def test_a_second_document_touches_the_one_before_for_its_link_to_the_next() -> None:
    stored = [Member(feed=FEED, post=post, entered=post, document=None) for post in (4, 5)]
    walk = Walk(lambda feed: stored, lambda feed: 1, 3)
    walk.know({6}, ())
    walk.take(Standing(number=6, post=6, feeds=frozenset({FEED}), is_withdrawn=False))
    assert places(walk) == {4: 2, 5: 2, 6: 2}
    assert walk.touched == {(FEED, SUBSCRIPTION), (FEED, 1), (FEED, 2)}


def test_a_post_that_leaves_the_tail_leaves_no_gap_and_enters_anew() -> None:
    walk = walked((1, True), (2, True), (1, False), (3, True), (1, True))
    assert places(walk) == {2: 1, 3: 1, 1: 1}
    entered = walk.changed[(FEED, 1)]
    assert entered is not None
    assert entered.entered == 5


def test_a_post_withdrawn_in_the_tail_takes_no_place() -> None:
    walk = walked((1, True), (2, True), (1, None), (3, True))
    assert places(walk) == {1: None, 2: None, 3: None}
    assert walk.full == {}


def test_a_full_document_keeps_a_post_that_the_feed_selects_no_more() -> None:
    walk = walked((1, True), (2, True), (3, True), (2, False), (4, True), (2, None))
    assert places(walk) == {1: 1, 2: 1, 3: 1, 4: None}
    member = walk.changed[(FEED, 2)]
    assert member is not None
    assert (member.holds, member.withdrawn) == (False, 6)


def test_the_links_of_a_document() -> None:
    feed = list_feeds(a_site())[0]
    base = f"{WEB_URL}/feeds/all"
    first = document_links(feed, 1, "json", full=2, web_url=WEB_URL)
    assert (first.prev_archive, first.next_url) == (None, None)
    assert first.next_archive == f"{base}/archive/00002.json"
    assert first.current == f"{base}.json"
    newest = document_links(feed, SUBSCRIPTION, "json", full=2, web_url=WEB_URL)
    assert newest.next_url == newest.prev_archive == f"{base}/archive/00002.json"
    assert not newest.is_archive


def test_archive_documents_are_numbered_with_five_digits_at_least() -> None:
    assert document_paths("all", 100_000)["atom"] == "/feeds/all/archive/100000.atom"
    assert document_paths("all", 7)["rss"] == "/feeds/all/archive/00007.rss"
