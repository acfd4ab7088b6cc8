"""Relays that hang, hang up, refuse, dawdle and send us away: nobody is lost, and a repeat is only ever of a message
whose answer the relay kept to itself (DESIGN.md 8.6 and 8.11)."""

import time
from pathlib import Path

import pytest

from dateline.actions.deliver import deliver
from tests.actions.mailing import Clock
from tests.faults.manners import Plan
from tests.faults.press import a_press, a_sink, assert_exact, deliver_to_the_end, watched_books
from tests.faults.program import impatience
from tests.newsletter.ledger_builders import a_released_issue

pytestmark = pytest.mark.faults

LONG = pytest.mark.long
RECIPIENTS = 120

MIXED = {
    "greet_421": 0.2,
    "refuse_every": 10,
    "refuse_for_good": 0.03,
    "refuse_at_dot": 0.02,
    "hang_at_data": 0.002,
    "hang_after_text": 0.002,
    "close_after_dot": 0.01,
    "drop_after_dot": 0.01,
    "slow": 0.03,
    "slow_s": 0.1,
}


@pytest.mark.parametrize(
    ("plan", "misdeeds"),
    [
        pytest.param(Plan(hang_at_data=0.02), ["hang at DATA"], id="hangs after DATA"),
        pytest.param(Plan(hang_after_text=0.02), ["hang after text"], id="hangs after the dot"),
        pytest.param(Plan(close_after_dot=0.05), ["close after dot"], id="closes after the dot"),
        pytest.param(
            Plan(drop_after_dot=0.05), ["drop after dot"], id="closes after the dot and forgets"
        ),
        pytest.param(Plan(refuse_every=10), ["refused for now"], id="4xx to every tenth"),
        pytest.param(Plan(refuse_at_dot=0.1), ["refused at dot"], id="4xx after the dot"),
        pytest.param(Plan(refuse_for_good=0.1), ["refused for good"], id="5xx to some"),
        pytest.param(Plan(slow=0.2, slow_s=0.2), [], id="answers slowly"),
        pytest.param(Plan(greet_421=0.5), ["greeted with 421"], id="greets with 421"),
    ],
)
def test_whatever_a_relay_does_each_has_it_and_only_a_lost_reply_makes_a_repeat(
    tmp_path: Path, plan: Plan, misdeeds: list[str]
) -> None:
    received = deliver_through(tmp_path, plan, RECIPIENTS, connections=4)
    assert set(misdeeds) <= set(received)


def test_a_relay_that_takes_fewer_connections_than_are_set_is_not_left_alone_for_it(
    tmp_path: Path,
) -> None:
    """The one that it takes ends after a hundred messages; the refusal of the second must not hold up the third."""
    with a_sink(tmp_path, plan=Plan(most_connections=1)) as (port, received):
        press = a_press(tmp_path, port, connections=3)
        issue = a_released_issue(press.engine, 230, batch=50)
        deadline = time.monotonic() + 30
        assert deliver(press, stop=lambda: time.monotonic() > deadline).trouble is None
        assert "greeted with 421" in received.misdeeds()
        assert_exact(press, issue, received, 230)


@pytest.mark.parametrize(
    ("seed", "recipients", "connections"),
    [
        pytest.param(1, 300, 4, id="four connections"),
        pytest.param(2, 60, 1, id="one connection"),
        pytest.param(3, 300, 20, id="twenty connections"),
        *(
            pytest.param(seed, 5000, 20, id=f"5000 readers, plan {seed}", marks=LONG)
            for seed in range(4, 9)
        ),
    ],
)
def test_all_misdeeds_together_lose_nobody(
    tmp_path: Path, seed: int, recipients: int, connections: int
) -> None:
    found = deliver_through(tmp_path, Plan(seed=seed, **MIXED), recipients, connections=connections)  # type: ignore[arg-type]  # numbers
    assert len(found) > 3


def deliver_through(folder: Path, plan: Plan, recipients: int, *, connections: int) -> list[str]:
    """Sends an issue through a relay that does as planned; asserts that it came out exact, and gives the misdeeds."""
    with a_sink(folder, plan=plan) as (port, received):
        clock = Clock()
        press = a_press(folder, port, connections=connections, clock=clock, patience=impatience(1))
        issue = a_released_issue(press.engine, recipients, batch=50)
        with watched_books(press, issue):
            deliver_to_the_end(press, clock, issue)
        misdeeds = received.misdeeds()
        lost = received.lost_replies() + misdeeds["drop after dot"]
        assert_exact(press, issue, received, recipients, lost=lost)
        assert sum(received.repeats().values()) == 2 * received.lost_replies()
        return list(misdeeds)
