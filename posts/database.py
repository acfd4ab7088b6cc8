"""The connection to the database: one engine, and the two ways to begin.

`reading()` begins plainly; only `writing()` begins IMMEDIATE on SQLite (plain BEGIN for writers gave "database is
locked" 1,324 times in 1,600 tries, DESIGN.md 1).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.pool import PoolProxiedConnection

from posts.errors import StoreError

_BUSY_TIMEOUT_MS = 60_000


def open_engine(url: str, *, power_safe: bool = False) -> sa.Engine:
    """The engine for `url` (a SQLAlchemy URL, `sqlite:///...` or `postgresql://...`); creates a SQLite file's folder.

    `power_safe` sets SQLite's synchronous to FULL, so that a committed flush survives a power cut.
    """
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "postgresql":
        return sa.create_engine(parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
    if parsed.database and parsed.database != ":memory:":
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(parsed.set(drivername="sqlite"))
    synchronous = "FULL" if power_safe else "NORMAL"

    @event.listens_for(engine, "connect")
    def _prepare(connection, _record) -> None:  # type: ignore[no-untyped-def]  # the driver's own objects
        connection.isolation_level = None  # we say BEGIN ourselves
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute(f"PRAGMA synchronous = {synchronous}")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA secure_delete = ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        mode = connection.get_execution_options().get("sqlite_begin", "DEFERRED")
        connection.exec_driver_sql(f"BEGIN {mode}")

    return engine


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection in a transaction that sees one state of the database and writes nothing."""
    with engine.connect() as connection, connection.begin():
        yield connection


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection in a transaction that may write; commits at the end, rolls back on an exception."""
    with engine.connect() as connection:
        connection = connection.execution_options(sqlite_begin="IMMEDIATE")
        with connection.begin():
            yield connection


class Writer:
    """One connection kept for many short writing transactions, one after the other, by one thread at a time.

    For the sender's flush: to fetch a connection and give it back, reset, was two fifths of the Python in a flush.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._connection: sa.Connection | None = None

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """As `writing` of the engine. A connection on which anything failed is not used again."""
        if self._connection is None:
            self._connection = self._engine.connect().execution_options(sqlite_begin="IMMEDIATE")
        try:
            with self._connection.begin():
                yield self._connection
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Gives the connection back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()


@contextmanager
def migrating(engine: sa.Engine) -> Iterator[sa.Connection]:
    """As `writing`, for migrations. SQLite alters a table by copying it; dropping the old one would delete, row by row,
    all that hangs on it, so foreign keys are only looked at when it is over."""
    with engine.connect() as connection:
        connection = connection.execution_options(sqlite_begin="IMMEDIATE")
        if connection.dialect.name != "sqlite":
            with connection.begin():
                yield connection
            return
        cursor = connection.connection.cursor()
        try:
            cursor.execute("PRAGMA foreign_keys = OFF")  # says nothing inside a transaction
            with connection.begin():
                yield connection
                if orphans := connection.exec_driver_sql("PRAGMA foreign_key_check").all():
                    raise StoreError(f"a migration left rows that point at nothing: {orphans[0]}")
        finally:
            cursor.execute("PRAGMA foreign_keys = ON")
            cursor.close()


class Watch:
    """Tells for next to nothing whether anybody has committed since it was last asked; for what looks often at a
    database that mostly rests. On PostgreSQL, which has no such question, it always says yes.

    It holds a connection that never writes: SQLite's `data_version` moves with the commits of every other one.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._connection: PoolProxiedConnection | None = None
        self._version: object = None

    def has_changed(self) -> bool:
        """True where something was committed since the last call; ask before reading what it is about."""
        if self._engine.dialect.name != "sqlite":
            return True
        if self._connection is None:
            self._connection = self._engine.raw_connection()
        cursor = self._connection.cursor()
        try:
            cursor.execute("PRAGMA data_version")
            version = cursor.fetchone()
        finally:
            cursor.close()
        before, self._version = self._version, version
        return version != before


def integrity_faults(connection: sa.Connection) -> list[str]:
    """What the database itself finds wrong with its file; PostgreSQL has no such question and gives none."""
    if connection.dialect.name != "sqlite":
        return []
    found = connection.exec_driver_sql("PRAGMA integrity_check(20)").scalars().all()
    orphans = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    faults = [str(line) for line in found if line != "ok"]
    return faults + [f"a row of {row[0]} points at no row of {row[2]}" for row in orphans[:20]]


def forget_deleted(engine: sa.Engine) -> None:
    """Takes what was deleted out of SQLite's write-ahead log too (`secure_delete` clears the file itself).

    A reader that is at work meanwhile delays that to the next checkpoint; PostgreSQL's vacuum sees to it by itself.
    """
    if engine.dialect.name != "sqlite":
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
