"""SQL of the audience: writes down what `Audience` noted, and adds it up for people."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import date, datetime

import sqlalchemy as sa

from feeds.audience import DeclaredKey, Noted, TallyKey
from feeds.audience_report import DayCount, FeedAudience, ProgramCount, ServiceCount
from feeds.tables import feed_audience, feed_subscribers
from feeds.user_agents import OTHER
from posts.upsert import insert_into

MAX_ROWS_A_DAY = 20_000
"""Past so many rows a day further programs are summed as `other`, a row a feed; restarts and several processes too."""
MAX_DECLARED_A_DAY = 5_000
MAX_FEED_IDS = 8
"""Under so many ids of its own a service may read one document in a day."""


def record_audience(conn: sa.Connection, noted: Noted, now: datetime) -> None:
    """Adds what was noted to the day of `now` (UTC); not safe to call twice with the same."""
    day = now.date()
    if noted.tallies:
        _record_tallies(conn, noted, day)
    if noted.declared:
        _record_declared(conn, noted, day, now)


def list_audience(conn: sa.Connection, since: date) -> dict[str, FeedAudience]:
    """The audience of each feed that was asked for from the day `since` on, by slug."""
    services = _services(conn, since)
    programs = _programs(conn, since)
    days = _days(conn, since)
    return {
        feed: FeedAudience(
            services=tuple(services[feed]), programs=tuple(programs[feed]), days=tuple(days[feed])
        )
        for feed in {*services, *programs, *days}
    }


def delete_audience(conn: sa.Connection, before: date) -> int:
    """Drops the days before `before`; gives how many rows went."""
    return sum(
        conn.execute(sa.delete(table).where(table.c.day < before)).rowcount
        for table in (feed_audience, feed_subscribers)
    )


def _record_tallies(conn: sa.Connection, noted: Noted, day: date) -> None:
    table = feed_audience
    there = {
        TallyKey(row.feed, row.program, row.major)
        for row in conn.execute(
            sa.select(table.c.feed, table.c.program, table.c.major).where(table.c.day == day)
        )
    }
    sums: dict[TallyKey, list[int]] = defaultdict(lambda: [0, 0, 0])
    for key, tally in noted.tallies.items():
        if key not in there and len(there) >= MAX_ROWS_A_DAY:
            key = TallyKey(key.feed, OTHER, "")
        there.add(key)
        row = sums[key]
        row[0] += tally.requests
        row[1] += tally.not_modified
        row[2] += tally.unconditional
    adding = insert_into(conn, table)
    adding = adding.on_conflict_do_update(
        index_elements=list(table.primary_key.columns),
        set_={
            name: table.c[name] + adding.excluded[name]
            for name in ("requests", "not_modified", "unconditional")
        },
    )
    conn.execute(
        adding,
        [
            {
                "day": day,
                "feed": key.feed,
                "program": key.program,
                "major": key.major,
                "requests": requests,
                "not_modified": not_modified,
                "unconditional": unconditional,
            }
            # in one order everywhere: two processes that lock rows crosswise would wait for each other
            for key, (requests, not_modified, unconditional) in sorted(
                sums.items(), key=lambda one: (one[0].feed, one[0].program, one[0].major)
            )
        ],
    )


def _record_declared(conn: sa.Connection, noted: Noted, day: date, now: datetime) -> None:
    table = feed_subscribers
    there = {
        DeclaredKey(row.feed, row.format, row.service, row.feed_id)
        for row in conn.execute(
            sa.select(table.c.feed, table.c.format, table.c.service, table.c.feed_id).where(
                table.c.day == day
            )
        )
    }
    ids = Counter((key.feed, key.format, key.service) for key in there)
    rows = []
    for key, subscribers in sorted(
        noted.declared.items(),
        key=lambda one: (one[0].feed, one[0].format, one[0].service, one[0].feed_id),
    ):
        if key not in there:
            document = (key.feed, key.format, key.service)
            if len(there) >= MAX_DECLARED_A_DAY or ids[document] >= MAX_FEED_IDS:
                continue
            there.add(key)
            ids[document] += 1
        rows.append(
            {
                "day": day,
                "feed": key.feed,
                "format": key.format,
                "service": key.service,
                "feed_id": key.feed_id,
                "subscribers": subscribers,
                "at": now,
            }
        )
    if rows:
        newest = insert_into(conn, table)
        newest = newest.on_conflict_do_update(
            index_elements=list(table.primary_key.columns),
            set_={"subscribers": newest.excluded.subscribers, "at": newest.excluded.at},
        )
        conn.execute(newest, rows)


def _services(conn: sa.Connection, since: date) -> Mapping[str, list[ServiceCount]]:
    table = feed_subscribers
    newest: dict[DeclaredKey, tuple[int, datetime]] = {}
    for row in conn.execute(
        sa.select(
            table.c.feed,
            table.c.format,
            table.c.service,
            table.c.feed_id,
            table.c.subscribers,
            table.c.at,
        )
        .where(table.c.day >= since)
        .order_by(table.c.day)
    ):
        key = DeclaredKey(row.feed, row.format, row.service, row.feed_id)
        newest[key] = (row.subscribers, row.at)
    sums: dict[tuple[str, str, str], tuple[int, datetime]] = {}
    for key, (subscribers, at) in newest.items():
        document = (key.feed, key.format, key.service)
        total, latest = sums.get(document, (0, at))
        sums[document] = (total + subscribers, max(latest, at))
    found: dict[str, list[ServiceCount]] = defaultdict(list)
    for (feed, format_, service), (subscribers, at) in sorted(
        sums.items(), key=lambda one: (-one[1][0], one[0])
    ):
        found[feed].append(
            ServiceCount(service=service, format=format_, subscribers=subscribers, at=at)
        )
    return found


def _programs(conn: sa.Connection, since: date) -> Mapping[str, list[ProgramCount]]:
    table = feed_audience
    found: dict[str, list[ProgramCount]] = defaultdict(list)
    for row in conn.execute(
        sa.select(table.c.feed, table.c.program, table.c.major, *_sums())
        .where(table.c.day >= since)
        .group_by(table.c.feed, table.c.program, table.c.major)
        .order_by(sa.desc("requests"), table.c.program, table.c.major)
    ):
        found[row.feed].append(
            ProgramCount(
                program=row.program,
                major=row.major,
                requests=int(row.requests),
                not_modified=int(row.not_modified),
                unconditional=int(row.unconditional),
            )
        )
    return found


def _days(conn: sa.Connection, since: date) -> Mapping[str, list[DayCount]]:
    table = feed_audience
    found: dict[str, list[DayCount]] = defaultdict(list)
    for row in conn.execute(
        sa.select(table.c.feed, table.c.day, *_sums())
        .where(table.c.day >= since)
        .group_by(table.c.feed, table.c.day)
        .order_by(table.c.day)
    ):
        found[row.feed].append(
            DayCount(
                day=row.day,
                requests=int(row.requests),
                not_modified=int(row.not_modified),
                unconditional=int(row.unconditional),
            )
        )
    return found


def _sums() -> list[sa.Label[int]]:
    """The three sums; whole numbers, though PostgreSQL sums BIGINT as NUMERIC."""
    return [
        sa.func.sum(feed_audience.c[name]).label(name)
        for name in ("requests", "not_modified", "unconditional")
    ]
