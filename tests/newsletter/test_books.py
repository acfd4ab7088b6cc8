"""`newsletter/books.py`: everybody is in exactly one state, whatever happens to issue, batch and delivery."""

from datetime import datetime

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newsletter import leases
from newsletter.books import books, count_open, list_doubts, requeue_failed, resolve_doubts
from newsletter.ledger import Result, Work, flush
from newsletter.retry import Verdict
from newsletter.tables import deliveries
from posts.database import reading, writing
from tests.newsletter.ledger_builders import (
    KEYS,
    MINUTE,
    NOW,
    a_released_issue,
    issue_status,
    leave,
    set_status,
    states,
)

OUTCOMES = ["sent", "failed", "deferred", "in doubt", None]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["send", "send", "kill", "leave", "pause", "resume", "cancel"]),
        st.lists(st.sampled_from(OUTCOMES), min_size=9, max_size=9),
        st.integers(1, 9),
    ),
    min_size=1,
    max_size=8,
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
def test_the_books_balance_after_every_step(
    engine: sa.Engine, steps: list[tuple[str, list[str | None], int]]
) -> None:
    issue = a_released_issue(engine, 9, batch=4)
    now = NOW
    for act, outcomes, reader in steps:
        now += MINUTE
        if act in ("send", "kill"):
            _work(engine, issue, outcomes, now, killed=act == "kill")
        elif act == "leave":
            with reading(engine) as conn:
                chosen = sa.select(deliveries.c.subscriber).where(
                    deliveries.c.issue == issue, deliveries.c.number == reader
                )
                subscriber = conn.execute(chosen).scalar_one()
            leave(engine, subscriber)
        elif issue_status(engine, issue) != "cancelled":
            names = {"pause": "paused", "resume": "released", "cancel": "cancelled"}
            set_status(engine, issue, names[act])
        with reading(engine) as conn:
            found = books(conn, issue)
        assert found.balance, found
        assert found.recipients == 9


def _work(
    engine: sa.Engine, issue: int, outcomes: list[str | None], now: datetime, *, killed: bool
) -> None:
    """A worker leases a batch, sends some of it, and gives it back or is killed."""
    with writing(engine) as conn:
        leases.recover(conn, now)
        batch = leases.lease_batch(conn, "w", now, now + MINUTE / 2, only=issue)
    if batch is None:
        return
    with reading(engine) as conn:
        rows = leases.list_deliveries(conn, batch, KEYS, now, "resend")
    with writing(engine) as conn:
        named = flush(conn, Work(batch=batch, wanted=rows), now, now + MINUTE / 2).named
    if killed:
        return
    verdicts = {
        delivery: Verdict(state=outcomes[delivery.number - 1], not_before=now, attempts=1)
        for delivery in rows
        if delivery.number in named
    }
    results = [Result(delivery=delivery, verdict=found) for delivery, found in verdicts.items()]
    with writing(engine) as conn:
        flush(conn, Work(batch=batch, results=results), now, now + MINUTE / 2)
        leases.settle_batch(conn, batch, now, "resend")


def test_of_a_cancelled_issue_the_rest_is_excluded_and_doubt_stays_doubt(
    engine: sa.Engine,
) -> None:
    issue = a_released_issue(engine, 4)
    _set(engine, issue, {1: "sent", 2: "in doubt", 3: "deferred"})
    set_status(engine, issue, "cancelled")
    with reading(engine) as conn:
        found = books(conn, issue)
    assert (found.sent, found.in_doubt, found.queued, found.deferred) == (1, 1, 0, 0)
    assert found.excluded == {"cancelled": 2}


def test_of_a_paused_issue_the_rest_is_queued(engine: sa.Engine) -> None:
    issue = a_released_issue(engine, 4)
    with writing(engine) as conn:
        leases.lease_batch(conn, "w", NOW, NOW + MINUTE)
    with reading(engine) as conn:
        assert (books(conn, issue).leased, books(conn, issue).queued) == (4, 0)
    set_status(engine, issue, "paused")
    with reading(engine) as conn:
        assert (books(conn, issue).leased, books(conn, issue).queued) == (0, 4)


@pytest.mark.parametrize(
    ("code", "reply", "code_class"),
    [
        pytest.param(550, "5.1.1 nobody here", "5.1", id="enhanced"),
        pytest.param(450, "4.2.2 full, refused for too long", "4.2", id="given up"),
        pytest.param(550, "no such user", "550", id="plain"),
        pytest.param(554, "5xx policy", "554", id="not quite enhanced"),
        pytest.param(None, None, "none", id="never answered"),
    ],
)
def test_failures_are_counted_by_class_of_code(
    engine: sa.Engine, code: int | None, reply: str | None, code_class: str
) -> None:
    issue = a_released_issue(engine, 3)
    _set(engine, issue, {1: "failed", 2: "failed"})
    with writing(engine) as conn:
        conn.execute(deliveries.update().values(code=code, reply=reply))
    with reading(engine) as conn:
        found = books(conn, issue)
    assert (found.failed, found.failures) == (2, {code_class: 2})


def test_failed_deliveries_get_a_new_start_and_a_done_issue_is_released_again(
    engine: sa.Engine,
) -> None:
    issue = a_released_issue(engine, 3)
    _set(engine, issue, {1: "sent", 2: "failed", 3: "failed"})
    _give_back(engine)
    set_status(engine, issue, "done")
    with writing(engine) as conn:
        assert requeue_failed(conn, issue, NOW) == 2
    assert states(engine, issue) == {1: "sent", 2: None, 3: None}
    assert issue_status(engine, issue) == "released"
    with writing(engine) as conn:
        assert leases.lease_batch(conn, "w", NOW, NOW + MINUTE) is not None


def test_doubts_are_settled_by_hand_either_way(engine: sa.Engine) -> None:
    issue = a_released_issue(engine, 3)
    with writing(engine) as conn:
        batch = leases.lease_batch(conn, "w", NOW, NOW + MINUTE)
        assert batch is not None
        rows = leases.list_deliveries(conn, batch, KEYS, NOW, "hold")
        flush(conn, Work(batch=batch, wanted=rows), NOW, NOW + MINUTE)
        leases.recover(conn, NOW, everyone=True)
    with writing(engine) as conn:
        assert resolve_doubts(conn, issue, [1], resend=False, now=NOW) == 1
        assert resolve_doubts(conn, issue, [2], resend=True, now=NOW) == 1
        assert resolve_doubts(conn, issue, [1, 2], resend=True, now=NOW) == 0
    assert states(engine, issue) == {1: "sent", 2: None, 3: "in doubt"}
    with reading(engine) as conn:
        settled = [doubt.settled for doubt in list_doubts(conn, issue)]
        assert (count_open(conn), count_open(conn, in_doubt="hold")) == (2, 1)
    assert settled == ["taken as sent by hand", "resent by hand", None]


def _set(engine: sa.Engine, issue: int, wanted: dict[int, str]) -> None:
    with writing(engine) as conn:
        for number, state in wanted.items():
            conn.execute(
                deliveries.update()
                .where(deliveries.c.issue == issue, deliveries.c.number == number)
                .values(state=state)
            )


def _give_back(engine: sa.Engine) -> None:
    with writing(engine) as conn:
        batch = leases.lease_batch(conn, "w", NOW, NOW + MINUTE)
        assert batch is not None
        leases.settle_batch(conn, batch, NOW, "resend")
