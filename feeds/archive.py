"""Which post stands in which document of a feed's archive (RFC 5005 4): a walk along the journal, line by line. Pure.

A post enters a feed at the line that brought it into the selection, at the end, whatever its date: so an import of old
posts disturbs nothing that is full. Fifty places make a document, which keeps its posts for ever after: a revision is
shown in it, a post taken back leaves a tombstone there. What is not full yet (the tail) stands in the subscription
document alone, and a post that leaves the tail leaves no trace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from feeds.spec import MEDIA_TYPES, Feed, FrameLinks, feed_url

ARCHIVE_SIZE = 50
"""Places in an archive document. Another number is another archive, so there is no setting for it."""

SUBSCRIPTION = 0
"""The number of the document that readers subscribe to; archive documents count from 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A post in a feed. `entered` is the line that brought it in; `document` is None while it stands in the tail.

    `holds`: the feed's selection takes it as it is now. `withdrawn`: the line that took it back, None where none has.
    """

    feed: int
    post: int
    entered: int
    document: int | None = None
    holds: bool = True
    withdrawn: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a line of the journal says of its post: the feeds (row ids) that it belongs to from then on."""

    number: int
    post: int
    feeds: frozenset[int]
    is_withdrawn: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A member of one document, as it is shown there; times are microseconds since 1970.

    `at` is the post's last line, `moment` its date or that of its last significant change, `order` what the feed
    orders it by. `stamp` names its bytes (`feeds/fragments.py`).
    """

    post: int
    at: int
    moment: int
    is_public: bool
    stamp: bytes
    withdrawn: int | None
    in_tail: bool
    order: int


class Walk:
    """The state of the walk: members met so far, the tail of each feed, and the documents that changed.

    `tail_of` gives a feed's tail as it was stored, oldest first; `full_of` the number of its last full document.
    """

    def __init__(
        self,
        tail_of: Callable[[int], Iterable[Member]],
        full_of: Callable[[int], int],
        size: int = ARCHIVE_SIZE,
    ) -> None:
        self._size = size
        self._tail_of = tail_of
        self._full_of = full_of
        self._tails: dict[int, dict[int, Member]] = {}
        self.full: dict[int, int] = {}
        self._members: dict[tuple[int, int], Member] = {}
        self._of_post: dict[int, set[int]] = {}
        self.changed: dict[tuple[int, int], Member | None] = {}
        self.touched: set[tuple[int, int]] = set()

    def know(self, posts: Iterable[int], members: Iterable[Member]) -> None:
        """Begins a stretch of lines about `posts`: what is stored of them; forgets the stretch before."""
        self._members = {(member.feed, member.post): member for member in members}
        self._of_post = {post: set() for post in posts}
        for feed, post in self._members:
            self._of_post[post].add(feed)
        self.changed = {}
        self.touched = set()

    def take(self, line: Standing) -> None:
        """Goes one line further."""
        for feed in line.feeds:
            self._enter(feed, line)
        for feed in sorted(self._of_post.setdefault(line.post, set()) - line.feeds):
            self._leave(feed, line)

    def _enter(self, feed: int, line: Standing) -> None:
        old = self._members.get((feed, line.post))
        withdrawn = line.number if line.is_withdrawn else None
        if old is not None and (old.document is not None or old.holds):
            self._put(replace(old, holds=True, withdrawn=withdrawn))
            return
        self._put(Member(feed=feed, post=line.post, entered=line.number, withdrawn=withdrawn))
        if len(self._tail(feed)) >= self._size:
            self._fill(feed)

    def _leave(self, feed: int, line: Standing) -> None:
        old = self._members[(feed, line.post)]
        self.touched.add((feed, SUBSCRIPTION))
        if old.document is None:
            self._tail(feed).pop(line.post, None)
            if not line.is_withdrawn:
                self._drop(feed, line.post)
                return
        if line.is_withdrawn:
            self._put(replace(old, holds=False, withdrawn=line.number))
        else:
            self._put(replace(old, holds=False, withdrawn=None))

    def _fill(self, feed: int) -> None:
        """Makes the tail a document; the one before it gets its link to a next one."""
        number = self._full(feed) + 1
        for member in self._tails.pop(feed).values():
            self._put(replace(member, document=number))
        self._tails[feed] = {}
        self.full[feed] = number
        if number > 1:
            self.touched.add((feed, number - 1))

    def _put(self, member: Member) -> None:
        key = (member.feed, member.post)
        self._members[key] = member
        self._of_post.setdefault(member.post, set()).add(member.feed)
        self.changed[key] = member
        self.touched.add((member.feed, SUBSCRIPTION))
        if member.document is None and member.holds:
            self._tail(member.feed)[member.post] = member
        if member.document is not None:
            self.touched.add((member.feed, member.document))

    def _drop(self, feed: int, post: int) -> None:
        del self._members[(feed, post)]
        self._of_post[post].discard(feed)
        self.changed[(feed, post)] = None

    def _tail(self, feed: int) -> dict[int, Member]:
        if feed not in self._tails:
            self._tails[feed] = {member.post: member for member in self._tail_of(feed)}
        return self._tails[feed]

    def _full(self, feed: int) -> int:
        if feed not in self.full:
            self.full[feed] = self._full_of(feed)
        return self.full[feed]


def archive_path(slug: str, number: int, format_: str) -> str:
    """Where an archive document is served and lies under `public/`."""
    return f"/feeds/{slug}/archive/{number:05d}.{format_}"


def document_paths(slug: str, number: int) -> dict[str, str]:
    """The same for any document of a feed, by format."""
    if number == SUBSCRIPTION:
        return {format_: f"/feeds/{slug}.{format_}" for format_ in MEDIA_TYPES}
    return {format_: archive_path(slug, number, format_) for format_ in MEDIA_TYPES}


def document_links(
    feed: Feed, number: int, format_: str, *, full: int, web_url: str, hubs: tuple[str, ...] = ()
) -> FrameLinks:
    """The links of one document of a feed with `full` archive documents (RFC 5005 4; JSON Feed's `next_url`)."""
    base = web_url.rstrip("/")

    def address(other: int) -> str | None:
        return base + archive_path(feed.slug, other, format_) if 1 <= other <= full else None

    if number == SUBSCRIPTION:
        older = address(full)
        return FrameLinks(prev_archive=older, next_url=older, hubs=hubs)
    older = address(number - 1)
    return FrameLinks(
        self_url=address(number),
        prev_archive=older,
        next_archive=address(number + 1),
        current=feed_url(feed, format_, web_url),
        is_archive=True,
        next_url=older,
    )
