"""What an operator does while an issue goes out acts within two seconds, by the sink's record (DESIGN.md 8.5, 9)."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dateline.actions.books import report
from dateline.actions.release import cancel, pause, resume
from dateline.press import Press
from newsletter.books import Books, books
from newsletter.spec import INSTANT
from newsletter.tables import issues as issue_rows
from posts.database import reading, writing
from tests.faults.press import (
    Received,
    a_press,
    a_sink,
    assert_exact,
    delivery_program,
    kill,
    wait_until,
    watched_books,
)
from tests.newsletter.ledger_builders import a_released_issue, issue_status, on_wire

pytestmark = pytest.mark.faults

AT_MOST_S = 2.0

SIZES = [
    pytest.param(1500, id="1,500 readers"),
    pytest.param(100_000, id="100,000 readers", marks=pytest.mark.long),
]


@contextmanager
def a_send(folder: Path, recipients: int) -> Iterator[tuple[Press, int, Received]]:
    """An issue that is on its way through the delivery program, its first hundred sent."""
    with a_sink(folder, delay_s=0.004) as (port, received):
        press = a_press(folder, port, connections=4, flush_every=10)
        issue = a_released_issue(press.engine, recipients)
        program = delivery_program(press)
        try:
            with watched_books(press, issue):
                wait_until(lambda: received.count() >= 100)
                yield press, issue, received
        finally:
            kill(program)


def found_books(press: Press, issue: int) -> Books:
    """The books now."""
    with reading(press.engine) as conn:
        return books(conn, issue)


def act(press: Press, issue: int, received: Received, what: Callable[[Press, int], object]) -> None:
    """Stops an issue; asserts that nothing came later than two seconds after, and that the rest is given back."""
    what(press, issue)
    done = time.time()
    wait_until(lambda: found_books(press, issue).leased == 0 and not on_wire(press.engine, issue))
    wait_until(lambda: received.is_quiet(AT_MOST_S))
    assert received.times()[-1] - done <= AT_MOST_S


@pytest.mark.parametrize("recipients", SIZES)
def test_a_pause_and_its_end_act_within_two_seconds(tmp_path: Path, recipients: int) -> None:
    with a_send(tmp_path, recipients) as (press, issue, received):
        act(press, issue, received, pause)
        count = received.count()
        found = found_books(press, issue)
        assert (found.sent, found.in_doubt, found.queued) == (count, 0, recipients - count)
        resume(press, issue)
        resumed = time.time()
        wait_until(lambda: received.count() > count)
        assert received.times()[count] - resumed <= AT_MOST_S
        if recipients < 10_000:
            wait_until(lambda: issue_status(press.engine, issue) == "done")
            assert_exact(press, issue, received, recipients)
    assert received.repeats() == {}


@pytest.mark.parametrize("recipients", SIZES)
def test_a_cancellation_acts_within_two_seconds_and_the_rest_is_excluded(
    tmp_path: Path, recipients: int
) -> None:
    with a_send(tmp_path, recipients) as (press, issue, received):
        act(press, issue, received, cancel)
        count = received.count()
        found = report(press, issue).books
    assert (found.sent, found.in_doubt) == (count, 0)
    assert found.excluded == {"cancelled": recipients - count}
    assert received.repeats() == {}


def test_a_small_issue_does_not_wait_for_a_big_one_that_is_on_its_way(tmp_path: Path) -> None:
    recipients = 6000
    with a_send(tmp_path, recipients) as (press, big, received):
        small = a_released_issue(press.engine, 200, newsletter="alerts")
        released = received.count()
        wait_until(lambda: issue_status(press.engine, small) == "done")
        assert issue_status(press.engine, big) == "released"
    smalls = {f"reader{n}@example.net" for n in range(recipients + 1, recipients + 201)}
    order = received.order()
    last = max(place for place, who in enumerate(order) if who in smalls)
    assert smalls <= set(order)
    assert last - released < recipients / 2
    assert received.repeats() == {}


def test_an_instant_issue_goes_before_all_that_are_on_their_way(tmp_path: Path) -> None:
    """More big ones than are sent at a time, each a single batch: in turn it would come when the first has ended."""
    big = 1500
    with a_sink(tmp_path, delay_s=0.004) as (port, received):
        press = a_press(tmp_path, port)
        issues = [a_released_issue(press.engine, big, batch=big) for _ in range(5)]
        program = delivery_program(press)
        with watched_books(press, *issues):
            wait_until(lambda: received.count() >= 100)
            instant = a_released_issue(press.engine, 100, newsletter="alerts", status="draft")
            with writing(press.engine) as conn:
                values = {"frequency": INSTANT, "status": "released"}
                conn.execute(issue_rows.update().where(issue_rows.c.id == instant).values(values))
            released = received.count()
            wait_until(lambda: issue_status(press.engine, instant) == "done")
            done = received.count()
        kill(program)
    assert done - released < 5 * big / 2
    assert received.repeats() == {}
