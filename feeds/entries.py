"""The entries of a document's places: kept ones, ones rendered now, and what stands where a post was taken back."""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain

import sqlalchemy as sa

from feeds.archive import Place
from feeds.fragments import Fragments, fragment_stamp
from feeds.membership import as_moment
from feeds.rendering import FULL, HEADLINE, Batch, Entry, Rendered, render_batch
from feeds.spec import Feed, FeedKind
from feeds.tombstone import render_tombstone, render_withdrawal
from posts import store
from posts.errors import PostError
from posts.labels import find_slugs
from posts.model import Post
from posts.notes import public_reason
from posts.outlines import outline_of
from posts.settings import Site

_BATCH = 50
_MANY = 1_000
"""Past so many entries to render, further processes pay: one takes a second to start."""


@dataclass(slots=True)
class Entries:
    """What gives entries during one build. `refused` are posts that could not be rendered, with why."""

    conn: sa.Connection
    fragments: Fragments
    site: Site
    web_url: str
    stamp_of: str
    refused: dict[int, tuple[Post, PostError]] = field(default_factory=dict)
    rendered: int = 0
    faults: list[str] = field(default_factory=list)

    def find(self, feed: Feed, places: Sequence[Place]) -> dict[int, Entry]:
        """The entries of these places by row id; without those of posts that nobody may see, or that were refused."""
        form = HEADLINE if feed.kind is FeedKind.HEADLINES else FULL
        found: dict[int, Entry] = {}
        taken_back = [place for place in places if place.withdrawn is not None]
        if taken_back:
            found.update(self._taken_back(feed, taken_back))
        stamps = {
            place.post: place.stamp
            for place in places
            if place.withdrawn is None and place.is_public
        }
        found.update(self.fragments.find(stamps, form))
        missing = [post for post in stamps if post not in found and post not in self.refused]
        for start in range(0, len(missing), _BATCH):
            batch = self._batch(missing[start : start + _BATCH])
            found.update(self._keep(batch, render_batch(batch), form))
        return found

    def prepare(self, stamps: Iterable[Mapping[int, bytes]]) -> None:
        """Renders what is not kept of many posts, in several processes where that is quicker.

        `stamps` come in slices, and so many batches are at work as there are processes: memory does not grow.
        """
        slices = self._missing(stamps)
        first: list[list[int]] = []
        for some in slices:
            first.append(some)
            if sum(map(len, first)) >= _MANY:
                break
        else:
            return  # few: they are rendered when their document is built
        context = multiprocessing.get_context("spawn")  # never fork: the daemon has threads
        workers = os.cpu_count() or 1
        waiting: deque[tuple[Batch, Future[list[Rendered]]]] = deque()
        # A process that is killed (no memory left) ends this; what is missing then is rendered with its document.
        with (
            suppress(BrokenProcessPool),
            ProcessPoolExecutor(workers, mp_context=context) as pool,
        ):
            for ids in chain(first, slices):
                batch = self._batch(ids)
                waiting.append((batch, pool.submit(render_batch, batch)))
                if len(waiting) > 2 * workers:
                    batch, done = waiting.popleft()
                    self._keep(batch, done.result(), FULL)
            for batch, done in waiting:
                self._keep(batch, done.result(), FULL)

    def _missing(self, stamps: Iterable[Mapping[int, bytes]]) -> Iterator[list[int]]:
        for some in stamps:
            missing = self.fragments.list_missing(some)
            for start in range(0, len(missing), _BATCH):
                yield missing[start : start + _BATCH]

    def _batch(self, ids: Sequence[int]) -> Batch:
        posts = store.list_by_ids(self.conn, ids)
        tags = {tag for post in posts.values() for tag in post.content.tags}
        return Batch(
            posts=[posts[id_] for id_ in ids if id_ in posts],
            site=self.site,
            web_url=self.web_url,
            tag_slugs=find_slugs(self.conn, "tag", tags),
        )

    def _keep(self, batch: Batch, rendered: Sequence[Rendered], form: str) -> dict[int, Entry]:
        """Keeps what was rendered, notes what was refused; gives the entries of `form`."""
        made = []
        for post, one in zip(batch.posts, rendered, strict=True):
            if one.fault is None:
                stamp = fragment_stamp(outline_of(post), self.stamp_of, batch.tag_slugs)
                made += [(post.id, kind, stamp, entry) for kind, entry in one.forms.items()]
            else:
                what, remedy = one.fault
                self.refused[post.id] = (post, PostError(what, where=post.guid, remedy=remedy))
        self.fragments.save(made)
        self.rendered += len(made)
        return {id_: entry for id_, kind, _, entry in made if kind == form}

    def _taken_back(self, feed: Feed, places: Iterable[Place]) -> dict[int, Entry]:
        """Tombstones; in the feed of updates entries, for there a withdrawal is the news.

        One that cannot be made is left out and named: its post is public nowhere, so there is nothing to quarantine.
        """
        when = {place.post: as_moment(place.at) for place in places}
        found: dict[int, Entry] = {}
        for id_, post in store.list_by_ids(self.conn, when).items():
            try:
                found[id_] = self._stone(feed, post, when[id_])
            except (ValueError, TypeError, LookupError) as error:
                self.faults.append(f"{post.guid}: its withdrawal could not be shown: {error}")
        return found

    def _stone(self, feed: Feed, post: Post, when: datetime) -> Entry:
        reason = public_reason(post)
        if feed.kind is FeedKind.UPDATES:
            return render_withdrawal(
                post, site=self.site, web_url=self.web_url, when=when, reason=reason
            )
        return render_tombstone(post.guid, when=when, reason=reason, language=self.site.language)
