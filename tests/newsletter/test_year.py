"""The seeded year: every owed post reaches every reader once, or `explain` has the reason (issue 3, Measures)."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from tests.newsletter.newsroom import HOUR, Newsroom, a_newsletter
from tests.newsletter.year import Walk, judge

LINES = {"daily": "30 1 * * *", "weekly": "30 2 * * sun", "monthly": "0 6 1 * *"}
"""Both fall into the hours that clock changes double or skip."""
SPRING = datetime(2026, 2, 20, 12, 0, tzinfo=UTC)
AUTUMN = datetime(2026, 10, 16, 12, 0, tzinfo=UTC)


def walked(engine: sa.Engine, start: datetime, hours: int, *, seed: int, readers: int) -> Walk:
    room = Newsroom(engine, a_newsletter(slug="news", lines=LINES), now=start)
    walk = Walk(room, seed=seed, readers=readers)
    for hour in range(hours):
        walk.hour(start + hour * HOUR)
    return walk


@pytest.mark.parametrize(
    ("start", "seed"),
    [
        pytest.param(SPRING, 7, id="weeks around the change in spring"),
        pytest.param(AUTUMN, 4, id="weeks around the change in autumn"),
    ],
)
def test_every_owed_post_is_sent_once_or_explained(
    sqlite_engine: sa.Engine, start: datetime, seed: int
) -> None:
    walk = walked(sqlite_engine, start, 24 * 26, seed=seed, readers=50)
    verdict = judge(walk, walk.room.now)
    assert verdict.faults[:10] == []
    assert verdict.owed > 500


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", [2009, 1836])
def test_a_whole_year_of_hourly_ticks(sqlite_engine: sa.Engine, seed: int) -> None:
    walk = walked(sqlite_engine, datetime(2026, 1, 1, tzinfo=UTC), 24 * 365, seed=seed, readers=150)
    verdict = judge(walk, walk.room.now)
    print(
        f"owed {verdict.owed}, sent {verdict.sent}, excused {verdict.excused}, events {walk.events}"
    )
    assert verdict.faults[:10] == []
    assert verdict.owed > 20_000
    assert min(walk.events.values()) > 0
