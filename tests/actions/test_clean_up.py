"""What is old is forgotten, and nothing else is."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from dateline.actions.clean_up import clean_up
from dateline.actions.migrate import migrate_database
from dateline.config import Config
from dateline.press import open_press
from newsletter.retention import delete_old_sign_ups, delete_unconfirmed, scrub_old_notices
from newsletter.tables import notices, sign_ups, subscribers, subscription_changes, subscriptions
from posts.database import reading, writing

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def _reader(connection: sa.Connection, name: str, status: str, *, days: int, was: str = "") -> None:
    at = NOW - days * DAY
    subscriber = connection.execute(
        subscribers.insert().values(
            address=f"{name}@example.org", address_key=name, language="en", created=at
        )
    ).inserted_primary_key[0]
    subscription = connection.execute(
        subscriptions.insert().values(
            subscriber=subscriber,
            newsletter="daily",
            frequency="scheduled",
            status=status,
            changed=at,
        )
    ).inserted_primary_key[0]
    for state in [was, status] if was else [status]:
        connection.execute(
            subscription_changes.insert().values(
                subscription=subscription,
                at=at,
                what=state,
                status=state,
                frequency="scheduled",
                via="web",
            )
        )


def _standing(engine: sa.Engine) -> dict[str, str]:
    with reading(engine) as connection:
        rows = connection.execute(
            sa.select(subscribers.c.address_key, subscriptions.c.status).join(
                subscriptions, subscriptions.c.subscriber == subscribers.c.id
            )
        )
        return {row.address_key: row.status for row in rows}


def test_an_unconfirmed_sign_up_is_undone_after_a_week_and_its_address_deleted(
    engine: sa.Engine,
) -> None:
    with writing(engine) as connection:
        _reader(connection, "old", "pending", days=8)
        _reader(connection, "young", "pending", days=6)
        _reader(connection, "active", "active", days=300)
        _reader(connection, "left", "unsubscribed", days=300)
        assert delete_unconfirmed(connection, NOW) == 1
    assert _standing(engine) == {"young": "pending", "active": "active", "left": "unsubscribed"}
    with reading(engine) as connection:
        keys = connection.execute(sa.select(subscribers.c.address_key)).scalars().all()
    assert "old" not in keys


def test_who_left_and_did_not_confirm_coming_back_stays_unsubscribed(engine: sa.Engine) -> None:
    with writing(engine) as connection:
        _reader(connection, "back", "pending", days=8, was="unsubscribed")
        assert delete_unconfirmed(connection, NOW) == 1
        assert delete_unconfirmed(connection, NOW) == 0
    assert _standing(engine) == {"back": "unsubscribed"}


def test_what_the_limits_counted_is_kept_for_thirty_days(engine: sa.Engine) -> None:
    with writing(engine) as connection:
        for days in (29, 31):
            connection.execute(
                sign_ups.insert().values(
                    network_hash="n",
                    address_hash="a",
                    domain_hash="d",
                    at=NOW - days * DAY,
                    mailed=True,
                )
            )
        assert delete_old_sign_ups(connection, NOW) == 1


@pytest.mark.parametrize(
    ("state", "days", "scrubbed"),
    [("sent", 31, 1), ("failed", 31, 1), ("sent", 29, 0), (None, 31, 0)],
)
def test_a_settled_notice_loses_body_and_address_after_thirty_days(
    engine: sa.Engine, state: str | None, days: int, scrubbed: int
) -> None:
    with writing(engine) as connection:
        connection.execute(
            notices.insert().values(
                kind="confirm",
                recipient="ann@example.org",
                body=b"Hello",
                state=state,
                reply="no ann@example.org",
                created=NOW - days * DAY,
            )
        )
        assert scrub_old_notices(connection, NOW) == scrubbed
        assert scrub_old_notices(connection, NOW) == 0
        row = connection.execute(sa.select(notices.c.recipient, notices.c.body)).one()
    assert (row.recipient == "", bytes(row.body) == b"") == (bool(scrubbed), bool(scrubbed))


def test_old_previews_are_deleted(tmp_path: Path) -> None:
    config = Config.model_validate(
        {"site": {"title": "G", "url": "https://g.example"}, "mail": {"from": "n@g.example"}}
    )
    press = open_press(config, tmp_path, clock=lambda: NOW)
    migrate_database(press)
    (press.var / "preview").mkdir()
    for name, days in (("old.html", 31), ("new.html", 1)):
        (press.var / "preview" / name).write_text("x")
        stamp = (NOW - days * DAY).timestamp()
        os.utime(press.var / "preview" / name, (stamp, stamp))
    assert clean_up(press).previews == 1
    assert [path.name for path in (press.var / "preview").iterdir()] == ["new.html"]
