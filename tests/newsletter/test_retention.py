"""Deliveries of finished issues give way to their totals, and nothing else does (DESIGN.md 7, `keep_deliveries`)."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from newsletter import retention
from newsletter.books import Books, books
from newsletter.retention import (
    delete_deliveries,
    list_finished,
    list_with_leftovers,
    save_totals,
)
from newsletter.tables import batches, deliveries, doubts, editions, issues, sealed_parts
from posts.database import reading, writing
from tests.newsletter.ledger_builders import NOW, a_released_issue

DAY = timedelta(days=1)
ENDED = NOW + DAY
BEFORE = NOW + 2 * DAY


def _ended(engine: sa.Engine, status: str = "done", *, doubt: bool = False) -> int:
    """An issue to seven readers that ended, with one in each state that may be left then."""
    issue = a_released_issue(engine, 7, batch=3)
    with writing(engine) as conn:
        conn.execute(
            sa.update(issues).where(issues.c.id == issue).values(status=status, finished=ENDED)
        )
        for number, state, reason in (
            (1, "sent", None),
            (2, "sent", None),
            (3, "failed", None),
            (4, "excluded", "paused"),
            (5, "excluded", "unsubscribed"),
            (6, "in doubt" if doubt else "sent", None),
            (7, None if status == "cancelled" else "sent", None),
        ):
            conn.execute(
                sa.update(deliveries)
                .where(deliveries.c.issue == issue, deliveries.c.number == number)
                .values(state=state, reason=reason)
            )
        conn.execute(
            sa.insert(doubts).values(
                issue=issue, number=1, why="lost reply", at=NOW, settled="resent, sent"
            )
        )
    return issue


def _rows(engine: sa.Engine, table: sa.Table, issue: int) -> int:
    with reading(engine) as conn:
        query = sa.select(sa.func.count()).where(table.c.issue == issue)
        return conn.execute(query).scalar_one()


def _books(engine: sa.Engine, issue: int) -> Books:
    with reading(engine) as conn:
        return books(conn, issue)


@pytest.mark.parametrize("status", ["done", "cancelled"])
def test_the_books_are_the_same_before_while_and_after_the_rows_go(
    engine: sa.Engine, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "SLICE", 3)
    issue, other = _ended(engine, status), _ended(engine)
    first = _books(engine, issue)
    with writing(engine) as conn:
        assert save_totals(conn, issue, BEFORE)
    seen, left = [_books(engine, issue)], []
    while True:
        with writing(engine) as conn:
            gone = delete_deliveries(conn, issue)
        seen.append(_books(engine, issue))
        left.append(_rows(engine, deliveries, issue))
        if not gone:
            break
    assert left == [4, 1, 0, 0]
    assert all(one == first and one.balance for one in seen)
    assert first.excluded["paused"] == 1
    assert [_rows(engine, table, issue) for table in (batches, doubts)] == [0, 0]
    assert _rows(engine, deliveries, other) == 7
    with reading(engine) as conn:
        assert list_with_leftovers(conn) == []


def test_the_seals_stay(engine: sa.Engine) -> None:
    issue = _ended(engine)
    with writing(engine) as conn:
        save_totals(conn, issue, BEFORE)
        while delete_deliveries(conn, issue):
            pass
    assert _rows(engine, editions, issue) == 1
    assert _rows(engine, sealed_parts, issue) > 0


def test_a_round_that_was_cut_short_is_gone_on_with(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "SLICE", 3)
    issue = _ended(engine)
    with writing(engine) as conn:
        save_totals(conn, issue, BEFORE)
        delete_deliveries(conn, issue)
    with reading(engine) as conn:
        assert list_finished(conn, BEFORE) == []
        assert list_with_leftovers(conn) == [issue]


def test_rows_go_only_once_the_totals_stand(engine: sa.Engine) -> None:
    issue = _ended(engine)
    with writing(engine) as conn:
        assert delete_deliveries(conn, issue) == 0
    assert _rows(engine, deliveries, issue) == 7


@pytest.mark.parametrize("what", ["young", "released", "paused", "in doubt", "in hand"])
def test_an_issue_that_is_not_finished_keeps_its_rows(engine: sa.Engine, what: str) -> None:
    issue = _ended(
        engine,
        what if what in ("released", "paused") else "cancelled",
        doubt=what == "in doubt",
    )
    with writing(engine) as conn:
        if what == "in hand":
            conn.execute(sa.update(batches).values(owner="somebody", lease=NOW))
        before = ENDED if what == "young" else BEFORE
        assert list_finished(conn, before) == []
        assert not save_totals(conn, issue, before)
    assert _rows(engine, deliveries, issue) == 7


def test_totals_are_written_once(engine: sa.Engine) -> None:
    issue = _ended(engine)
    with writing(engine) as conn:
        assert list_finished(conn, BEFORE) == [issue]
        assert save_totals(conn, issue, BEFORE)
        assert list_finished(conn, BEFORE) == []
        assert not save_totals(conn, issue, BEFORE)
