"""Readers out of step: changing frequency, leaving, coming back; and posts that come back (DESIGN.md 3)."""

import pytest
import sqlalchemy as sa

from newsletter.positions import position_at_change, position_at_leaving, position_at_return
from tests.newsletter.newsroom import HOUR, Newsroom, a_newsletter

TWO = {"daily": "0 7 * * *", "weekly": "0 9 * * mon"}


@pytest.fixture
def room(sqlite_engine: sa.Engine) -> Newsroom:
    made = Newsroom(sqlite_engine, a_newsletter(lines=TWO))
    made.begin()
    return made


def test_the_three_rules_in_a_table() -> None:
    assert position_at_change(None, 10, 5) == 10
    assert position_at_change(7, 10, 5) == 7
    assert position_at_change(None, 5, 5) is None
    assert position_at_leaving(None, 10) == 10
    assert position_at_leaving(3, 10) == 3
    assert position_at_return(10, 5) == 10
    assert position_at_return(10, 10) is None
    assert position_at_return(10, 20) is None


def test_from_daily_to_weekly_nothing_comes_twice(room: Newsroom) -> None:
    ana, eva = room.reader("ana", frequency="daily"), room.reader("eva", frequency="weekly")
    room.post("one")
    room.send("daily")
    room.change(ana, "change_frequency", "weekly")
    room.post("two")
    room.send("weekly")
    assert room.got(ana) == ["one", "two"]
    assert sorted(room.got(eva)) == ["one", "two"]
    assert room.subscription(ana).position is None


def test_from_weekly_to_daily_what_the_daily_had_before_is_caught_up(room: Newsroom) -> None:
    ana = room.reader("ana", frequency="weekly")
    room.post("one")
    room.send("daily")
    room.change(ana, "change_frequency", "daily")
    room.post("two")
    made = room.send("daily")
    assert sorted(room.got(ana)) == ["one", "two"]
    assert room.held(made.issue) == 2


def test_who_comes_back_missed_what_came_out_meanwhile(room: Newsroom) -> None:
    ana = room.reader("ana", frequency="daily")
    room.change(ana, "leave")
    room.post("one")
    room.send("daily")
    room.change(ana, "activate")
    room.post("two")
    room.send("daily")
    assert room.got(ana) == ["two"]


def test_who_comes_back_to_a_slower_frequency_keeps_where_he_stood(room: Newsroom) -> None:
    ana = room.reader("ana", frequency="daily")
    room.post("one")
    room.send("daily")
    room.change(ana, "leave")
    room.change(ana, "change_frequency", "weekly")
    room.change(ana, "activate")
    room.post("two")
    room.send("weekly")
    assert room.got(ana) == ["one", "two"]


def test_a_reader_for_whom_an_issue_holds_nothing_has_no_delivery(room: Newsroom) -> None:
    ana = room.reader("ana", frequency="daily")
    room.post("one")
    room.send("daily")
    room.change(ana, "change_frequency", "weekly")
    made = room.send("weekly")
    assert made.recipients == 0
    assert room.got(ana) == ["one"]


def test_a_post_restored_that_no_issue_held_counts_as_published(room: Newsroom) -> None:
    ana = room.reader("ana", frequency="daily")
    room.post("one")
    room.post("two")
    room.withdraw("one")
    room.send("daily")
    room.now += HOUR
    room.restore("one")
    room.send("daily")
    assert room.got(ana) == ["two", "one"]


def test_a_post_restored_that_an_issue_held_is_owed_to_nobody_again(room: Newsroom) -> None:
    ana = room.reader("ana", frequency="daily")
    room.post("one")
    room.send("daily")
    room.withdraw("one")
    room.restore("one")
    room.post("two")
    room.send("daily")
    assert room.got(ana) == ["one", "two"]


def test_history_is_owed_to_nobody(room: Newsroom) -> None:
    room.post("old", first_poll=True)
    assert room.compose("daily") is None
