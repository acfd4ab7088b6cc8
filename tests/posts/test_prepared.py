"""A prepared statement does what the same statement does by SQLAlchemy's way, on both databases."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa

from newsletter.tables import batches, issues
from posts.database import reading, writing
from posts.prepared import Prepared, PreparedRows
from posts.tables import UTCDateTime

NOW = datetime(2026, 9, 15, 18, 0, tzinfo=UTC)

_SET = Prepared(
    sa.update(batches)
    .where(batches.c.id == sa.bindparam("b_id"), batches.c.owner.is_(None))
    .where(batches.c.finished.is_(False), batches.c.attempt == 0)
    .values(lease=sa.bindparam("b_lease"), on_wire=sa.bindparam("b_on_wire"))
)
_GET = Prepared(
    sa.select(batches.c.id, batches.c.lease, batches.c.on_wire, batches.c.due).where(
        batches.c.id >= sa.bindparam("g_id"), batches.c.owner.is_(None)
    )
)


@pytest.fixture(autouse=True)
def _one_batch(engine: sa.Engine) -> None:
    with writing(engine) as conn:
        issue = {"id": 1, "newsletter": "daily", "kind": "special", "status": "draft", "seen": 0}
        conn.execute(issues.insert().values(**issue, date=NOW, composed=NOW))
        rows = [{"id": n, "issue": 1, "first": n, "last": n, "on_wire": []} for n in (1, 2)]
        conn.execute(batches.insert(), rows)


def test_values_go_in_and_come_out_as_by_the_slow_way(engine: sa.Engine) -> None:
    there = NOW.astimezone(timezone(timedelta(hours=-6)))
    with writing(engine) as conn:
        assert _SET.run(conn, {"b_id": 1, "b_lease": there, "b_on_wire": [3, 4]}) == 1
        assert _SET.run(conn, {"b_id": 9, "b_lease": there, "b_on_wire": []}) == 0
    with reading(engine) as conn:
        slow = conn.execute(
            sa.select(batches.c.id, batches.c.lease, batches.c.on_wire, batches.c.due).order_by(
                "id"
            )
        ).all()
        fast = sorted((tuple(row) for row in _GET.rows(conn, {"g_id": 0})), key=lambda row: row[0])
    assert fast == [tuple(row) for row in slow]
    assert fast[0][1:3] == (NOW, [3, 4])
    assert fast[0][1].tzinfo is UTC


_SET_ALL = PreparedRows(
    {"id": sa.Integer(), "owner": sa.Text(), "lease": UTCDateTime(), "attempt": sa.Integer()},
    lambda given: (
        sa.update(batches)
        .where(batches.c.id == given["id"], batches.c.finished.is_(False))
        .values(owner=given["owner"], lease=given["lease"], attempt=given["attempt"])
    ),
)


def test_many_rows_are_written_at_once(engine: sa.Engine) -> None:
    there = NOW.astimezone(timezone(timedelta(hours=-6)))
    name = 'it\'s "Zoë" \\ \u2028 {}'
    with writing(engine) as conn:
        _SET_ALL.run(conn, [(1, name, there, 7), (2, None, None, 8), (9, "nobody", NOW, 1)])
    with reading(engine) as conn:
        query = sa.select(batches.c.id, batches.c.owner, batches.c.lease, batches.c.attempt)
        found = [tuple(row) for row in conn.execute(query.order_by("id"))]
    assert found == [(1, name, NOW, 7), (2, None, None, 8)]


def test_it_is_part_of_the_connections_transaction(engine: sa.Engine) -> None:
    with engine.connect() as conn, conn.begin() as transaction:
        _SET.run(conn, {"b_id": 1, "b_lease": NOW, "b_on_wire": [1]})
        transaction.rollback()
    with reading(engine) as conn:
        assert [tuple(row)[2] for row in _GET.rows(conn, {"g_id": 0})] == [[], []]


def test_a_drivers_error_comes_as_everybody_elses(engine: sa.Engine) -> None:
    with writing(engine) as conn:
        conn.execute(
            sa.text(
                "DROP TABLE batches CASCADE"
                if conn.dialect.name != "sqlite"
                else "DROP TABLE batches"
            )
        )
        with pytest.raises(sa.exc.DBAPIError), conn.begin_nested():
            _GET.rows(conn, {"g_id": 0})


def test_a_naive_time_is_refused(engine: sa.Engine) -> None:
    with writing(engine) as conn, pytest.raises(ValueError, match="naive"):
        _SET.run(conn, {"b_id": 1, "b_lease": datetime(2026, 1, 1), "b_on_wire": []})  # noqa: DTZ001
