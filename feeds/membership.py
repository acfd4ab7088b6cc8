"""The walk of a build along the journal: which posts each feed holds, in which document, and which documents changed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from feeds.archive import Standing, Walk
from feeds.build_state import BuildState
from feeds.fragments import fragment_stamp
from feeds.spec import Feed, FeedKind
from posts.labels import find_slugs
from posts.model import ChangeKind, Content, Correction, Enclosure, Post, Status
from posts.outlines import Line, list_lines, list_outlines, outline_mark

ALWAYS = "always"
"""The kind of a feed that exists whether or not it holds a post; the others are `tag`, `author` and `language`."""

_LINES = 500
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def microseconds(moment: datetime) -> int:
    """A time as it is stored and compared; whole, so that no year is too early."""
    return (moment - _EPOCH) // _MICROSECOND


def as_moment(stored: int) -> datetime:
    """The time that `microseconds` stored."""
    return _EPOCH + stored * _MICROSECOND


class Membership:
    """One build's walk. `feeds` are those that always exist; those of tags, authors and languages come with posts."""

    def __init__(
        self,
        conn: sa.Connection,
        state: BuildState,
        feeds: Sequence[Feed],
        *,
        stamp_of: str,
        archive_size: int,
        without: Collection[int] = frozenset(),
    ) -> None:
        self._conn = conn
        self._state = state
        self._feeds = feeds
        self._stamp_of = stamp_of
        self._archive_size = archive_size
        self._without = without
        self._ids: dict[str, int] = {}
        self._slugs: dict[str, dict[str, str]] = {"tag": {}, "author": {}}
        self._noting: list[int] = []
        self.has_forgotten = False

    def follow(self, head: int) -> None:
        """Brings the state up to `head`; a feed that is new, or whose rule changed, walks the whole way alone first."""
        cursor = int(self._state.get("cursor", "0"))
        new = self._know_feeds()
        if new and cursor:
            self._walk(0, cursor, only=new)
        self._walk(cursor, head, only=None)

    def refresh(self, posts: Iterable[int]) -> None:
        """Looks again at posts that changed without a line in the journal."""
        ids = list(posts)
        for start in range(0, len(ids), _LINES):
            some = ids[start : start + _LINES]
            with self._state.transaction():
                self._outline(some)
                self._state.mark_posts_dirty(some)

    def _know_feeds(self) -> set[int]:
        """Row ids of the feeds that the state did not know, or knew with another rule."""
        new = set()
        with self._state.transaction():
            for feed in self._feeds:
                rule = f"{feed.kind} {feed.selection!r} {self._archive_size}"
                stored = self._state.feed(feed.slug)
                if stored is not None and stored.name != rule:
                    self._state.forget_feed(stored.id)
                    self.has_forgotten = True
                    stored = None
                if stored is None:
                    new.add(self._state.add_feed(feed.slug, ALWAYS, rule))
        for feed in self._feeds:
            id_ = self._id(feed.slug, ALWAYS, "")
            if feed.kind is FeedKind.UPDATES:
                self._noting.append(id_)
        return new

    def _walk(self, after: int, upto: int, *, only: Collection[int] | None) -> None:
        walk = Walk(self._state.tail, self._state.full, self._archive_size)
        corrected = self._state.corrected() if only is None else set[int]()
        while lines := list_lines(self._conn, after, upto, limit=_LINES):
            after = lines[-1].change.number
            posts = sorted({line.change.post for line in lines})
            with self._state.transaction():
                members = self._state.members_of(posts)
                walk.know(posts, (m for m in members if only is None or m.feed in only))
                self._learn_slugs(lines)
                for line in lines:
                    walk.take(self._standing(line, corrected, only))
                self._state.save_members(walk.changed)
                self._state.set_full(walk.full)
                self._state.mark_dirty(walk.touched)
                if only is None:
                    self._state.save_lines(_line_rows(lines))
                    self._state.put("cursor", str(after))
                self._outline(posts)
                self._state.mark_posts_dirty(posts)

    def _standing(self, line: Line, corrected: set[int], only: Collection[int] | None) -> Standing:
        change = line.change
        if change.kind is ChangeKind.CORRECTED:
            corrected.add(change.post)
        withdrawn = change.kind is ChangeKind.WITHDRAWN
        bare = _bare_post(line, is_withdrawn=withdrawn, is_corrected=change.post in corrected)
        feeds = {
            self._ids[feed.slug]
            for feed in self._feeds
            if (not withdrawn or feed.kind is FeedKind.UPDATES) and feed.holds(bare)
        }
        if only is not None:
            feeds &= set(only)
        elif not withdrawn:
            feeds.update(self._label_feeds(line))
        return Standing(
            number=change.number,
            post=change.post,
            feeds=frozenset(feeds),
            is_withdrawn=withdrawn,
        )

    def _label_feeds(self, line: Line) -> Iterable[int]:
        language = line.language.lower()
        yield self._id(f"language-{language}", "language", language)
        for kind, names in (("tag", line.tags), ("author", line.authors)):
            for name in names:
                if name in self._slugs[kind]:
                    yield self._id(f"{kind}-{self._slugs[kind][name]}", kind, name)

    def _id(self, slug: str, kind: str, name: str) -> int:
        if slug not in self._ids:
            stored = self._state.feed(slug)
            self._ids[slug] = stored.id if stored else self._state.add_feed(slug, kind, name)
        return self._ids[slug]

    def _learn_slugs(self, lines: Sequence[Line]) -> None:
        self._know_slugs("tag", (name for line in lines for name in line.tags))
        self._know_slugs("author", (name for line in lines for name in line.authors))

    def _know_slugs(self, kind: str, names: Iterable[str]) -> Mapping[str, str]:
        known = self._slugs[kind]
        missing = set(names) - known.keys()
        if missing:
            known.update(find_slugs(self._conn, kind, missing))
        return known

    def _outline(self, posts: Sequence[int]) -> None:
        """Says of posts as they are now whether they are shown, in which order, and what their bytes are made of."""
        outlines = list_outlines(self._conn, posts)
        slugs = self._know_slugs("tag", (tag for post in outlines.values() for tag in post.tags))
        self._state.save_outlines(
            (
                microseconds(max(post.published, post.updated)),
                post.is_public and post.id not in self._without,
                post.fault is not None and post.status is Status.PUBLISHED,
                post.language,
                outline_mark(post),
                fragment_stamp(post, self._stamp_of, slugs),
                post.id,
            )
            for post in outlines.values()
        )
        self._state.show_members(posts, self._noting)


def _line_rows(lines: Iterable[Line]) -> list[tuple[int, int, int, int, int]]:
    rows = []
    for line in lines:
        change, at = line.change, microseconds(line.change.at)
        is_note = change.kind in (ChangeKind.CORRECTED, ChangeKind.WITHDRAWN)
        rows.append(
            (
                change.post,
                change.number,
                at,
                at if is_note else 0,
                int(change.kind is ChangeKind.CORRECTED),
            )
        )
    return rows


_NOTE = (Correction(at=_EPOCH, note="", revision=0),)
_ENCLOSURE = (Enclosure(url=""),)


def _bare_post(line: Line, *, is_withdrawn: bool, is_corrected: bool) -> Post:
    """A post as far as `Feed.holds` looks at one."""
    return Post(
        id=line.change.post,
        guid="",
        slug="",
        path="",
        source="",
        external_id="",
        status=Status.WITHDRAWN if is_withdrawn else Status.PUBLISHED,
        revision=line.change.revision,
        content=Content(
            title="",
            html="",
            source_text="",
            language=line.language,
            authors=line.authors,
            tags=line.tags,
            enclosures=_ENCLOSURE if line.has_enclosures else (),
        ),
        content_hash="",
        published=_EPOCH,
        updated=_EPOCH,
        first_seen=_EPOCH,
        corrections=_NOTE if is_corrected else (),
    )
