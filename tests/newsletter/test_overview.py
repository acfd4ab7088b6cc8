"""`newsletter/overview.py`: what is being sent, what waits, and since when."""

from datetime import datetime, timedelta

import sqlalchemy as sa

from newsletter.overview import (
    count_open_notices,
    find_oldest_notice,
    list_next_retries,
    list_sending_issues,
)
from newsletter.tables import batches, issues, notices
from posts.database import reading, writing
from tests.newsletter.ledger_builders import MINUTE, NOW, a_released_issue

DAY = timedelta(days=1)


def set_issue(engine: sa.Engine, issue: int, **values: object) -> None:
    """Changes an issue's row."""
    with writing(engine) as conn:
        conn.execute(issues.update().where(issues.c.id == issue).values(**values))


def a_notice(engine: sa.Engine, created: datetime, state: str | None = None) -> None:
    """A mail outside issues."""
    with writing(engine) as conn:
        conn.execute(
            notices.insert().values(
                kind="confirm", recipient="ana@example.net", body=b"", state=state, created=created
            )
        )


def test_an_issue_is_listed_while_it_is_sent_and_for_a_while_after(engine: sa.Engine) -> None:
    released, paused, done, long_done, cancelled, draft = (
        a_released_issue(engine, 1) for _ in range(6)
    )
    set_issue(engine, paused, status="paused")
    set_issue(engine, done, status="done", finished=NOW)
    set_issue(engine, long_done, status="done", finished=NOW - 2 * DAY)
    set_issue(engine, cancelled, status="cancelled")
    set_issue(engine, draft, status="draft", released=None)
    with reading(engine) as conn:
        found = list_sending_issues(conn, ended_since=NOW - DAY)
        assert [one.issue for one in found] == [released, paused, done, cancelled]
        assert found[2].finished == NOW
        now = list_sending_issues(conn, ended_since=NOW + DAY)
        assert [one.status for one in now] == ["released", "paused"]


def test_the_next_retry_is_the_first_of_the_batches_that_wait(engine: sa.Engine) -> None:
    issue = a_released_issue(engine, 4, batch=1)
    with writing(engine) as conn:
        for first, values in (
            (1, {"due": NOW + 9 * MINUTE}),
            (2, {"due": NOW + 5 * MINUTE}),
            (3, {"due": NOW + MINUTE, "finished": True}),
            (4, {"due": NOW + MINUTE, "owner": "somebody"}),
        ):
            conn.execute(batches.update().where(batches.c.first == first).values(**values))
    with reading(engine) as conn:
        assert list_next_retries(conn) == {issue: NOW + 5 * MINUTE}
        assert list_next_retries(conn, [issue]) == {issue: NOW + 5 * MINUTE}
        assert list_next_retries(conn, [issue + 1]) == {}


def test_the_oldest_notice_is_one_that_was_offered_to_nobody(engine: sa.Engine) -> None:
    with reading(engine) as conn:
        assert find_oldest_notice(conn) is None
    a_notice(engine, NOW - 9 * MINUTE, state="sent")
    a_notice(engine, NOW - 5 * MINUTE, state="deferred")
    a_notice(engine, NOW - MINUTE)
    with reading(engine) as conn:
        assert find_oldest_notice(conn) == NOW - MINUTE
        assert count_open_notices(conn, "resend") == 2
