"""`dateline/migrations`: all of them from nothing give the tables that the code declares, whoever runs them at once."""

import multiprocessing
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from dateline.migrations.apply import (
    OPTIONS,
    alembic_config,
    find_version,
    known_versions,
    upgrade,
)
from newsletter.tables import subscribers
from posts.database import open_engine, reading, writing
from posts.errors import StoreError
from posts.tables import metadata

NOW = datetime(2026, 9, 15, 18, 0, tzinfo=UTC)
REMEDY = "run: python -m dateline.migrations.generate (see its docstring)"


def empty(engine: sa.Engine) -> None:
    with writing(engine) as conn:
        metadata.drop_all(conn)


def everything(engine: sa.Engine) -> list[tuple[str, ...]]:
    """All that the database itself says of its tables, indexes and constraints, in an order that does not matter."""
    if engine.dialect.name == "sqlite":
        asked = ["SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"]
    else:
        asked = [
            "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE connamespace = 'public'::regnamespace",
            "SELECT table_name, column_name || ' ' || data_type || ' ' || is_nullable || ' '"
            " || coalesce(column_default, '-') FROM information_schema.columns"
            " WHERE table_schema = 'public'",
        ]
    with reading(engine) as conn:
        rows = [tuple(row) for text in asked for row in conn.execute(sa.text(text))]
    return sorted(
        (name, *_clauses(text)) for name, text in rows if not name.startswith("alembic_version")
    )


def _clauses(text: str) -> list[str]:
    # SQLite writes an added column behind the one before it, on the same line, and quotes the name of a copied table
    text = re.sub(r'^CREATE TABLE "([a-z_]+)"', r"CREATE TABLE \1", text)
    lines = re.sub(r",\s+(?=[a-z_\"]+ [A-Z])", "\n", text).splitlines()
    return sorted(" ".join(line.split()).rstrip(",") for line in lines if line.strip())


def test_all_migrations_from_nothing_give_the_tables_that_the_code_declares(
    engine: sa.Engine,
) -> None:
    declared = everything(engine)
    empty(engine)
    upgrade(engine)
    with reading(engine) as conn:
        context = MigrationContext.configure(conn, opts=OPTIONS)
        assert compare_metadata(context, metadata) == [], REMEDY
    assert everything(engine) == declared, REMEDY


def test_a_second_upgrade_does_nothing(engine: sa.Engine) -> None:
    empty(engine)
    assert upgrade(engine) == known_versions()
    assert upgrade(engine) == []


def test_a_failing_migration_leaves_nothing_behind(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty(engine)
    with writing(engine) as conn:
        conn.execute(sa.text("CREATE TABLE press (other INTEGER)"))
    with pytest.raises(sa.exc.DBAPIError, match="already exists"):
        upgrade(engine)
    with reading(engine) as conn:
        assert sa.inspect(conn).get_table_names() == ["press"]
    with writing(engine) as conn:
        conn.execute(sa.text("DROP TABLE press"))
    assert upgrade(engine) == known_versions()


def test_a_newer_database_is_refused_and_left_as_it_is(engine: sa.Engine) -> None:
    empty(engine)
    upgrade(engine)
    with writing(engine) as conn:
        conn.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match=r"version 9999.*Run the newer Dateline"):
        upgrade(engine)
    with reading(engine) as conn:
        assert find_version(conn) == "9999"


def test_alembic_is_not_loaded_when_there_is_nothing_to_do(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'dateline.db'}"
    engine = open_engine(url)
    upgrade(engine)
    engine.dispose()
    code = (
        "import sys; from dateline.migrations.apply import upgrade; from posts.database import"
        " open_engine; upgrade(open_engine(sys.argv[1])); print('alembic' in sys.modules)"
    )
    said = subprocess.run(
        [sys.executable, "-c", code, url], check=True, capture_output=True, text=True
    )
    assert said.stdout == "False\n"


def test_many_processes_may_start_at_once_on_an_empty_database(engine: sa.Engine) -> None:
    empty(engine)
    url = engine.url.render_as_string(hide_password=False)
    context = multiprocessing.get_context("spawn")
    answers: multiprocessing.Queue[str] = context.Queue()
    barrier = context.Barrier(3)
    children = [
        context.Process(target=_upgrades, args=(url, answers, barrier), daemon=True)
        for _ in range(3)
    ]
    for child in children:
        child.start()
    said = sorted(answers.get(timeout=60) for _ in children)
    for child in children:
        child.join(30)
    assert said == ["", "", ",".join(known_versions())]


def _upgrades(url: str, answers: "multiprocessing.Queue[str]", barrier: object) -> None:
    engine = open_engine(_plain(url))
    barrier.wait()  # type: ignore[attr-defined]  # a Barrier, whose type multiprocessing does not name
    try:
        answers.put(",".join(upgrade(engine)))
    except Exception as error:
        answers.put(repr(error))


def _plain(url: str) -> str:
    return url.replace("postgresql+psycopg", "postgresql")


def test_0002_keeps_every_row_and_gives_no_id_twice(sqlite_engine: sa.Engine) -> None:
    empty(sqlite_engine)
    with writing(sqlite_engine) as conn:
        command.upgrade(alembic_config(conn), "0001")
    now = "2026-09-15 18:00:00.000000"
    with writing(sqlite_engine) as conn:
        for statement in (
            "INSERT INTO subscribers (id, address, address_key, language, created)"
            f" VALUES (7, 'a@b.example', 'a@b.example', 'en', '{now}')",
            "INSERT INTO subscriptions (id, subscriber, newsletter, frequency, status, changed)"
            f" VALUES (9, 7, 'daily', 'scheduled', 'active', '{now}')",
            "INSERT INTO subscription_changes (subscription, at, what, status, frequency, via)"
            f" VALUES (9, '{now}', 'joined', 'active', 'scheduled', 'hand')",
        ):
            conn.execute(sa.text(statement))
    upgrade(sqlite_engine)
    with writing(sqlite_engine) as conn:
        counts = [
            conn.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one()
            for table in ("subscribers", "subscriptions", "subscription_changes")
        ]
        assert counts == [1, 1, 1]
        conn.execute(sa.text("DELETE FROM subscribers"))
        assert conn.execute(sa.text("SELECT count(*) FROM subscription_changes")).scalar_one() == 0
        conn.execute(
            subscribers.insert().values(
                address="c@d.example", address_key="c@d.example", language="en", created=NOW
            )
        )
        assert conn.execute(sa.select(subscribers.c.id)).scalar_one() == 8


def test_0002_publishes_no_reason_that_was_written_for_the_record(engine: sa.Engine) -> None:
    empty(engine)
    with writing(engine) as conn:
        command.upgrade(alembic_config(conn), "0001")
    now = "2026-09-15 18:00:00"
    values = {
        "guid": "g",
        "slug": "s",
        "path": "p",
        "source": "f",
        "external_id": "x",
        "title": "T",
        "status": "withdrawn",
        "language": "en",
        "content_hash": "h",
        "text_hash": "t",
        "html": "",
        "source_text": "",
        "withdrawal_reason": "Our source is in danger.",
        "authors": "[]",
        "tags": "[]",
        "enclosures": "[]",
        "published": now,
        "updated": now,
        "first_seen": now,
    }
    names = ", ".join(f'"{name}"' for name in values)
    given = ", ".join(f":{name}" for name in values)
    with writing(engine) as conn:
        conn.execute(
            sa.text(
                f"INSERT INTO posts ({names}, revision, lead, history) VALUES ({given}, 1, false, false)"
            ),
            values,
        )
    upgrade(engine)
    with reading(engine) as conn:
        reason = conn.execute(sa.text("SELECT withdrawal_reason FROM posts")).scalar_one()
    assert reason is None
