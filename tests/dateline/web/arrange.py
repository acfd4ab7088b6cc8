"""A press with posts in it and a browser's simplest form, for tests of pages."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from dateline.actions.compose import compose
from dateline.actions.migrate import migrate_database
from dateline.actions.release import release
from dateline.config import Config
from dateline.press import Press, open_press
from dateline.web.app import build_app
from newsletter.addresses import parse_address
from newsletter.issues import Issue
from newsletter.subscribers import NewSubscriber, find_subscriber, save_subscribers
from newsletter.subscriptions import activate, ask_consent
from posts import store
from posts.clean import cleaned
from posts.database import writing
from posts.model import IncomingPost, Post
from posts.reconcile import decision

NOW = datetime(2009, 9, 15, 14, 0, tzinfo=UTC)
WEB = "https://press.example"
SITE: dict[str, Any] = {
    "title": "Frontera",
    "tagline": "News of two banks",
    "url": "https://frontera.example/",
    "timezone": "America/Denver",
}


def a_press(folder: Path, *, now: datetime = NOW, **sections: Any) -> Press:
    """An opened press with one newsletter, migrated; `sections` replace those of its config."""
    settings: dict[str, Any] = {
        "site": SITE,
        "web": {"url": WEB},
        "newsletters": [{"slug": "daily", "title": "Frontera Daily", "schedule": "0 18 * * *"}],
        "mail": {"from": "news@press.example"},
        **sections,
    }
    press = open_press(Config.model_validate(settings), folder, clock=lambda: now)
    migrate_database(press)
    return press


def a_post(press: Press, title: str = "Juárez", **changes: Any) -> Post:
    """Publishes a folder post, an hour before now unless `hours` says otherwise."""
    hours = changes.pop("hours", 1)
    name = changes.pop("name", title)
    values: dict[str, Any] = {
        "source": "content",
        "external_id": f"{name}.md",
        "place": f"content/{name}.md",
        "title": title,
        "markdown": "A quiet day.",
        "published": press.clock() - timedelta(hours=hours),
        "slug": name,
        **changes,
    }
    if "raw_html" in changes:
        values["markdown"] = None
    incoming = IncomingPost(**values)
    content = cleaned(incoming, language=press.config.site.language)
    decided = decision(
        incoming, content, None, now=press.clock(), site=press.config.site, first_poll=False
    )
    with writing(press.engine) as conn:
        store.save_post(conn, incoming, decided, now=press.clock())
        found = store.find_by_external_id(conn, "content", f"{name}.md")
    assert found is not None
    return found


def a_visitor(press: Press, *, mailbox: Path | None = None, language: str = "en") -> TestClient:
    """What asks for pages of `press`; it follows no redirect, and gets errors as pages."""
    return TestClient(
        build_app(press, mailbox=mailbox),
        base_url=WEB,
        follow_redirects=False,
        raise_server_exceptions=False,
        headers={"Accept-Language": language},
    )


def a_reader(press: Press, address: str = "ana@example.org", language: str = "en") -> int:
    """An active subscriber of `daily`; gives the subscription's id."""
    now = press.clock()
    parsed = parse_address(address)
    with writing(press.engine) as conn:
        save_subscribers(conn, [NewSubscriber(address=parsed, name=None, language=language)], now)
        reader = find_subscriber(conn, parsed.key)
        assert reader is not None
        asked = ask_consent(
            conn, reader.id, "daily", "scheduled", consent={"method": "test"}, via="test", now=now
        )
        return activate(conn, asked, what="confirmed", via="test", now=now).id


def an_issue(press: Press) -> Issue:
    """The next issue of `daily`, released."""
    composed = compose(press, "daily")
    assert composed.issue is not None
    return release(press, composed.issue.id).issue
