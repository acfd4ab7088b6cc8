"""An operator looks: `dateline status` says what is due, what waits and what needs a person."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from dateline.actions.compose import compose, tick
from dateline.actions.migrate import migrate_database
from dateline.actions.poll import poll
from dateline.actions.status import next_due, status
from dateline.cli.main import dateline
from dateline.config import load_config
from dateline.deliver_lock import DeliverLock
from dateline.press import Press, open_press

CONFIG = """\
[site]
title = "Gazette"
url = "https://example.org"
timezone = "Europe/Madrid"

[[sources]]
kind = "folder"
location = "content"

[[newsletters]]
slug = "daily"
title = "Daily"
schedule = "0 18 * * *"

[mail]
from = "news@example.org"
"""
NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.fixture
def press(tmp_path: Path) -> Press:
    """A press with a folder of two posts, one of them broken; nothing is read yet."""
    path = tmp_path / "config.toml"
    path.write_text(CONFIG, "utf-8")
    (tmp_path / "content").mkdir()
    (tmp_path / "content/new.md").write_text("---\ntitle: New\n---\nText.", "utf-8")
    made = open_press(load_config(path, {}), tmp_path, clock=lambda: NOON)
    migrate_database(made)
    return made


def test_a_press_that_never_read_its_sources_says_so(press: Press) -> None:
    found = status(press)
    assert found.sources[0].polled is None
    assert any("was never read" in need for need in found.needs)


def test_the_next_due_time_is_the_sites_wall_time(press: Press) -> None:
    assert next_due(press) == [("daily", datetime(2026, 11, 24, 17, 0, tzinfo=UTC))]


def test_posts_that_wait_for_the_next_issue_are_counted(press: Press) -> None:
    tick(press)
    poll(press)
    [newsletter] = status(press).newsletters
    assert (newsletter.waiting, newsletter.last) == (1, None)


def test_a_broken_post_is_named_and_needs_a_person(press: Press) -> None:
    (press.folder / "content/bad.md").write_text("---\ntitle: [\n---\nText.", "utf-8")
    poll(press)
    found = status(press)
    assert [
        Path(fault.place.rpartition(":")[0] or fault.place).name
        for fault in found.sources[0].faults
    ] == ["bad.md"]
    assert any("1 fault" in need for need in found.needs)


def test_a_draft_says_how_to_release_it(press: Press) -> None:
    tick(press)
    poll(press)
    issue = compose(press, "daily").issue
    assert issue is not None
    assert any(f"dateline issues release {issue.id}" in need for need in status(press).needs)


def test_a_source_that_nobody_reads_any_more_is_told(press: Press, tmp_path: Path) -> None:
    poll(press)
    later = open_press(press.config, tmp_path, clock=lambda: NOON + timedelta(hours=1))
    assert any("nobody reads it" in need for need in status(later).needs)
    assert not any("nobody reads it" in need for need in status(press).needs)


def test_whether_anybody_delivers_is_told(press: Press) -> None:
    assert not status(press).is_delivering
    with DeliverLock(press.var) as lock:
        assert lock.acquire("the test")
        assert status(press).is_delivering


def test_as_json_it_is_one_object_and_as_text_a_person_reads_it(press: Press) -> None:
    config = ["--config", str(press.folder / "config.toml")]
    run = CliRunner()
    run.invoke(dateline, ["poll", *config])
    found = json.loads(run.invoke(dateline, ["status", "--json", *config]).output)
    assert found["posts"] == 1
    assert found["newsletters"][0]["newsletter"] == "daily"
    text = run.invoke(dateline, ["status", *config]).output
    assert "Nobody is really mailed" in text
    assert "1 post is public" in text
