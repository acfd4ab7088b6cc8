"""What `dateline feeds list` says of the audience, in cells, sentences and JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from feeds.audience_report import FeedAudience, careless_programs

_NAMED = 5


def audience_cells(audience: FeedAudience) -> tuple[object, object]:
    """For how many readers services ask, and the share of 304s; empty where nobody asked."""
    share = f"{100 * audience.not_modified // audience.requests} %" if audience.requests else ""
    return (audience.subscribers or "", share)


def audience_lines(audiences: Mapping[str, FeedAudience]) -> list[str]:
    """Which programs ask for whole documents again and again; nothing where none does."""
    careless = careless_programs(audiences.values())
    if not careless:
        return []
    named = ", ".join(
        f"{one.program} {one.major}".strip() + f" ({one.unconditional:,} of {one.requests:,})"
        for one in careless[:_NAMED]
    )
    more = f", and {len(careless) - _NAMED} more" if len(careless) > _NAMED else ""
    return [
        f"Ask without validators, and so for the whole each time, in seven days: {named}{more}."
    ]


def audience_as_plain(audience: FeedAudience) -> dict[str, object]:
    """The audience as JSON says it: the sums of seven days, and what they are made of."""
    return {
        "subscribers": audience.subscribers,
        "requests": audience.requests,
        "not_modified": audience.not_modified,
        "unconditional": audience.unconditional,
        "services": [asdict(one) for one in audience.services],
        "programs": [asdict(one) for one in audience.programs],
        "days": [{**asdict(one), "day": one.day.isoformat()} for one in audience.days],
    }
