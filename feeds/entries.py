"""The entries of a document's places: kept ones, ones rendered now, and what stands where a post was taken back."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo

import sqlalchemy as sa

from feeds.archive import Place
from feeds.document import document_updated
from feeds.entry import render_entry, render_frame
from feeds.fields import entry_id
from feeds.fragments import FULL, HEADLINE, Fragments, fragment_stamp
from feeds.gate import Candidate, Frame, entry_faults
from feeds.membership import as_moment
from feeds.spec import MEDIA_TYPES, Feed, FeedKind, feed_url, list_feeds
from feeds.tombstone import render_tombstone, render_withdrawal
from posts import store
from posts.errors import PostError
from posts.labels import find_slugs
from posts.model import Post
from posts.notes import public_reason
from posts.outlines import outline_of
from posts.settings import Site

Entry = Mapping[str, bytes]
"""The bytes of one place by format; a format without a word for it has none."""


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
        if missing:
            found.update(self._render(missing, form))
        return found

    def _render(self, ids: Sequence[int], form: str) -> dict[int, Entry]:
        posts = store.list_by_ids(self.conn, ids)
        slugs = find_slugs(
            self.conn, "tag", {tag for post in posts.values() for tag in post.content.tags}
        )
        made: dict[int, Entry] = {}
        for id_, post in posts.items():
            try:
                made[id_] = self._render_one(post, slugs, form)
            except PostError as error:
                self.refused[id_] = (post, error)
        self._keep_back(made, posts)
        self.fragments.save(
            (
                (id_, fragment_stamp(outline_of(posts[id_]), self.stamp_of, slugs), entry)
                for id_, entry in made.items()
            ),
            form,
        )
        self.rendered += len(made)
        return made

    def _render_one(self, post: Post, slugs: Mapping[str, str], form: str) -> Entry:
        zone: tzinfo = self.site.zone
        return render_entry(
            post,
            web_url=self.web_url,
            tag_slugs=slugs,
            zone=zone,
            headline=form == HEADLINE,
        )

    def _keep_back(self, made: dict[int, Entry], posts: Mapping[int, Post]) -> None:
        """Refuses those entries that our linter finds fault with."""
        owners = {entry_id(posts[id_].guid): id_ for id_ in made}
        candidates = [Candidate(id=name, bytes_by_format=made[id_]) for name, id_ in owners.items()]
        for name, fault in entry_faults(candidates, self._frames(posts.values())).items():
            id_ = owners.get(name)
            if id_ is None or id_ not in made:
                continue
            del made[id_]
            error = PostError(
                f"The post broke a rule of feeds: {fault.what} [{fault.rule}]",
                where=posts[id_].guid,
                remedy=fault.remedy or "Mend it at its source; the next poll brings it back.",
            )
            self.refused[id_] = (posts[id_], error)

    def _frames(self, posts: Collection[Post]) -> Mapping[str, tuple[Frame, str]]:
        """The frames that entries are looked at in: as in the feed of all posts."""
        feed = list_feeds(self.site)[0]
        return {
            format_: (
                render_frame(
                    feed,
                    format_,
                    site=self.site,
                    web_url=self.web_url,
                    updated=document_updated(posts),
                ),
                feed_url(feed, format_, self.web_url),
            )
            for format_ in MEDIA_TYPES
        }

    def _taken_back(self, feed: Feed, places: Iterable[Place]) -> dict[int, Entry]:
        """Tombstones; in the feed of updates entries, for there a withdrawal is the news."""
        when = {place.post: as_moment(place.at) for place in places}
        posts = store.list_by_ids(self.conn, when)
        if feed.kind is FeedKind.UPDATES:
            return {
                id_: render_withdrawal(
                    post,
                    site=self.site,
                    web_url=self.web_url,
                    when=when[id_],
                    reason=public_reason(post),
                )
                for id_, post in posts.items()
            }
        return {
            id_: render_tombstone(
                post.guid,
                when=when[id_],
                reason=public_reason(post),
                language=self.site.language,
            )
            for id_, post in posts.items()
        }
