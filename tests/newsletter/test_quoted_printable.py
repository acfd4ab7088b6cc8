"""Quoted-printable, read back by the standard library."""

import quopri

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.quoted_printable import SOFT_BREAK, encoded_text, encoded_value

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=400)


def decoded(encoded: bytes) -> str:
    return quopri.decodestring(encoded).decode().replace("\r\n", "\n")


def assert_safe_on_the_wire(encoded: bytes) -> None:
    assert encoded.isascii()
    lines = encoded.split(b"\r\n")
    assert all(len(line) <= 76 for line in lines)
    assert not any(line.startswith((b".", b"From ")) for line in lines)
    assert not any(line.endswith((b" ", b"\t")) for line in lines)
    assert b"\n" not in b"".join(lines)


@given(TEXTS)
def test_any_text_is_read_back_and_safe_on_the_wire(text: str) -> None:
    encoded = encoded_text(text)
    assert decoded(encoded) == text
    assert_safe_on_the_wire(encoded)
    assert encoded == b"" or encoded.endswith(b"\r\n")


@given(TEXTS, st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=300), TEXTS)
def test_texts_and_values_can_be_joined_in_any_order(before: str, value: str, after: str) -> None:
    whole = encoded_text(before) + encoded_value(value) + encoded_text(after)
    assert decoded(whole) == before + value + after
    assert_safe_on_the_wire(whole)


@pytest.mark.parametrize("at", range(70, 80))
def test_a_dot_at_the_beginning_of_a_broken_line_is_encoded(at: int) -> None:
    encoded = encoded_text("x" * at + "." * 90)
    assert_safe_on_the_wire(encoded)


def test_a_short_value_stands_on_a_line_of_its_own() -> None:
    assert encoded_value("reader@example.org") == b"reader@example.org" + SOFT_BREAK
    assert encoded_value("") == b""
