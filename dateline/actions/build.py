"""Build: the feeds under `public/`, as far as something changed; one build at a time on this host."""

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
import structlog

from dateline.actions.feed_style import write_feed_style
from dateline.press import Press
from feeds.build_state import BuildState
from feeds.outlet import Outlet, Published
from feeds.publish import STATE_FILE, publish_feeds
from feeds.spec import Feed, FeedKind, feed_paths, list_feeds
from posts import store
from posts.database import Watch, reading, writing
from posts.errors import DatelineError
from posts.labels import list_labels

log = structlog.get_logger()

_BUILD_ANYWAY_S = 300.0
"""So often the clock builds thoroughly, whether or not anybody has committed: a file that was lost comes back, and what
changes without a line in the journal (comments counted anew) is shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildResult:
    """What a build did: paths under `public/` written and removed, how many documents stayed as they were, how many
    entries had to be rendered, which posts could not be (`guid: why`), and which documents were not let out and why."""

    written: list[str]
    removed: list[str]
    unchanged: int
    entries_rendered: int
    quarantined: list[str]
    faults: list[str]
    took_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedFeed:
    """A feed and how many public posts its selection has (its documents hold the newest `feed.size`)."""

    feed: Feed
    posts: int
    paths: dict[str, str]
    url: str


def build(press: Press, *, feed: str | None = None, thorough: bool = True) -> BuildResult:
    """Builds all feeds that a change touched, or only `feed`; safe to repeat. `thorough` as in `publish_feeds`.

    A post that cannot be rendered is quarantined and named, and the rest goes out (DESIGN.md 8.2). Raises NotFound
    for a feed that does not exist, DatelineError where the files cannot be written.
    """
    started = time.monotonic()
    built = press.var / "built"
    try:
        with _lock(built / "lock"):
            done, quarantined = _build(press, outlet(press), feed, thorough=thorough)
            write_feed_style(press)
    except OSError as error:
        raise DatelineError(
            f"The feeds could not be written: {error.strerror or error}",
            where=str(error.filename or press.public),
            remedy="The feeds that lie there stay as they are. Make room, or make the folder"
            " writable, and build again.",
        ) from error
    result = BuildResult(
        written=done.written,
        removed=done.removed,
        unchanged=done.unchanged,
        entries_rendered=done.entries_rendered,
        quarantined=quarantined,
        faults=done.faults,
        took_s=round(time.monotonic() - started, 3),
    )
    for fault in result.faults:
        log.error("document kept back", fault=fault)
    level = log.info if result.written or result.removed or quarantined else log.debug
    level(
        "feeds built",
        written=len(result.written),
        removed=len(result.removed),
        unchanged=result.unchanged,
        entries=result.entries_rendered,
        took_s=result.took_s,
    )
    return result


def build_on_change(press: Press) -> Callable[[], BuildResult | None]:
    """For the clock: an action that builds when something was committed since it last did, and now and then anyway."""
    watch = Watch(press.engine)
    built_at = float("-inf")

    def act() -> BuildResult | None:
        nonlocal built_at
        now = time.monotonic()
        thorough = now - built_at >= _BUILD_ANYWAY_S
        if not watch.has_changed() and not thorough:
            return None
        before, built_at = built_at, float("-inf")  # a build that fails is tried again
        result = build(press, thorough=thorough)
        built_at = now if thorough else before
        return result

    return act


def outlet(press: Press) -> Outlet:
    """Where this press publishes its feeds, and as what."""
    config = press.config
    return Outlet(
        site=config.site,
        web_url=config.web.url.rstrip("/"),
        configured=config.feeds,
        public=press.public,
        built=press.var / "built",
        hubs=tuple(config.websub.hubs),
    )


def feeds_of(press: Press) -> list[Feed]:
    """All feeds there are now: for pages, autodiscovery and lists."""
    with reading(press.engine) as conn:
        return list_feeds(
            press.config.site,
            press.config.feeds,
            list_labels(conn, "tag"),
            store.list_languages(conn),
            list_labels(conn, "author"),
        )


def listed_feeds(press: Press) -> list[ListedFeed]:
    """The same with the number of posts of each and where its documents are."""
    web_url = press.config.web.url.rstrip("/")
    feeds = feeds_of(press)
    with reading(press.engine) as conn:
        return [
            ListedFeed(
                feed=feed,
                posts=_count(conn, feed, press.var / "built"),
                paths=feed_paths(feed),
                url=web_url + feed_paths(feed)["atom"],
            )
            for feed in feeds
        ]


def _count(conn: sa.Connection, feed: Feed, built: Path) -> int:
    """How many posts a feed has; where its kind chooses them and not the selection alone, as of the last build."""
    if feed.kind in (FeedKind.UPDATES, FeedKind.MEDIA):
        with closing(BuildState(built / STATE_FILE)) as state:
            return state.count_shown(feed.slug)
    return store.count_posts(conn, feed.selection)


def _build(
    press: Press, where: Outlet, feed: str | None, *, thorough: bool
) -> tuple[Published, list[str]]:
    """Builds, and once more whenever a post had to be quarantined, so that the next one takes its place."""
    refused: set[int] = set()
    quarantined: list[str] = []
    written: list[str] = []
    removed: list[str] = []
    rendered = 0
    while True:
        with reading(press.engine) as conn:
            done = publish_feeds(conn, where, only=feed, without=refused, thorough=thorough)
        written += done.written
        removed += done.removed
        rendered += done.entries_rendered
        if refused.issuperset(post.id for post, _ in done.refused):
            done.written, done.removed, done.entries_rendered = written, removed, rendered
            return done, quarantined
        for post, error in done.refused:
            with writing(press.engine) as conn:
                store.mark_quarantined(conn, post.id, error.what)
            refused.add(post.id)
            quarantined.append(str(error))
            log.warning("post quarantined", post=post.id, guid=post.guid, fault=error.what)


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """One build at a time: the others wait, a build takes seconds. The system lets go of a dead process's lock."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
