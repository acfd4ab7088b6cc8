"""The SQL of what a database knows of its counterfoil: how far it has been read, and which of its lines it bears out.

The mark is written in the transaction whose lines end there, so that database and file agree at every commit.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass

import sqlalchemy as sa

from newsletter.counterfoil import AFTER_COMMIT, Line, Place, What
from newsletter.issues import IssueStatus
from newsletter.tables import batches, issues
from posts.facts import find_fact
from posts.tables import press
from posts.upsert import insert_into

_PREFIX = "counterfoil "
_COVERED = "covered "
_CHUNK = 500
_LOCK = 0x436F756E746572  # "Counter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """How far a counterfoil is known: its first `upto` bytes, whose last line is of write `n`; and where it lay."""

    upto: int
    n: int
    place: Place


def lock(conn: sa.Connection) -> None:
    """One transaction at a time notes something, to its end. On SQLite the writing transaction is that lock."""
    if conn.dialect.name == "postgresql":
        conn.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))


def list_marks(conn: sa.Connection) -> dict[str, Mark]:
    """The marks of all counterfoils that this database has seen, by the file's name."""
    rows = conn.execute(
        sa.select(press.c.key, press.c.value).where(press.c.key.startswith(_PREFIX))
    )
    found = {}
    for key, value in rows:
        said = json.loads(value)
        found[key.removeprefix(_PREFIX)] = Mark(
            upto=said["upto"], n=said["n"], place=Place(**said["place"])
        )
    return found


def save_mark(conn: sa.Connection, file: str, mark: Mark) -> None:
    """From the commit on, the file is known so far."""
    _save_fact(conn, _PREFIX + file, json.dumps(asdict(mark)))


def _save_fact(conn: sa.Connection, key: str, value: str) -> None:
    statement = insert_into(conn, press).values(key=key, value=value)
    conn.execute(
        statement.on_conflict_do_update(index_elements=[press.c.key], set_={"value": value})
    )


def forget_marks(conn: sa.Connection, files: Sequence[str]) -> None:
    """These files are no counterfoils of this database any more."""
    conn.execute(sa.delete(press).where(press.c.key.in_([_PREFIX + file for file in files])))


def list_covered(conn: sa.Connection, newsletter: str) -> frozenset[str]:
    """Hashes of posts that a newsletter's issues held which this database has lost: they are owed to nobody again."""
    found = find_fact(conn, _COVERED + newsletter)
    return frozenset(json.loads(found)) if found is not None else frozenset()


def add_covered(conn: sa.Connection, newsletter: str, hashes: Collection[str]) -> None:
    """These posts count as mailed, also those that this database reads only later."""
    if hashes:
        _save_fact(
            conn,
            _COVERED + newsletter,
            json.dumps(sorted(list_covered(conn, newsletter) | set(hashes))),
        )


def list_unknown(conn: sa.Connection, lines: Sequence[Line]) -> list[Line]:
    """Those lines of the delivery program that this database does not bear out: mail may have gone out behind its back.

    A batch's attempt only grows. Of an issue that is done or cancelled nothing goes out, whatever became of its rows.
    """
    wanted = [line for line in lines if line.entry.what in AFTER_COMMIT]
    if not wanted:
        return []
    known = _attempts(conn, sorted({line.entry.batch or 0 for line in wanted}))
    ended = _ended(conn, sorted({line.entry.issue or 0 for line in wanted}))
    return [
        line for line in wanted if line.entry.issue not in ended and not _is_borne_out(line, known)
    ]


def _is_borne_out(line: Line, known: Mapping[tuple[int, int], tuple[int, bool]]) -> bool:
    entry = line.entry
    found = known.get((entry.issue or 0, entry.batch or 0))
    if found is None:
        return False
    attempt, is_leased = found
    asked = entry.attempt or 0
    if entry.what is What.SETTLED and attempt == asked:
        return not is_leased
    return attempt >= asked


def _attempts(conn: sa.Connection, ids: Sequence[int]) -> dict[tuple[int, int], tuple[int, bool]]:
    found = {}
    for at in range(0, len(ids), _CHUNK):
        query = sa.select(
            batches.c.issue, batches.c.id, batches.c.attempt, batches.c.owner.is_not(None)
        ).where(batches.c.id.in_(ids[at : at + _CHUNK]))
        for issue, batch, attempt, is_leased in conn.execute(query):
            found[issue, batch] = (attempt, bool(is_leased))
    return found


def _ended(conn: sa.Connection, ids: Sequence[int]) -> set[int]:
    over = (IssueStatus.DONE.value, IssueStatus.CANCELLED.value)
    query = sa.select(issues.c.id).where(issues.c.id.in_(ids), issues.c.status.in_(over))
    return set(conn.execute(query).scalars())
