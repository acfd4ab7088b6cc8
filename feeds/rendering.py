"""Posts to entries in every form and format, each passed by our own linter: the heavy part of a build, for any process. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from feeds.document import document_updated
from feeds.entry import render_entry, render_frame
from feeds.fields import entry_id
from feeds.gate import Candidate, Frame, entry_faults
from feeds.spec import MEDIA_TYPES, feed_url, list_feeds
from posts.errors import PostError
from posts.model import Post
from posts.settings import Site

FULL, HEADLINE = "full", "headline"
"""The forms of an entry: with its full text, and without."""

Entry = Mapping[str, bytes]
"""The bytes of one place by format; a format without a word for it has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Posts to render, and what their entries show of the settings."""

    posts: Sequence[Post]
    site: Site
    web_url: str
    tag_slugs: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """One post's entries by form; or, where it was refused, none and what was wrong (what, remedy)."""

    post: int
    forms: Mapping[str, Entry]
    fault: tuple[str, str] | None = None


def render_batch(batch: Batch) -> list[Rendered]:
    """The entries of a batch, in its order. One bad post is refused and the others are not (DESIGN.md 8.2)."""
    made: dict[int, dict[str, Entry]] = {}
    faults: dict[int, tuple[str, str]] = {}
    for post in batch.posts:
        try:
            made[post.id] = {form: _render_one(post, batch, form) for form in (FULL, HEADLINE)}
        except PostError as error:
            faults[post.id] = (error.what, error.remedy or "")
    around = frames(batch)
    for form in (FULL, HEADLINE):
        faults = {**_broken_rules(batch, made, form, around), **faults}
    return [
        Rendered(post=post.id, forms={}, fault=faults[post.id])
        if post.id in faults
        else Rendered(post=post.id, forms=made[post.id])
        for post in batch.posts
    ]


def _render_one(post: Post, batch: Batch, form: str) -> Entry:
    return render_entry(
        post,
        web_url=batch.web_url,
        tag_slugs=batch.tag_slugs,
        zone=batch.site.zone,
        headline=form == HEADLINE,
    )


def _broken_rules(
    batch: Batch,
    made: Mapping[int, Mapping[str, Entry]],
    form: str,
    around: Mapping[str, tuple[Frame, str]],
) -> dict[int, tuple[str, str]]:
    owners = {entry_id(post.guid): post.id for post in batch.posts if post.id in made}
    candidates = [
        Candidate(id=name, bytes_by_format=made[id_][form]) for name, id_ in owners.items()
    ]
    return {
        owners[name]: (
            f"The post broke a rule of feeds: {fault.what} [{fault.rule}]",
            fault.remedy or "Mend it at its source; the next poll brings it back.",
        )
        for name, fault in entry_faults(candidates, around).items()
        if name in owners
    }


def frames(batch: Batch) -> dict[str, tuple[Frame, str]]:
    """The frames that entries are looked at in: as in the feed of all posts."""
    feed = list_feeds(batch.site)[0]
    return {
        format_: (
            render_frame(
                feed,
                format_,
                site=batch.site,
                web_url=batch.web_url,
                updated=document_updated(batch.posts),
            ),
            feed_url(feed, format_, batch.web_url),
        )
        for format_ in MEDIA_TYPES
    }
