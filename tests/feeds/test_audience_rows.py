"""`feeds/audience_rows.py`: the audience in both databases, added up by feed, bounded by the day."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from feeds import audience_rows
from feeds.audience import Audience, DeclaredKey, Noted, Tally, TallyKey
from feeds.audience_report import CARELESS_REQUESTS, FeedAudience, careless_programs
from feeds.audience_rows import delete_audience, list_audience, record_audience
from feeds.tables import feed_audience, feed_subscribers
from posts.database import reading, writing

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
SINCE = (NOW - 7 * DAY).date()


def note(engine: sa.Engine, now: datetime, *requests: tuple[str, int, str, bool]) -> None:
    """Notes requests (path, status, User-Agent, had validators) and writes them down."""
    audience = Audience()
    for path, status, agent, had_validators in requests:
        audience.note(path, status, agent, had_validators)
    with writing(engine) as conn:
        record_audience(conn, audience.take(now.date()), now)


def read(engine: sa.Engine, feed: str = "all") -> FeedAudience:
    with reading(engine) as conn:
        return list_audience(conn, SINCE)[feed]


def test_requests_add_up_over_minutes_and_days(engine: sa.Engine) -> None:
    curl = ("/feeds/all.atom", 200, "curl/8.1", False)
    boat = ("/feeds/all.rss", 304, "newsboat/2.21", True)
    note(engine, NOW - DAY, curl, boat)
    note(engine, NOW, curl, curl)
    note(engine, NOW + timedelta(minutes=1), boat)
    found = read(engine)
    assert (found.requests, found.not_modified, found.unconditional) == (5, 2, 3)
    assert [
        (one.program, one.major, one.requests, one.unconditional) for one in found.programs
    ] == [
        ("curl", "8", 3, 3),
        ("Newsboat", "2", 2, 0),
    ]
    assert [(one.day, one.requests) for one in found.days] == [
        ((NOW - DAY).date(), 2),
        (NOW.date(), 3),
    ]


def test_the_newest_number_of_each_service_and_format_counts_once_and_they_are_summed(
    engine: sa.Engine,
) -> None:
    note(
        engine,
        NOW - DAY,
        ("/feeds/all.atom", 200, "Feedly/1.0 (20 subscribers)", False),
        ("/feeds/all.atom", 200, "Feedbin feed-id:1 - 5 subscribers", True),
    )
    for minute in range(3):
        note(
            engine,
            NOW + timedelta(minutes=minute),
            ("/feeds/all.atom", 304, f"Feedly/1.0 ({30 - minute} subscribers)", True),
            ("/feeds/all.rss", 304, "Feedly/1.0 (2 subscribers)", True),
            ("/feeds/all.atom", 304, "Feedbin feed-id:2 - 7 subscribers", True),
        )
    found = read(engine)
    assert [(one.service, one.format, one.subscribers) for one in found.services] == [
        ("Feedly", "atom", 28),
        ("Feedbin", "atom", 12),
        ("Feedly", "rss", 2),
    ]
    assert found.subscribers == 42
    assert found.services[0].at == NOW + timedelta(minutes=2)


def test_a_service_that_stopped_asking_drops_out(engine: sa.Engine) -> None:
    note(engine, NOW - 8 * DAY, ("/feeds/all.atom", 200, "Feedly/1.0 (20 subscribers)", True))
    note(engine, NOW, ("/feeds/all.atom", 200, "curl/8", True))
    assert read(engine).subscribers == 0


def test_a_day_has_no_more_rows_than_its_bound_and_no_request_is_lost(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audience_rows, "MAX_ROWS_A_DAY", 5)
    monkeypatch.setattr(audience_rows, "MAX_DECLARED_A_DAY", 3)
    for _ in range(2):
        noted = Noted(
            tallies={TallyKey("all", f"P{n}", ""): Tally(2, 1, 1) for n in range(20)},
            declared={DeclaredKey("all", "atom", f"P{n}", ""): 1 for n in range(20)},
        )
        with writing(engine) as conn:
            record_audience(conn, noted, NOW)
    with reading(engine) as conn:
        rows = conn.execute(sa.select(sa.func.count()).select_from(feed_audience)).scalar_one()
        declared = conn.execute(
            sa.select(sa.func.count()).select_from(feed_subscribers)
        ).scalar_one()
    assert (rows, declared) == (6, 3)
    assert read(engine).requests == 80


def test_a_service_has_no_more_than_eight_ids_of_one_document_a_day(engine: sa.Engine) -> None:
    for number in range(12):
        agent = f"Feedbin feed-id:{number} - 1 subscriber"
        note(engine, NOW, ("/feeds/all.atom", 200, agent, False))
    assert read(engine).subscribers == audience_rows.MAX_FEED_IDS == 8


def test_old_days_are_dropped(engine: sa.Engine) -> None:
    agent = "Feedly/1.0 (20 subscribers)"
    note(engine, NOW - 400 * DAY, ("/feeds/all.atom", 200, agent, True))
    note(engine, NOW, ("/feeds/all.atom", 200, agent, True))
    with writing(engine) as conn:
        assert delete_audience(conn, (NOW - 366 * DAY).date()) == 2
        assert delete_audience(conn, (NOW - 366 * DAY).date()) == 0
    assert read(engine).requests == 1


def test_nothing_but_name_version_and_number_reaches_the_database(engine: sa.Engine) -> None:
    note(
        engine,
        NOW,
        ("/feeds/all.atom", 200, "Feedly/1.0 (+http://x; 5 subscribers; ann@example.org)", False),
        ("/feeds/all.atom", 200, "ann@example.org", False),
        ("/feeds/all.atom", 200, "Reader/3.14 (192.0.2.7; ann@example.org)", False),
    )
    with reading(engine) as conn:
        kept = {
            (row.program, row.major)
            for row in conn.execute(sa.select(feed_audience.c.program, feed_audience.c.major))
        }
        services = conn.execute(
            sa.select(feed_subscribers.c.service, feed_subscribers.c.feed_id)
        ).all()
    assert kept == {("Feedly", "1"), ("other", ""), ("Reader", "3")}
    assert [tuple(row) for row in services] == [("Feedly", "")]


def test_programs_that_ask_for_the_whole_again_and_again_are_named(engine: sa.Engine) -> None:
    few = CARELESS_REQUESTS - 1
    note(
        engine,
        NOW,
        *[("/feeds/all.atom", 200, "curl/8", False)] * 6,
        *[("/feeds/tag-air.atom", 200, "curl/8", False)] * 6,
        *[("/feeds/all.atom", 200, "Wget/1", False)] * few,
        *[("/feeds/all.atom", 200, "newsboat/2", False)] * 4,
        *[("/feeds/all.atom", 304, "newsboat/2", True)] * 12,
    )
    with reading(engine) as conn:
        audiences = list_audience(conn, SINCE)
    assert [
        (one.program, one.requests, one.unconditional)
        for one in careless_programs(audiences.values())
    ] == [("curl", 12, 12)]
