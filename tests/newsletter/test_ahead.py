"""Messages made ahead of their turn, in threads."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from newsletter.ahead import Ahead
from newsletter.headers import HeaderError
from newsletter.ledger import Delivery


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


def a_delivery(number: int, *, edition: int = 0) -> Delivery:
    return Delivery(
        issue=1,
        number=number,
        subscription=number,
        subscriber=number,
        edition=edition,
        address=f"reader{number}@example.net",
        address_hash="",
        name=None,
        language="en",
        since=None,
        generation=0,
    )


class Workshop:
    """Builds messages and knows how often and whether it may."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.built: list[int] = []
        self.ready = threading.Semaphore(0)

    def build(self, delivery: Delivery) -> tuple[bytes, bool]:
        self.open.wait(10)
        self.built.append(delivery.number)
        if delivery.number == 13:
            raise HeaderError("no address")
        return b"to %d of edition %d" % (delivery.number, delivery.edition), True

    def ahead(self, threads: ThreadPoolExecutor, most: int = 100) -> Ahead:
        return Ahead(self.build, threads, most=most, ready=self.ready.release)


def test_an_ordered_message_is_made_once_and_given_when_it_is_ready(
    threads: ThreadPoolExecutor,
) -> None:
    shop = Workshop()
    shop.open.clear()
    ahead = shop.ahead(threads)
    ahead.order(7, [a_delivery(1), a_delivery(2)])
    ahead.order(7, [a_delivery(1), a_delivery(2)])
    assert ahead.is_underway(7, a_delivery(1))
    shop.open.set()
    assert shop.ready.acquire(timeout=10)
    assert not ahead.is_underway(7, a_delivery(1))
    assert ahead.take(7, a_delivery(2)).body == b"to 2 of edition 0"
    assert ahead.take(7, a_delivery(1)).body == b"to 1 of edition 0"
    assert sorted(shop.built) == [1, 2]


def test_one_that_was_not_ordered_is_made_when_it_is_taken(threads: ThreadPoolExecutor) -> None:
    assert Workshop().ahead(threads).take(7, a_delivery(3)).body == b"to 3 of edition 0"


def test_a_message_of_a_replaced_edition_is_never_given_for_the_new_one(
    threads: ThreadPoolExecutor,
) -> None:
    shop = Workshop()
    ahead = shop.ahead(threads)
    ahead.order(7, [a_delivery(1)])
    assert ahead.take(7, a_delivery(1, edition=2)).body == b"to 1 of edition 2"


def test_no_more_is_made_ahead_than_there_is_room_for(threads: ThreadPoolExecutor) -> None:
    shop = Workshop()
    ahead = shop.ahead(threads, most=5)
    ahead.order(7, [a_delivery(n) for n in range(20, 40)])
    threads.shutdown(wait=True)
    assert sorted(shop.built) == [20, 21, 22, 23, 24]


def test_what_is_let_go_of_makes_room(threads: ThreadPoolExecutor) -> None:
    shop = Workshop()
    ahead = shop.ahead(threads, most=5)
    ahead.order(7, [a_delivery(n) for n in range(20, 25)])
    ahead.keep({8})
    ahead.order(8, [a_delivery(n) for n in range(30, 35)])
    threads.shutdown(wait=True)
    assert set(range(30, 35)) <= set(shop.built)


def test_an_address_that_is_none_is_told_of_that_one_alone(threads: ThreadPoolExecutor) -> None:
    ahead = Workshop().ahead(threads)
    ahead.order(7, [a_delivery(n) for n in (12, 13, 14)])
    threads.shutdown(wait=True)
    assert isinstance(ahead.take(7, a_delivery(13)).fault, HeaderError)
    assert ahead.take(7, a_delivery(12)).fault is None
    assert ahead.take(7, a_delivery(14)).body == b"to 14 of edition 0"
