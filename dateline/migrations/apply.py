"""SQL that brings a database to the newest version: looks with one SELECT, loads Alembic only when there is something to do."""

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from posts.database import migrating, reading
from posts.errors import StoreError

_FOLDER = Path(__file__).parent
_LOCK = 0x4D696772617465  # "Migrate"; any constant that nobody else on the server uses
_VERSION_TABLE = "alembic_version"

OPTIONS: dict[str, Any] = {"render_as_batch": True, "compare_type": True}
"""How Alembic is configured everywhere. Batch: SQLite alters a table by copying it. Any: Alembic's own options."""


def known_versions() -> list[str]:
    """The versions that this program can make, oldest first."""
    return sorted(path.name[:4] for path in (_FOLDER / "versions").glob("[0-9]*.py"))


def find_version(conn: sa.Connection) -> str | None:
    """The version of the database, or None where no migration ever ran."""
    if not sa.inspect(conn).has_table(_VERSION_TABLE):
        return None
    rows = conn.execute(sa.text(f"SELECT version_num FROM {_VERSION_TABLE}"))
    version: str | None = rows.scalar_one_or_none()
    return version


def upgrade(engine: sa.Engine) -> list[str]:
    """Applies what is missing, all or nothing; gives the versions applied. Safe when many processes start at once.

    Raises StoreError where the database is newer than this program.
    """
    known = known_versions()
    with reading(engine) as conn:
        if _is_current(find_version(conn), known):
            return []
    with migrating(engine) as conn:  # SQLite: BEGIN IMMEDIATE, so that the others wait here
        if conn.dialect.name == "postgresql":
            conn.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        version = find_version(conn)
        if _is_current(version, known):
            return []
        _run_alembic(conn)
    return [one for one in known if version is None or one > version]


def _is_current(version: str | None, known: list[str]) -> bool:
    if version is not None and version not in known:
        raise StoreError(
            f"the database has version {version}, this program knows only up to {known[-1]}",
            remedy="Run the newer Dateline that it was used with, or restore a backup made before.",
        )
    return version == known[-1]


def alembic_config(conn: sa.Connection) -> Any:
    """Alembic's configuration, made here and not in an ini file. Any: Alembic is not loaded for its name."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = conn
    return config


def _run_alembic(conn: sa.Connection) -> None:
    from alembic import command

    command.upgrade(alembic_config(conn), "head")
