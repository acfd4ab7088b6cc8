"""The audience on its way: counted while serving, written down by the clock, dropped after a year."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from dateline.actions.audience import KEPT, audience_of_feeds, flush_audience
from dateline.actions.clean_up import clean_up
from dateline.actions.migrate import migrate_database
from dateline.cli.main import dateline
from dateline.clock import list_jobs
from dateline.config import Config, load_config
from dateline.press import Press, open_press
from feeds.audience import Audience
from posts.database import writing

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.fixture
def press(tmp_path: Path) -> Press:
    """A press at noon."""
    config = Config.model_validate(
        {"site": {"title": "G", "url": "https://g.example"}, "mail": {"from": "n@g.example"}}
    )
    made = open_press(config, tmp_path, clock=lambda: NOW)
    migrate_database(made)
    return made


def test_the_clock_writes_down_what_was_counted(press: Press) -> None:
    audience = Audience()
    audience.note("/feeds/all.atom", 200, "Feedly/1.0 (5 subscribers)", False)
    [job] = [job for job in list_jobs(press, audience) if job.name == "audience"]
    job.action()
    job.action()
    assert job.every == timedelta(minutes=1)
    found = audience_of_feeds(press)["all"]
    assert (found.requests, found.subscribers) == (1, 5)


def test_what_could_not_be_written_down_is_written_down_later(press: Press) -> None:
    audience = Audience()
    audience.note("/feeds/all.atom", 200, "curl/8", False)
    with writing(press.engine) as conn:
        conn.execute(sa.text("ALTER TABLE feed_audience RENAME TO away"))
    with pytest.raises(sa.exc.OperationalError):
        flush_audience(press, audience)
    with writing(press.engine) as conn:
        conn.execute(sa.text("ALTER TABLE away RENAME TO feed_audience"))
    flush_audience(press, audience)
    assert audience_of_feeds(press)["all"].requests == 1


def test_days_older_than_a_year_are_dropped(press: Press, tmp_path: Path) -> None:
    audience = Audience()
    audience.note("/feeds/all.atom", 200, "curl/8", False)
    flush_audience(press, audience)
    at_the_end = open_press(press.config, tmp_path, clock=lambda: NOW + KEPT)
    assert clean_up(at_the_end).audience == 0
    after_it = open_press(press.config, tmp_path, clock=lambda: NOW + KEPT + timedelta(days=1))
    assert clean_up(after_it).audience == 1


def test_feeds_list_shows_readers_304s_and_who_asks_for_the_whole_again_and_again(
    tmp_path: Path,
) -> None:
    path = tmp_path / "config.toml"
    path.write_text(
        '[site]\ntitle = "G"\nurl = "https://g.example"\n[mail]\nfrom = "n@g.example"\n', "utf-8"
    )
    press = open_press(load_config(path, {}), tmp_path)
    migrate_database(press)
    audience = Audience()
    for _ in range(3):
        audience.note("/feeds/all.atom", 304, "Feedly/1.0 (16 subscribers)", True)
    for _ in range(12):
        audience.note("/feeds/all.rss", 200, "curl/8.5", False)
    flush_audience(press, audience)
    config = ["--config", str(path)]
    listed = json.loads(CliRunner().invoke(dateline, ["feeds", "list", "--json", *config]).output)
    [found] = [one["audience"] for one in listed if one["slug"] == "all"]
    assert (found["subscribers"], found["requests"], found["not_modified"]) == (16, 15, 3)
    assert found["unconditional"] == 12
    assert found["programs"][0]["program"] == "curl"
    assert found["services"][0]["format"] == "atom"
    assert found["days"][0]["requests"] == 15
    text = CliRunner().invoke(dateline, ["feeds", "list", *config]).output
    assert "20 %" in text
    assert "curl 8 (12 of 12)" in " ".join(text.split())
