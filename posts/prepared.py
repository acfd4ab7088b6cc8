"""SQL compiled once for each kind of database and run by its driver, with nothing in between.

For the few statements that run for every message: SQLAlchemy's way from a statement to its rows took half of the time
that a flush holds the lock (performance.md 4: 2.8 to 7 times the driver's). The statement is still written in Core, so
that both databases share it, and runs in the connection's own transaction.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any, cast  # values are as drivers take and give them

import sqlalchemy as sa
from sqlalchemy.sql.compiler import SQLCompiler

from posts.tables import UTCDateTime

_Process = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class _Ready:
    text: str
    pick: Callable[[Mapping[str, object]], tuple[object, ...]] | None
    constants: dict[str, object]
    given: tuple[tuple[str, _Process], ...]
    columns: tuple[tuple[int, _Process], ...]


class Prepared:
    """One statement; values go by the names of its bind parameters, times and JSON as elsewhere."""

    def __init__(self, statement: sa.Select[Any] | sa.Update) -> None:
        self._statement = statement
        self._ready: dict[str, _Ready] = {}

    def run(self, conn: sa.Connection, values: Mapping[str, object]) -> int:
        """Runs it and gives how many rows it changed."""
        ready = self._of(conn)
        cursor = conn.connection.cursor()
        try:
            cursor.execute(ready.text, _values(ready, values))
            count: int = cursor.rowcount
        except conn.dialect.loaded_dbapi.Error as error:
            raise _wrapped(conn, ready, error) from error
        finally:
            cursor.close()
        return count

    def run_many(self, conn: sa.Connection, rows: Sequence[Mapping[str, object]]) -> None:
        """Runs it once for each row of values."""
        ready = self._of(conn)
        cursor = conn.connection.cursor()
        try:
            cursor.executemany(ready.text, [cast(Any, _values(ready, row)) for row in rows])
        except conn.dialect.loaded_dbapi.Error as error:
            raise _wrapped(conn, ready, error) from error
        finally:
            cursor.close()

    def rows(self, conn: sa.Connection, values: Mapping[str, object]) -> Sequence[Sequence[Any]]:
        """Its rows, each the values in the order of its columns."""
        ready = self._of(conn)
        cursor = conn.connection.cursor()
        try:
            cursor.execute(ready.text, _values(ready, values))
            found = cast(list[tuple[Any, ...]], cursor.fetchall())
        except conn.dialect.loaded_dbapi.Error as error:
            raise _wrapped(conn, ready, error) from error
        finally:
            cursor.close()
        return [_row(row, ready.columns) for row in found] if ready.columns else found

    def _of(self, conn: sa.Connection) -> _Ready:
        ready = self._ready.get(conn.dialect.name)
        if ready is None:
            ready = self._ready[conn.dialect.name] = _compiled(self._statement, conn.dialect)
        return ready


def _compiled(statement: sa.Select[Any] | sa.Update, dialect: sa.Dialect) -> _Ready:
    compiled = statement.compile(dialect=dialect)
    assert isinstance(compiled, SQLCompiler)
    processes = [
        (name, _remembering(process) if isinstance(bind.type, UTCDateTime) else process)
        for name, bind in compiled.binds.items()
        if (process := bind.type.dialect_impl(dialect).bind_processor(dialect)) is not None
    ]
    fixed = {name: value for name, value in compiled.params.items() if value is not None}
    for name, written in processes:
        if name in fixed:
            fixed[name] = written(fixed[name])
    columns = []
    if isinstance(statement, sa.Select):
        for place, column in enumerate(statement.selected_columns):
            reading = column.type.dialect_impl(dialect).result_processor(dialect, None)
            if reading is not None:
                known = isinstance(column.type, UTCDateTime)
                columns.append((place, _remembering(reading) if known else reading))
    return _Ready(
        text=compiled.string,
        pick=_picker(compiled.positiontup),
        constants=fixed,
        given=tuple((name, process) for name, process in processes if name not in fixed),
        columns=tuple(columns),
    )


def _remembering(process: _Process) -> _Process:
    """Times come in bunches: the same one for all rows of a flush."""
    return lru_cache(maxsize=512)(process)


def _values(ready: _Ready, values: Mapping[str, object]) -> Sequence[object] | Mapping[str, object]:
    whole = {**ready.constants, **values}
    for name, process in ready.given:
        whole[name] = process(whole[name])
    return whole if ready.pick is None else ready.pick(whole)


def _picker(
    names: Sequence[str] | None,
) -> Callable[[Mapping[str, object]], tuple[object, ...]] | None:
    """What puts values in the order of the question marks; None where the driver takes names."""
    if names is None:
        return None
    if len(names) == 1:  # of one name, itemgetter would give the bare value
        return lambda whole: (whole[names[0]],)
    return itemgetter(*names)


def _row(row: Sequence[Any], columns: Sequence[tuple[int, _Process]]) -> Sequence[Any]:
    made = list(row)
    for place, process in columns:
        made[place] = process(made[place])
    return made


def _wrapped(conn: sa.Connection, ready: _Ready, error: Exception) -> BaseException:
    """The driver's error as SQLAlchemy would raise it, so that callers catch one kind."""
    return sa.exc.DBAPIError.instance(
        ready.text, None, error, conn.dialect.loaded_dbapi.Error, dialect=conn.dialect
    )
