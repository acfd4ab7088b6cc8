"""`newsletter/flusher.py`: an idle look costs nothing, and never hides what came to be."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from newsletter.flusher import Flusher, Request
from newsletter.ledger import Standing, Work
from newsletter.progress import SenderReport
from newsletter.sealed import Messages
from newsletter.senders import list_senders, record_sender
from newsletter.tables import batches
from posts.database import reading, writing
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


def _reported(engine: sa.Engine) -> dict[str, int]:
    with reading(engine) as conn:
        return {one.owner: one.report.sent for one in list_senders(conn, NOW)}


def test_a_report_is_written_in_the_turn_that_is_taken_anyway(engine: sa.Engine) -> None:
    flusher, reports = _flusher(engine), [SenderReport(sent=4), None]
    flusher.report = lambda: reports.pop(0)
    flusher.turn(Request())
    flusher.turn(Request())
    assert (_reported(engine), reports) == ({"me": 4}, [])


def test_at_rest_a_look_writes_the_report(engine: sa.Engine) -> None:
    flusher = _flusher(engine)
    flusher.look()
    flusher.report = lambda: SenderReport(sent=4)
    flusher.look()
    assert _reported(engine) == {"me": 4}


def test_who_takes_all_leases_over_forgets_all_who_sent(engine: sa.Engine) -> None:
    with writing(engine) as conn:
        record_sender(conn, "dead", SenderReport(), NOW)
    _flusher(engine).recover(everyone=False)
    assert _reported(engine) == {"dead": 0}
    _flusher(engine).recover(everyone=True)
    assert _reported(engine) == {}


def test_a_lapsed_lease_of_another_is_taken_over_and_our_own_is_renewed_first(
    engine: sa.Engine,
) -> None:
    ours = a_released_issue(engine, 2, newsletter="ours")
    theirs = a_released_issue(engine, 2, newsletter="theirs")
    other, me = _flusher(engine), _flusher(engine)
    other.owner, other.only, me.only = "other", theirs, ours
    assert other.turn(Request(lease_one=True)).leased is not None
    mine = me.turn(Request(lease_one=True)).leased
    assert mine is not None
    stepped = NOW + timedelta(hours=1)
    me.clock = lambda: stepped
    looked = me.look().waiting
    assert looked is not None
    assert looked.lapsed
    work = Work(batch=mine, keep=(), wanted=(), results=())
    answer = me.turn(Request(works=[work], recover=True))
    assert answer.flushed[mine.id].standing is Standing.HELD
    with reading(engine) as conn:
        owners = dict(conn.execute(sa.select(batches.c.issue, batches.c.owner)).all())
    assert owners == {ours: "me", theirs: None}
