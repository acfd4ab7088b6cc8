"""SQL of what a build remembers, in a file of its own under `var/built/`: each feed's members and their documents.

It lies beside the files, not in the database: each host builds its own `public/` (DESIGN.md 3). All of it follows from
the journal: lost or unreadable it is simply empty, and everything is found again. In SQLite because it grows with the
archive, and a build must touch only what changed of it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from feeds.archive import SUBSCRIPTION, Member, Place
from feeds.build_tables import VERSION, open_state, remove_state
from posts.model import Change

_SLICE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFeed:
    """A feed as it is remembered: `full` archive documents, and whether its documents are published."""

    id: int
    slug: str
    kind: str
    name: str
    full: int
    is_live: bool


_PLACE = (
    "SELECT p.id, p.at, p.moment, p.public, p.stamp, m.withdrawn, m.document IS NULL, m.moment"
    " FROM members m JOIN posts p ON p.id = m.post"
)


def line_text(change: Change | None) -> str:
    """A journal line as it is compared."""
    if change is None:
        return ""
    return f"{change.number} {change.post} {change.revision} {change.kind} {change.at.isoformat()}"


class BuildState:
    """The open file. One thread of one process has it at a time (the build's lock sees to that)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._connection = open_state(path)
        except sqlite3.DatabaseError:
            remove_state(path)
            self._connection = open_state(path)

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing of what is written inside."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def get(self, key: str, default: str = "") -> str:
        """One remembered text."""
        row = self._connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return str(row[0]) if row else default

    def put(self, key: str, value: str) -> None:
        """Remembers it, where it is another than before."""
        self._connection.execute(
            "INSERT INTO meta (key, value) VALUES (?, ?)"
            " ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE value != excluded.value",
            (key, value),
        )

    def forget(self) -> None:
        """Empties it: it was of another database. What lies under `public/` is compared, not forgotten."""
        for table in ("meta", "feeds", "posts", "members", "dirty", "documents"):
            self._connection.execute(f"DELETE FROM {table}")
        self.put("version", VERSION)

    # Feeds

    def feed(self, slug: str) -> StoredFeed | None:
        """The feed of this name, or None."""
        return next(self._feeds("WHERE slug = ?", (slug,)), None)

    def feed_by_id(self, id_: int) -> StoredFeed:
        """The feed with this row id."""
        return next(self._feeds("WHERE id = ?", (id_,)))

    def feeds(self) -> list[StoredFeed]:
        """All feeds, live or not; a build without news does not ask."""
        return list(self._feeds("ORDER BY id", ()))

    def live_slugs(self, limit: int) -> list[str]:
        """Some of the feeds that are published, the oldest first."""
        rows = self._connection.execute(
            "SELECT slug FROM feeds WHERE is_live ORDER BY id LIMIT ?", (limit,)
        )
        return [row[0] for row in rows]

    def _feeds(self, where: str, values: Sequence[object]) -> Iterator[StoredFeed]:
        rows = self._connection.execute(
            f"SELECT id, slug, kind, name, is_full, is_live FROM feeds {where}", values
        )
        for id_, slug, kind, name, full, live in rows:
            yield StoredFeed(id=id_, slug=slug, kind=kind, name=name, full=full, is_live=bool(live))

    def add_feed(self, slug: str, kind: str, name: str) -> int:
        """A new feed's row id."""
        cursor = self._connection.execute(
            "INSERT INTO feeds (slug, kind, name) VALUES (?, ?, ?)", (slug, kind, name)
        )
        return int(cursor.lastrowid or 0)

    def forget_feed(self, id_: int) -> None:
        """Takes a feed out with its members; its documents' paths stay known until they are removed."""
        for table, column in (("feeds", "id"), ("members", "feed"), ("dirty", "feed")):
            self._connection.execute(f"DELETE FROM {table} WHERE {column} = ?", (id_,))

    def set_full(self, full: Mapping[int, int]) -> None:
        """The number of each feed's last full document."""
        self._connection.executemany(
            "UPDATE feeds SET is_full = ? WHERE id = ?", [(n, id_) for id_, n in full.items()]
        )

    def set_live(self, id_: int, *, live: bool) -> None:
        """Whether a feed's documents are published."""
        self._connection.execute("UPDATE feeds SET is_live = ? WHERE id = ?", (live, id_))

    def shows_any(self, feed: int) -> bool:
        """True when a feed has a post to show now."""
        found = self._connection.execute(
            "SELECT 1 FROM members WHERE feed = ? AND shown LIMIT 1", (feed,)
        )
        return found.fetchone() is not None

    def count_shown(self, slug: str) -> int:
        """How many posts a feed shows, its archive included."""
        row = self._connection.execute(
            "SELECT count(*) FROM members JOIN feeds ON feeds.id = members.feed WHERE slug = ? AND shown",
            (slug,),
        ).fetchone()
        return int(row[0])

    def languages(self) -> list[str]:
        """The languages of public posts: one step of the index each, however many posts there are."""
        rows = self._connection.execute(
            "WITH RECURSIVE found (language) AS ("
            " SELECT min(language) FROM posts WHERE public UNION ALL"
            " SELECT (SELECT min(language) FROM posts WHERE public AND language > found.language)"
            " FROM found WHERE found.language IS NOT NULL"
            ") SELECT language FROM found WHERE language IS NOT NULL"
        )
        return [row[0] for row in rows]

    # Members

    def members_of(self, posts: Iterable[int]) -> list[Member]:
        """All memberships of these posts."""
        return [
            _member(row)
            for some in _slices(posts)
            for row in self._connection.execute(
                "SELECT feed, post, entered, document, holds, withdrawn FROM members"
                f" WHERE post IN ({_marks(some)})",
                some,
            )
        ]

    def tail(self, feed: int) -> list[Member]:
        """The members of a feed that stand in no archive document yet, in their order."""
        rows = self._connection.execute(
            "SELECT feed, post, entered, document, holds, withdrawn FROM members"
            " WHERE feed = ? AND document IS NULL AND holds ORDER BY entered",
            (feed,),
        )
        return [_member(row) for row in rows]

    def full(self, feed: int) -> int:
        """The number of a feed's last full document."""
        row = self._connection.execute("SELECT is_full FROM feeds WHERE id = ?", (feed,)).fetchone()
        return int(row[0]) if row else 0

    def save_members(self, changed: Mapping[tuple[int, int], Member | None]) -> None:
        """Keeps what a walk changed; None takes a member out."""
        self._connection.executemany(
            "DELETE FROM members WHERE feed = ? AND post = ?",
            [key for key, member in changed.items() if member is None],
        )
        self._connection.executemany(
            "INSERT INTO members (feed, post, entered, document, holds, withdrawn)"
            " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (feed, post) DO UPDATE SET"
            " entered = excluded.entered, document = excluded.document, holds = excluded.holds,"
            " withdrawn = excluded.withdrawn",
            [
                (m.feed, m.post, m.entered, m.document, m.holds, m.withdrawn)
                for m in changed.values()
                if m is not None
            ],
        )

    # Posts

    def corrected(self) -> set[int]:
        """The posts that carry a correction: few."""
        rows = self._connection.execute("SELECT id FROM posts WHERE corrected")
        return {row[0] for row in rows}

    def stream_ids(self) -> Iterator[list[int]]:
        """The row ids of all posts, in slices."""
        after = -1
        while found := self._connection.execute(
            "SELECT id FROM posts WHERE id > ? ORDER BY id LIMIT ?", (after, _SLICE)
        ).fetchall():
            yield [row[0] for row in found]
            after = found[-1][0]

    def stream_stamps(self) -> Iterator[dict[int, bytes]]:
        """Row ids and stamps of all public posts, in slices."""
        after = -1
        while found := self._connection.execute(
            "SELECT id, stamp, public FROM posts WHERE id > ? ORDER BY id LIMIT ?", (after, _SLICE)
        ).fetchall():
            yield {id_: stamp for id_, stamp, public in found if public}
            after = found[-1][0]

    def count_dirty(self) -> int:
        """How many documents are to be built."""
        return int(self._connection.execute("SELECT count(*) FROM dirty").fetchone()[0])

    def faulty(self) -> set[int]:
        """The posts that were quarantined when last looked at: few."""
        return {row[0] for row in self._connection.execute("SELECT id FROM posts WHERE faulty")}

    def save_lines(self, lines: Iterable[tuple[int, int, int, int, int]]) -> None:
        """Keeps (post, number, at, noted or 0, corrected) of each line, in order."""
        self._connection.executemany(
            "INSERT INTO posts (id, number, at, noted, corrected) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET number = excluded.number, at = excluded.at,"
            " noted = max(noted, excluded.noted), corrected = max(corrected, excluded.corrected)",
            lines,
        )

    def save_outlines(self, rows: Iterable[tuple[int, bool, bool, str, str, bytes, int]]) -> None:
        """Keeps (moment, public, faulty, language, mark, stamp, post) of posts as they are now."""
        rows = list(rows)
        self._connection.executemany(
            "UPDATE posts SET moment = ?, public = ?, faulty = ?, language = ?, mark = ?, stamp = ?"
            " WHERE id = ?",
            rows,
        )

    def show_members(self, posts: Sequence[int], noting: Sequence[int]) -> None:
        """Says anew of these posts' memberships whether they are shown, and by which time they are ordered.

        In the feeds `noting` that is the time of the last correction or withdrawal, and withdrawn posts are shown too.
        """
        own = ",".join(str(id_) for id_ in noting) or "0"
        self._connection.executemany(
            "UPDATE members SET"
            f" shown = holds AND (withdrawn IS NOT NULL AND feed IN ({own}) OR withdrawn IS NULL AND"
            "  (SELECT public FROM posts WHERE id = members.post)),"
            f" moment = (SELECT CASE WHEN feed IN ({own}) THEN noted ELSE moment END FROM posts"
            "  WHERE id = members.post)"
            " WHERE post = ?",
            [(post,) for post in posts],
        )

    def stream_marks(self) -> Iterator[tuple[int, str]]:
        """Row id and mark of every post, by row id; for comparison with the store's."""
        yield from self._connection.execute("SELECT id, mark FROM posts ORDER BY id")

    # Documents

    def mark_dirty(self, documents: Iterable[tuple[int, int]]) -> None:
        """Notes documents (feed, number) that must be built again; it survives a crash."""
        self._connection.executemany(
            "INSERT OR IGNORE INTO dirty (feed, document) VALUES (?, ?)", documents
        )

    def mark_posts_dirty(self, posts: Iterable[int]) -> None:
        """The same for all documents that these posts stand in or might."""
        for some in _slices(posts):
            self._connection.execute(
                "INSERT OR IGNORE INTO dirty (feed, document)"
                f" SELECT feed, {SUBSCRIPTION} FROM members WHERE post IN ({_marks(some)})"
                " UNION SELECT feed, document FROM members"
                f" WHERE post IN ({_marks(some)}) AND document IS NOT NULL",
                (*some, *some),
            )

    def mark_feed_dirty(self, feed: int) -> None:
        """The same for all documents of a feed."""
        self._connection.execute(
            f"INSERT OR IGNORE INTO dirty (feed, document) VALUES (?, {SUBSCRIPTION})", (feed,)
        )
        self._connection.execute(
            "INSERT OR IGNORE INTO dirty (feed, document)"
            " WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n)"
            " SELECT ?, n FROM n LIMIT (SELECT is_full FROM feeds WHERE id = ?)",
            (feed, feed),
        )

    def dirty_feeds(self) -> list[int]:
        """The feeds that have documents to build."""
        return [row[0] for row in self._connection.execute("SELECT DISTINCT feed FROM dirty")]

    def dirty_documents(self, feed: int, after: int, limit: int) -> list[int]:
        """The next of a feed's documents to build: its archive, oldest first, and last the one that links to it."""
        rows = self._connection.execute(
            "SELECT document FROM dirty WHERE feed = ? AND document > ? ORDER BY document LIMIT ?",
            (feed, after, limit),
        ).fetchall()
        if rows:
            return [row[0] for row in rows]
        last = self._connection.execute(
            f"SELECT 1 FROM dirty WHERE feed = ? AND document = {SUBSCRIPTION}", (feed,)
        )
        return [SUBSCRIPTION] if last.fetchone() else []

    def clear_dirty(self, feed: int) -> None:
        """None of a feed's documents is to be built."""
        self._connection.execute("DELETE FROM dirty WHERE feed = ?", (feed,))

    def mark_clean(self, feed: int, document: int) -> None:
        """A document is as it should be."""
        self._connection.execute(
            "DELETE FROM dirty WHERE feed = ? AND document = ?", (feed, document)
        )

    def save_document(self, path: str, feed: int, document: int, marks: str) -> None:
        """Remembers a document's files, to notice one that was lost or touched."""
        self._connection.execute(
            "INSERT OR REPLACE INTO documents (path, feed, document, marks) VALUES (?, ?, ?, ?)",
            (path, feed, document, marks),
        )

    def documents(self, feed: int | None = None) -> Iterator[tuple[str, int, int, str]]:
        """Path, feed, number and files of the documents of a feed, or of all."""
        where = "" if feed is None else "WHERE feed = ?"
        yield from self._connection.execute(
            f"SELECT path, feed, document, marks FROM documents {where}",
            () if feed is None else (feed,),
        )

    def document_count(self, feed: int | None = None) -> int:
        """How many documents there are, counted in files of one address."""
        where = "" if feed is None else "WHERE feed = ?"
        row = self._connection.execute(
            f"SELECT count(*) FROM documents {where}", () if feed is None else (feed,)
        ).fetchone()
        return int(row[0])

    def forget_documents(self, feed: int) -> None:
        """They were removed."""
        self._connection.execute("DELETE FROM documents WHERE feed = ?", (feed,))

    def leftover_documents(self) -> Iterator[str]:
        """The paths of documents that no feed has (any more)."""
        rows = self._connection.execute(
            "SELECT path FROM documents LEFT JOIN feeds ON feeds.id = documents.feed"
            " WHERE document > coalesce(is_full, -1) ORDER BY path"
        )
        yield from (row[0] for row in rows)

    def forget_document(self, path: str) -> None:
        """It was removed."""
        self._connection.execute("DELETE FROM documents WHERE path = ?", (path,))

    # What a document holds

    def archive_places(self, feed: int, document: int) -> list[Place]:
        """The members of an archive document, the last that entered first."""
        rows = self._connection.execute(
            f"{_PLACE} WHERE m.feed = ? AND m.document = ? ORDER BY m.entered DESC",
            (feed, document),
        )
        return [_place(row) for row in rows]

    def newest_places(self, feed: int, size: int) -> list[Place]:
        """The newest `size` that a feed shows, newest first."""
        rows = self._connection.execute(
            f"{_PLACE} WHERE m.feed = ? AND m.shown ORDER BY m.moment DESC, m.post DESC LIMIT ?",
            (feed, size),
        )
        return [_place(row) for row in rows]

    def tail_places(self, feed: int) -> list[Place]:
        """What a feed shows that stands in no archive document yet."""
        rows = self._connection.execute(
            f"{_PLACE} WHERE m.feed = ? AND m.document IS NULL AND m.shown", (feed,)
        )
        return [_place(row) for row in rows]

    def withdrawn_places(self, feed: int, size: int) -> list[Place]:
        """The posts of a feed that were withdrawn last, at most `size`, the last one first."""
        rows = self._connection.execute(
            f"{_PLACE} WHERE m.feed = ? AND m.withdrawn IS NOT NULL"
            " ORDER BY m.withdrawn DESC LIMIT ?",
            (feed, size),
        )
        return [_place(row) for row in rows]


def _member(row: tuple[int, int, int, int | None, int, int | None]) -> Member:
    feed, post, entered, document, holds, withdrawn = row
    return Member(
        feed=feed,
        post=post,
        entered=entered,
        document=document,
        holds=bool(holds),
        withdrawn=withdrawn,
    )


def _place(row: tuple[int, int, int, int, bytes, int | None, int, int]) -> Place:
    post, at, moment, public, stamp, withdrawn, in_tail, order = row
    return Place(
        post=post,
        at=at,
        moment=moment,
        is_public=bool(public),
        stamp=stamp,
        withdrawn=withdrawn,
        in_tail=bool(in_tail),
        order=order,
    )


def _marks(values: Sequence[object]) -> str:
    return ",".join("?" * len(values))


def _slices(values: Iterable[int]) -> Iterator[list[int]]:
    found = list(values)
    for start in range(0, len(found), _SLICE):
        yield found[start : start + _SLICE]
