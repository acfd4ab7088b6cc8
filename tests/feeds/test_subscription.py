"""Which posts the document that readers subscribe to shows."""

from typing import Any

from feeds.archive import Place
from feeds.subscription import subscription_places, within_budget


def a_place(post: int, **values: Any) -> Place:
    """A place whose post was published in the second of its number, and stands in the archive."""
    return Place(
        **{
            "post": post,
            "at": post,
            "moment": post,
            "is_public": True,
            "stamp": b"",
            "withdrawn": None,
            "in_tail": False,
            "order": post,
            **values,
        }
    )


def posts(places: list[Place]) -> list[int]:
    """Their row ids."""
    return [place.post for place in places]


def test_the_tail_is_there_though_it_is_not_among_the_newest() -> None:
    newest = [a_place(9), a_place(8)]
    assert posts(subscription_places(newest, [a_place(3, in_tail=True)], [], 2)) == [9, 8, 3]


def test_the_newest_comes_first_by_what_the_feed_orders_by() -> None:
    newest = [a_place(1, order=50), a_place(9)]
    assert posts(subscription_places(newest, [], [], 50)) == [1, 9]


def test_a_withdrawal_stays_while_it_is_newer_than_the_oldest_shown() -> None:
    newest = [a_place(9), a_place(8)]
    taken_back = [a_place(3, at=10, withdrawn=10), a_place(4, at=5, withdrawn=5)]
    assert posts(subscription_places(newest, [], taken_back, 2)) == [3, 9, 8]


def test_in_a_feed_that_is_not_full_every_withdrawal_stays() -> None:
    taken_back = [a_place(3, at=5, withdrawn=5)]
    assert posts(subscription_places([a_place(9)], [], taken_back, 50)) == [9, 3]


def test_what_does_not_fit_the_budget_is_left_to_the_archive() -> None:
    places = [a_place(post) for post in (9, 8, 7, 6)]
    sizes = {9: 40, 8: 40, 7: 40, 6: 1}
    assert posts(within_budget(places, sizes, 100)) == [9, 8]


def test_the_newest_place_stays_whatever_its_size() -> None:
    assert posts(within_budget([a_place(9), a_place(8)], {9: 500, 8: 1}, 100)) == [9]


def test_the_tail_stays_whatever_its_size() -> None:
    places = [a_place(9, in_tail=True), a_place(8), a_place(7, in_tail=True)]
    assert posts(within_budget(places, {9: 80, 8: 30, 7: 80}, 100)) == [9, 7]
