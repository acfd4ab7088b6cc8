"""What stands in the document that readers subscribe to: the newest, as far as they fit, and all that no archive has. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from feeds.archive import Place

MAX_BYTES = 1_000_000
"""The budget of a subscription document in each format: services drop feeds past a megabyte (feeds.md 1.4)."""


def subscription_places(
    newest: Sequence[Place], tail: Sequence[Place], withdrawn: Sequence[Place], size: int
) -> list[Place]:
    """The places, newest first: `newest` (at most `size` of them), the tail, and what was taken back meanwhile.

    A post that was taken back stays while it would be among the newest if it counted by that.
    """
    oldest = newest[-1].order if len(newest) >= size else None
    shown = {place.post: place for place in (*newest, *tail)}
    for place in withdrawn[:size]:
        if oldest is None or place.at >= oldest:
            shown.setdefault(place.post, place)
    return sorted(shown.values(), key=lambda place: (_order(place), place.post), reverse=True)


def within_budget(
    places: Sequence[Place], sizes: Mapping[int, int], budget: int = MAX_BYTES
) -> list[Place]:
    """The places whose bytes fit; the tail always does, for it is nowhere else, and so does the newest place.

    `sizes` gives each place's bytes in the longest of its formats, so that all formats show the same posts.
    """
    room = budget - sum(sizes.get(place.post, 0) for place in places if _must_stay(place))
    kept = []
    is_open = True
    for place in places:
        if not _must_stay(place):
            room -= sizes.get(place.post, 0)
            is_open = is_open and (room >= 0 or place is places[0])
            if not is_open:
                continue
        kept.append(place)
    return kept


def _must_stay(place: Place) -> bool:
    return place.in_tail or place.withdrawn is not None


def _order(place: Place) -> int:
    return place.at if place.withdrawn is not None else place.order
