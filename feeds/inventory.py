"""Which feeds there are now, by what the build remembers of their posts: it asks about a few, or lists them all."""

from __future__ import annotations

from collections.abc import Sequence

from feeds.build_state import BuildState, StoredFeed
from feeds.membership import ALWAYS
from feeds.outlet import Outlet
from feeds.spec import Feed, list_feeds
from posts.model import Label


class Inventory:
    """The feeds of one build: `always` exist whether or not they hold a post."""

    def __init__(self, state: BuildState, outlet: Outlet) -> None:
        self._state = state
        self._outlet = outlet
        self.always: Sequence[Feed] = list_feeds(outlet.site, outlet.configured)
        self._by_slug = {feed.slug: feed for feed in self.always}

    def find(self, stored: StoredFeed) -> Feed | None:
        """The feed that is remembered as `stored`, as it is now; None where it is no more."""
        if stored.kind == ALWAYS:
            return self._by_slug.get(stored.slug)
        if not self._state.shows_any(stored.id):
            return None
        return self._list([stored])[-1]

    def list_all(self) -> list[Feed]:
        """All feeds that are published, in the order of `list_feeds`."""
        return self._list([feed for feed in self._state.feeds() if feed.is_live])

    def _list(self, stored: Sequence[StoredFeed]) -> list[Feed]:
        wanted = {feed.name for feed in stored if feed.kind == "language"}
        return list_feeds(
            self._outlet.site,
            self._outlet.configured,
            _labels("tag", stored),
            [code for code in self._state.languages() if code.lower() in wanted] if wanted else (),
            _labels("author", stored),
        )


def _labels(kind: str, stored: Sequence[StoredFeed]) -> list[Label]:
    return [
        Label(kind=kind, name=feed.name, slug=feed.slug.removeprefix(f"{kind}-"))
        for feed in stored
        if feed.kind == kind
    ]
