"""SQL of the tables of a build's memory, and how its file is opened."""

from __future__ import annotations

import sqlite3
from pathlib import Path

VERSION = "2"
_TABLES = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS feeds (
    id INTEGER PRIMARY KEY, slug TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, name TEXT NOT NULL,
    is_full INTEGER NOT NULL DEFAULT 0, is_live INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS posts (
    id INTEGER PRIMARY KEY, number INTEGER NOT NULL, at INTEGER NOT NULL, noted INTEGER NOT NULL DEFAULT 0,
    corrected INTEGER NOT NULL DEFAULT 0, moment INTEGER NOT NULL DEFAULT 0, public INTEGER NOT NULL DEFAULT 0,
    faulty INTEGER NOT NULL DEFAULT 0, language TEXT NOT NULL DEFAULT '', mark TEXT NOT NULL DEFAULT '',
    stamp BLOB NOT NULL DEFAULT x''
);
CREATE INDEX IF NOT EXISTS posts_faulty ON posts (id) WHERE faulty;
CREATE INDEX IF NOT EXISTS posts_corrected ON posts (id) WHERE corrected;
CREATE INDEX IF NOT EXISTS posts_language ON posts (language) WHERE public;
CREATE TABLE IF NOT EXISTS members (
    feed INTEGER NOT NULL, post INTEGER NOT NULL, entered INTEGER NOT NULL, document INTEGER,
    holds INTEGER NOT NULL, withdrawn INTEGER, shown INTEGER NOT NULL DEFAULT 0, moment INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (feed, post)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS members_post ON members (post);
CREATE INDEX IF NOT EXISTS members_document ON members (feed, document, entered);
CREATE INDEX IF NOT EXISTS members_newest ON members (feed, moment, post) WHERE shown;
CREATE INDEX IF NOT EXISTS members_withdrawn ON members (feed, withdrawn) WHERE withdrawn IS NOT NULL;
CREATE TABLE IF NOT EXISTS dirty (
    feed INTEGER NOT NULL, document INTEGER NOT NULL, PRIMARY KEY (feed, document)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS documents (
    path TEXT PRIMARY KEY, feed INTEGER NOT NULL, document INTEGER NOT NULL, marks TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS documents_feed ON documents (feed, document);
"""


def remove_state(path: Path) -> None:
    """Takes the file away, with what SQLite keeps beside it."""
    for name in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        name.unlink(missing_ok=True)


def open_state(path: Path) -> sqlite3.Connection:
    """The open file with its tables; raises DatabaseError where it is none, or of another version."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        # Does not wait for the disk at each commit: a power cut may lose the last ones, whose work is then done again.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(_TABLES)
        version = connection.execute("SELECT value FROM meta WHERE key = 'version'").fetchone()
        if version is None:
            connection.execute("INSERT INTO meta (key, value) VALUES ('version', ?)", (VERSION,))
        elif version[0] != VERSION:
            raise sqlite3.DatabaseError("another version")
        return connection
    except sqlite3.DatabaseError:
        connection.close()
        raise
