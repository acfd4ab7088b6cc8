"""Feeds that come and go: the documents of those that are no more are removed, and their addresses noted as gone."""

from __future__ import annotations

import json
from collections.abc import Sequence

from feeds.archive import SUBSCRIPTION, archive_path
from feeds.build_state import BuildState, StoredFeed
from feeds.documents import SIDECARS
from feeds.files import remove_document
from feeds.inventory import Inventory
from feeds.membership import ALWAYS
from feeds.outlet import Outlet, Published
from feeds.spec import MEDIA_TYPES

GONE_FILE = "gone.json"
"""Addresses of documents that were published once and are no more: a list of paths, which the server answers with 410."""

_OURS = ("tag-", "language-", "author-")


class Removals:
    """What comes and goes in one build."""

    def __init__(
        self, state: BuildState, outlet: Outlet, inventory: Inventory, done: Published
    ) -> None:
        self._state = state
        self._outlet = outlet
        self._inventory = inventory
        self._done = done

    def settle(self, *, thorough: bool) -> bool:
        """Makes feeds live that have documents to build, and removes those that are no more; True where any did either."""
        changed = False
        stored = (
            self._state.feeds()
            if thorough
            else [self._state.feed_by_id(id_) for id_ in self._state.dirty_feeds()]
        )
        with self._state.transaction():
            for feed in stored:
                changed |= self._settle_one(feed)
            for feed in self._lost(stored):
                changed = True
                self._remove(feed)
                self._state.forget_feed(feed.id)
        return changed

    def sweep(self) -> None:
        """After a build: removes what nothing remembered stands for any more (a rule that changed, a state that was lost)."""
        with self._state.transaction():
            leftover = list(self._state.leftover_documents())
            for path in leftover:
                remove_document(self._outlet.place(path))
                self._state.forget_document(path)
        self._done.removed += leftover
        self._remove_strangers()

    def note(self, *, thorough: bool) -> None:
        """Writes which addresses are gone, where that changed; what was written again is not.

        A thorough build also notes the feeds of labels that the journal knows and no post has any more: where the list
        was lost with `var/built/`, or a build ended before it wrote it, they would be 404 from then on.
        """
        path = self._outlet.built / GONE_FILE
        before = _read_gone(path.read_bytes() if path.exists() else b"[]")
        left = self._left_behind() if thorough or not path.exists() else set()
        gone = sorted((before | left | set(self._done.removed)) - set(self._done.written))
        if gone != sorted(before):
            temporary = path.with_name(f".{path.name}.tmp")
            temporary.write_text(json.dumps(gone), encoding="utf-8")
            temporary.replace(path)

    def _left_behind(self) -> set[str]:
        """The documents of feeds that are remembered and not published."""
        stored = [feed for feed in self._state.feeds() if not feed.is_live]
        archives = {
            archive_path(feed.slug, number, format_)
            for feed in stored
            for number in range(1, feed.full + 1)
            for format_ in MEDIA_TYPES
        }
        return archives | {
            f"/feeds/{feed.slug}.{format_}" for feed in stored for format_ in MEDIA_TYPES
        }

    def _settle_one(self, feed: StoredFeed) -> bool:
        there = self._inventory.find(feed) is not None
        if not there:
            self._state.clear_dirty(feed.id)
        if there == feed.is_live:
            return False
        if there:
            self._state.set_live(feed.id, live=True)
            self._state.mark_feed_dirty(feed.id)
        else:
            self._remove(feed)
        return True

    def _lost(self, stored: Sequence[StoredFeed]) -> list[StoredFeed]:
        """Feeds that config named once and names no more."""
        names = {feed.slug for feed in self._inventory.always}
        return [feed for feed in stored if feed.kind == ALWAYS and feed.slug not in names]

    def _remove(self, feed: StoredFeed) -> None:
        self._state.set_live(feed.id, live=False)
        self._remove_documents(feed.id)
        for format_ in MEDIA_TYPES:
            sidecar = self._outlet.built / SIDECARS / f"{feed.slug}.{format_}.json"
            sidecar.unlink(missing_ok=True)

    def _remove_documents(self, feed: int) -> None:
        paths = sorted(path for path, *_ in self._state.documents(feed))
        for path in paths:
            remove_document(self._outlet.place(path))
        self._done.removed += paths
        self._state.forget_documents(feed)

    def _remove_strangers(self) -> None:
        """Documents with a name that only we give and nobody knows of: what was remembered of them was lost."""
        folder = self._outlet.public / "feeds"
        for place in sorted(folder.glob("*")):
            slug, _, ending = place.name.partition(".")
            is_document = ending.removesuffix(".gz").removesuffix(".br") in MEDIA_TYPES
            if not slug.startswith(_OURS) or not is_document:
                continue
            known = self._state.feed(slug)
            if known is not None and known.is_live:
                continue
            place.unlink(missing_ok=True)
            if ending in MEDIA_TYPES:
                self._done.removed.append(f"/feeds/{place.name}")
        for archive in sorted(folder.glob("*/archive")):
            known = self._state.feed(archive.parent.name)
            full = known.full if known is not None and known.is_live else SUBSCRIPTION
            for place in sorted(archive.glob("*")):
                number, _, ending = place.name.partition(".")
                if not number.isdecimal() or int(number) <= full:
                    continue
                place.unlink(missing_ok=True)
                if ending in MEDIA_TYPES:
                    self._done.removed.append(f"/feeds/{archive.parent.name}/archive/{place.name}")


def _read_gone(raw: bytes) -> set[str]:
    try:
        found = json.loads(raw)
        return {str(path) for path in found} if isinstance(found, list) else set()
    except ValueError:
        return set()
