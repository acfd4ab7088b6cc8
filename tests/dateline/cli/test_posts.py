"""`dateline posts`: the store by hand."""

import json
from pathlib import Path

import pytest

from posts.errors import NotFound, Refused
from tests.dateline.cli.newsroom import begin, called, done


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A newsroom whose posts were read."""
    begin(tmp_path)
    done(tmp_path, "poll")
    return tmp_path


def _kinds(folder: Path, post: str) -> list[str]:
    story = json.loads(done(folder, "posts", "show", post, "--json"))
    return [change["kind"] for change in story["changes"]]


def test_a_list_shows_every_post_with_its_status(folder: Path) -> None:
    done(folder, "posts", "withdraw", "ferry")
    listed = json.loads(done(folder, "posts", "list", "--json"))
    assert {post["slug"]: post["status"] for post in listed} == {
        "bridge": "published",
        "ferry": "withdrawn",
    }
    text = done(folder, "posts", "list")
    assert "The bridge" in text
    assert "Sep 15, 2026" in text


def test_a_list_may_be_cut_and_of_one_status(folder: Path) -> None:
    done(folder, "posts", "withdraw", "ferry")
    of_status = json.loads(done(folder, "posts", "list", "--status", "withdrawn", "--json"))
    assert [post["slug"] for post in of_status] == ["ferry"]
    assert len(json.loads(done(folder, "posts", "list", "--limit", "1", "--json"))) == 1


def test_a_post_is_shown_by_its_guid_too(folder: Path) -> None:
    by_slug = json.loads(done(folder, "posts", "show", "bridge", "--json"))
    by_guid = json.loads(done(folder, "posts", "show", by_slug["guid"], "--json"))
    assert by_guid == by_slug
    assert by_guid["html"] == "<p>Text.</p>"


def test_a_withdrawn_post_says_how_to_undo_it_and_why_it_went(folder: Path) -> None:
    told = done(folder, "posts", "withdraw", "bridge", "--reason", "a wrong name")
    assert told.startswith('Withdrew "The bridge". `')
    assert told.rstrip().endswith("posts restore bridge` undoes it.")
    assert "a wrong name" in done(folder, "posts", "show", "bridge")
    assert _kinds(folder, "bridge") == ["published", "withdrawn"]


def test_withdrawing_twice_writes_one_line(folder: Path) -> None:
    done(folder, "posts", "withdraw", "bridge")
    assert "nothing changes" in done(folder, "posts", "withdraw", "bridge")
    assert _kinds(folder, "bridge") == ["published", "withdrawn"]


def test_a_post_that_a_hand_withdrew_is_not_brought_back_by_a_poll(folder: Path) -> None:
    done(folder, "posts", "withdraw", "bridge")
    done(folder, "poll")
    assert _kinds(folder, "bridge") == ["published", "withdrawn"]


def test_a_restored_post_is_public_again_and_twice_is_once(folder: Path) -> None:
    done(folder, "posts", "withdraw", "bridge")
    assert 'Restored "The bridge"' in done(folder, "posts", "restore", "bridge")
    assert "nothing to restore" in done(folder, "posts", "restore", "bridge")
    assert _kinds(folder, "bridge") == ["published", "withdrawn", "restored"]


@pytest.mark.parametrize("verb", ["show", "withdraw", "restore", "correct"])
def test_a_post_that_is_not_there_is_told_with_where_to_look(folder: Path, verb: str) -> None:
    note = ("--note", "Wrong.") if verb == "correct" else ()
    result = called(folder, "posts", verb, "birdge", *note)
    assert isinstance(result.exception, NotFound)
    assert '"birdge"' in str(result.exception)
    assert "posts list" in str(result.exception)


def test_a_correction_is_kept_with_its_time_and_moves_updated(folder: Path) -> None:
    before = json.loads(done(folder, "posts", "show", "bridge", "--json"))
    told = done(folder, "posts", "correct", "bridge", "--note", "It is in  Laredo.")
    assert told.startswith('Corrected "The bridge".')
    story = json.loads(done(folder, "posts", "show", "bridge", "--json"))
    assert [one["note"] for one in story["corrections"]] == ["It is in Laredo."]
    assert story["updated"] > before["updated"]
    assert _kinds(folder, "bridge") == ["published", "corrected"]
    assert "It is in Laredo." in done(folder, "posts", "show", "bridge")


def test_the_same_correction_twice_is_one(folder: Path) -> None:
    done(folder, "posts", "correct", "bridge", "--note", "It is in Laredo.")
    assert "nothing changes" in done(
        folder, "posts", "correct", "bridge", "--note", "It is in Laredo."
    )
    assert _kinds(folder, "bridge") == ["published", "corrected"]


@pytest.mark.parametrize("note", [" ", "x" * 1001, "\u202e"], ids=["empty", "long", "no letter"])
def test_a_note_that_is_none_is_refused(folder: Path, note: str) -> None:
    result = called(folder, "posts", "correct", "bridge", "--note", note)
    assert isinstance(result.exception, Refused)
    assert _kinds(folder, "bridge") == ["published"]


def test_a_withdrawn_post_is_not_corrected(folder: Path) -> None:
    done(folder, "posts", "withdraw", "bridge")
    result = called(folder, "posts", "correct", "bridge", "--note", "It is in Laredo.")
    assert isinstance(result.exception, Refused)
    assert "posts restore" in str(result.exception)


def test_another_reason_changes_the_public_one(folder: Path) -> None:
    done(folder, "posts", "withdraw", "bridge", "--reason", "One.")
    assert done(folder, "posts", "withdraw", "bridge", "--reason", "Two.").startswith("Withdrew")
    assert "nothing changes" in done(folder, "posts", "withdraw", "bridge", "--reason", "Two.")
    story = json.loads(done(folder, "posts", "show", "bridge", "--json"))
    assert story["withdrawal_reason"] == "Two."


def test_help_says_that_reason_and_note_are_public(folder: Path) -> None:
    assert "Readers see it" in done(folder, "posts", "withdraw", "--help")
    assert "Readers see it" in done(folder, "posts", "correct", "--help")
