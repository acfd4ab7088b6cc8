"""Where and as what this host publishes, and what a build says it did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from feeds.archive import ARCHIVE_SIZE
from feeds.spec import FeedSettings
from posts.errors import PostError
from posts.model import Post
from posts.settings import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlet:
    """Where and as what this host publishes: settings and folders. `hubs` are told of what changed (WebSub)."""

    site: Site
    web_url: str
    configured: Sequence[FeedSettings]
    public: Path
    built: Path
    hubs: tuple[str, ...] = ()
    archive_size: int = ARCHIVE_SIZE

    def place(self, path: str) -> Path:
        """Where what is served at `path` lies."""
        return self.public / path[1:]


@dataclass(slots=True)
class Published:
    """What a build did: paths under `public/` written and removed, documents left as they were, posts refused, and what
    was wrong with documents that were not let out (the last good ones still lie there)."""

    written: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unchanged: int = 0
    entries_rendered: int = 0
    refused: list[tuple[Post, PostError]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
