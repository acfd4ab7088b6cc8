"""An operator builds the feeds: through the action and through the command line."""

import fcntl
import json
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

from dateline.actions.build import build, build_on_change, feeds_of, listed_feeds
from dateline.actions.migrate import migrate_database
from dateline.cli.build import build as build_command
from dateline.cli.feeds import feeds as feeds_command
from dateline.config import load_config
from dateline.press import Press, open_press
from posts import store
from posts.database import reading
from posts.errors import DatelineError, NotFound
from tests.feeds.arrange import NOON, save

CONFIG = """
[site]
title = "The Border Reporter"
url = "https://border.example.org/"
[web]
url = "https://press.example.org/"
[[feeds]]
slug = "air"
title = "Air"
select = { tags = ["Air"] }
[mail]
from = "digest@border.example.org"
"""


@pytest.fixture
def press(tmp_path: Path) -> Press:
    """A press with two posts."""
    path = tmp_path / "config.toml"
    path.write_text(CONFIG)
    opened = open_press(load_config(path, {}), tmp_path, clock=lambda: NOON)
    migrate_database(opened)
    save(opened.engine, 1, tags=("Air",))
    save(opened.engine, 2)
    return opened


def test_a_build_says_what_it_did(press: Press) -> None:
    first, second = build(press), build(press)
    assert "/feeds/air.json" in first.written
    assert (press.public / "feeds" / "air.json").is_file()
    assert (second.written, second.unchanged) == ([], len(first.written))


def test_one_bad_post_is_quarantined_and_the_rest_goes_out(press: Press) -> None:
    save(press.engine, 3, html="<p>\x0b</p>", tags=("Air",))
    result = build(press)
    assert len(result.quarantined) == 1
    assert result.quarantined[0].startswith("tag:border.example.org,2009-09-15:3: ")
    assert b"Post 2" in (press.public / "feeds" / "all.atom").read_bytes()
    with reading(press.engine) as conn:
        assert [post.external_id for post in store.list_quarantined(conn)] == ["3"]
    assert build(press).quarantined == []


def test_a_mended_post_comes_back(press: Press) -> None:
    save(press.engine, 3, html="<p>\x0b</p>")
    build(press)
    save(press.engine, 3, html="<p>mended</p>")
    assert "/feeds/all.atom" in build(press).written
    assert b"mended" in (press.public / "feeds" / "all.atom").read_bytes()


def test_a_second_build_waits_for_the_first(press: Press) -> None:
    lock = press.var / "built" / "lock"
    lock.parent.mkdir(parents=True)
    done = threading.Event()

    def second() -> None:
        build(press)
        done.set()

    with lock.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        thread = threading.Thread(target=second)
        thread.start()
        assert not done.wait(0.2)
    thread.join(timeout=30)
    assert done.is_set()


def test_a_folder_that_cannot_be_written_is_named(press: Press) -> None:
    press.public.write_bytes(b"a file where the folder should be")
    with pytest.raises(DatelineError, match="public/feeds: The feeds could not be written: "):
        build(press)


def test_an_unknown_feed_is_refused(press: Press) -> None:
    with pytest.raises(NotFound):
        build(press, feed="none")


def test_the_feeds_are_listed_with_their_posts(press: Press) -> None:
    assert [feed.slug for feed in feeds_of(press)] == [
        "all",
        "updates",
        "headlines",
        "media",
        "air",
        "language-en",
        "tag-air",
    ]
    assert [(one.feed.slug, one.posts) for one in listed_feeds(press)] == [
        ("all", 2),
        ("updates", 0),
        ("headlines", 2),
        ("media", 0),
        ("air", 1),
        ("language-en", 2),
        ("tag-air", 1),
    ]


def test_the_command_line_builds_and_lists(press: Press) -> None:
    config = ["--config", str(press.folder / "config.toml")]
    built = CliRunner().invoke(build_command, [*config, "--json"], catch_exceptions=False)
    assert json.loads(built.stdout)["entries_rendered"] == 4
    again = CliRunner().invoke(build_command, ["all", *config], catch_exceptions=False)
    assert again.stdout.startswith("0 written, 3 unchanged")
    listed = CliRunner().invoke(feeds_command, ["list", "--json", *config], catch_exceptions=False)
    air = json.loads(listed.stdout)[4]
    assert air.pop("audience")["requests"] == 0
    assert air == {
        "slug": "air",
        "title": "Air",
        "language": "en",
        "posts": 1,
        "size": 50,
        "url": "https://press.example.org/feeds/air.atom",
        "paths": {
            "atom": "/feeds/air.atom",
            "rss": "/feeds/air.rss",
            "json": "/feeds/air.json",
        },
    }
    table = CliRunner().invoke(feeds_command, ["list", *config], catch_exceptions=False)
    assert "tag-air" in table.stdout
    assert "Each at https://press.example.org/feeds/FEED.atom, .rss and .json" in table.stdout


def test_the_clock_builds_only_when_somebody_has_committed(press: Press) -> None:
    act = build_on_change(press)
    first = act()
    assert first is not None
    assert first.written
    assert act() is None
    save(press.engine, 3)
    second = act()
    assert second is not None
    assert "/feeds/all.atom" in second.written


def test_a_build_of_the_clock_that_failed_is_tried_again(press: Press) -> None:
    act = build_on_change(press)
    press.public.parent.mkdir(exist_ok=True)
    press.public.write_text("in the way")
    with pytest.raises(DatelineError):
        act()
    press.public.unlink()
    again = act()
    assert again is not None
    assert again.written
