"""`newsletter/retry.py`: weather costs nothing, a 4xx is tried for a day and eight times, a 5xx is the end (8.11)."""

from datetime import UTC, datetime, timedelta

import pytest

from newsletter.retry import LEAST_ATTEMPTS, MOST_LOST, Verdict, verdict, wait_after
from newsletter.transport.base import Kind, Outcome

NOW = datetime(2026, 9, 15, 18, 0, tzinfo=UTC)
DAY = timedelta(hours=24)
MINUTE = timedelta(minutes=1)
GREYLISTED = Outcome(kind=Kind.TEMPORARY, code=451, enhanced="4.7.1", text="4.7.1 greylisted")


def found(
    outcome: Outcome,
    *,
    attempts: int = 0,
    first_refused: datetime | None = None,
    chance: float = 0.5,
    lost_before: int = 0,
) -> Verdict:
    """The verdict at NOW with a day to try."""
    return verdict(
        outcome,
        attempts=attempts,
        first_refused=first_refused,
        now=NOW,
        retry_for=DAY,
        chance=chance,
        lost_before=lost_before,
    )


@pytest.mark.parametrize(
    ("attempts_before", "since_first", "state"),
    [
        pytest.param(0, None, "deferred", id="the first refusal"),
        pytest.param(6, DAY * 3, "deferred", id="three days, but the seventh attempt"),
        pytest.param(7, DAY - MINUTE, "deferred", id="the eighth attempt, but not a day"),
        pytest.param(7, DAY, "failed", id="the eighth attempt after a day"),
        pytest.param(40, DAY - MINUTE, "deferred", id="forty attempts within the day"),
        pytest.param(40, DAY * 2, "failed", id="forty attempts, two days"),
    ],
)
def test_a_recipient_is_given_up_after_a_day_of_its_own_and_eight_attempts(
    attempts_before: int, since_first: timedelta | None, state: str
) -> None:
    first = None if since_first is None else NOW - since_first
    made = found(GREYLISTED, attempts=attempts_before, first_refused=first)
    assert made.state == state
    assert made.attempts == attempts_before + 1
    assert (made.not_before is None) == (state == "failed")
    assert LEAST_ATTEMPTS == 8


def test_the_clock_of_a_recipient_starts_at_its_own_first_refusal_and_stays_there() -> None:
    first = found(GREYLISTED)
    assert first.first_refused == NOW
    later = found(GREYLISTED, attempts=1, first_refused=NOW - DAY)
    assert later.first_refused == NOW - DAY


@pytest.mark.parametrize("kind", [Kind.WEATHER, Kind.OURS])
def test_weather_and_our_own_fault_use_up_nothing(kind: Kind) -> None:
    refused = NOW - DAY * 9
    made = found(Outcome(kind=kind, code=421), attempts=30, first_refused=refused)
    assert made == Verdict(state=None, attempts=30, first_refused=refused)


def test_accepted_is_sent_with_the_relays_words() -> None:
    made = found(Outcome(kind=Kind.ACCEPTED, code=250, enhanced="2.0.0", text="2.0.0 as 4F2"))
    assert (made.state, made.code, made.reply, made.attempts) == ("sent", 250, "2.0.0 as 4F2", 1)
    assert made.is_final


@pytest.mark.parametrize(
    ("code", "enhanced", "text", "dead"),
    [
        pytest.param(550, "5.1.1", "5.1.1 user unknown", True, id="nobody there"),
        pytest.param(550, "5.7.1", "5.7.1 blocked: spam", False, id="a block is about us"),
        pytest.param(552, "5.2.2", "5.2.2 mailbox full", False, id="a full mailbox is alive"),
    ],
)
def test_a_refusal_for_good_fails_at_once_and_is_dead_only_where_nobody_is_there(
    code: int, enhanced: str, text: str, dead: bool
) -> None:
    made = found(Outcome(kind=Kind.PERMANENT, code=code, enhanced=enhanced, text=text))
    assert (made.state, made.reason, made.dead) == ("failed", "refused", dead)
    assert made.is_final


def test_a_lost_answer_is_doubt_that_costs_no_attempt_and_comes_back_soon() -> None:
    made = found(Outcome(kind=Kind.UNKNOWN), attempts=2, lost_before=0)
    assert (made.state, made.reason, made.attempts) == ("in doubt", "lost reply", 2)
    assert made.not_before is not None
    assert NOW < made.not_before <= NOW + 2 * MINUTE


def test_a_relay_that_always_hangs_up_after_the_dot_is_left_to_a_person() -> None:
    assert found(Outcome(kind=Kind.UNKNOWN), lost_before=MOST_LOST - 1).reason == "lost reply"
    made = found(Outcome(kind=Kind.UNKNOWN), lost_before=MOST_LOST)
    assert (made.state, made.reason, made.not_before) == ("in doubt", "held", None)


def test_waits_double_from_five_minutes_to_four_hours() -> None:
    waits = [wait_after(n, 0.5) for n in range(1, 9)]
    assert waits[:3] == [5 * MINUTE, 10 * MINUTE, 20 * MINUTE]
    assert waits == sorted(waits)
    assert wait_after(500, 0.5) == 240 * MINUTE
    # eight attempts are made well within the day that they are given
    assert sum(waits[:7], timedelta()) < DAY


def test_chance_spreads_retries_over_a_quarter_of_the_wait() -> None:
    assert wait_after(1, 0.0) == 5 * MINUTE * 0.875
    assert wait_after(1, 0.999) < 5 * MINUTE * 1.125
    assert wait_after(1, 0.0) < wait_after(1, 0.4) < wait_after(1, 0.8)


def test_a_long_answer_is_cut_before_it_is_stored() -> None:
    made = found(Outcome(kind=Kind.PERMANENT, code=550, text="x" * 5000))
    assert made.reply is not None
    assert len(made.reply) == 500


def test_a_first_refusal_by_a_clock_that_was_a_year_ahead_counts_from_now() -> None:
    later = found(GREYLISTED, attempts=3, first_refused=NOW + timedelta(days=365))
    assert (later.state, later.first_refused) == ("deferred", NOW)
