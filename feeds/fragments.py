"""Kept entries, in a small SQL file of their own under `var/built/`: a document is then a join.

A cache and nothing else: it may be deleted at any time, and a file that SQLite cannot read is begun anew.
"""

from __future__ import annotations

import errno
import hashlib
import sqlite3
import zlib
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path

from feeds.entry import ENTRY_VERSION
from feeds.rendering import FULL
from posts.outlines import Outline

_TABLE = """
CREATE TABLE IF NOT EXISTS entries (
    post INTEGER NOT NULL,
    form TEXT NOT NULL,
    stamp BLOB NOT NULL,
    checksum INTEGER NOT NULL,
    atom BLOB NOT NULL,
    rss BLOB NOT NULL,
    json BLOB NOT NULL,
    PRIMARY KEY (post, form)
)
"""
_CHUNK = 500  # stays below SQLite's old bound of 999 parameters


def fragment_stamp(post: Outline, web_url: str, tag_slugs: Mapping[str, str]) -> bytes:
    """A hash of all that an entry's bytes are made of: the post at its revision, and the settings that it shows.

    The content hash speaks for what makes a revision; comment counts are refreshed without one.
    """
    parts = (
        ENTRY_VERSION,
        web_url,
        post.guid,
        post.path,
        str(post.revision),
        post.content_hash,
        post.published.isoformat(),
        post.updated.isoformat(),
        str(post.comment_count),
        str(post.comments_url),
        *(f"{tag}={tag_slugs.get(tag)}" for tag in post.tags),
    )
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()


class Fragments:
    """The open cache. Used by one thread of one process at a time (the build's lock sees to that)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._connection = _open(path)
        except sqlite3.DatabaseError:
            self._connection = _open_anew(path)

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    def find(self, stamps: Mapping[int, bytes], form: str = FULL) -> dict[int, dict[str, bytes]]:
        """The kept entries, by row id and format, of those posts whose stamp still holds."""
        ids = list(stamps)
        found: dict[int, dict[str, bytes]] = {}
        try:
            for start in range(0, len(ids), _CHUNK):
                for row in self._rows(ids[start : start + _CHUNK], form):
                    post, stamp, checksum, *parts = row
                    if stamp == stamps[post] and checksum == _checksum(stamp, *parts):
                        found[post] = dict(zip(("atom", "rss", "json"), parts, strict=True))
        except sqlite3.DatabaseError:
            self._connection.close()
            self._connection = _open_anew(self._path)
            return {}
        return found

    def _rows(self, ids: list[int], form: str) -> sqlite3.Cursor:
        marks = ",".join("?" * len(ids))
        return self._connection.execute(
            "SELECT post, stamp, checksum, atom, rss, json FROM entries"
            f" WHERE post IN ({marks}) AND form = ?",
            (*ids, form),
        )

    def list_missing(self, stamps: Mapping[int, bytes]) -> list[int]:
        """Those of the posts of which no entry with this stamp is kept; it reads no entry."""
        ids = list(stamps)
        kept: set[int] = set()
        for start in range(0, len(ids), _CHUNK):
            some = ids[start : start + _CHUNK]
            rows = self._connection.execute(
                "SELECT post, stamp FROM entries"
                f" WHERE post IN ({','.join('?' * len(some))}) AND form = '{FULL}'",
                some,
            )
            kept.update(post for post, stamp in rows if stamp == stamps[post])
        return [id_ for id_ in ids if id_ not in kept]

    def save(self, entries: Iterable[tuple[int, str, bytes, Mapping[str, bytes]]]) -> None:
        """Keeps (row id, form, stamp, bytes by format), each in place of what was kept before; OSError when not."""
        try:
            with self._connection:
                self._connection.executemany(
                    "INSERT OR REPLACE INTO entries (post, form, stamp, checksum, atom, rss, json)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    [_row(*entry) for entry in entries],
                )
        except sqlite3.DatabaseError as error:
            raise OSError(errno.EIO, str(error), str(self._path)) from error


def _row(
    post: int, form: str, stamp: bytes, entry: Mapping[str, bytes]
) -> tuple[str | bytes | int, ...]:
    parts = (entry["atom"], entry["rss"], entry["json"])
    return (post, form, stamp, _checksum(stamp, *parts), *parts)


def _checksum(*parts: bytes) -> int:
    """Tells a row that a power cut tore."""
    found = 0
    for part in parts:
        found = zlib.crc32(part, found)
    return found


def _open_anew(path: Path) -> sqlite3.Connection:
    for name in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        name.unlink(missing_ok=True)
    return _open(path)


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        # Never waits for the disk: a kill loses nothing, and what a power cut tears is found by checksum or by SQLite
        # and rendered again.
        connection.execute("PRAGMA synchronous = OFF")
        with closing(connection.execute(_TABLE)):
            return connection
    except sqlite3.DatabaseError:
        connection.close()
        raise
