"""Builds issues that are released and wait to be sent, with as many readers as a test wants."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from newsletter.segments import items_hash
from newsletter.tables import (
    batches,
    deliveries,
    editions,
    issues,
    sealed_parts,
    subscribers,
    subscriptions,
)
from newsletter.tokens import Keys
from posts.database import reading, writing

NOW = datetime(2026, 9, 15, 18, 0, tzinfo=UTC)
KEYS = Keys(b"a secret of the tests")
MINUTE = timedelta(minutes=1)

HEAD = b"From: press@news.example\r\nSubject: Juarez\r\nTo: "
MIDDLE = b"\r\nMessage-ID: "
TAIL = b"\r\n\r\nThe text, with a line that begins with a dot:\r\n=2E and the end.\r\n"


def a_released_issue(
    engine: sa.Engine,
    recipients: int,
    *,
    batch: int = 500,
    body: bytes = TAIL,
    status: str = "released",
    domain: str = "example.net",
    newsletter: str = "daily",
) -> int:
    """An issue of one edition to `reader1@...`, `reader2@...`; gives its id."""
    items = (HEAD, "to", MIDDLE, "message_id", body)
    with writing(engine) as conn:
        issue = conn.execute(
            issues.insert()
            .values(
                newsletter=newsletter,
                kind="special",
                status=status,
                seen=0,
                sealed_at=0,
                date=NOW,
                composed=NOW,
                released=NOW,
                recipients=recipients,
            )
            .returning(issues.c.id)
        ).scalar_one()
        conn.execute(
            editions.insert().values(
                issue=issue,
                edition=0,
                language="en",
                posts=[],
                subject="Juarez",
                program=[0, "to", 1, "message_id", 2],
                seal=items_hash(items),
                web_html="",
            )
        )
        parts = [piece for piece in items if isinstance(piece, bytes)]
        conn.execute(
            sealed_parts.insert(),
            [{"issue": issue, "part": n, "body": piece} for n, piece in enumerate(parts)],
        )
        _add_readers(conn, issue, recipients, domain, newsletter)
        conn.execute(
            batches.insert(),
            [
                {
                    "issue": issue,
                    "first": first,
                    "last": min(first + batch - 1, recipients),
                    "on_wire": [],
                }
                for first in range(1, recipients + 1, batch)
            ],
        )
    return issue


def _add_readers(
    conn: sa.Connection, issue: int, recipients: int, domain: str, newsletter: str
) -> None:
    start = conn.execute(sa.select(sa.func.coalesce(sa.func.max(subscribers.c.id), 0))).scalar_one()
    ids = range(start + 1, start + recipients + 1)
    conn.execute(
        subscribers.insert(),
        [
            {
                "id": id_,
                "address": f"reader{id_}@{domain}",
                "address_key": f"reader{id_}@{domain}",
                "language": "en",
                "created": NOW,
            }
            for id_ in ids
        ],
    )
    conn.execute(
        subscriptions.insert(),
        [
            {
                "id": id_,
                "subscriber": id_,
                "newsletter": newsletter,
                "frequency": "scheduled",
                "status": "active",
                "since": NOW,
                "changed": NOW,
            }
            for id_ in ids
        ],
    )
    conn.execute(
        deliveries.insert(),
        [
            {
                "issue": issue,
                "number": place,
                "subscription": id_,
                "subscriber": id_,
                "edition": 0,
            }
            for place, id_ in enumerate(ids, 1)
        ],
    )
    if conn.dialect.name == "postgresql":
        for table in ("subscribers", "subscriptions"):
            conn.exec_driver_sql(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), {start + recipients})"
            )


def states(engine: sa.Engine, issue: int) -> dict[int, str | None]:
    """The state of each delivery, by number."""
    with reading(engine) as conn:
        rows = conn.execute(
            sa.select(deliveries.c.number, deliveries.c.state)
            .where(deliveries.c.issue == issue)
            .order_by(deliveries.c.number)
        )
        return {row.number: row.state for row in rows}


def row(engine: sa.Engine, issue: int, number: int) -> sa.Row[tuple[object, ...]]:
    """One delivery as it is stored."""
    with reading(engine) as conn:
        return conn.execute(
            sa.select(*deliveries.c).where(
                deliveries.c.issue == issue, deliveries.c.number == number
            )
        ).one()


def on_wire(engine: sa.Engine, issue: int) -> list[int]:
    """All numbers that batches of the issue have named, without a written result."""
    with reading(engine) as conn:
        rows = conn.execute(sa.select(batches.c.on_wire).where(batches.c.issue == issue)).scalars()
        return sorted(number for numbers in rows for number in numbers)


def issue_status(engine: sa.Engine, issue: int) -> str:
    """What the issue's row says."""
    with reading(engine) as conn:
        return conn.execute(sa.select(issues.c.status).where(issues.c.id == issue)).scalar_one()


def set_status(engine: sa.Engine, issue: int, status: str) -> None:
    """Pauses, cancels or resumes, as the action does: the issue's row alone."""
    with writing(engine) as conn:
        conn.execute(issues.update().where(issues.c.id == issue).values(status=status))


def leave(engine: sa.Engine, subscriber: int, status: str = "unsubscribed") -> None:
    """A reader leaves (or pauses)."""
    with writing(engine) as conn:
        conn.execute(
            subscriptions.update()
            .where(subscriptions.c.subscriber == subscriber)
            .values(status=status)
        )


def erase(engine: sa.Engine, subscriber: int) -> None:
    """A reader's row goes."""
    with writing(engine) as conn:
        conn.execute(subscribers.delete().where(subscribers.c.id == subscriber))
