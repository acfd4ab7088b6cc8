"""The build: journal and posts to files under `public/`, touching only what a change touches (DESIGN.md 3)."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain
from pathlib import Path

import sqlalchemy as sa

from feeds.build_state import (
    BuildState,
    FeedState,
    line_text,
    read_build_state,
    write_build_state,
)
from feeds.document import NEVER, build_document, document_updated
from feeds.entry import ENTRY_VERSION, render_entry
from feeds.files import file_mark, write_document
from feeds.fragments import Fragments, fragment_stamp
from feeds.opml import OPML_PATH, build_opml
from feeds.spec import MEDIA_TYPES, Feed, FeedSettings, feed_id, feed_paths, list_feeds
from posts import journal, store
from posts.errors import NotFound, PostError
from posts.labels import list_slugs
from posts.marks import list_marks, post_mark
from posts.model import Change, Label, Post
from posts.settings import Site

STATE_FILE = "feeds.json"
FRAGMENTS_FILE = "fragments.db"

_DOCUMENT_VERSION = "1"
_MANY_CHANGES = 500
"""Past so many changed posts (an import) all feeds are built: reading them all to ask each feed would cost more."""

_OURS = ("tag-", "language-", "author-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlet:
    """Where and as what this host publishes: settings and folders."""

    site: Site
    web_url: str
    configured: Sequence[FeedSettings]
    public: Path
    built: Path


@dataclass(slots=True)
class Published:
    """What a build did: paths under `public/` written and removed, documents left as they were, posts refused."""

    written: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unchanged: int = 0
    entries_rendered: int = 0
    refused: list[tuple[Post, PostError]] = field(default_factory=list)


def publish_feeds(
    conn: sa.Connection,
    outlet: Outlet,
    *,
    only: str | None = None,
    without: Collection[int] = frozenset(),
) -> Published:
    """Builds what the journal touched since the last build; safe to call again. The caller holds the build's lock.

    `only` names one feed; the others keep their cursors. `without` holds row ids of posts that are refused although
    the store still shows them. Posts that cannot be rendered come back in `refused`; a feed that holds one is not
    written: quarantine them and build again, so that the next post takes the place (DESIGN.md 8.2).
    """
    (outlet.public / "feeds").mkdir(parents=True, exist_ok=True)
    # The head before the posts: what is newer than it is seen again by the next build.
    head = journal.head(conn)
    tag_slugs = list_slugs(conn, "tag")
    tags = [Label(kind="tag", name=name, slug=slug) for name, slug in tag_slugs.items()]
    feeds = list_feeds(outlet.site, outlet.configured, tags, store.list_languages(conn))
    state = _trusted_state(conn, outlet.built / STATE_FILE)
    wanted = [feed for feed in feeds if only is None or feed.slug == only]
    if not wanted:
        names = ", ".join(feed.slug for feed in feeds[:8])
        raise NotFound(f'There is no feed "{only}".', remedy=f"There are: {names} ...")
    fragments = Fragments(outlet.built / FRAGMENTS_FILE)
    try:
        press = _Build(conn, outlet, fragments, tag_slugs, head, without)
        built = press.build(wanted, state)
    finally:
        fragments.close()
    done = press.done
    if only is None:
        _write_opml(conn, outlet, feeds, done)
        done.removed += _remove_strangers(outlet, feeds, state)
        kept: Mapping[str, FeedState] = built
    else:
        kept = {**state.feeds, **built}
    line = line_text(journal.find_change(conn, head))
    new_state = BuildState(line=line, newest=head, feeds=kept)
    if new_state != state:
        write_build_state(outlet.built / STATE_FILE, new_state)
    return done


class _Build:
    """One run: what it reads from, and what it has done so far."""

    def __init__(
        self,
        conn: sa.Connection,
        outlet: Outlet,
        fragments: Fragments,
        tag_slugs: Mapping[str, str],
        head: int,
        without: Collection[int],
    ) -> None:
        self._conn = conn
        self._outlet = outlet
        self._fragments = fragments
        self._tag_slugs = tag_slugs
        self._head = head
        self._without = without
        self._refused: dict[int, tuple[Post, PostError]] = {}
        self._newest: dict[int, datetime] = {}
        self.done = Published()

    def build(self, feeds: Sequence[Feed], state: BuildState) -> dict[str, FeedState]:
        """Builds those of `feeds` that need it; gives the new state of each."""
        known = {feed.slug: state.feeds.get(feed.slug) for feed in feeds}
        cursors = [old.cursor for old in known.values() if old]
        oldest = min(cursors, default=self._head)
        changes = journal.list_changes(self._conn, oldest, self._head)
        changed = _changed_posts(self._conn, changes)
        marks = list_marks(
            self._conn,
            sorted(set(chain.from_iterable(old.members for old in known.values() if old))),
        )
        built: dict[str, FeedState] = {}
        for feed in feeds:
            old = known[feed.slug]
            stamp = _feed_stamp(feed, self._outlet)
            news = [change for change in changes if old and change.number > old.cursor]
            if old is not None and not self._needs(feed, old, stamp, news, changed, marks):
                self.done.unchanged += len(old.files)
                built[feed.slug] = replace(old, cursor=self._head)
                continue
            fresh = self._build_feed(feed, old, stamp, news)
            if fresh is not None:
                built[feed.slug] = fresh
            elif old is not None:
                built[feed.slug] = old
        self.done.refused = list(self._refused.values())
        return built

    def _needs(
        self,
        feed: Feed,
        old: FeedState,
        stamp: str,
        news: Iterable[Change],
        changed: Mapping[int, Post] | None,
        marks: Mapping[int, str],
    ) -> bool:
        """True when settings, files, marks or a change, before it or after it, touch the feed."""
        if old.stamp != stamp or changed is None:
            return True
        if any(marks.get(id_) != mark for id_, mark in old.members.items()):
            return True
        if any(
            file_mark(self._outlet.public / path[1:]) != mark for path, mark in old.files.items()
        ):
            return True
        touched = {change.post for change in news}
        if not touched.isdisjoint(old.members):
            return True
        return any(
            post.is_public and feed.selection.matches(post)
            for post in (changed.get(id_) for id_ in touched)
            if post is not None
        )

    def _build_feed(
        self, feed: Feed, old: FeedState | None, stamp: str, news: Sequence[Change]
    ) -> FeedState | None:
        """Writes a feed's documents; None when one of its posts was refused."""
        posts = [
            post
            for post in store.list_posts(self._conn, feed.selection, limit=feed.size)
            if post.id not in self._without
        ]
        entries = self._entries(posts)
        if entries is None:
            return None
        members = {post.id: post_mark(post) for post in posts}
        if old is None:
            moment = max(map(self._newest_change, members), default=NEVER)
        else:
            concerned = members.keys() | old.members.keys()
            moment = max((change.at for change in news if change.post in concerned), default=NEVER)
        files: dict[str, tuple[int, int]] = {}
        for format_, path in feed_paths(feed).items():
            body = build_document(
                feed,
                format_,
                site=self._outlet.site,
                web_url=self._outlet.web_url,
                updated=document_updated(posts),
                entries=[entry[format_] for entry in entries],
            )
            place = self._outlet.public / path[1:]
            if write_document(place, body, moment):
                self.done.written.append(path)
            else:
                self.done.unchanged += 1
            files[path] = file_mark(place) or (0, 0)
        return FeedState(stamp=stamp, cursor=self._head, members=members, files=files)

    def _newest_change(self, post: int) -> datetime:
        """When a post last changed; asked for feeds that were never built here, so a tag of ten years costs 50 rows."""
        if post not in self._newest:
            lines = journal.list_post_changes(self._conn, post)
            self._newest[post] = lines[-1].at if lines else NEVER
        return self._newest[post]

    def _entries(self, posts: Sequence[Post]) -> list[Mapping[str, bytes]] | None:
        """The entries of `posts`, kept or rendered now; None when one was refused."""
        web_url = self._outlet.web_url
        stamps = {post.guid: fragment_stamp(post, web_url, self._tag_slugs) for post in posts}
        entries: dict[str, Mapping[str, bytes]] = dict(self._fragments.find(stamps))
        rendered: list[tuple[str, bytes, Mapping[str, bytes]]] = []
        refused = False
        for post in posts:
            if post.guid in entries:
                continue
            if post.id in self._refused:
                refused = True
                continue
            try:
                entry = render_entry(post, web_url=web_url, tag_slugs=self._tag_slugs)
            except PostError as error:
                self._refused[post.id] = (post, error)
                refused = True
                continue
            entries[post.guid] = entry
            rendered.append((post.guid, stamps[post.guid], entry))
        if rendered:
            self._fragments.save(rendered)
            self.done.entries_rendered += len(rendered)
        return None if refused else [entries[post.guid] for post in posts]


def _changed_posts(conn: sa.Connection, changes: Sequence[Change]) -> Mapping[int, Post] | None:
    """The posts that the changes are about, as they are now; None when they are too many to ask each feed."""
    ids = {change.post for change in changes}
    if len(ids) > _MANY_CHANGES:
        return None
    return store.list_by_ids(conn, sorted(ids)) if ids else {}


def _trusted_state(conn: sa.Connection, path: Path) -> BuildState:
    """The stored state, or an empty one where the journal is not the one it was made from (a restored backup)."""
    state = read_build_state(path)
    if state.line != line_text(journal.find_change(conn, state.newest)):
        return BuildState()
    return state


def _feed_stamp(feed: Feed, outlet: Outlet) -> str:
    """A hash of all settings that a document shows or that choose its posts."""
    site = outlet.site
    parts = (
        _DOCUMENT_VERSION,
        ENTRY_VERSION,
        outlet.web_url,
        site.url,
        site.title,
        site.tagline,
        feed_id(feed, site),
        repr(feed),
    )
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _write_opml(
    conn: sa.Connection, outlet: Outlet, feeds: Sequence[Feed], done: Published
) -> None:
    body = build_opml(outlet.site, outlet.web_url, feeds)
    moment = journal.newest_at(conn) or NEVER
    if write_document(outlet.public / OPML_PATH[1:], body, moment):
        done.written.append(OPML_PATH)
    else:
        done.unchanged += 1


def _remove_strangers(outlet: Outlet, feeds: Sequence[Feed], state: BuildState) -> list[str]:
    """Removes documents of feeds that are no more: those the state knows, and any with a name that only we give."""
    now = set(chain.from_iterable(feed_paths(feed).values() for feed in feeds))
    folder = outlet.public / "feeds"
    before = set(chain.from_iterable(old.files for old in state.feeds.values())) | {
        f"/feeds/{path.name}"
        for path in (folder.iterdir() if folder.is_dir() else ())
        if path.name.startswith(_OURS) and path.suffix[1:] in MEDIA_TYPES
    }
    removed = sorted(before - now)
    for path in removed:
        (outlet.public / path[1:]).unlink(missing_ok=True)
    return removed
