"""`posts/notes.py`: what readers are told of a correction or a withdrawal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posts.errors import Refused
from posts.notes import LONGEST_NOTE, clean_note


def test_a_note_is_one_line_of_plain_text() -> None:
    assert clean_note("  The\nname \x0bwas\ttoo  short.\ud800 ", "The note") == (
        "The name was too short."
    )


def test_a_note_cannot_turn_around_what_follows_it() -> None:
    assert clean_note("\u202eedisni\u2066 ok", "The note") == "edisni ok"


@pytest.mark.parametrize("text", ["", " \n", "\x00\ud800", "\u202e"])
def test_a_note_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="The note is empty"):
        clean_note(text, "The note")


def test_a_note_that_is_too_long_is_refused_and_never_cut() -> None:
    assert len(clean_note("x" * LONGEST_NOTE, "The note")) == LONGEST_NOTE
    with pytest.raises(Refused, match="1,001 characters; 1,000 is the most"):
        clean_note("x" * (LONGEST_NOTE + 1), "The note")


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_whatever_is_typed_a_note_stands_in_xml_and_is_clean_already(text: str) -> None:
    from lxml import etree

    try:
        note = clean_note(text, "The note")
    except Refused:
        return
    etree.Element("p").text = note
    assert clean_note(note, "The note") == note
