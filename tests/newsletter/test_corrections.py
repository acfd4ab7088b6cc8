"""A correction of a post of before prints a note in its readers' next issue (DESIGN.md 3, last rule)."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
import sqlalchemy as sa

from newsletter.compose import EditionPlan
from newsletter.issues import Issue
from newsletter.render import SealedIssue
from newsletter.resealing import reseal_issue
from newsletter.spec import NewsletterSettings
from newsletter.subscriptions import Subscription
from newsletter.tables import issues as issue_table
from posts import journal, store
from posts.database import writing
from posts.settings import Selection
from tests.newsletter.newsroom import HOUR, Newsroom, a_newsletter, plain_seal

WRONG = "It is in Laredo."


@dataclass
class Eye:
    """A seal that remembers what it sealed: of each edition the posts' titles and the notes."""

    seen: list[tuple[list[str], list[str]]] = field(default_factory=list)

    def __call__(
        self, newsletter: NewsletterSettings, issue: Issue, editions: Sequence[EditionPlan]
    ) -> SealedIssue:
        self.seen = [
            (
                [post.content.title for post in edition.posts],
                [f"{noted.post.content.title}: {noted.correction.note}" for noted in edition.notes],
            )
            for edition in editions
        ]
        return plain_seal(newsletter, issue, editions)


@pytest.fixture
def room(engine: sa.Engine) -> Newsroom:
    """A newsroom with a daily and a weekly, one reader, and a first issue that held `bridge`."""
    made = Newsroom(engine, a_newsletter(lines={"daily": "0 7 * * *", "weekly": "0 9 * * mon"}))
    made.seal = Eye()
    made.begin()
    made.reader("ana", frequency="daily")
    made.post("bridge")
    made.send("daily")
    made.now += HOUR
    return made


def correct(room: Newsroom, name: str, note: str = WRONG) -> None:
    with writing(room.engine) as conn:
        guid = store.get_post(conn, _guid(conn, name)).guid
        store.correct_post(conn, guid, note, now=room.now)


def _guid(conn: sa.Connection, title: str) -> str:
    return next(post.guid for post in store.list_all_posts(conn) if post.content.title == title)


def sealed(room: Newsroom, frequency: str = "daily") -> list[tuple[list[str], list[str]]]:
    """What the next issue's editions hold."""
    room.send(frequency)
    room.now += HOUR
    assert isinstance(room.seal, Eye)
    return room.seal.seen


def test_a_correction_of_an_earlier_post_is_printed_once_in_the_next_issue(room: Newsroom) -> None:
    correct(room, "bridge")
    room.post("ferry")
    assert sealed(room) == [(["ferry"], [f"bridge: {WRONG}"])]
    room.post("tunnel")
    assert sealed(room) == [(["tunnel"], [])]


def test_several_corrections_are_printed_newest_first(room: Newsroom) -> None:
    correct(room, "bridge")
    correct(room, "bridge", "In 1910.")
    room.post("ferry")
    assert sealed(room) == [(["ferry"], ["bridge: In 1910.", f"bridge: {WRONG}"])]


def test_a_post_corrected_before_its_first_issue_carries_its_note_itself(room: Newsroom) -> None:
    room.post("ferry")
    correct(room, "ferry")
    assert sealed(room) == [(["ferry"], [])]
    room.post("tunnel")
    assert sealed(room) == [(["tunnel"], [])]


def test_a_revision_that_an_issue_of_the_frequency_carried_is_not_noted(room: Newsroom) -> None:
    room.post("ferry")
    draft = room.compose("daily")
    assert draft is not None
    correct(room, "ferry")  # behind the draft's end, and in its text all the same
    with writing(room.engine) as conn:
        seen = journal.head(conn)
        conn.execute(sa.update(issue_table).where(issue_table.c.id == draft.id).values(seen=seen))
    room.release(draft)
    room.post("tunnel")
    assert sealed(room) == [(["tunnel"], [])]


def test_a_correction_alone_makes_no_issue_and_waits_for_the_next(room: Newsroom) -> None:
    correct(room, "bridge")
    assert room.compose("daily") is None
    room.post("ferry")
    assert sealed(room) == [(["ferry"], [f"bridge: {WRONG}"])]


def test_a_withdrawn_post_is_not_noted(room: Newsroom) -> None:
    correct(room, "bridge")
    room.withdraw("bridge")
    room.post("ferry")
    assert sealed(room) == [(["ferry"], [])]


def test_what_a_newsletter_does_not_select_is_not_noted(room: Newsroom) -> None:
    correct(room, "bridge")
    room.newsletter = room.newsletter.model_copy(update={"select": Selection(tags=("water",))})
    room.post("ferry", tags=("water",))
    assert sealed(room) == [(["ferry"], [])]


def test_each_frequency_notes_it_once(room: Newsroom) -> None:
    room.reader("ben", frequency="weekly")
    sealed(room, "weekly")
    correct(room, "bridge")
    room.post("ferry")
    assert sealed(room, "daily") == [(["ferry"], [f"bridge: {WRONG}"])]
    assert sealed(room, "weekly") == [(["ferry"], [f"bridge: {WRONG}"])]


def test_a_reader_who_is_further_gets_an_edition_without_what_he_was_told(room: Newsroom) -> None:
    ben: Subscription = room.reader("ben", frequency="weekly")
    sealed(room, "weekly")
    correct(room, "bridge")
    room.post("ferry")
    assert sealed(room, "weekly") == [(["ferry"], [f"bridge: {WRONG}"])]
    room.change(ben, "change_frequency", "daily")
    room.post("tunnel")
    assert sealed(room, "daily") == [
        (["tunnel", "ferry"], [f"bridge: {WRONG}"]),
        (["tunnel"], []),
    ]


def test_readers_of_their_own_language_get_notes_in_it(room: Newsroom) -> None:
    room.newsletter = room.newsletter.model_copy(update={"languages": "own"})
    room.reader("luz", frequency="daily", language="es")
    correct(room, "bridge")
    room.post("ferry")
    room.post("puente", language="es")
    assert sealed(room) == [(["ferry"], [f"bridge: {WRONG}"]), (["puente"], [])]


def test_an_issue_sealed_anew_keeps_its_notes_as_they_were(room: Newsroom) -> None:
    correct(room, "bridge")
    room.post("ferry")
    room.post("tunnel")
    issue = room.compose("daily")
    assert issue is not None
    room.release(issue)
    room.now += HOUR
    room.post("bridge", html="<p>Another text.</p>")
    correct(room, "tunnel", "Too late for this issue.")
    room.withdraw("ferry")
    eye = Eye()
    done = reseal_issue(room.engine, room.newsletter, issue.id, seal=eye, now=room.now)
    assert done is not None
    assert eye.seen == [(["tunnel"], [f"bridge: {WRONG}"])]


def test_a_note_about_a_post_that_was_withdrawn_since_is_not_sealed_anew(room: Newsroom) -> None:
    correct(room, "bridge")
    room.post("ferry")
    room.post("tunnel")
    issue = room.compose("daily")
    assert issue is not None
    room.release(issue)
    room.withdraw("bridge")
    room.withdraw("ferry")
    eye = Eye()
    assert reseal_issue(room.engine, room.newsletter, issue.id, seal=eye, now=room.now)
    assert eye.seen == [(["tunnel"], [])]
