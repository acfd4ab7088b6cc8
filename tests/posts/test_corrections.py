"""Corrections and withdrawals in the store, on both databases."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from posts import store
from posts.corrections import list_corrected_or_withdrawn, list_withdrawals
from posts.database import reading, writing
from posts.errors import NotFound, Refused
from posts.model import Change, ChangeKind, Correction
from posts.notes import GONE_AT_SOURCE, public_reason
from tests.posts.builders import DAY, NOW, content, incoming, only_post, save

WRONG = "The bridge is in Laredo, not in Juárez."


def correct(engine: sa.Engine, note: str = WRONG, *, days: int = 1) -> Change | None:
    guid = only_post(engine).guid
    with writing(engine) as conn:
        return store.correct_post(conn, guid, note, now=NOW + days * DAY)


def changes(engine: sa.Engine, limit: int = 10) -> list[tuple[int, str]]:
    with reading(engine) as conn:
        return [(line.number, line.kind.value) for line in list_corrected_or_withdrawn(conn, limit)]


def saved(engine: sa.Engine, name: str) -> str:
    """A post of its own; gives its id."""
    post = incoming(external_id=f"{name}.md", guid=f"tag:{name}")
    save(engine, post, content(title=name, html=f"<p>{name}</p>"))
    return f"tag:{name}"


def test_a_correction_is_a_revision_of_its_kind_and_moves_updated(engine: sa.Engine) -> None:
    save(engine, incoming())
    before = only_post(engine)
    line = correct(engine)
    after = only_post(engine)
    assert line is not None
    assert (line.kind, line.revision, line.number) == (ChangeKind.CORRECTED, 2, 2)
    assert after.updated == NOW + DAY > before.updated
    assert after.corrections == (Correction(at=NOW + DAY, note=WRONG, revision=2),)
    assert (after.content, after.content_hash) == (before.content, before.content_hash)


def test_several_corrections_are_kept_with_their_times(engine: sa.Engine) -> None:
    save(engine, incoming())
    correct(engine)
    correct(engine, "And the year was 1910.", days=2)
    kept = only_post(engine).corrections
    assert [(one.note, one.at) for one in kept] == [
        (WRONG, NOW + DAY),
        ("And the year was 1910.", NOW + 2 * DAY),
    ]


def test_the_same_correction_twice_is_one(engine: sa.Engine) -> None:
    save(engine, incoming())
    correct(engine)
    assert correct(engine, f" {WRONG}\n", days=2) is None
    assert only_post(engine).revision == 2


def test_a_later_revision_from_the_source_keeps_the_notes(engine: sa.Engine) -> None:
    save(engine, incoming())
    correct(engine)
    save(engine, incoming(), content(html="<p>In Laredo.</p>"), now=NOW + 2 * DAY)
    post = only_post(engine)
    assert (post.revision, post.content.html) == (3, "<p>In Laredo.</p>")
    assert [one.note for one in post.corrections] == [WRONG]


def test_a_poll_that_brings_nothing_new_leaves_a_corrected_post(engine: sa.Engine) -> None:
    save(engine, incoming())
    correct(engine)
    _, line = save(engine, incoming(), now=NOW + 2 * DAY)
    assert line is None
    assert only_post(engine).revision == 2


def test_what_a_post_said_at_a_corrected_revision_is_its_text_alone(engine: sa.Engine) -> None:
    save(engine, incoming())
    correct(engine)
    post = only_post(engine)
    with reading(engine) as conn:
        assert store.get_revision(conn, post.id, 2) == post.content


def test_a_correction_after_a_clock_that_went_back_does_not_move_updated_back(
    engine: sa.Engine,
) -> None:
    save(engine, incoming())
    correct(engine, days=3)
    correct(engine, "Second.", days=2)
    assert only_post(engine).updated == NOW + 3 * DAY


@pytest.mark.parametrize("standing", ["withdrawn", "draft", "quarantined"])
def test_only_what_readers_see_is_corrected(engine: sa.Engine, standing: str) -> None:
    save(engine, incoming(draft=standing == "draft"))
    post = only_post(engine)
    with writing(engine) as conn:
        if standing == "withdrawn":
            store.withdraw_post(conn, post.guid, now=NOW)
        if standing == "quarantined":
            store.mark_quarantined(conn, post.id, "too deep")
    with pytest.raises(Refused, match=f'"Juárez" is {standing}'):
        correct(engine)
    assert only_post(engine).corrections == ()


def test_a_correction_of_no_post_is_told(engine: sa.Engine) -> None:
    with writing(engine) as conn, pytest.raises(NotFound):
        store.correct_post(conn, "tag:nothing", WRONG, now=NOW)


def test_a_post_restored_has_its_notes_again(engine: sa.Engine) -> None:
    save(engine, incoming())
    correct(engine)
    guid = only_post(engine).guid
    with writing(engine) as conn:
        store.withdraw_post(conn, guid, now=NOW + 2 * DAY)
        store.restore_post(conn, guid, now=NOW + 3 * DAY)
    assert [one.note for one in only_post(engine).corrections] == [WRONG]


def test_what_was_corrected_or_withdrawn_comes_newest_first_each_post_once(
    engine: sa.Engine,
) -> None:
    first, second, third = (saved(engine, name) for name in ("first", "second", "third"))
    with writing(engine) as conn:
        store.correct_post(conn, first, "Wrong.", now=NOW)  # 4
        store.withdraw_post(conn, second, now=NOW)  # 5
        store.correct_post(conn, first, "Wrong again.", now=NOW)  # 6
        store.withdraw_post(conn, third, now=NOW)  # 7
        store.restore_post(conn, third, now=NOW)  # 8
    assert changes(engine) == [(6, "corrected"), (5, "withdrawn")]
    assert changes(engine, limit=1) == [(6, "corrected")]


def test_a_corrected_post_that_is_withdrawn_counts_as_withdrawn(engine: sa.Engine) -> None:
    save(engine, incoming())
    correct(engine)
    post = only_post(engine)
    with writing(engine) as conn:
        store.withdraw_post(conn, post.guid, now=NOW)
    assert changes(engine) == [(3, "withdrawn")]


def test_a_quarantined_post_is_in_no_list_of_corrections(engine: sa.Engine) -> None:
    save(engine, incoming())
    correct(engine)
    post = only_post(engine)
    with writing(engine) as conn:
        store.mark_quarantined(conn, post.id, "too deep")
    assert changes(engine) == []


def test_a_withdrawal_has_the_time_of_its_line(engine: sa.Engine) -> None:
    first, second = saved(engine, "first"), saved(engine, "second")
    with writing(engine) as conn:
        store.withdraw_post(conn, first, now=NOW + DAY)
        store.withdraw_post(conn, second, now=NOW + DAY)
        store.restore_post(conn, second, now=NOW + DAY)
        ids = [store.get_post(conn, guid).id for guid in (first, second)]
        found = list_withdrawals(conn, ids)
    assert {post: (one.number, one.at) for post, one in found.items()} == {ids[0]: (3, NOW + DAY)}


def test_the_reason_a_hand_gives_is_for_readers_and_cleaned(engine: sa.Engine) -> None:
    save(engine, incoming())
    post = only_post(engine)
    with writing(engine) as conn:
        store.withdraw_post(conn, post.guid, now=NOW, reason="A\x00 source\n lied.")
    assert public_reason(only_post(engine)) == "A source lied."


def test_another_reason_is_a_line_of_its_own_and_the_same_is_none(engine: sa.Engine) -> None:
    save(engine, incoming())
    guid = only_post(engine).guid
    with writing(engine) as conn:
        for reason, written in (("One.", True), ("One.", False), (None, False), ("Two.", True)):
            line = store.withdraw_post(conn, guid, now=NOW, reason=reason)
            assert (line is not None) is written
    assert public_reason(only_post(engine)) == "Two."
    assert changes(engine) == [(3, "withdrawn")]


def test_of_what_its_source_took_back_readers_hear_a_neutral_reason(engine: sa.Engine) -> None:
    save(engine, incoming())
    guid = only_post(engine).guid
    with writing(engine) as conn:
        store.withdraw_post(conn, guid, now=NOW, by="source", reason="its file is gone")
    assert public_reason(only_post(engine)) == GONE_AT_SOURCE


def test_a_hand_may_speak_of_what_its_source_took_back(engine: sa.Engine) -> None:
    save(engine, incoming())
    guid = only_post(engine).guid
    with writing(engine) as conn:
        store.withdraw_post(conn, guid, now=NOW, by="source", reason="its file is gone")
        line = store.withdraw_post(conn, guid, now=NOW, reason="The photographer asked us to.")
    assert line is not None
    assert public_reason(only_post(engine)) == "The photographer asked us to."


def test_a_public_post_has_no_reason(engine: sa.Engine) -> None:
    save(engine, incoming())
    assert public_reason(only_post(engine)) is None


def test_a_draft_withdrawn_twice_by_hand_writes_no_line(engine: sa.Engine) -> None:
    save(engine, incoming(draft=True))
    guid = only_post(engine).guid
    with writing(engine) as conn:
        assert store.withdraw_post(conn, guid, now=NOW, reason="One.") is None
        later = NOW + timedelta(hours=1)
        assert store.withdraw_post(conn, guid, now=later, reason="Two.") is None
