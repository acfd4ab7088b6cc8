"""`newsletter/suppression.py`: an address on the list is found whatever its case, and only its hash is kept; and which
refusals put one there (mail.md 5.3)."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from newsletter import suppression
from newsletter.tables import suppressions
from newsletter.tokens import Keys
from newsletter.transport.replies import DEAD_CODES, is_dead
from posts.database import reading, writing

NOW = datetime(2026, 9, 15, 18, 0, tzinfo=UTC)
KEYS = Keys(b"a secret of the tests")


def test_an_address_is_suppressed_in_every_spelling_and_no_other_is(engine: sa.Engine) -> None:
    with writing(engine) as conn:
        assert suppression.suppress(conn, KEYS, "Ana@Example.org ", "by hand", "", NOW)
    with reading(engine) as conn:
        assert suppression.is_suppressed(conn, KEYS, "ana@example.org")
        assert not suppression.is_suppressed(conn, KEYS, "anna@example.org")


def test_a_second_reason_does_not_write_over_the_first(engine: sa.Engine) -> None:
    with writing(engine) as conn:
        suppression.suppress(conn, KEYS, "ana@example.org", "complaint", "first", NOW)
        assert not suppression.suppress(conn, KEYS, "ana@example.org", "dead", "second", NOW)
        (found,) = suppression.list_suppressions(conn)
    assert (found.reason, found.detail, found.at) == ("complaint", "first", NOW)


def test_what_is_kept_holds_no_address(engine: sa.Engine) -> None:
    with writing(engine) as conn:
        suppression.suppress(conn, KEYS, "ana@example.org", "by hand", "", NOW)
        (row,) = conn.execute(sa.select(suppressions)).all()
    assert "ana" not in repr(row)
    assert "example.org" not in repr(row)


def test_another_presss_hash_is_another(engine: sa.Engine) -> None:
    with writing(engine) as conn:
        suppression.suppress(conn, KEYS, "ana@example.org", "by hand", "", NOW)
        assert not suppression.is_suppressed(conn, Keys(b"other"), "ana@example.org")


def test_many_hashes_are_looked_up_at_once(engine: sa.Engine) -> None:
    names = [f"reader{number}@example.org" for number in range(1200)]
    with writing(engine) as conn:
        for name in names[::400]:
            suppression.suppress(conn, KEYS, name, "by hand", "", NOW)
        hashes = [KEYS.address_hash(name) for name in names]
        assert suppression.suppressed_hashes(conn, hashes) == set(hashes[::400])


def test_taken_off_the_list_it_is_mailed_again(engine: sa.Engine) -> None:
    with writing(engine) as conn:
        suppression.suppress(conn, KEYS, "ana@example.org", "by hand", "", NOW)
        assert suppression.unsuppress(conn, KEYS, "ANA@example.org")
        assert not suppression.unsuppress(conn, KEYS, "ana@example.org")
        assert not suppression.is_suppressed(conn, KEYS, "ana@example.org")


@pytest.mark.parametrize("code", ["5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1", "5.4.4"])
def test_mail_5_3_codes_that_mean_nobody_is_there(code: str) -> None:
    assert is_dead(550, code, f"{code} sorry")
    assert code in DEAD_CODES


@pytest.mark.parametrize("code", ["5.2.2", "5.2.3", "5.3.4", "5.4.1", "5.7.1", "5.7.26", "5.0.0"])
def test_other_codes_alone_do_not(code: str) -> None:
    assert not is_dead(550, code, f"{code} sorry")


@pytest.mark.parametrize(
    "text",
    [
        "User unknown",
        "unknown user",
        "No such user here",
        "no such mailbox",
        "Recipient address rejected: User unknown in virtual mailbox table",
        "mailbox not found",
        "Host unknown",
        "Domain not found",
        "Unrouteable address",
        "invalid mailbox",
        "The account does not exist",
    ],
)
def test_mail_5_3_phrases_that_mean_nobody_is_there(text: str) -> None:
    assert is_dead(550, None, text)


@pytest.mark.parametrize(
    "phrase",
    [
        "spam",
        "blocked using a list",
        "policy",
        "over quota",
        "mailbox full",
        "DMARC",
        "relay access denied",
        "rate limited",
    ],
)
def test_mail_5_3_phrases_that_never_count_whatever_the_code_says(phrase: str) -> None:
    assert is_dead(550, "5.1.1", "5.1.1 user unknown")
    assert not is_dead(550, "5.1.1", f"5.1.1 user unknown ({phrase})")


@pytest.mark.parametrize("code", [None, 250, 450, 451])
def test_what_is_no_5xx_is_never_dead(code: int | None) -> None:
    assert not is_dead(code, "5.1.1", "user unknown")
