"""The clock stepped in the middle of a send: leases, retries and due times go wrong by an hour, and nobody is left out
or written to twice (DESIGN.md 4 and 8.6)."""

from pathlib import Path

import pytest

from dateline.press import Press
from newsletter.books import books
from posts.database import reading
from tests.faults.manners import Plan
from tests.faults.press import (
    a_press,
    a_sink,
    assert_exact,
    kill,
    own_program,
    wait_until,
    watched_books,
)
from tests.newsletter.ledger_builders import a_released_issue, issue_status, on_wire

pytestmark = pytest.mark.faults

HOUR_S = 3600
RECIPIENTS = 300


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param((HOUR_S,), id="an hour on", marks=pytest.mark.long),
        pytest.param((-HOUR_S,), id="an hour back", marks=pytest.mark.long),
        pytest.param((HOUR_S, 0), id="an hour on and back again"),
        pytest.param((-HOUR_S, 0), id="an hour back and on again"),
    ],
)
def test_a_clock_that_is_stepped_in_the_middle_of_a_send_changes_nothing(
    tmp_path: Path, steps: tuple[int, ...]
) -> None:
    clock = tmp_path / "clock"
    clock.write_text("0")
    plan = Plan(refuse_every=10)
    with a_sink(tmp_path, delay_s=0.004, plan=plan) as (port, received):
        press = a_press(tmp_path, port)
        issue = a_released_issue(press.engine, RECIPIENTS, batch=50)
        with watched_books(press, issue):
            program = own_program(press, "--clock", str(clock))
            for place, step in enumerate(steps, 1):
                goal = place * RECIPIENTS // (len(steps) + 2)
                wait_until(lambda goal=goal: received.count() >= goal)  # type: ignore[misc]  # a lambda of nothing
                clock.write_text(str(step))
            now = max(steps)
            while issue_status(press.engine, issue) != "done":
                wait_until(lambda: all_are_tried(press, issue))
                now += 2 * HOUR_S  # the retries are due
                clock.write_text(str(now))
            kill(program)
        assert received.misdeeds()["refused for now"] > 10
        assert received.repeats() == {}
        assert_exact(press, issue, received, RECIPIENTS)


def test_a_step_while_the_relay_lets_us_wait_does_not_take_our_own_batch_from_us(
    tmp_path: Path,
) -> None:
    """Nothing is flushed while all wait for an answer, so the lease that the step made old is the one that is seen."""
    clock = tmp_path / "clock"
    clock.write_text("0")
    with a_sink(tmp_path, delay_s=1.5) as (port, received):
        press = a_press(tmp_path, port)
        issue = a_released_issue(press.engine, 4)
        with watched_books(press, issue):
            program = own_program(press, "--clock", str(clock))
            wait_until(lambda: received.count() >= 1)
            clock.write_text(str(HOUR_S))
            wait_until(lambda: issue_status(press.engine, issue) == "done")
            kill(program)
        assert received.repeats() == {}
        assert_exact(press, issue, received, 4)


def all_are_tried(press: Press, issue: int) -> bool:
    """True when whoever has no verdict waits for another try, and nothing is in hand."""
    with reading(press.engine) as conn:
        found = books(conn, issue)
    return not (found.queued or found.leased) and not on_wire(press.engine, issue)
