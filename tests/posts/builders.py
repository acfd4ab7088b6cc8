"""Posts for tests, their dull parts filled in."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from posts import store
from posts.database import writing
from posts.model import Change, Content, IncomingPost, Post
from posts.reconcile import Decision, decision
from posts.settings import Site

NOW = datetime(2009, 9, 15, 14, 0, tzinfo=UTC)
DAY = timedelta(days=1)
SITE = Site(title="Frontera", url="https://frontera.example/", timezone="America/Denver")
FOLDER = "content"
BLOG = "https://blog.example/feed"


def content(**changes: object) -> Content:
    """A cleaned content."""
    plain = Content(
        title="Juárez", html="<p>A quiet day.</p>", source_text="A quiet day.", language="en"
    )
    return replace(plain, **changes)  # type: ignore[arg-type]  # the fields are checked by the dataclass


def incoming(**changes: object) -> IncomingPost:
    """A file of the folder `content`, dated an hour before `NOW`."""
    plain = IncomingPost(
        source=FOLDER,
        external_id="juarez.md",
        place="content/juarez.md",
        title="Juárez",
        markdown="A quiet day.",
        published=NOW - timedelta(hours=1),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]  # the fields are checked by the dataclass


def from_blog(**changes: object) -> IncomingPost:
    """An entry of a remote feed."""
    values = {
        "source": BLOG,
        "external_id": "tag:blog.example,2009:1",
        "guid": "tag:blog.example,2009:1",
        "place": "https://blog.example/1",
        "markdown": None,
        "raw_html": "<p>A quiet day.</p>",
        **changes,
    }
    return incoming(**values)


def save(
    engine: sa.Engine,
    post: IncomingPost,
    said: Content | None = None,
    *,
    now: datetime = NOW,
    first_poll: bool = False,
    present: set[str] | None = None,
    sources: set[str] | None = None,
) -> tuple[Decision, Change | None]:
    """What a poll does with one post: find, decide, save."""
    said = said or content()
    with writing(engine) as conn:
        stored = store.find_stored(conn, post, said, present=present, sources=sources)
        decided = decision(post, said, stored, now=now, site=SITE, first_poll=first_poll)
        return decided, store.save_post(conn, post, decided, now=now)


def only_post(engine: sa.Engine) -> Post:
    """The one post that the store holds."""
    with writing(engine) as conn:
        (post,) = store.list_all_posts(conn)
    return post
