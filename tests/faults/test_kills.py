"""kill -9 in the middle of a send: nobody is left out, repeats are bounded, named and the same bytes (DESIGN.md 8.6)."""

import json
import random
import time
from pathlib import Path

import pytest

from dateline.actions.books import report
from dateline.actions.release import cancel
from tests.actions.mailing import Clock
from tests.faults.manners import Plan
from tests.faults.press import (
    a_press,
    a_sink,
    assert_exact,
    by_hand,
    command,
    deliver_to_the_end,
    delivery_program,
    kill,
    own_program,
    wait_until,
    watched_books,
)
from tests.faults.program import impatience
from tests.newsletter.ledger_builders import a_released_issue, issue_status

CONNECTIONS, FLUSH_EVERY = 4, 10
BOUND = 2 * CONNECTIONS + FLUSH_EVERY
"""Deliveries in doubt after one kill: a final dot and an envelope on each connection, and what was not yet flushed."""

pytestmark = pytest.mark.faults

LONG = pytest.mark.long


@pytest.mark.parametrize(
    ("recipients", "kills", "connections", "flush_every"),
    [
        pytest.param(600, 3, CONNECTIONS, FLUSH_EVERY, id="as a rule"),
        pytest.param(120, 2, 1, 1, id="one at a time"),
        pytest.param(600, 2, 20, 20, id="twenty connections"),
        pytest.param(5000, 50, CONNECTIONS, FLUSH_EVERY, id="fifty kills", marks=LONG),
        pytest.param(5000, 50, 20, 20, id="fifty kills of twenty connections", marks=LONG),
        pytest.param(1000, 50, 1, 1, id="fifty kills one at a time", marks=LONG),
    ],
)
def test_after_kills_everybody_has_it_and_every_repeat_is_named(
    tmp_path: Path, recipients: int, kills: int, connections: int, flush_every: int
) -> None:
    with a_sink(tmp_path, delay_s=0.004) as (port, received):
        press = a_press(tmp_path, port, connections=connections, flush_every=flush_every)
        issue = a_released_issue(press.engine, recipients, batch=100)
        with watched_books(press, issue):
            for goal, more_s in random_moments(recipients, kills):
                process = delivery_program(press)
                wait_until(lambda goal=goal: received.count() >= goal)  # type: ignore[misc]  # a lambda of nothing
                time.sleep(more_s)  # chance, so that it dies anywhere between two answers
                kill(process)
            ended = by_hand(press, "--until-done")
        assert ended.returncode == 0, ended.stderr
        bound = 2 * connections + flush_every
        assert_exact(press, issue, received, recipients, stopped_at_most=bound, kills=kills)


def random_moments(recipients: int, kills: int) -> list[tuple[int, float]]:
    """After how many messages, and how many seconds later, each kill comes."""
    chance = random.Random(kills)
    goals = sorted(chance.randrange(recipients - kills) for _ in range(kills))
    return [(goal, chance.uniform(0.0, 0.02)) for goal in goals]


def test_kills_beside_a_relay_that_misbehaves_lose_nobody(tmp_path: Path) -> None:
    plan = Plan(seed=4, close_after_dot=0.015, drop_after_dot=0.015, slow=0.02, slow_s=0.05)
    recipients, kills = 300, 2
    with a_sink(tmp_path, delay_s=0.004, plan=plan) as (port, received):
        clock = Clock()
        press = a_press(
            tmp_path,
            port,
            connections=CONNECTIONS,
            flush_every=FLUSH_EVERY,
            clock=clock,
            patience=impatience(2),
        )
        issue = a_released_issue(press.engine, recipients, batch=100)
        with watched_books(press, issue):
            for goal, more_s in random_moments(recipients - 100, kills):
                process = own_program(press, "--limit", "2")
                wait_until(lambda goal=goal: received.count() >= goal)  # type: ignore[misc]  # a lambda of nothing
                time.sleep(more_s)
                kill(process)
            deliver_to_the_end(press, clock, issue)
        lost = sum(received.misdeeds()[what] for what in ("close after dot", "drop after dot"))
        assert lost
        assert_exact(
            press, issue, received, recipients, stopped_at_most=BOUND, kills=kills, lost=lost
        )


def test_with_hold_nobody_gets_it_twice_and_each_in_doubt_is_named_and_settled(
    tmp_path: Path,
) -> None:
    with a_sink(tmp_path, delay_s=0.004) as (port, received):
        press = a_press(tmp_path, port, in_doubt="hold")
        issue = a_released_issue(press.engine, 200, batch=100)
        with watched_books(press, issue):
            process = delivery_program(press)
            wait_until(lambda: received.count() >= 80)
            kill(process)
            ended = by_hand(press, "--until-done")
        assert ended.returncode == 0, ended.stderr
        assert received.repeats() == {}
        told = command(press, "issues", "report", str(issue), "--json")
        doubted = [doubt["address"] for doubt in json.loads(told)["doubts"]]
        found = report(press, issue).books
        assert (found.sent, found.in_doubt) == (200 - len(doubted), len(doubted))
        assert 0 < len(doubted) <= BOUND
        everybody = {f"reader{n}@example.net" for n in range(1, 201)}
        assert everybody - set(received.order()) <= set(doubted), "lost, and not named"
        assert issue_status(press.engine, issue) == "released"

        one, *others = doubted
        before = len(received.lines())
        command(press, "issues", "resolve", str(issue), "--sent", one)
        command(press, "issues", "resolve", str(issue), "--resend")
        by_hand(press, "--until-done")
        lines = received.lines()
        assert sorted(who for who, _, _ in lines[before:]) == sorted(others)
        assert len(set(lines)) == len({who for who, _, _ in lines}), "a repeat is another message"
        found = report(press, issue).books
        assert (found.sent, found.in_doubt, found.balance) == (200, 0, True)
        assert issue_status(press.engine, issue) == "done"


def test_what_is_in_doubt_in_a_cancelled_issue_stays_so_and_is_not_repeated(
    tmp_path: Path,
) -> None:
    with a_sink(tmp_path, delay_s=0.004) as (port, received):
        press = a_press(tmp_path, port)
        issue = a_released_issue(press.engine, 200, batch=100)
        process = delivery_program(press)
        wait_until(lambda: received.count() >= 80)
        kill(process)
        cancel(press, issue)
        count = received.count()
        by_hand(press)
        assert by_hand(press, "--until-done").returncode == 0
        assert received.count() == count
        found = report(press, issue)
    assert received.repeats() == {}
    assert found.books.balance
    assert 0 < found.books.in_doubt <= BOUND
    assert len(found.doubts) == found.books.in_doubt
    assert found.books.excluded == {
        "cancelled": 200 - found.books.sent - found.books.in_doubt,
    }
    assert found.books.sent <= count <= found.books.sent + found.books.in_doubt


def test_the_program_ends_within_a_second_of_its_daemon_and_leaves_nothing_open(
    tmp_path: Path,
) -> None:
    with a_sink(tmp_path, delay_s=0.004) as (port, received):
        press = a_press(tmp_path, port)
        issue = a_released_issue(press.engine, 2000)
        process = delivery_program(press)
        wait_until(lambda: received.count() >= 80)
        assert process.stdin is not None
        process.stdin.close()
        process.wait(timeout=1.0)
        found = report(press, issue).books
    assert found.balance
    assert found.leased == 0
    assert found.in_doubt <= BOUND


def test_sigterm_ends_it_in_good_order_with_nothing_in_doubt(tmp_path: Path) -> None:
    with a_sink(tmp_path, delay_s=0.004) as (port, received):
        press = a_press(tmp_path, port)
        issue = a_released_issue(press.engine, 2000)
        with watched_books(press, issue):
            process = delivery_program(press)
            wait_until(lambda: received.count() >= 80)
            process.terminate()
            assert process.wait(timeout=10) == 0
        count = received.count()
        found = report(press, issue).books
    assert found.balance
    assert (found.in_doubt, found.leased) == (0, 0)
    assert found.sent == count


def test_a_second_sender_follows_the_first_and_a_second_program_names_it(tmp_path: Path) -> None:
    with a_sink(tmp_path, delay_s=0.004) as (port, received):
        press = a_press(tmp_path, port)
        a_released_issue(press.engine, 400)
        process = delivery_program(press)
        wait_until(lambda: received.count() >= 20)
        followed = by_hand(press)
        assert "sent by the daemon's delivery program" in followed.stdout
        other = delivery_program(press)
        assert other.wait(timeout=30) == 1
        assert f"process {process.pid}" in (tmp_path / "deliver.log").read_text()
        kill(process)
    assert received.repeats() == {}
