"""One document after the other: its places, their entries, its bytes in each format, and the files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import Executor
from datetime import datetime
from pathlib import Path

from feeds.archive import SUBSCRIPTION, Place, document_links, document_paths
from feeds.build_state import BuildState, StoredFeed
from feeds.document import NEVER, Layout, Sidecar, build_sidecar, lay_out
from feeds.entries import Entries
from feeds.entry import render_frame
from feeds.files import Draft, Writing, file_marks, is_written
from feeds.gate import document_faults
from feeds.membership import as_moment
from feeds.outlet import Outlet, Published
from feeds.rendering import Entry
from feeds.spec import MEDIA_TYPES, Feed, FeedKind
from feeds.subscription import subscription_places, within_budget

SIDECARS = "documents"
"""The folder of the sidecars, inside that of the build."""


class Documents:
    """What builds documents during one build."""

    def __init__(
        self,
        state: BuildState,
        entries: Entries,
        outlet: Outlet,
        pool: Executor,
        done: Published,
    ) -> None:
        self._writing = Writing(pool)
        self._begun: list[tuple[StoredFeed, int, str, Path]] = []
        self._state = state
        self._entries = entries
        self._outlet = outlet
        self._done = done

    def build(self, feed: Feed, stored: StoredFeed, number: int) -> bool:
        """Builds one document in every format and begins to write what differs; False where a post or a rule stood in
        the way. `finish` lets it out."""
        refused_before = len(self._entries.refused)
        places, entries = self._shown(feed, stored.id, number)
        if len(self._entries.refused) > refused_before or any(
            place.post in self._entries.refused for place in places
        ):
            return False
        layouts = {
            format_: self._lay_out(feed, stored, number, format_, places, entries)
            for format_ in MEDIA_TYPES
        }
        good = {format_: layout for format_, layout in layouts.items() if layout is not None}
        self._write(stored, number, good, _changed(places))
        return len(good) == len(layouts)

    def finish(self) -> None:
        """Lets out what was built since the last time, and remembers the files."""
        self._writing.finish()
        for stored, number, path, place in self._begun:
            self._state.save_document(path, stored.id, number, file_marks(place))
        self._begun = []

    def _shown(self, feed: Feed, id_: int, number: int) -> tuple[list[Place], dict[int, Entry]]:
        if number != SUBSCRIPTION:
            places = self._state.archive_places(id_, number)
            return places, self._entries.find(feed, places)
        is_updates = feed.kind is FeedKind.UPDATES
        places = subscription_places(
            self._state.newest_places(id_, feed.size),
            self._state.tail_places(id_),
            [] if is_updates else self._state.withdrawn_places(id_, feed.size),
            feed.size,
        )
        entries = self._entries.find(feed, places)
        sizes = {post: max(map(len, entry.values())) for post, entry in entries.items()}
        return within_budget(places, sizes), entries

    def _lay_out(
        self,
        feed: Feed,
        stored: StoredFeed,
        number: int,
        format_: str,
        places: Sequence[Place],
        entries: dict[int, Entry],
    ) -> Layout | None:
        """The document, or None where its frame or what stands for a withdrawn post broke a rule: the last good one stays."""
        outlet = self._outlet
        frame = render_frame(
            feed,
            format_,
            site=outlet.site,
            web_url=outlet.web_url,
            updated=_updated(places),
            links=document_links(
                feed,
                number,
                format_,
                full=stored.full,
                web_url=outlet.web_url,
                hubs=outlet.hubs,
            ),
        )
        shown = [place for place in places if place.post in entries]
        unseen = [entries[place.post].get(format_, b"") for place in shown if place.withdrawn]
        url = outlet.web_url + document_paths(stored.slug, number)[format_]
        if faults := document_faults(frame, unseen, format_, url):
            self._done.faults += map(str, faults)
            return None
        listed = [entries[place.post].get(format_, b"") for place in shown]
        return lay_out(frame[0], listed, frame[1], format_)

    def _write(
        self, stored: StoredFeed, number: int, layouts: dict[str, Layout], changed: datetime
    ) -> None:
        paths = document_paths(stored.slug, number)
        drafts = {
            format_: Draft(
                path=self._outlet.place(paths[format_]), body=layout.body, changed=changed
            )
            for format_, layout in layouts.items()
        }
        different = {format_: draft for format_, draft in drafts.items() if not is_written(draft)}
        if number == SUBSCRIPTION:
            for format_ in layouts:
                self._note(f"{stored.slug}.{format_}", layouts[format_])
        for draft in different.values():
            self._writing.begin(draft)
        self._done.written += [paths[format_] for format_ in different]
        self._begun += [
            (stored, number, paths[format_], draft.path) for format_, draft in drafts.items()
        ]

    def _note(self, name: str, layout: Layout) -> None:
        """Writes the sidecar. Whoever finds it beside other bytes than it names does without; so it may come first."""
        path = self._outlet.built / SIDECARS / f"{name}.json"
        before = read_sidecar(path)
        noted = build_sidecar(layout, before)
        if noted != before:
            path.parent.mkdir(parents=True, exist_ok=True)
            # In place: one that is read half names no bytes that lie there, or cannot be read.
            path.write_text(json.dumps(noted, separators=(",", ":")), encoding="ascii")


def read_sidecar(path: Path) -> Sidecar | None:
    """The sidecar at `path`, or None where there is none that can be used."""
    try:
        found = json.loads(path.read_bytes())
        usable = (
            isinstance(found["etag"], str)
            and isinstance(found["number"], int)
            and len(found["keys"]) == len(found["entries"])
            and all(len(entry) == 3 for entry in found["entries"])
            and isinstance(found["history"], list)
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if usable else None


def _updated(places: Sequence[Place]) -> datetime:
    """When a document last changed as its readers see it: the newest change of a post, or that it was taken back."""
    moments = [
        max(place.at, place.order) if place.withdrawn is not None else place.moment
        for place in places
    ]
    return as_moment(max(moments)).replace(microsecond=0) if moments else NEVER


def _changed(places: Sequence[Place]) -> datetime:
    """The same for Last-Modified: the newest line about a post that it shows, whatever changed."""
    return as_moment(max(place.at for place in places)) if places else NEVER
