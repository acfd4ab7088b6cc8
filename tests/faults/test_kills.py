"""kill -9 in the middle of a send: nobody is left out, repeats are bounded, named and the same bytes (DESIGN.md 8.6)."""

from datetime import timedelta
from pathlib import Path

import pytest

from newsletter.books import books, list_doubts
from newsletter.runs import Pace
from posts.database import reading
from tests.faults.press import (
    Received,
    a_press,
    a_sink,
    by_hand,
    delivery_program,
    kill,
    wait_until,
)
from tests.newsletter.ledger_builders import a_released_issue, issue_status

CONNECTIONS, FLUSH_EVERY = 4, 10
BOUND = 2 * CONNECTIONS + FLUSH_EVERY

pytestmark = pytest.mark.faults


@pytest.fixture
def size(request: pytest.FixtureRequest) -> tuple[int, int]:
    """Recipients and kills: a short form always, the long one with `--long`."""
    return (5000, 12) if request.config.getoption("--long") else (600, 3)


def test_the_bound_is_the_one_that_the_design_promises() -> None:
    pace = Pace(
        connections=CONNECTIONS,
        flush_every=FLUSH_EVERY,
        rate_per_s=None,
        retry_for=timedelta(hours=1),
    )
    assert pace.bound == BOUND


def test_after_kills_everybody_has_it_and_every_repeat_is_named(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    recipients, kills = size
    with a_sink(tmp_path, delay_s=0.004) as (port, received):
        press = a_press(tmp_path, port, connections=CONNECTIONS, flush_every=FLUSH_EVERY)
        issue = a_released_issue(press.engine, recipients, batch=100)
        for turn in range(1, kills + 1):
            process = delivery_program(press)
            goal = turn * recipients // (kills + 1)
            wait_until(lambda goal=goal: received.count() >= goal)  # type: ignore[misc]  # a lambda of nothing
            kill(process)
            with reading(press.engine) as conn:
                found = books(conn, issue)
                assert found.balance, found
        ended = by_hand(press, "--until-done")
        assert ended.returncode == 0, ended.stderr
        with reading(press.engine) as conn:
            found = books(conn, issue)
            doubts = list_doubts(conn, issue)
    assert (found.sent, found.recipients) == (recipients, recipients)
    assert issue_status(press.engine, issue) == "done"
    assert_all_have_it(received, recipients)
    repeats = received.repeats()
    named = {f"reader{doubt.number}@example.net" for doubt in doubts}
    assert set(repeats) <= named
    assert len(doubts) <= kills * BOUND
    assert sum(amount - 1 for amount in repeats.values()) <= kills * BOUND
    print(f"{recipients} recipients, {kills} kills, {len(doubts)} in doubt, {len(repeats)} twice")


def assert_all_have_it(received: Received, recipients: int) -> None:
    """Nobody lost; whoever got it twice got the same Message-ID and the same bytes."""
    lines = received.lines()
    assert {who for who, _, _ in lines} == {
        f"reader{n}@example.net" for n in range(1, recipients + 1)
    }
    assert len(set(lines)) == recipients


def test_with_hold_nobody_gets_it_twice_and_a_person_is_told_who_is_in_doubt(
    tmp_path: Path,
) -> None:
    with a_sink(tmp_path, delay_s=0.004) as (port, received):
        press = a_press(tmp_path, port, in_doubt="hold")
        issue = a_released_issue(press.engine, 200, batch=100)
        process = delivery_program(press)
        wait_until(lambda: received.count() >= 80)
        kill(process)
        ended = by_hand(press, "--until-done")
        assert ended.returncode == 0, ended.stderr
        with reading(press.engine) as conn:
            found = books(conn, issue)
    assert received.repeats() == {}
    assert found.balance
    assert found.sent + found.in_doubt == 200
    assert 0 < found.in_doubt <= BOUND
    assert issue_status(press.engine, issue) == "released"


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
        with reading(press.engine) as conn:
            found = books(conn, issue)
    assert found.balance
    assert found.leased == 0
    assert found.in_doubt <= BOUND


def test_sigterm_ends_it_in_good_order_with_nothing_in_doubt(tmp_path: Path) -> None:
    with a_sink(tmp_path, delay_s=0.004) as (port, received):
        press = a_press(tmp_path, port)
        issue = a_released_issue(press.engine, 2000)
        process = delivery_program(press)
        wait_until(lambda: received.count() >= 80)
        process.terminate()
        assert process.wait(timeout=10) == 0
        count = received.count()
        with reading(press.engine) as conn:
            found = books(conn, issue)
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
