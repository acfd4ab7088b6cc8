"""One look at the clock: what becomes of a due time (DESIGN.md 3, 4, 8.3)."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from newsletter import frequencies, issues
from newsletter.frequencies import DueOutcome
from posts.database import reading, writing
from posts.errors import TemplateError
from tests.newsletter.newsroom import DAY, HOUR, MINUTE, SITE, Newsroom, a_newsletter

DUE = datetime.fromisoformat("2026-09-02T07:00:00-05:00")
"""The first due time after the newsroom's start: seven in Chicago."""


@pytest.fixture
def room(engine: sa.Engine) -> Newsroom:
    made = Newsroom(engine)
    made.begin()
    made.reader("ana")
    return made


@pytest.fixture
def quick(sqlite_engine: sa.Engine) -> Callable[..., Newsroom]:
    def made(**changes: object) -> Newsroom:
        room = Newsroom(sqlite_engine, a_newsletter(**changes))
        room.begin()
        room.reader("ana", frequency=next(iter(room.newsletter.frequencies)))
        return room

    return made


def outcomes(room: Newsroom) -> list[tuple[str, str]]:
    with reading(room.engine) as conn:
        rows = frequencies.list_due_times(conn, room.newsletter.slug)
    return sorted((row.wall_time, str(row.outcome)) for row in rows)


def count_issues(room: Newsroom) -> int:
    with reading(room.engine) as conn:
        return len(issues.list_issues(conn))


def test_before_its_time_nothing_is_due(room: Newsroom) -> None:
    room.post("one")
    room.now = DUE - MINUTE
    assert room.tick() == []
    assert outcomes(room) == []


def test_a_due_issue_waits_until_its_newest_post_has_settled(room: Newsroom) -> None:
    room.now = DUE - 5 * MINUTE
    room.post("one")
    room.now = DUE
    assert room.tick() == []
    assert outcomes(room) == [("2026-09-02T07:00", "waiting")]
    room.now = DUE + MINUTE
    room.post("two")
    assert room.tick(after=13 * MINUTE) == []
    (made,) = room.tick(after=MINUTE)
    assert (made.outcome, made.posts, made.recipients) == (DueOutcome.RELEASED, 1, 1)
    assert outcomes(room) == [("2026-09-02T07:00", "released")]
    assert room.end() == 1


def test_what_has_settled_long_ago_goes_out_at_once(room: Newsroom) -> None:
    room.post("one")
    room.now = DUE
    (made,) = room.tick()
    assert made.outcome is DueOutcome.RELEASED


def test_the_fixes_of_the_first_minutes_are_in(room: Newsroom) -> None:
    room.now = DUE - 5 * MINUTE
    row = room.post("one")
    room.now = DUE
    room.tick()
    room.now = DUE + 2 * MINUTE
    room.post("one", title="One, mended")
    room.tick(after=20 * MINUTE)
    with reading(room.engine) as conn:
        (issue,) = issues.list_issues(conn)
        assert issue.subject == "One, mended"
        assert issues.list_post_ids(conn, issue.id) == [row]


def test_a_line_dated_in_the_future_counts_as_settled(room: Newsroom) -> None:
    room.now = DUE + 300 * DAY
    room.post("one")
    room.now = DUE
    (made,) = room.tick()
    assert made.outcome is DueOutcome.RELEASED


def test_the_sources_are_polled_once_and_only_when_something_is_due(room: Newsroom) -> None:
    calls: list[datetime] = []

    def poll() -> None:
        calls.append(room.now)
        room.post("came with the poll")

    room.now = DUE - MINUTE
    room.tick(poll=poll)
    assert calls == []
    room.now = DUE
    room.tick(poll=poll)
    room.tick(poll=poll, after=20 * MINUTE)
    assert calls == [DUE]
    assert outcomes(room) == [("2026-09-02T07:00", "released")]


def test_a_second_tick_and_a_second_day_make_one_issue_each(room: Newsroom) -> None:
    room.post("one")
    room.now = DUE
    room.tick()
    assert room.tick(after=MINUTE) == []
    assert count_issues(room) == 1
    room.now = DUE + HOUR
    room.post("two")
    room.now = DUE + DAY
    room.tick()
    assert count_issues(room) == 2


def test_a_due_time_missed_by_less_than_max_lateness_is_sent_once(room: Newsroom) -> None:
    room.post("one")
    room.now = DUE + 5 * HOUR
    assert [result.outcome for result in room.tick()] == [DueOutcome.RELEASED]


def test_a_due_time_missed_by_more_is_merged_into_the_next(room: Newsroom) -> None:
    room.post("one")
    room.now = DUE + 6 * HOUR + MINUTE
    assert [result.outcome for result in room.tick()] == [DueOutcome.MERGED]
    room.now = DUE + DAY
    (made,) = room.tick()
    assert (made.outcome, made.posts) == (DueOutcome.RELEASED, 1)
    assert outcomes(room) == [("2026-09-02T07:00", "merged"), ("2026-09-03T07:00", "released")]


def test_one_that_waited_through_an_outage_is_merged_too(room: Newsroom) -> None:
    room.now = DUE - MINUTE
    room.post("one")
    room.now = DUE
    room.tick()
    assert [result.outcome for result in room.tick(after=7 * HOUR)] == [DueOutcome.MERGED]


def test_nothing_new_makes_no_issue_and_says_so(room: Newsroom) -> None:
    room.now = DUE
    (result,) = room.tick()
    assert result.outcome is DueOutcome.NOTHING_NEW
    assert outcomes(room) == [("2026-09-02T07:00", "nothing new")]
    assert count_issues(room) == 0


def test_fewer_posts_than_the_minimum_wait_for_the_next(quick: Callable[..., Newsroom]) -> None:
    room = quick(minimum_posts=2)
    room.post("one")
    room.now = DUE
    assert [result.outcome for result in room.tick()] == [DueOutcome.TOO_FEW]
    room.post("two")
    room.now = DUE + DAY
    (made,) = room.tick()
    assert (made.outcome, made.posts) == (DueOutcome.RELEASED, 2)


def test_a_due_time_that_meets_a_draft_makes_none(room: Newsroom) -> None:
    room.post("one")
    draft = room.compose()
    assert draft is not None
    room.post("two")
    room.now = DUE
    assert [result.outcome for result in room.tick()] == [DueOutcome.MERGED]
    room.release(draft)
    room.now = DUE + DAY
    (made,) = room.tick()
    assert (made.outcome, made.posts) == (DueOutcome.RELEASED, 1)


def test_a_cancelled_draft_was_never_there(room: Newsroom) -> None:
    from newsletter import drafts

    room.post("one")
    draft = room.compose()
    assert draft is not None
    with writing(room.engine) as conn:
        assert drafts.cancel_draft(conn, draft, now=room.now)
    room.now = DUE
    (made,) = room.tick()
    assert made.posts == 1
    with reading(room.engine) as conn:
        assert made.issue is not None
        assert issues.get_issue(conn, made.issue).number == draft.number


def test_a_changed_schedule_mails_nobody_at_once(room: Newsroom) -> None:
    room.post("one")
    room.now = DUE + 2 * HOUR  # nine in Chicago
    with writing(room.engine) as conn:
        frequencies.save_due_time(
            conn, "daily", "scheduled", "2026-09-02T07:00", DueOutcome.MERGED, now=DUE
        )
    room.newsletter = a_newsletter(schedule="0 8 * * *")
    assert room.tick() == []
    room.now = DUE + HOUR + DAY
    (made,) = room.tick()
    assert made.outcome is DueOutcome.RELEASED


def test_a_clock_that_jumps_a_year_and_comes_back_neither_silences_nor_repeats(
    room: Newsroom,
) -> None:
    room.post("one")
    room.now = DUE
    room.tick()
    room.post("two")
    room.now = DUE + 365 * DAY
    room.newsletter = a_newsletter(schedule="30 7 * * *")  # changed while the clock was wrong
    room.tick(after=HOUR)
    room.tick(after=DAY)
    made_then = count_issues(room)
    room.now = DUE + HOUR
    assert room.tick() == []
    room.post("three")
    room.now = DUE + DAY + HOUR
    results = room.tick()
    assert [result.outcome for result in results] == [DueOutcome.RELEASED]
    assert count_issues(room) == made_then + 1


def test_an_issue_that_cannot_be_sealed_is_tried_again_and_stops_nobody(room: Newsroom) -> None:
    def broken(*_: object) -> object:
        raise TemplateError("digest.html.j2 is broken")

    room.post("one")
    good, room.seal = room.seal, broken
    room.now = DUE
    (result,) = room.tick()
    assert result.error == "digest.html.j2 is broken"
    assert outcomes(room) == [("2026-09-02T07:00", "waiting")]
    room.seal = good
    (made,) = room.tick(after=MINUTE)
    assert (made.outcome, made.issue) == (DueOutcome.RELEASED, 1)


def test_a_draft_that_only_a_due_time_had_made_goes_with_it_when_it_is_too_late(
    room: Newsroom,
) -> None:
    def broken(*_: object) -> object:
        raise TemplateError("broken")

    room.post("one")
    good, room.seal = room.seal, broken
    room.now = DUE
    room.tick()
    room.seal = good
    assert [result.outcome for result in room.tick(after=7 * HOUR)] == [DueOutcome.MERGED]
    room.now = DUE + DAY
    (made,) = room.tick()
    assert (made.outcome, made.posts) == (DueOutcome.RELEASED, 1)


def test_composing_by_hand_takes_over_what_a_due_time_had_begun(room: Newsroom) -> None:
    def broken(*_: object) -> object:
        raise TemplateError("broken")

    room.post("one")
    good, room.seal = room.seal, broken
    room.now = DUE
    room.tick()
    room.seal = good
    draft = room.compose()
    assert draft is not None
    assert outcomes(room) == [("2026-09-02T07:00", "merged")]
    assert room.tick(after=MINUTE) == []
    room.release(draft)


def test_a_new_frequency_begins_before_the_first_line_younger_than_max_age(
    sqlite_engine: sa.Engine,
) -> None:
    room = Newsroom(sqlite_engine)
    room.post("old")
    room.now += SITE.max_age + HOUR
    room.post("young")
    room.begin()
    assert room.end() == 1
    reader = room.reader("ana")
    room.send()
    assert room.got(reader) == ["young"]


def test_a_schedule_of_every_minute_with_a_long_settle_still_brings_issues(
    quick: Callable[..., Newsroom],
) -> None:
    room = quick(schedule="* * * * *", settle=timedelta(minutes=5))
    for _ in range(20):
        room.now += MINUTE
        if room.now.minute % 3 == 0:
            room.post(f"p{room.now.minute}")
        room.tick()
    assert count_issues(room) >= 2
