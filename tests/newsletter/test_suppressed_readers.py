"""Who is suppressed is found before a release and looked at again within it."""

from collections.abc import Iterable
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from newsletter import suppressed_readers
from newsletter.suppressed_readers import exclude_suppressed, find_suppressed_readers
from newsletter.suppression import suppress, unsuppress
from newsletter.tables import subscribers
from posts.database import reading, writing
from tests.newsletter.ledger_builders import KEYS, a_released_issue, states

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def _suppress(engine: sa.Engine, numbers: Iterable[int]) -> None:
    with writing(engine) as conn:
        for number in numbers:
            suppress(conn, KEYS, f"reader{number}@example.net", "dead", "550", NOW)


def test_the_suppressed_are_found_over_more_than_one_page_of_readers_and_of_suppressions(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suppressed_readers, "PAGE", 4)
    a_released_issue(engine, 17)
    wanted = [1, 4, 5, 8, 9, 16, 17]
    _suppress(engine, [*wanted, *range(100, 110)])
    with reading(engine) as conn:
        assert list(find_suppressed_readers(conn, KEYS)) == wanted


def test_the_suppressed_are_excluded_from_this_issue_alone(engine: sa.Engine) -> None:
    first, second = a_released_issue(engine, 3), a_released_issue(engine, 3)
    _suppress(engine, [4, 6])
    with writing(engine) as conn:
        found = find_suppressed_readers(conn, KEYS)
        assert exclude_suppressed(conn, second, found, KEYS, NOW) == 2
    assert states(engine, second) == {1: "excluded", 2: None, 3: "excluded"}
    assert set(states(engine, first).values()) == {None}


def test_who_was_taken_off_the_list_since_or_has_the_row_of_another_is_mailed(
    engine: sa.Engine,
) -> None:
    issue = a_released_issue(engine, 3)
    _suppress(engine, [1, 2])
    with writing(engine) as conn:
        found = find_suppressed_readers(conn, KEYS)
        unsuppress(conn, KEYS, "reader1@example.net")
        other = {"address": "new@example.net", "address_key": "new@example.net"}
        conn.execute(sa.update(subscribers).where(subscribers.c.id == 2).values(**other))
        assert exclude_suppressed(conn, issue, found, KEYS, NOW) == 0
    assert set(states(engine, issue).values()) == {None}
