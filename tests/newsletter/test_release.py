"""A release: who gets which edition, the one transaction, and what it refuses (DESIGN.md 3, 8.4, 9)."""

import pytest
import sqlalchemy as sa

from newsletter import issues
from newsletter.tables import batches, deliveries
from posts.database import reading
from posts.errors import Refused
from tests.newsletter.newsroom import HOUR, MINUTE, Newsroom, a_newsletter

TWO = {"daily": "0 7 * * *", "weekly": "0 9 * * mon"}


@pytest.fixture
def room(engine: sa.Engine) -> Newsroom:
    made = Newsroom(engine)
    made.begin()
    return made


@pytest.fixture
def two(sqlite_engine: sa.Engine) -> Newsroom:
    made = Newsroom(sqlite_engine, a_newsletter(lines=TWO))
    made.begin()
    return made


def test_readers_with_equal_lists_share_an_edition(room: Newsroom) -> None:
    room.post("one")
    ana, bob, eva = room.reader("ana"), room.reader("bob"), room.reader("eva", language="es")
    made = room.send()
    assert (made.recipients, made.editions, made.excluded) == (3, 2, 0)
    assert room.got(ana) == room.got(bob) == room.got(eva) == ["one"]


def test_the_end_moves_with_the_release_and_the_next_issue_holds_only_what_came_after(
    room: Newsroom,
) -> None:
    ana = room.reader("ana")
    room.post("one")
    room.send()
    assert room.end() == 1
    room.now += HOUR
    room.post("two")
    room.send()
    assert room.got(ana) == ["one", "two"]


def test_deliveries_are_numbered_by_subscriber_in_batches_of_500(room: Newsroom) -> None:
    room.post("one")
    for at in range(3):
        room.reader(f"r{at}")
    made = room.send()
    with reading(room.engine) as conn:
        rows = conn.execute(
            sa.select(deliveries.c.number, deliveries.c.subscriber).order_by(deliveries.c.number)
        ).all()
        slices = conn.execute(sa.select(batches.c.first, batches.c.last, batches.c.on_wire)).all()
    assert [row.number for row in rows] == [1, 2, 3]
    assert [row.subscriber for row in rows] == sorted(row.subscriber for row in rows)
    assert [tuple(one) for one in slices] == [(1, 3, [])]
    assert made.issue.recipients == 3


def test_a_paused_reader_is_passed_over_by_name_and_does_not_catch_up(room: Newsroom) -> None:
    ana, bob = room.reader("ana"), room.reader("bob")
    room.change(ana, "pause")
    room.post("one")
    made = room.send()
    assert (made.recipients, made.excluded) == (2, 1)
    assert room.excluded(ana) == ["paused"]
    room.change(ana, "resume")
    room.post("two")
    room.send()
    assert room.got(ana) == ["two"]
    assert room.got(bob) == ["one", "two"]


def test_a_suppressed_reader_is_excluded_by_name(room: Newsroom) -> None:
    ana, _ = room.reader("ana"), room.reader("bob")
    room.suppress(ana)
    room.post("one")
    made = room.send()
    assert (made.recipients, made.excluded) == (2, 1)
    assert room.excluded(ana) == ["suppressed"]


def test_an_issue_with_nobody_to_send_to_is_done_at_once(room: Newsroom) -> None:
    room.post("one")
    made = room.send()
    assert made.issue.status == issues.IssueStatus.DONE
    assert made.recipients == 0


def test_a_release_is_refused_when_another_moved_the_end(room: Newsroom) -> None:
    room.post("one")
    draft = room.compose()
    assert draft is not None
    from newsletter import frequencies
    from posts.database import writing

    with writing(room.engine) as conn:
        assert frequencies.move_end(conn, "daily", "scheduled", start=0, end=1)
    with pytest.raises(Refused, match="was released since"):
        room.release(draft)


def test_a_second_release_of_one_issue_is_refused_and_changes_nothing(room: Newsroom) -> None:
    room.post("one")
    room.reader("ana")
    made = room.send()
    with pytest.raises(Refused, match="not a draft"):
        room.release(made.issue)
    with reading(room.engine) as conn:
        assert conn.execute(sa.select(sa.func.count()).select_from(deliveries)).scalar_one() == 1


@pytest.mark.parametrize("what", ["withdraw", "revise"])
def test_a_release_refuses_while_a_withdrawal_or_a_revision_stands_after_composing(
    room: Newsroom, what: str
) -> None:
    room.post("one")
    room.post("two")
    draft = room.compose()
    assert draft is not None
    room.now += MINUTE
    if what == "withdraw":
        room.withdraw("one")
    else:
        room.post("one", html="<p>better</p>")
    with pytest.raises(Refused, match="Compose it anew"):
        room.release(draft)
    again = room.compose()
    assert again is not None
    assert (again.id, again.number) == (draft.id, draft.number)
    room.release(again)
