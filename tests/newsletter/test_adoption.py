"""What adopting does to the rows: acts done again, issues paused, what was mailed counted as mailed (DESIGN.md 8.12)."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from newsletter import adoption, counterfoil_marks, issues, subscribers, suppression
from newsletter.books import books
from newsletter.counterfoil import (
    Entry,
    Line,
    Place,
    Since,
    What,
    erased_hash,
    post_hash,
    subscription_hash,
)
from newsletter.counterfoil_marks import Mark
from newsletter.issues import IssueStatus
from newsletter.ledger import HELD
from newsletter.subscriptions import Subscription, SubscriptionStatus
from newsletter.tables import batches, deliveries, subscriptions
from posts.database import reading, writing
from tests.newsletter.ledger_builders import NOW, a_released_issue, issue_status, states
from tests.newsletter.newsroom import HOUR, START, Newsroom


@pytest.fixture
def room(engine: sa.Engine) -> Newsroom:
    """A newsroom that has seen its configuration."""
    made = Newsroom(engine)
    made.begin()
    return made


def an_entry(room: Newsroom, what: What, reader: Subscription, name: str) -> Entry:
    """What the counterfoil says of a reader called `name`."""
    who = subscription_hash(room.keys, reader.newsletter, f"{name}@example.org")
    return Entry(what=what, row=reader.id, who=who, newsletter=reader.newsletter)


def do_again(room: Newsroom, since: Since) -> adoption.Replayed:
    """Replays."""
    with writing(room.engine) as conn:
        return adoption.replay(conn, room.keys, since, room.now)


def test_leaving_is_done_again_once(room: Newsroom) -> None:
    reader = room.reader("lupe")
    since = Since(left=(an_entry(room, What.LEFT, reader, "lupe"),))
    assert do_again(room, since).left == 1
    assert room.subscription(reader).status is SubscriptionStatus.UNSUBSCRIBED
    assert do_again(room, since) == adoption.Replayed()


def test_a_reader_is_found_by_the_hash_where_his_row_has_another_number(room: Newsroom) -> None:
    other, reader = room.reader("other"), room.reader("lupe")
    entry = replace(an_entry(room, What.LEFT, reader, "lupe"), row=other.id)
    assert do_again(room, Since(left=(entry,))).left == 1
    assert room.subscription(other).status is SubscriptionStatus.ACTIVE
    assert room.subscription(reader).status is SubscriptionStatus.UNSUBSCRIBED


def test_an_erased_reader_is_erased_again_also_under_another_number(room: Newsroom) -> None:
    other, reader = room.reader("other"), room.reader("lupe")
    who = erased_hash(room.keys, "lupe@example.org")
    entry = Entry(what=What.ERASED, row=other.subscriber, who=who)
    assert do_again(room, Since(erased=(entry,))).erased == 1
    with reading(room.engine) as conn:
        assert subscribers.find_subscriber(conn, "lupe@example.org") is None
        assert subscribers.find_subscriber(conn, "other@example.org") is not None
    assert reader.subscriber != other.subscriber


def test_pausing_suppressing_and_cancelling_are_done_again(room: Newsroom) -> None:
    reader = room.reader("lupe")
    issue = a_released_issue(room.engine, 3, newsletter="weekly")
    hashed = suppression.hash_address(room.keys, "dead@example.org")
    since = Since(
        paused=(an_entry(room, What.PAUSED, reader, "lupe"),),
        suppressed=(Entry(what=What.SUPPRESSED, who=hashed, reason="dead"),),
        cancelled=frozenset((issue, 999)),
    )
    done = do_again(room, since)
    assert (done.paused, done.suppressed, done.cancelled) == (1, 1, 1)
    assert room.subscription(reader).status is SubscriptionStatus.PAUSED
    assert issue_status(room.engine, issue) == "cancelled"
    with reading(room.engine) as conn:
        assert suppression.is_suppressed(conn, room.keys, "dead@example.org")


def a_line(issue: int, **changes: object) -> Line:
    """A release as the counterfoil says it."""
    values = {
        "what": What.RELEASED,
        "issue": issue,
        "newsletter": "daily",
        "frequency": "daily",
        "number": issue,
        "seal": "another",
        **changes,
    }
    return Line(n=1, file="f", at=START, entry=Entry(**values))  # type: ignore[arg-type]  # fields by name


def cover(room: Newsroom, *lines: Line, whole: bool = True) -> adoption.Covered:
    """Counts these releases as mailed."""
    with writing(room.engine) as conn:
        return adoption.cover(conn, lines, set() if whole else None, room.now)


def frequency(room: Newsroom) -> str:
    """The newsletter's only one."""
    return next(iter(room.newsletter.frequencies))


def test_the_end_moves_to_the_highest_that_was_released_but_not_beyond_the_journal(
    room: Newsroom,
) -> None:
    room.post("one")
    room.post("two")
    done = cover(
        room,
        a_line(5, frequency=frequency(room), end=1),
        a_line(6, frequency=frequency(room), end=99),
    )
    assert done.ends == {("daily", frequency(room)): 2}
    assert room.end() == 2
    assert room.compose() is None
    room.post("three")
    made = room.compose()
    assert made is not None
    assert room.held(made) == 1
    assert cover(room, a_line(5, frequency=frequency(room), end=1)).ends == {}
    assert room.end() == 2


def test_a_position_that_the_end_has_reached_is_cleared(room: Newsroom) -> None:
    reader, ahead = room.reader("lupe"), room.reader("ana")
    room.post("one")
    room.post("two")
    with writing(room.engine) as conn:
        for one, position in ((reader, 1), (ahead, 9)):
            chosen = subscriptions.c.id == one.id
            conn.execute(subscriptions.update().where(chosen).values(position=position))
    cover(room, a_line(5, frequency=frequency(room), end=2))
    assert room.subscription(reader).position is None
    assert room.subscription(ahead).position == 9


def test_a_post_that_was_mailed_and_comes_in_only_after_the_adoption_is_owed_to_nobody(
    room: Newsroom,
) -> None:
    cover(room, a_line(5, frequency=frequency(room), end=9, posts=(post_hash("mailed"),)))
    room.post("mailed")
    assert room.compose() is None
    room.post("new")
    made = room.compose()
    assert made is not None
    assert room.held(made) == 1


def test_the_draft_of_what_was_released_is_taken_back_and_its_number_used_up(
    room: Newsroom,
) -> None:
    room.post("one")
    draft = room.compose()
    assert draft is not None
    done = cover(
        room,
        a_line(draft.id, frequency=frequency(room), end=1),
        a_line(draft.id + 7, number=None, frequency=None),
    )
    assert done.drafts == (draft.id,)
    room.post("two")
    made = room.compose()
    assert made is not None
    assert made.id > draft.id + 7  # a Message-ID is made of it
    assert made.number == 2


def test_where_nobody_knows_which_ids_were_used_the_next_thousand_begins(room: Newsroom) -> None:
    room.post("one")
    room.reader("lupe")
    room.send()
    cover(room, whole=False)
    room.post("two")
    made = room.compose()
    assert made is not None
    assert made.id == 1001


def test_a_due_time_that_was_met_makes_no_second_issue(room: Newsroom) -> None:
    room.newsletter = room.newsletter.model_copy(update={"settle": 0 * HOUR})
    room.now = START.replace(hour=12, minute=5)  # seven in the morning of Chicago is 12:00 UTC
    room.reader("lupe")
    room.post("one")
    with writing(room.engine) as conn:
        conn.execute(
            sa.text("UPDATE frequencies SET since = :since"), {"since": "2026-08-30 00:00:00"}
        )
    cover(room, a_line(5, frequency=frequency(room), end=0, due="2026-09-01T07:00"))
    assert room.tick() == []


def test_what_went_on_is_held_in_doubt_and_the_rest_of_the_issue_is_not(room: Newsroom) -> None:
    issue = a_released_issue(room.engine, 6, batch=2)
    with writing(room.engine) as conn:
        ids = list(conn.execute(sa.select(batches.c.id).order_by(batches.c.id)).scalars())
        conn.execute(
            deliveries.update()
            .where(deliveries.c.issue == issue, deliveries.c.number == 1)
            .values(state="sent")
        )
        conn.execute(
            batches.update()
            .where(batches.c.id == ids[1])
            .values(owner="a process that is gone", lease=NOW, attempt=1, on_wire=[3])
        )
        assert adoption.pause_unfinished(conn) == [issue]
        covered = adoption.cover(conn, [], {ids[0]}, NOW)
        found = books(conn, issue)
        reasons = set(
            conn.execute(
                sa.select(deliveries.c.reason).where(deliveries.c.state == "in doubt")
            ).scalars()
        )
        owners = conn.execute(sa.select(batches.c.owner, batches.c.on_wire)).all()
        attempts = conn.execute(sa.select(batches.c.attempt).order_by(batches.c.id)).scalars()
        assert [*attempts] == [1, 2, 0]  # who is stopped and goes on finds his batch taken over
    assert covered.doubts == {issue: 3}
    assert states(room.engine, issue) == {
        1: "sent",
        2: "in doubt",
        3: "in doubt",
        4: "in doubt",
        5: None,
        6: None,
    }
    assert reasons == {HELD}
    assert all(row == (None, []) for row in owners)
    assert found.balance
    assert issue_status(room.engine, issue) == "paused"


def test_where_nobody_knows_all_that_is_open_is_held_in_doubt(room: Newsroom) -> None:
    issue = a_released_issue(room.engine, 4, batch=2)
    cover(room, whole=False)
    assert set(states(room.engine, issue).values()) == {"in doubt"}


def test_a_release_is_known_by_its_seal(room: Newsroom) -> None:
    room.post("one")
    room.reader("lupe")
    made = room.send().issue
    since = Since(released={made.id: a_line(made.id, seal=made.seal), 77: a_line(77)})
    with reading(room.engine) as conn:
        assert set(adoption.list_not_known(conn, since)) == {77}
    since = Since(released={made.id: a_line(made.id, seal="of another issue with this id")})
    with reading(room.engine) as conn:
        assert set(adoption.list_not_known(conn, since)) == {made.id}


def leased(issue: int, batch: int, attempt: int, what: What = What.LEASED) -> Line:
    """A line of the delivery program."""
    entry = Entry(what=what, issue=issue, batch=batch, attempt=attempt)
    return Line(n=1, file="f", at=NOW, entry=entry)


def test_a_lease_is_borne_out_by_the_batchs_attempt(engine: sa.Engine) -> None:
    issue = a_released_issue(engine, 2, batch=2)
    with writing(engine) as conn:
        batch = conn.execute(sa.select(batches.c.id)).scalar_one()
        conn.execute(batches.update().values(attempt=2, owner="us", lease=NOW))
        told = [
            leased(issue, batch, 1),
            leased(issue, batch, 2),
            leased(issue, batch, 1, What.SETTLED),
            leased(issue, batch, 2, What.SETTLED),
            leased(issue, batch, 3),
            leased(issue, batch + 1, 1),
            leased(issue + 1, batch, 1),
        ]
        assert counterfoil_marks.list_unknown(conn, told) == told[3:]
        conn.execute(batches.update().values(owner=None))
        assert counterfoil_marks.list_unknown(conn, told) == told[4:]
        issues.mark_status(conn, issue, IssueStatus.CANCELLED, old=[IssueStatus.RELEASED])
        assert counterfoil_marks.list_unknown(conn, told) == told[6:]


def test_a_mark_is_kept_by_file_and_forgotten_by_name(engine: sa.Engine) -> None:
    first = Mark(upto=10, n=1, place=Place(inode=1))
    second = Mark(upto=20, n=2, place=Place(inode=1, generation=3, machine="m"))
    with writing(engine) as conn:
        counterfoil_marks.save_mark(conn, "a", first)
        counterfoil_marks.save_mark(conn, "b", first)
        counterfoil_marks.save_mark(conn, "b", second)
    with writing(engine) as conn:
        assert counterfoil_marks.list_marks(conn) == {"a": first, "b": second}
        counterfoil_marks.forget_marks(conn, ["a"])
        assert counterfoil_marks.list_marks(conn) == {"b": second}
