"""The build: journal and posts to files under `public/`, touching only what a change touches (DESIGN.md 3).

It goes in two steps, each safe to repeat. The walk (`feeds/membership.py`) brings what is remembered up to the journal's
head and notes which documents that changes; then those documents are built, one after the other, and each is struck off
the list when its bytes lie there. So a build that is cut off goes on where it was, and needs memory for one document.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Barrier

import sqlalchemy as sa

from feeds.build_state import BuildState, StoredFeed, line_text
from feeds.build_tables import remove_state
from feeds.document import NEVER
from feeds.documents import Documents
from feeds.entries import Entries
from feeds.entry import ENTRY_VERSION, frame_settings
from feeds.files import Draft, is_written, write_documents
from feeds.fragments import Fragments
from feeds.inventory import Inventory
from feeds.membership import Membership
from feeds.opml import OPML_PATH, build_opml
from feeds.outlet import Outlet, Published
from feeds.removals import Removals
from feeds.upkeep import changed_marks, changed_posts, damaged_documents
from posts import journal
from posts.errors import NotFound

__all__ = ["FRAGMENTS_FILE", "STATE_FILE", "Outlet", "Published", "publish_feeds"]

STATE_FILE = "feeds.db"
FRAGMENTS_FILE = "fragments.db"

_DOCUMENT_VERSION = "2"
_AT_ONCE = 20
_MANY = 20
"""Past so many documents a look at all posts for entries to render beforehand costs little beside them."""
_THREADS = 4
"""Compressing and syncing let go of the interpreter, so that both cores and the disk are at work."""


def publish_feeds(
    conn: sa.Connection,
    outlet: Outlet,
    *,
    only: str | None = None,
    without: Collection[int] = frozenset(),
    thorough: bool = True,
) -> Published:
    """Builds what the journal touched since the last build; safe to call again. The caller holds the build's lock.

    `only` names one feed; the others keep what they have to do. `without` holds row ids of posts that are refused
    although the store still shows them. Posts that cannot be rendered come back in `refused`; a document that holds
    one is not written: quarantine them and build again, so that the rest goes out (DESIGN.md 8.2). `thorough` looks
    also at what no line of the journal tells: files that somebody touched, comments counted anew.
    """
    (outlet.public / "feeds").mkdir(parents=True, exist_ok=True)
    path = outlet.built / STATE_FILE
    try:
        return _publish(conn, outlet, path, only, without, thorough=thorough)
    except sqlite3.DatabaseError:
        remove_state(path)  # unreadable in the middle: all of it is found again
        return _publish(conn, outlet, path, only, without, thorough=True)


def _publish(
    conn: sa.Connection,
    outlet: Outlet,
    path: Path,
    only: str | None,
    without: Collection[int],
    *,
    thorough: bool,
) -> Published:
    with (
        closing(BuildState(path)) as state,
        closing(Fragments(outlet.built / FRAGMENTS_FILE)) as fragments,
    ):
        build = _Build(conn, outlet, state, fragments, without)
        return build.run(only, thorough=thorough)


class _Build:
    """One run: what it reads from, and what it has done so far."""

    def __init__(
        self,
        conn: sa.Connection,
        outlet: Outlet,
        state: BuildState,
        fragments: Fragments,
        without: Collection[int],
    ) -> None:
        self._conn = conn
        self._outlet = outlet
        self._state = state
        self._without = without
        self._inventory = Inventory(state, outlet)
        self._done = Published()
        site = outlet.site
        self._entries = Entries(
            conn, fragments, site, outlet.web_url, f"{outlet.web_url} {site.timezone}"
        )

    def run(self, only: str | None, *, thorough: bool) -> Published:
        """The whole build."""
        # The head before the posts: what is newer than it is seen again by the next build.
        head = journal.head(self._conn)
        self._forget_another_database()
        was_told = self._state.get("settings") == self._settings()
        membership = Membership(
            self._conn,
            self._state,
            self._inventory.always,
            stamp_of=self._entries.stamp_of,
            archive_size=self._outlet.archive_size,
            without=self._without,
        )
        membership.follow(head)
        membership.refresh(changed_posts(self._conn, self._state) | set(self._without))
        if not was_told:
            for some in self._state.stream_ids():
                membership.refresh(some)
        elif thorough:
            membership.refresh(changed_marks(self._conn, self._state))
        self._note_head(head, was_told=was_told)
        if thorough:
            damaged_documents(self._state, self._outlet)
        removals = Removals(self._state, self._outlet, self._inventory, self._done)
        changed = removals.settle(thorough=thorough)
        chosen = self._chosen(only)
        if self._state.count_dirty() >= _MANY:
            self._entries.prepare(self._state.stream_stamps())
        self._build(chosen)
        if only is None and (thorough or membership.has_forgotten):
            removals.sweep()
        if only is None and (changed or thorough or not was_told):
            self._write_opml()
        removals.note(thorough=thorough)
        return self._finished(only)

    def _forget_another_database(self) -> None:
        """Forgets what was remembered of a journal that is not this one (a restored backup)."""
        newest = int(self._state.get("cursor", "0"))
        if self._state.get("line") != line_text(journal.find_change(self._conn, newest)):
            with self._state.transaction():
                self._state.forget()

    def _note_head(self, head: int, *, was_told: bool) -> None:
        with self._state.transaction():
            self._state.put("line", line_text(journal.find_change(self._conn, head)))
            self._state.put("cursor", str(head))
            if not was_told:
                for feed in self._state.feeds():
                    self._state.mark_feed_dirty(feed.id)
                self._state.put("settings", self._settings())

    def _settings(self) -> str:
        """A hash of all settings that a document shows."""
        parts = (
            _DOCUMENT_VERSION,
            ENTRY_VERSION,
            str(self._outlet.archive_size),
            self._entries.stamp_of,
            *frame_settings(self._outlet.site),
            *self._outlet.hubs,
            *map(repr, self._inventory.always),
        )
        return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()

    def _chosen(self, only: str | None) -> list[StoredFeed]:
        """The feeds that have documents to build and are asked for; raises NotFound."""
        if only is None:
            return [self._state.feed_by_id(id_) for id_ in self._state.dirty_feeds()]
        stored = self._state.feed(only)
        if stored is None or not stored.is_live:
            names = ", ".join(self._state.live_slugs(8))
            raise NotFound(f'There is no feed "{only}".', remedy=f"There are: {names} ...")
        return [stored]

    def _build(self, feeds: list[StoredFeed]) -> None:
        if not feeds:
            return
        with _pool() as pool:
            documents = Documents(self._state, self._entries, self._outlet, pool, self._done)
            for stored in feeds:
                feed = self._inventory.find(stored)
                if feed is None:
                    continue
                after = 0
                while numbers := self._state.dirty_documents(stored.id, after, _AT_ONCE):
                    with self._state.transaction():
                        for number in numbers:
                            if documents.build(feed, stored, number):
                                self._state.mark_clean(stored.id, number)
                        documents.finish()
                    if numbers[-1] == 0:
                        break
                    after = numbers[-1]
        self._done.refused = list(self._entries.refused.values())
        self._done.entries_rendered = self._entries.rendered
        self._done.faults += self._entries.faults

    def _write_opml(self) -> None:
        body = build_opml(self._outlet.site, self._outlet.web_url, self._inventory.list_all())
        draft = Draft(
            path=self._outlet.place(OPML_PATH),
            body=body,
            changed=journal.newest_at(self._conn) or NEVER,
        )
        if not is_written(draft):
            with _pool() as pool:
                write_documents([draft], pool)
            self._done.written.append(OPML_PATH)

    def _finished(self, only: str | None) -> Published:
        stored = self._state.feed(only) if only else None
        count = self._state.document_count(stored.id if stored else None) + (only is None)
        self._done.unchanged = max(0, count - len(self._done.written))
        return self._done


@contextmanager
def _pool() -> Iterator[ThreadPoolExecutor]:
    """Threads that all run already: one that is started while the others compress waits milliseconds for its turn."""
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="feeds") as pool:
        together = Barrier(_THREADS)
        for _ in range(_THREADS):
            pool.submit(together.wait, 1.0)
        yield pool
