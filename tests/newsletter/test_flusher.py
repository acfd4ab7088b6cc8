"""`newsletter/flusher.py`: an idle look costs nothing, and never hides what came to be."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from newsletter.flusher import Flusher, Request
from newsletter.sealed import Messages
from tests.newsletter.ledger_builders import KEYS, NOW, a_released_issue


def _flusher(engine: sa.Engine) -> Flusher:
    return Flusher(
        engine=engine,
        keys=KEYS,
        messages=Messages(
            keys=KEYS,
            web_url="https://press.example",
            from_domain="press.example",
            zone=ZoneInfo("UTC"),
        ),
        owner="me",
        clock=lambda: NOW,
        lease=timedelta(seconds=60),
        in_doubt="resend",
    )


def _count_statements(engine: sa.Engine) -> list[str]:
    seen: list[str] = []
    sa.event.listen(engine, "before_cursor_execute", lambda *given: seen.append(given[2]))
    return seen


def test_an_idle_look_asks_the_database_nothing(sqlite_engine: sa.Engine) -> None:
    flusher = _flusher(sqlite_engine)
    flusher.look()
    seen = _count_statements(sqlite_engine)
    answer = flusher.look()
    assert seen == []
    assert answer.waiting is not None
    assert not answer.waiting.due


def test_what_is_released_after_an_idle_look_is_due_at_the_next(sqlite_engine: sa.Engine) -> None:
    flusher = _flusher(sqlite_engine)
    flusher.look()
    a_released_issue(sqlite_engine, 3)
    answer = flusher.look()
    assert answer.waiting is not None
    assert answer.waiting.due


def test_while_an_issue_is_open_every_look_asks(sqlite_engine: sa.Engine) -> None:
    a_released_issue(sqlite_engine, 3)
    flusher = _flusher(sqlite_engine)
    flusher.turn(Request(lease_one=True))
    seen = _count_statements(sqlite_engine)
    flusher.look()
    first = len(seen)
    flusher.look()
    assert first > 0
    assert len(seen) == 2 * first
