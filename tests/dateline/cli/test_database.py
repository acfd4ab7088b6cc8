"""`dateline migrate`, and what every verb does before it touches a database."""

import sqlite3
from pathlib import Path

import pytest

from posts.errors import StoreError
from tests.dateline.cli.newsroom import begin, called, done


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A newsroom without a database."""
    begin(tmp_path)
    return tmp_path


def test_migrate_makes_the_tables_and_then_has_nothing_to_do(folder: Path) -> None:
    assert done(folder, "migrate").startswith("Applied 0001")
    assert done(folder, "migrate") == "The database is up to date.\n"


@pytest.mark.parametrize("verb", ["migrate", "poll", "status", "deliver"])
def test_an_older_program_refuses_a_newer_database(folder: Path, verb: str) -> None:
    done(folder, "migrate")
    with sqlite3.connect(folder / "var/dateline.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    result = called(folder, verb)
    assert isinstance(result.exception, StoreError)
    assert "has version 9999, this program knows only up to" in str(result.exception)


@pytest.mark.parametrize("verb", ["migrate", "poll", "status", "deliver"])
def test_another_secret_is_refused_by_the_name_of_its_file(folder: Path, verb: str) -> None:
    done(folder, "migrate")
    secret = folder / "var/secret"
    secret.unlink()
    done_before = (folder / "var/dateline.db").read_bytes()
    result = called(folder, verb)
    assert isinstance(result.exception, StoreError)
    assert str(result.exception).startswith(f"{secret}: the database belongs to another secret")
    assert (folder / "var/dateline.db").read_bytes() == done_before


def test_the_secret_is_for_nobody_else_to_read(folder: Path) -> None:
    done(folder, "migrate")
    assert (folder / "var/secret").stat().st_mode & 0o777 == 0o600
