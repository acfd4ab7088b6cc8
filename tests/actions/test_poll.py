import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from dateline.actions.migrate import migrate_database
from dateline.actions.poll import PollResult, build_fetcher, poll, poll_due
from dateline.cli.main import dateline
from dateline.config import Config
from dateline.press import Press, open_press
from posts import store
from posts.database import reading
from posts.errors import NotFound
from posts.journal import list_changes
from posts.model import Post, Status
from posts.source_states import get_state, list_faults
from tests.posts.web_server import Answer, WebServer, web_server

START = datetime(2030, 1, 1, 12, tzinfo=UTC)


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def content(tmp_path: Path) -> Path:
    folder = tmp_path / "content"
    folder.mkdir()
    return folder


@pytest.fixture
def server() -> Iterator[WebServer]:
    with web_server({}) as running:
        yield running


def a_press(folder: Path, clock: Clock, *sources: dict[str, object]) -> Press:
    config = Config.model_validate(
        {
            "site": {"title": "Frontera", "url": "https://frontera.example/"},
            "web": {"url": "https://press.example"},
            "mail": {"from": "news@press.example"},
            "sources": sources or ({"kind": "folder", "location": "content"},),
        }
    )
    press = open_press(config, folder, clock=clock)
    migrate_database(press)
    return press


def a_feed_source(server: WebServer, path: str = "/feed") -> dict[str, object]:
    return {"kind": "feed", "location": server.url + path, "allow_private": True}


def rss(*items: str) -> Answer:
    document = (
        '<?xml version="1.0"?><rss version="2.0"><channel><title>B</title><link>https://blog.example/</link>'
        f"<description>d</description>{''.join(items)}</channel></rss>"
    )
    return Answer(body=document.encode())


def item(
    name: str, *, day: str = "Mon, 31 Dec 2029", text: str = "", guid: str | None = None
) -> str:
    return (
        f"<item><guid isPermaLink='false'>{guid or name}</guid><title>Title {name}</title>"
        f"<link>https://blog.example/{name}</link><pubDate>{day} 08:00:00 GMT</pubDate>"
        f"<description>&lt;p&gt;{text or 'Text of ' + name}&lt;/p&gt;</description></item>"
    )


def counts(result: PollResult) -> tuple[int, int, int, int]:
    return result.new, result.revised, result.unchanged, result.withdrawn


def all_posts(press: Press) -> dict[str, Post]:
    with reading(press.engine) as conn:
        return {post.external_id: post for post in store.list_all_posts(conn)}


def journal(press: Press) -> list[tuple[int, str]]:
    with reading(press.engine) as conn:
        return [(change.post, change.kind.value) for change in list_changes(conn, 0)]


def test_files_come_in_once_and_stay_as_they_are(tmp_path, content, clock):
    (content / "a.md").write_text("---\ntitle: A\ndate: 2029-12-31\n---\nText")
    (content / "b.html").write_text("<title>B</title><p>Text")
    press = a_press(tmp_path, clock)
    assert counts(poll(press)[0]) == (2, 0, 0, 0)
    assert counts(poll(press)[0]) == (0, 0, 2, 0)
    assert [kind for _, kind in journal(press)] == ["published", "published"]
    assert all_posts(press)["a.md"].content.title == "A"


def test_a_changed_file_is_a_revision_and_keeps_its_first_date(tmp_path, content, clock):
    (content / "a.md").write_text("Text")
    press = a_press(tmp_path, clock)
    poll(press)
    clock.now += timedelta(days=3)
    (content / "a.md").write_text("Other text")
    assert counts(poll(press)[0]) == (0, 1, 0, 0)
    post = all_posts(press)["a.md"]
    assert (post.revision, post.published, post.updated) == (2, START, clock.now)
    assert [kind for _, kind in journal(press)] == ["published", "revised"]


def test_a_renamed_file_is_the_same_post(tmp_path, content, clock):
    (content / "a.md").write_text("---\ntitle: A\n---\nText with [a link](x.html)")
    (content / "b.md").write_text("B")
    press = a_press(tmp_path, clock)
    poll(press)
    before = all_posts(press)["a.md"]
    (content / "a.md").rename(content / "2029-12-30-new-name.md")
    result = poll(press)[0]
    assert (result.new, result.withdrawn) == (0, 0)
    after = all_posts(press)["2029-12-30-new-name.md"]
    assert (after.id, after.guid, after.path) == (before.id, before.guid, before.path)
    assert after.content.html == before.content.html
    poll(press)
    poll(press)
    assert len(all_posts(press)) == 2
    assert all(post.status is Status.PUBLISHED for post in all_posts(press).values())


def test_a_renamed_and_rewritten_file_is_known_by_its_id(tmp_path, content, clock):
    (content / "a.md").write_text("---\ntitle: A\nid: urn:a\n---\nText")
    (content / "b.md").write_text("B")
    press = a_press(tmp_path, clock)
    poll(press)
    (content / "a.md").unlink()
    (content / "c.md").write_text("---\ntitle: Another\nid: urn:a\n---\nOther text")
    assert counts(poll(press)[0])[:2] == (0, 1)
    assert {post.guid for post in all_posts(press).values() if post.external_id == "c.md"} == {
        "urn:a"
    }
    assert len(all_posts(press)) == 2


def test_a_copied_file_is_a_second_post(tmp_path, content, clock):
    (content / "a.md").write_text("Same text")
    press = a_press(tmp_path, clock)
    poll(press)
    (content / "copy.md").write_text("Same text")
    assert counts(poll(press)[0])[:2] == (1, 0)


def test_8_10_a_file_gone_in_two_polls_is_withdrawn_and_comes_back_with_it(
    tmp_path, content, clock
):
    for name in ("a", "b", "c"):
        (content / f"{name}.md").write_text(f"Text {name}")
    press = a_press(tmp_path, clock)
    poll(press)
    (content / "a.md").unlink()
    assert counts(poll(press)[0]) == (0, 0, 2, 0)
    assert counts(poll(press)[0]) == (0, 0, 2, 1)
    assert all_posts(press)["a.md"].status is Status.WITHDRAWN
    assert poll(press)[0].withdrawn == 0
    (content / "a.md").write_text("Text a")
    poll(press)
    assert all_posts(press)["a.md"].status is Status.PUBLISHED
    assert [kind for _, kind in journal(press)] == ["published"] * 3 + ["withdrawn", "restored"]


def test_8_10_a_file_that_is_back_at_the_next_poll_was_never_gone(tmp_path, content, clock):
    (content / "a.md").write_text("A")
    (content / "b.md").write_text("B")
    press = a_press(tmp_path, clock)
    poll(press)
    for _ in range(3):
        (content / "a.md").unlink()
        poll(press)
        (content / "a.md").write_text("A")
        poll(press)
    assert [kind for _, kind in journal(press)] == ["published", "published"]


def test_8_10_an_emptied_folder_withdraws_nothing_until_it_is_confirmed(tmp_path, content, clock):
    (content / "a.md").write_text("A")
    press = a_press(tmp_path, clock)
    poll(press)
    (content / "a.md").unlink()
    for _ in range(3):
        (result,) = poll(press)
        assert (result.withdrawn, result.held) == (0, 1)
        assert "--accept-deletions" in result.faults[0].remedy
    assert counts(poll(press, accept_deletions=True)[0]) == (0, 0, 0, 1)
    assert poll(press)[0].faults == ()


def test_8_10_a_folder_that_is_not_there_withdraws_nothing(tmp_path, content, clock):
    (content / "a.md").write_text("A")
    press = a_press(tmp_path, clock)
    poll(press)
    content.rename(tmp_path / "unmounted")
    for _ in range(3):
        (result,) = poll(press, accept_deletions=True)
        assert (result.failed, result.withdrawn) == (True, 0)
    assert "the folder cannot be read" in result.faults[0].what
    assert all_posts(press)["a.md"].status is Status.PUBLISHED


@pytest.mark.parametrize(("gone", "held"), [(5, 0), (6, 6)])
def test_8_10_more_than_five_and_a_fifth_of_all_are_held(tmp_path, content, clock, gone, held):
    for n in range(20):
        (content / f"{n}.md").write_text(f"Text {n}")
    press = a_press(tmp_path, clock)
    poll(press)
    for n in range(gone):
        (content / f"{n}.md").unlink()
    poll(press)
    (result,) = poll(press)
    assert (result.held, result.withdrawn) == (held, gone - held)


def test_a_bad_file_is_named_and_the_last_good_version_stays(tmp_path, content, clock):
    (content / "a.md").write_text("---\ntitle: A\n---\nText")
    (content / "b.md").write_text("B")
    press = a_press(tmp_path, clock)
    poll(press)
    (content / "a.md").write_text("---\ntitle: A: b\n---\nText")
    for _ in range(2):
        (result,) = poll(press)
        assert [str(fault) for fault in result.faults] == [
            'content/a.md:2: "title" holds a colon and is not quoted. Write it as title: "A: b".'
        ]
    assert not result.failed
    assert all_posts(press)["a.md"].content.title == "A"
    with reading(press.engine) as conn:
        assert list_faults(conn) == list(result.faults)
    (content / "a.md").write_text("---\ntitle: Mended\n---\nText")
    assert poll(press)[0].faults == ()
    assert all_posts(press)["a.md"].content.title == "Mended"


def test_a_body_that_cannot_be_cleaned_is_named_at_every_poll_until_it_is_mended(
    tmp_path, content, clock
):
    (content / "a.html").write_text("<title>A</title><body>" + "<div>" * 1000)
    (content / "b.md").write_text("B")
    press = a_press(tmp_path, clock)
    assert counts(poll(press)[0])[:1] == (1,)
    (result,) = poll(press)
    assert result.faults[0].place == "content/a.html"
    assert "nested in each other" in result.faults[0].what
    assert set(all_posts(press)) == {"b.md"}
    (content / "a.html").write_text("<title>A</title><body>x")
    assert counts(poll(press)[0])[:1] == (1,)


def test_two_files_with_one_id_are_told_apart_by_a_fault(tmp_path, content, clock):
    (content / "a.md").write_text("---\nid: urn:x\ntitle: A\n---\nText")
    (content / "b.md").write_text("---\nid: urn:x\ntitle: B\n---\nOther")
    press = a_press(tmp_path, clock)
    (result,) = poll(press)
    assert result.new == 1
    what = result.faults[0].what
    assert 'the id "urn:x" is already that of' in what
    assert what.endswith(")."), "a sentence"


def test_many_files_are_saved_and_progress_is_told(tmp_path, content, clock):
    for n in range(230):
        (content / f"{n}.md").write_text(f"Text {n}")
    told: list[tuple[str, int, int]] = []
    press = a_press(tmp_path, clock)
    (result,) = poll(press, progress=lambda *values: told.append(values))
    assert result.new == 230
    assert told == [("content", 100, 230), ("content", 200, 230), ("content", 230, 230)]


def test_drafts_wait_and_a_future_file_is_published_when_its_time_comes(tmp_path, content, clock):
    (content / "draft.md").write_text("---\ndraft: true\n---\nText")
    (content / "later.md").write_text("---\ndate: 2030-01-01T13:00Z\n---\nText of later")
    press = a_press(tmp_path, clock)
    poll_due(press)
    assert journal(press) == []
    clock.now = START + timedelta(minutes=61)
    poll_due(press)
    assert all_posts(press)["later.md"].status is Status.PUBLISHED
    assert all_posts(press)["draft.md"].status is Status.DRAFT


def test_what_a_remote_feed_holds_at_its_first_poll_is_history(tmp_path, clock, server):
    server.routes["/feed"] = rss(item("a"), item("b"))
    press = a_press(tmp_path, clock, a_feed_source(server))
    assert counts(poll(press)[0]) == (2, 0, 0, 0)
    server.routes["/feed"] = rss(item("c"), item("a"), item("b"))
    assert counts(poll(press)[0]) == (1, 0, 2, 0)
    assert {key: post.history for key, post in all_posts(press).items()} == {
        "a": True,
        "b": True,
        "c": False,
    }
    assert all_posts(press)["a"].guid == "a"
    assert all_posts(press)["a"].content.link == "https://blog.example/a"


def test_8_10_a_post_that_drops_off_a_remote_feed_stays(tmp_path, clock, server):
    server.routes["/feed"] = rss(item("a"), item("b"))
    press = a_press(tmp_path, clock, a_feed_source(server))
    poll(press)
    server.routes["/feed"] = rss(item("b"))
    for _ in range(3):
        assert poll(press)[0].withdrawn == 0
    assert all_posts(press)["a"].status is Status.PUBLISHED


def test_a_blog_that_gives_its_posts_new_ids_is_not_mailed_again(tmp_path, clock, server):
    server.routes["/feed"] = rss(item("a"), item("b"))
    press = a_press(tmp_path, clock, a_feed_source(server))
    poll(press)
    server.routes["/feed"] = rss(
        item("a", guid="https://a"), item("b", guid="https://b"), item("c")
    )
    assert poll(press)[0].new == 1
    assert len(all_posts(press)) == 3


def test_a_missing_date_is_the_time_first_seen_for_ever(tmp_path, clock, server):
    server.routes["/feed"] = rss(item("a", day="lun, 31 dic 2029"))
    press = a_press(tmp_path, clock, a_feed_source(server))
    poll(press)
    clock.now += timedelta(days=2)
    server.routes["/feed"] = rss(item("a", day="lun, 31 dic 2029", text="Other text"))
    poll(press)
    assert (all_posts(press)["a"].published, all_posts(press)["a"].revision) == (START, 2)


def test_trackers_that_change_are_no_change(tmp_path, clock, server):
    press = a_press(tmp_path, clock, a_feed_source(server))
    for number in range(3):
        pixel = f"x&lt;img src='https://feeds.feedburner.com/~r/b/~4/{number}' height='1'&gt;"
        server.routes["/feed"] = rss(item("a", text=pixel))
        poll(press)
    assert all_posts(press)["a"].revision == 1


def test_one_bad_post_of_a_feed_is_named_and_the_others_come(tmp_path, clock, server):
    server.routes["/feed"] = rss(item("a", text="&lt;div&gt;" * 1000), item("b"))
    press = a_press(tmp_path, clock, a_feed_source(server))
    (result,) = poll(press)
    assert (result.new, result.failed) == (1, False)
    assert result.faults[0].place == "https://blog.example/a"
    server.routes["/feed"] = Answer(status=304)
    assert poll(press)[0].faults == result.faults


def test_one_bad_source_stops_no_other(tmp_path, content, clock, server):
    (content / "a.md").write_text("A")
    server.routes["/good"] = rss(item("a"))
    server.routes["/html"] = Answer(body=b"<!doctype html><html>error")
    server.routes["/junk"] = Answer(body=b"%PDF")
    sources = [a_feed_source(server, path) for path in ("/html", "/junk", "/gone", "/good")]
    press = a_press(tmp_path, clock, *sources, {"kind": "folder", "location": "content"})
    results = poll(press)
    assert [result.failed for result in results] == [True, True, True, False, False]
    assert [result.new for result in results] == [0, 0, 0, 1, 1]
    assert all(result.faults for result in results[:3])


def test_the_clock_asks_a_source_only_when_it_is_due(tmp_path, clock, server):
    server.routes["/feed"] = rss(item("a"))
    press = a_press(tmp_path, clock, a_feed_source(server))
    assert len(poll_due(press)) == 1
    clock.now += timedelta(minutes=9)
    assert poll_due(press) == []
    clock.now += timedelta(minutes=1)
    server.routes["/feed"] = Answer(status=429, headers={"Retry-After": "3600"})
    assert [result.failed for result in poll_due(press)] == [True]
    clock.now += timedelta(minutes=59)
    assert poll_due(press) == []
    clock.now += timedelta(minutes=1)
    server.routes["/feed"] = rss(item("a"))
    assert [result.failed for result in poll_due(press)] == [False]
    with reading(press.engine) as conn:
        assert get_state(conn, press.config.sources[0].name).failures == 0


def test_one_source_may_be_polled_alone_and_an_unknown_one_is_told(
    tmp_path, content, clock, server
):
    press = a_press(
        tmp_path, clock, a_feed_source(server), {"kind": "folder", "location": "content"}
    )
    assert [result.source for result in poll(press, source="content")] == ["content"]
    with pytest.raises(NotFound, match='there is no source "contents"'):
        poll(press, source="contents")


def test_the_client_says_who_asks(tmp_path, clock):
    assert build_fetcher(a_press(tmp_path, clock)).user_agent.endswith("(+https://press.example)")


CONFIG = """
[site]
title = "Frontera"
url = "https://frontera.example/"
[web]
url = "https://press.example"
[mail]
from = "news@press.example"
[[sources]]
kind = "folder"
location = "content"
"""


def run(folder: Path, *words: str):
    return CliRunner().invoke(
        dateline, [*words, "--config", str(folder / "config.toml")], catch_exceptions=False
    )


def test_poll_prints_a_table_and_its_faults(tmp_path, content):
    (tmp_path / "config.toml").write_text(CONFIG)
    (content / "a.md").write_text("A")
    (content / "b.md").write_text("---\ndate: 15/9\n---\nB")
    done = run(tmp_path, "poll")
    assert done.exit_code == 0
    assert "content" in done.stdout
    assert 'content/b.md:2: "date" is not a date' in done.stderr
    listed = json.loads(run(tmp_path, "sources", "list", "--json").stdout)
    assert (listed[0]["source"], listed[0]["posts"], listed[0]["kind"]) == ("content", 1, "folder")
    assert listed[0]["faults"][0]["place"] == "content/b.md:2"
    assert "content" in run(tmp_path, "sources", "list").stdout


def test_poll_ends_with_1_when_a_source_could_not_be_read(tmp_path, content):
    (tmp_path / "config.toml").write_text(CONFIG)
    content.rmdir()
    done = run(tmp_path, "poll", "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)[0]["failed"]


def test_poll_tells_the_choice_and_summaries(tmp_path, server):
    page = b'<!doctype html><html><link rel=alternate type="application/rss+xml" href=/feed>'
    server.routes = {"/": Answer(body=page), "/feed": rss(item("a", text="Beginning […]"))}
    (tmp_path / "config.toml").write_text(
        CONFIG.replace(
            'kind = "folder"\nlocation = "content"',
            f'kind = "feed"\nlocation = "{server.url}/"\nallow_private = true',
        )
    )
    done = run(tmp_path, "poll")
    assert done.exit_code == 0
    assert f"is a page; its feed {server.url}/feed is read." in done.stdout
    assert "carries summaries only" in done.stdout
