"""One post, from its file to a feed entry and to a mail: the map for a newcomer. Each test is the way, hop by hop.

`docs/architecture.md` says the same in words.
"""

import email
import email.policy
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import feedparser
import pytest

from dateline.actions.build import build
from dateline.actions.compose import tick
from dateline.actions.deliver import deliver
from dateline.actions.explain import explain
from dateline.actions.migrate import migrate_database
from dateline.actions.poll import build_fetcher, poll, poll_due
from dateline.actions.subscribers import add
from dateline.config import load_config
from dateline.press import Press, open_press
from feeds.entry import render_entry
from newsletter.books import books
from newsletter.frequencies import find_waiting
from newsletter.issues import list_issues
from posts import journal, store
from posts.clean import cleaned
from posts.database import reading
from posts.model import ChangeKind, Status
from posts.reconcile import Insert, decision
from posts.source_states import get_state
from posts.sources.registry import read_source

CONFIG = """\
[site]
title = "La Frontera Wire"
url = "https://frontera.example"
timezone = "America/Chicago"

[web]
url = "https://press.frontera.example"

[[sources]]
kind = "folder"
location = "content"

[[newsletters]]
slug = "daily"
title = "La Frontera Daily"
schedule = "0 18 * * *"

[mail]
from = "news@frontera.example"
"""
FILE = """\
---
title: Two arrests at the Juárez bridge
date: 2026-11-24T10:00-06:00
tags: [Juárez]
author: María Ruiz
---
The customs office *confirmed* it.
"""


class Clock:
    """A clock that tests turn."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        """The time that it shows."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """11:00 in Chicago, an hour after the post and seven before the digest."""
    return Clock()


@pytest.fixture
def press(tmp_path: Path, clock: Clock) -> Press:
    """A press with one file in its folder and one reader."""
    path = tmp_path / "config.toml"
    path.write_text(CONFIG, "utf-8")
    (tmp_path / "content").mkdir()
    (tmp_path / "content" / "bridge.md").write_text(FILE, "utf-8")
    opened = open_press(load_config(path, {}), tmp_path, clock=clock)
    migrate_database(opened)
    add(opened, "ana@example.org", "daily", consent="asked at the office", ask=False)
    return opened


def test_from_a_file_to_a_feed_entry(press: Press, clock: Clock) -> None:
    site, source = press.config.site, press.config.sources[0]

    # 1. A source is read: a value comes back, nothing is stored yet.
    with reading(press.engine) as conn:
        state = get_state(conn, source.name)
    read = read_source(
        source,
        folder=press.folder,
        fetcher=build_fetcher(press),
        state=state,
        site=site,
        now=clock(),
    )
    (incoming,) = read.posts
    assert incoming.markdown is not None

    # 2. It is cleaned, and what saving it means is decided; both are functions of values.
    content = cleaned(incoming, language=site.language)
    assert content.html == "<p>The customs office <em>confirmed</em> it.</p>"
    verdict = decision(incoming, content, None, now=clock(), site=site, first_poll=True)
    assert isinstance(verdict, Insert)

    # The action does 1 and 2 and saves: post and journal line in one transaction.
    assert poll(press)[0].new == 1
    with reading(press.engine) as conn:
        post = store.get_post(conn, verdict.guid)
        (change,) = journal.list_changes(conn, 0)
    assert (post.status, change.kind, change.post) == (
        Status.PUBLISHED,
        ChangeKind.PUBLISHED,
        post.id,
    )

    # 3. Rendered once a revision and format ...
    web_url = press.config.web.url
    entry = render_entry(post, web_url=web_url, tag_slugs={"Juárez": "juarez"})["atom"]
    # 4. ... joined into the documents of the feeds that a change has touched, 5. written when the bytes differ.
    assert "/feeds/tag-juarez.atom" in build(press).written
    document = (press.public / "feeds" / "tag-juarez.atom").read_bytes()
    assert entry.strip() in document
    assert build(press).written == []

    (found,) = feedparser.parse(document).entries
    assert (found.id, found.link) == (post.guid, web_url + post.path)


def test_from_the_journal_to_a_mail(press: Press, clock: Clock) -> None:
    # 1. The clock ticks; at 18:00 in Chicago the issue is due: the sources are polled, and its range ends there.
    clock.now = datetime(2026, 11, 25, 0, 0, tzinfo=UTC)
    assert tick(press) == []
    with reading(press.engine) as conn:
        waiting = find_waiting(conn, "daily", "scheduled")
        assert waiting is not None
        assert (waiting.wall_time, waiting.upto) == ("2026-11-24T18:00", 1)

    # 2. When that end is `settle` old the range is composed, 3. sealed, and released in one transaction.
    clock.now += timedelta(minutes=20)
    assert [one.outcome for one in tick(press)] == ["released"]
    with reading(press.engine) as conn:
        (issue,) = list_issues(conn)
        assert (issue.start, issue.end) == (0, 1)
        assert books(conn, issue.id).queued == 1

    # 4. A batch is leased and flushed, 5. the message joined, 6. handed over, 7. and the verdict written.
    assert deliver(press).sent == 1
    with reading(press.engine) as conn:
        assert books(conn, issue.id).sent == 1
    (path,) = (press.var / "outbox" / "new").iterdir()
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert (message["To"], message["Subject"]) == (
        "ana@example.org",
        "Two arrests at the Juárez bridge",
    )
    html = message.get_body(("html",))
    assert html is not None
    assert "The customs office <em>confirmed</em> it." in html.get_content()

    # And it can say so.
    assert any("was sent" in sentence for sentence in explain(press, "ana@example.org"))

    # The same due time again, and the next poll, bring nothing twice.
    assert tick(press) == []
    poll_due(press)
    assert deliver(press).sent == 0
