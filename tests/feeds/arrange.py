"""Builders for the tests of feeds: posts with the dull parts filled in, a store to save them in, programs they need."""

import os
import shutil
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import pytest
import sqlalchemy as sa

from posts import store
from posts.database import writing
from posts.model import Change, Content, IncomingPost, Post, Status
from posts.reconcile import decision
from posts.settings import Site

NOON = datetime(2009, 9, 15, 12, 0, tzinfo=UTC)
WEB_URL = "https://press.example.org"


def a_site(**values: Any) -> Site:
    """The newsroom of these tests."""
    return Site(**{"title": "The Border Reporter", "url": "https://border.example.org/", **values})


def a_content(**values: Any) -> Content:
    """What a post says."""
    return Content(
        **{
            "title": "The bridge",
            "html": "<p>The bridge is open.</p>",
            "source_text": "The bridge is open.",
            "language": "en",
            **values,
        }
    )


def a_post(number: int = 1, **values: Any) -> Post:
    """A public post; a keyword that is a field of `Content` goes into its content."""
    inner = {key: values.pop(key) for key in tuple(values) if key in Content.__dataclass_fields__}
    content = a_content(**inner)
    moment = NOON + timedelta(minutes=number)
    return Post(
        **{
            "id": number,
            "guid": f"tag:border.example.org,2009-09-15:{number}",
            "slug": f"post-{number}",
            "path": f"/2009/09/post-{number}/",
            "source": "content",
            "external_id": f"{number}.md",
            "status": Status.PUBLISHED,
            "revision": 1,
            "content": content,
            "content_hash": f"{number}",
            "published": moment,
            "updated": moment,
            "first_seen": moment,
            **values,
        }
    )


def save(
    engine: sa.Engine, number: int, *, at: datetime | None = None, **content: Any
) -> Change | None:
    """Saves post `number` as the folder's poll would, published `number` minutes after noon."""
    moment = NOON + timedelta(minutes=number)
    wanted = a_content(**{"title": f"Post {number}", **content})
    incoming = IncomingPost(
        source="content",
        external_id=str(number),
        place=f"{number}.md",
        title=wanted.title,
        raw_html=wanted.html,
        guid=f"tag:border.example.org,2009-09-15:{number}",
        published=moment,
    )
    now = at or moment
    with writing(engine) as conn:
        old = store.find_by_external_id(conn, "content", str(number))
        choice = decision(incoming, wanted, old, now=now, site=a_site(), first_poll=False)
        return store.save_post(conn, incoming, choice, now=now)


def program(name: str, package: str) -> str:
    """The path of a program; without it the test is skipped with the line that installs it, or fails under CI."""
    found = shutil.which(name)
    if found is None:
        missing(f"needs {name}: apt-get install {package}")
    return found


def missing(reason: str) -> NoReturn:
    """Skips a test for something that this machine lacks; under CI that is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
