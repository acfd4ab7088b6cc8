"""SQL compiled once for each kind of database and run by its driver, with nothing in between.

For the few statements that run for every message: SQLAlchemy's way from a statement to its rows took half of the time
that a flush holds the lock (performance.md 4: 2.8 to 7 times the driver's). The statement is still written in Core, so
that both databases share it, and runs in the connection's own transaction.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any, cast  # values are as drivers take and give them

import sqlalchemy as sa
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

from posts.tables import UTCDateTime

_Process = Callable[[Any], Any]
_ROWS = "given_rows"


@dataclass(frozen=True, slots=True)
class _Ready:
    text: str
    pick: Callable[[Mapping[str, object]], tuple[object, ...]] | None
    constants: dict[str, object]
    given: tuple[tuple[str, _Process], ...]
    columns: tuple[tuple[int, _Process], ...]
    is_packed: bool


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
            raise _wrapped(conn, ready.text, error) from error
        finally:
            cursor.close()
        return count

    def rows(self, conn: sa.Connection, values: Mapping[str, object]) -> Sequence[Sequence[Any]]:
        """Its rows, each the values in the order of its columns.

        On SQLite they come as one text of JSON: its driver lets go of the interpreter's lock at each row, and each
        time waits until the loop that sends lets go of it.
        """
        ready = self._of(conn)
        cursor = conn.connection.cursor()
        try:
            cursor.execute(ready.text, _values(ready, values))
            found = cast(list[tuple[Any, ...]], cursor.fetchall())
            if ready.is_packed:
                found = json.loads(found[0][0])
        except conn.dialect.loaded_dbapi.Error as error:
            raise _wrapped(conn, ready.text, error) from error
        finally:
            cursor.close()
        return [_row(row, ready.columns) for row in found] if ready.columns else found

    def _of(self, conn: sa.Connection) -> _Ready:
        ready = self._ready.get(conn.dialect.name)
        if ready is None:
            ready = self._ready[conn.dialect.name] = _compiled(self._statement, conn.dialect)
        return ready


class PreparedRows:
    """One UPDATE for many rows of given values, as one step of the database.

    `columns` names and types what each row gives; `statement` makes the UPDATE of it, `given.c.NAME` being a value.
    The driver's own way, one execution for each row, lets go of the interpreter's lock and waits for it at each.
    """

    def __init__(
        self,
        columns: Mapping[str, TypeEngine[Any]],
        statement: Callable[[Mapping[str, sa.ColumnElement[Any]]], sa.Update],
    ) -> None:
        self._columns = columns
        self._update = statement
        self._ready: dict[str, tuple[Prepared, list[_Process | None]]] = {}

    def run(self, conn: sa.Connection, rows: Sequence[Sequence[object]]) -> None:
        """Runs it for all `rows`, each the values in the order of the columns."""
        name = conn.dialect.name
        if name not in self._ready:
            processes = [_written(kind, conn.dialect) for kind in self._columns.values()]
            self._ready[name] = (Prepared(self._update(self._given(name))), processes)
        prepared, processes = self._ready[name]
        given: list[list[object]] = [
            [
                value if process is None or value is None else process(value)
                for value, process in zip(row, processes, strict=True)
            ]
            for row in rows
        ]
        if name == "sqlite":
            prepared.run(conn, {_ROWS: json.dumps(given)})
        else:
            named = [dict(zip(self._columns, row, strict=True)) for row in given]
            prepared.run(conn, {_ROWS: json.dumps(named)})

    def _given(self, dialect_name: str) -> Mapping[str, sa.ColumnElement[Any]]:
        rows = sa.bindparam(_ROWS, type_=sa.Text)
        if dialect_name == "sqlite":
            value = sa.func.json_each(rows).table_valued("value", name="given").c.value
            return {
                name: sa.type_coerce(sa.func.json_extract(value, sa.text(f"'$[{place}]'")), kind)
                for place, (name, kind) in enumerate(self._columns.items())
            }
        columns = [sa.column(name, kind) for name, kind in self._columns.items()]
        table = sa.func.json_to_recordset(sa.cast(rows, sa.JSON)).table_valued(*columns)
        return dict(table.render_derived(name="given", with_types=True).c)


def _written(kind: TypeEngine[Any], dialect: sa.Dialect) -> _Process | None:
    """How a value of this type is written in JSON so that the database reads it as if it were bound."""
    if not isinstance(kind, UTCDateTime):
        return None
    bound = kind.dialect_impl(dialect).bind_processor(dialect)
    assert bound is not None
    made = bound if dialect.name == "sqlite" else lambda moment: bound(moment).isoformat()
    return _remembering(made)


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
    text, is_packed = compiled.string, False
    if isinstance(statement, sa.Select) and dialect.name == "sqlite":
        text, is_packed = _packed(statement, text), True
    return _Ready(
        text=text,
        pick=_picker(compiled.positiontup),
        constants=fixed,
        given=tuple((name, process) for name, process in processes if name not in fixed),
        columns=tuple(columns),
        is_packed=is_packed,
    )


def _packed(statement: sa.Select[Any], text: str) -> str:
    """The statement as one that gives one row, of one text: its rows as JSON."""
    names = ", ".join(f"c{number}" for number in range(len(statement.selected_columns)))
    return (
        f"WITH found({names}) AS ({text}) SELECT json_group_array(json_array({names})) FROM found"
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


def _wrapped(conn: sa.Connection, text: str, error: Exception) -> BaseException:
    """The driver's error as SQLAlchemy would raise it, so that callers catch one kind."""
    return sa.exc.DBAPIError.instance(
        text, None, error, conn.dialect.loaded_dbapi.Error, dialect=conn.dialect
    )
