"""Tokens and Message-IDs keep their form for ever: mails that carry them lie in mailboxes for years."""

import base64
import hmac
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.tokens import Keys

OLD = datetime(2009, 9, 15, 23, 0, tzinfo=UTC)
NOW = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)
KEYS = Keys(b"k" * 32)


@pytest.mark.parametrize(
    ("secret", "purpose", "subject", "generation", "made", "token"),
    [
        pytest.param(
            b"k" * 32, "unsubscribe", 9, 0, NOW, "AAAAAAAJAAnX2sjc3X6cziPpah7I8G2Qjg", id="usual"
        ),
        pytest.param(
            *(b"k" * 32, "preferences", 2**48 - 1, 257, OLD, "________AQAACo2Hcf_02Y-AVqV3BnPaLA"),
            id="largest number, generation over, day before the first",
        ),
        pytest.param(
            b"y" * 65, "unsubscribe", 9, 0, NOW, "AAAAAAAJAAnXAu1ljdGYwja7vxcszK2Sjg", id="secret"
        ),
    ],
)
def test_a_token_is_what_it_was_in_the_first_mails(
    secret: bytes, purpose: str, subject: int, generation: int, made: datetime, token: str
) -> None:
    assert Keys(secret).token(purpose, subject, generation=generation, made=made) == token
    claim = Keys(secret).claim(purpose, token)
    assert claim is not None
    assert (claim.subject, claim.generation) == (subject, generation % 256)


def test_a_message_id_is_what_it_was_in_the_first_mails() -> None:
    assert (
        KEYS.message_id(812, 7, "news.riverline.example")
        == "<yxj3xegmyqw7bevfhv7dtuvtne.812@news.riverline.example>"
    )


@given(st.binary(max_size=200), st.text(max_size=20), st.integers(0, 2**48 - 1), st.integers(0))
def test_rfc2104_the_prepared_hashes_give_the_librarys_hmac(
    secret: bytes, purpose: str, subject: int, generation: int
) -> None:
    made = Keys(secret).token(purpose, subject, generation=generation, made=NOW)
    raw = base64.urlsafe_b64decode(made + "==")
    mac = hmac.digest(secret, b"token:" + purpose.encode() + b"\0" + raw[:9], "sha256")
    assert raw[9:] == mac[:16]


def test_one_maker_gives_many_tokens_that_do_not_depend_on_each_other() -> None:
    make = KEYS.tokens("unsubscribe", NOW)
    first = make(1, 0)
    make(2, 0)
    assert make(1, 0) == first == KEYS.token("unsubscribe", 1, made=NOW).encode()


def test_a_token_is_nothing_for_another_purpose() -> None:
    token = KEYS.token("unsubscribe", 1, made=NOW)
    assert KEYS.claim("preferences", token) is None
    assert KEYS.claim("unsubscribe", token[:-2] + "AA") is None
    assert KEYS.claim("unsubscribe", "…") is None
