"""The values that travel: one type for each stage of a post's life."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Status(StrEnum):
    """Where a post stands."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    PUBLISHED = "published"
    WITHDRAWN = "withdrawn"


class ChangeKind(StrEnum):
    """What a line of the journal says happened (DESIGN.md 3)."""

    PUBLISHED = "published"
    REVISED = "revised"
    CORRECTED = "corrected"
    WITHDRAWN = "withdrawn"
    RESTORED = "restored"


@dataclass(frozen=True, slots=True, kw_only=True)
class Enclosure:
    """A file that belongs to a post; `length_bytes` is None where the source does not say."""

    url: str
    type: str = "application/octet-stream"
    length_bytes: int | None = None
    title: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingPost:
    """A post as a source brought it: nothing in it is cleaned, dates may be missing.

    `external_id` is the source's own key (a feed's id, a file's path inside its folder); `guid` is set only
    where the source or the front matter names an id. Exactly one of `raw_html` and `markdown` is set.
    `base_url` is what relative links count from. `place` names the post in error messages (a file, an address).
    """

    source: str
    external_id: str
    place: str
    title: str
    guid: str | None = None
    raw_html: str | None = None
    markdown: str | None = None
    base_url: str | None = None
    link: str | None = None
    raw_summary: str | None = None
    authors: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    language: str | None = None
    published: datetime | None = None
    updated: datetime | None = None
    enclosures: tuple[Enclosure, ...] = ()
    comment_count: int | None = None
    comments_url: str | None = None
    comments_feed_url: str | None = None
    slug: str | None = None
    lead: bool = False
    draft: bool = False
    translation_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What an incoming post says, cleaned: the part of a post that its source may change.

    `html` has passed `posts/clean.py`, its links are absolute; `title` and `summary` are plain text.
    `source_text` is what the author typed (Markdown or raw HTML). `language` is a BCP 47 tag, never empty.
    """

    title: str
    html: str
    source_text: str
    language: str
    link: str | None = None
    summary: str | None = None
    authors: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    enclosures: tuple[Enclosure, ...] = ()
    comment_count: int | None = None
    comments_url: str | None = None
    comments_feed_url: str | None = None
    lead: bool = False
    translation_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """A note that a published post was wrong: plain text in one line. `revision` is the one that carried it first."""

    at: datetime
    note: str
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A post as the store keeps it, at its newest revision.

    `guid`, `slug`, `path` (`/YYYY/MM/SLUG/`) and `first_seen` are fixed at first sight. `published` is what
    readers see; `updated` moves only with title, summary, body, link or enclosures. `history` is fixed when the
    post enters the journal (DESIGN.md 3). `number` is the journal line that published it (the newest of kind
    published), None before. `fault` says why it is quarantined.
    """

    id: int
    guid: str
    slug: str
    path: str
    source: str
    external_id: str
    status: Status
    revision: int
    content: Content
    content_hash: str
    published: datetime
    updated: datetime
    first_seen: datetime
    history: bool = False
    number: int | None = None
    fault: str | None = None
    withdrawn_by: str | None = None
    withdrawal_reason: str | None = None
    missing_polls: int = 0
    corrections: tuple[Correction, ...] = ()

    @property
    def is_public(self) -> bool:
        """True when feeds, pages and issues may show it."""
        return self.status is Status.PUBLISHED and self.fault is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One line of the journal. `post` is the post's row id."""

    number: int
    post: int
    revision: int
    kind: ChangeKind
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A tag or an author with its slug (ASCII, stored at first use) and how many public posts carry it."""

    kind: str
    name: str
    slug: str
    posts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFault:
    """What is wrong with a source or with one thing in it; `place` is a file (with line) or an address."""

    source: str
    place: str
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        stop = "." if self.remedy and not self.what.endswith((".", "?", "!")) else ""
        return f"{self.place}: {self.what}{stop} {self.remedy}".rstrip()


def post_url(post: Post, web_url: str) -> str:
    """The address that readers follow: the post's own link where it has one, else its page on this server."""
    return post.content.link or web_url.rstrip("/") + post.path
