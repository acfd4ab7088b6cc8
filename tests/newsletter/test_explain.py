"""Every reason that `explain` knows, each made to happen."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from newsletter import subscribers, subscriptions
from newsletter.explain import Answer, Frame, Reason, explain_post, explain_reader
from newsletter.facts import get_post_facts, get_reader_facts
from newsletter.subscriptions import Subscription
from newsletter.tables import deliveries, issues
from posts import store
from posts.database import reading, writing
from posts.settings import Selection
from tests.newsletter.newsroom import DAY, Newsroom, a_newsletter

Story = Callable[[Newsroom], Subscription]


def asked(room: Newsroom, reader: Subscription, name: str = "x") -> list[Answer]:
    """What is said about a post."""
    with reading(room.engine) as conn:
        fresh = subscriptions.get_subscription(conn, reader.id)
        person = subscribers.get_subscriber(conn, fresh.subscriber)
        facts = get_reader_facts(
            conn, room.keys, fresh, address=person.address, language=person.language
        )
        about = get_post_facts(conn, store.get_post(conn, name), room.newsletter.slug)
    frame = Frame(newsletter=room.newsletter, zone=room.site.zone, now=room.now)
    assert explain_reader(facts, frame)
    return explain_post(facts, about, frame)


def recorded(room: Newsroom, state: str, **values: object) -> None:
    """Writes what became of all deliveries."""
    with writing(room.engine) as conn:
        conn.execute(sa.update(deliveries).values(state=state, at=room.now, **values))


def with_state(state: str | None, **values: object) -> Story:
    """A post in an issue whose deliveries stand so."""

    def story(room: Newsroom) -> Subscription:
        reader = room.reader("ana")
        room.post("x")
        room.send()
        if state is not None:
            recorded(room, state, **values)
        return reader

    return story


def then(step: str, *, language: str = "en") -> Story:
    """A reader who does something before the issue goes out."""

    def story(room: Newsroom) -> Subscription:
        reader = room.reader("ana", language=language)
        room.reader("other")
        room.post("x")
        if step == "suppress":
            room.suppress(reader)
        elif step:
            room.change(reader, step)
        room.send()
        return reader

    return story


def unsent(room: Newsroom) -> Subscription:
    reader = room.reader("ana")
    room.post("x")
    return reader


def withdrawn(room: Newsroom) -> Subscription:
    reader = unsent(room)
    room.withdraw("x")
    return reader


def history(room: Newsroom) -> Subscription:
    reader = room.reader("ana")
    room.post("x", published=room.now - 400 * DAY)
    return reader


def joined_later(room: Newsroom) -> Subscription:
    room.reader("other")
    room.post("x")
    room.send()
    room.now += timedelta(hours=1)
    return room.reader("ana")


def outside(room: Newsroom) -> Subscription:
    room.newsletter = a_newsletter(select=Selection(tags=("politics",)))
    return unsent(room)


def foreign(room: Newsroom) -> Subscription:
    room.newsletter = a_newsletter(languages="own")
    reader = room.reader("ana", language="es")
    room.post("x")
    return reader


def translated(room: Newsroom) -> Subscription:
    reader = room.reader("ana", language="es")
    room.post("x", translation_key="k")
    room.post("equis", translation_key="k", language="es")
    room.send()
    return reader


def withdrawn_then(room: Newsroom) -> Subscription:
    reader = room.reader("ana")
    room.post("x")
    room.post("y")
    room.withdraw("x")
    room.send()
    with writing(room.engine) as conn:  # made public again by hand, without a line that restores it
        from posts.tables import posts

        conn.execute(sa.update(posts).where(posts.c.guid == "x").values(status="published"))
    return reader


def only_totals(kind: str) -> Story:
    """An issue whose deliveries were let go of, one row of it still on its way out."""

    def story(room: Newsroom) -> Subscription:
        reader = with_state("sent")(room)
        with writing(room.engine) as conn:
            conn.execute(sa.update(issues).values(kind=kind, totals={"recipients": 1, "sent": 1}))
        return reader

    return story


@pytest.mark.parametrize(
    ("story", "reason", "words"),
    [
        pytest.param(with_state("sent"), Reason.SENT, "the relay accepted it", id="sent"),
        pytest.param(with_state(None), Reason.COMING, "is queued", id="queued"),
        pytest.param(
            with_state("deferred", code=450, reply="4.2.1 busy"),
            Reason.COMING,
            " (450 4.2.1 busy); it will be tried again.",
            id="put off",
        ),
        pytest.param(
            with_state("sent", reason="resolved by hand", reply="the connection was closed"),
            Reason.SENT,
            "the answer was lost, and it was taken as sent by hand on ",
            id="taken as sent",
        ),
        pytest.param(with_state("in doubt"), Reason.SENT, "answer was lost", id="in doubt"),
        pytest.param(
            with_state("failed", code=550, reply="5.1.1 unknown"),
            Reason.FAILED,
            "refused for good",
            id="refused",
        ),
        pytest.param(
            with_state("excluded", reason="cancelled"),
            Reason.CANCELLED,
            "cancelled",
            id="cancelled",
        ),
        pytest.param(
            with_state("excluded", reason="unsubscribed"),
            Reason.NOT_SUBSCRIBED,
            "had left before it went out",
            id="left while it was being sent",
        ),
        pytest.param(
            with_state("excluded", reason="withdrawn"),
            Reason.EXCLUDED,
            "nothing was left in it",
            id="sealed anew without it",
        ),
        pytest.param(then("suppress"), Reason.SUPPRESSED, "suppressed", id="suppressed"),
        pytest.param(then("pause"), Reason.PAUSED, "had paused", id="paused"),
        pytest.param(then("leave"), Reason.NOT_SUBSCRIBED, "had left", id="left"),
        pytest.param(unsent, Reason.COMING, "has not been sent yet", id="not yet due"),
        pytest.param(withdrawn, Reason.HIDDEN, "was withdrawn", id="withdrawn"),
        pytest.param(history, Reason.HISTORY, "old news when it came in", id="history"),
        pytest.param(joined_later, Reason.NOT_SUBSCRIBED, "before", id="joined later"),
        pytest.param(outside, Reason.SELECTION, "outside the selection", id="not selected"),
        pytest.param(foreign, Reason.LANGUAGE, "own language", id="another language"),
        pytest.param(translated, Reason.TRANSLATION, "a translation of", id="a translation"),
        pytest.param(
            withdrawn_then, Reason.WITHDRAWN_THEN, "was withdrawn when", id="withdrawn then"
        ),
        pytest.param(
            only_totals("regular"), Reason.ONLY_TOTALS, "only totals are kept", id="let go of"
        ),
        pytest.param(
            only_totals("special"),
            Reason.ONLY_TOTALS,
            "only totals are kept",
            id="let go of, a special issue",
        ),
    ],
)
def test_each_reason_has_its_sentence(
    sqlite_engine: sa.Engine, story: Story, reason: Reason, words: str
) -> None:
    room = Newsroom(sqlite_engine)
    room.begin()
    reader = story(room)
    answers = asked(room, reader)
    assert [answer.reason for answer in answers] == [reason]
    assert words in answers[0].sentence


def test_a_post_restored_after_an_issue_held_it_says_that_it_comes_no_more(
    sqlite_engine: sa.Engine,
) -> None:
    room = Newsroom(sqlite_engine)
    room.begin()
    reader = with_state("sent")(room)
    room.withdraw("x")
    room.restore("x")
    answers = asked(room, reader)
    assert [answer.reason for answer in answers] == [Reason.SENT, Reason.HELD_BEFORE]
    assert "owed to nobody again" in answers[1].sentence


def test_of_an_old_issue_the_reasons_that_do_not_need_its_deliveries_stay(
    sqlite_engine: sa.Engine,
) -> None:
    room = Newsroom(sqlite_engine)
    room.begin()
    reader = then("pause")(room)
    with writing(room.engine) as conn:
        conn.execute(sa.update(issues).values(totals={"recipients": 2}))
        conn.execute(sa.delete(deliveries))
    assert [answer.reason for answer in asked(room, reader)] == [Reason.PAUSED]


def test_what_a_reader_is_told_names_the_issues_of_which_only_totals_are_kept(
    sqlite_engine: sa.Engine,
) -> None:
    room = Newsroom(sqlite_engine)
    room.begin()
    reader = with_state("sent")(room)
    room.now += DAY
    room.post("y")
    room.send()
    with writing(room.engine) as conn:
        conn.execute(sa.update(issues).where(issues.c.number == 1).values(totals={"sent": 1}))
    with reading(room.engine) as conn:
        facts = get_reader_facts(conn, room.keys, reader, address="ana@example.net", language="en")
    frame = Frame(newsletter=room.newsletter, zone=room.site.zone, now=room.now)
    lines = explain_reader(facts, frame)
    assert [line for line in lines if "only totals are kept" in line and "No. 1" in line]
    assert not [line for line in lines if "No. 1 (issue 1) was sent" in line]
    assert [line for line in lines if "No. 2" in line]
