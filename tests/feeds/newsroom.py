"""A store and the folder that its feeds are built into, for the tests of the build."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import feedparser
import sqlalchemy as sa

from feeds.outlet import Outlet, Published
from feeds.publish import publish_feeds
from posts import store
from posts.database import reading, writing
from posts.model import Change, Post
from tests.feeds.arrange import NOON, WEB_URL, a_site

GUID = "tag:border.example.org,2009-09-15:"


class Newsroom:
    """A store and the folder that its feeds are built into."""

    def __init__(self, engine: sa.Engine, folder: Path, **settings: object) -> None:
        self.engine = engine
        self.outlet = Outlet(
            **{
                "site": a_site(),
                "web_url": WEB_URL,
                "configured": (),
                "public": folder / "public",
                "built": folder / "var" / "built",
                **settings,
            }
        )

    def elsewhere(self, folder: Path) -> "Newsroom":
        """Another host with the same store and settings, where nothing was built yet."""
        other = Newsroom(self.engine, folder)
        other.outlet = replace(
            self.outlet, public=folder / "public", built=folder / "var" / "built"
        )
        return other

    def build(
        self,
        only: str | None = None,
        without: frozenset[int] = frozenset(),
        *,
        thorough: bool = True,
    ) -> Published:
        """One build."""
        with reading(self.engine) as conn:
            return publish_feeds(conn, self.outlet, only=only, without=without, thorough=thorough)

    def files(self) -> dict[str, bytes]:
        """All that lies under public/, but for what is compressed."""
        return {name: path.read_bytes() for name, path in self._paths()}

    def times(self) -> dict[str, float]:
        """When each document changed, as a web server says it."""
        return {name: path.stat().st_mtime for name, path in self._paths()}

    def archives(self) -> dict[str, bytes]:
        """The archive documents."""
        return {name: body for name, body in self.files().items() if "/archive/" in name}

    def titles(self, name: str) -> list[str]:
        """The titles in a document, in its order."""
        read = feedparser.parse((self.outlet.public / name[1:]).read_bytes())
        return [entry.title for entry in read.entries]

    def public_posts(self) -> dict[str, Post]:
        """What readers may see, by guid."""
        with reading(self.engine) as conn:
            return {post.guid: post for post in store.list_posts(conn)}

    def withdraw(self, number: int, at: datetime | None = None, reason: str = "Wrong") -> None:
        """Takes a post back by hand."""
        with writing(self.engine) as conn:
            store.withdraw_post(
                conn, f"{GUID}{number}", now=at or NOON + timedelta(days=1), reason=reason
            )

    def restore(self, number: int, at: datetime | None = None) -> None:
        """Makes a post that was taken back public again."""
        with writing(self.engine) as conn:
            store.restore_post(conn, f"{GUID}{number}", now=at or NOON + timedelta(days=2))

    def correct(self, number: int, note: str, at: datetime | None = None) -> Change | None:
        """Adds a note to a post."""
        with writing(self.engine) as conn:
            return store.correct_post(
                conn, f"{GUID}{number}", note, now=at or NOON + timedelta(days=1)
            )

    def _paths(self) -> Iterator[tuple[str, Path]]:
        public = self.outlet.public
        for path in sorted(public.rglob("*")):
            if path.is_file() and path.suffix not in (".gz", ".br"):
                yield "/" + path.relative_to(public).as_posix(), path
