"""Headers as bytes; the `email` package reads them back."""

import re
from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import default as oracle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.headers import (
    HeaderError,
    date_header,
    domain_of,
    envelope_address,
    feedback_id,
    header_text,
    help_address,
    list_id,
    mailbox,
    mailbox_header,
    needs_smtputf8,
    plain_header,
    text_header,
)


def read(header: bytes) -> EmailMessage:
    parsed = message_from_bytes(header + b"\r\n", policy=oracle)
    assert isinstance(parsed, EmailMessage)
    return parsed


@pytest.mark.parametrize("length", [58, 64, 71, 88, 300])
def test_an_unsubscribe_address_of_any_length_stays_on_the_first_line(length: int) -> None:
    url = "https://host.example/u/".ljust(length, "A")
    header = plain_header("List-Unsubscribe", f"<{url}>")
    assert header == f"List-Unsubscribe: <{url}>\r\n".encode()


@pytest.mark.parametrize("count", range(1, 40, 3))
def test_a_sender_that_is_not_ascii_begins_on_the_first_line(count: int) -> None:
    name = "La Línea del Río y del Desierto, edición de la mañana"[:count]
    header = mailbox_header("From", name, "news@news.riverline.example")
    assert header.split(b"\r\n")[0].strip() != b"From:"
    assert all(len(line) <= 76 for line in header.split(b"\r\n"))
    mailboxes = read(header)["From"].addresses
    assert [(one.display_name, one.addr_spec) for one in mailboxes] == [
        (name, "news@news.riverline.example")
    ]


def test_a_long_name_that_is_not_ascii_is_cut_into_words_that_belong_together() -> None:
    name = "Periódico de la Ribera del Río Grande y de los Desiertos del Sur, edición española"
    header = mailbox_header("From", name, "a@example.org").decode()
    display, _, address = header.removeprefix("From: ").partition("<")
    # The new parser of Python 3.11 keeps the space between two words of a phrase (cpython #128110); the old does not.
    assert str(make_header(decode_header(display.strip()))) == name
    assert address == "a@example.org>\r\n"


@pytest.mark.parametrize(
    "name",
    [
        "The River Line",
        'A "quoted", name; with <marks>',
        "Ñandú",
        "=?utf-8?q?x?=",
        "a\\b",
        "a long name " * 9 + "x",
    ],
)
def test_a_display_name_is_read_back_as_it_was(name: str) -> None:
    assert read(mailbox_header("To", name, "a@example.org"))["To"].addresses[0].display_name == name


@given(
    st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=150)
)
def test_a_subject_of_any_letters_is_read_back_from_short_lines(text: str) -> None:
    header = text_header("Subject", text)
    assert header.isascii()
    assert header.split(b"\r\n")[0].strip() != b"Subject:"
    assert all(len(line) <= 76 for line in header.split(b"\r\n"))
    assert all(len(word) <= 75 for word in re.findall(rb"=\?utf-8\?[^ ]*\?=", header))
    assert read(header)["Subject"] == text


def test_a_long_plain_subject_is_folded_at_its_spaces() -> None:
    subject = "Council votes to reopen the night market after two years and many hearings + 4 more"
    header = text_header("Subject", subject)
    assert len(header.split(b"\r\n")[0]) <= 76
    assert b"=?" not in header
    assert read(header)["Subject"] == subject


@pytest.mark.parametrize(
    "bad",
    [
        "\x00",
        "\r",
        "\n",
        "\x0b",
        "\x0c",
        "\x1c",
        "\x7f",
        "\x85",
        "\u2028",
        "\u202e",
        "\ud800",
        "\ufeff",
    ],
)
def test_controls_breaks_and_turning_characters_are_refused_in_every_header(bad: str) -> None:
    for write in (
        lambda: text_header("Subject", f"a{bad}b"),
        lambda: mailbox_header("From", f"a{bad}b", "a@example.org"),
        lambda: mailbox_header("To", "", f"a{bad}@example.org"),
        lambda: plain_header("List-Id", f"a{bad}b"),
        lambda: envelope_address(f"a{bad}@example.org"),
    ):
        with pytest.raises(HeaderError):
            write()


def test_joiners_that_spell_something_are_kept() -> None:
    family = "👩‍👩‍👧 می‌خواهم"
    assert read(text_header("Subject", family))["Subject"] == family


def test_a_title_is_made_fit_for_a_header() -> None:
    assert header_text("a\r\nBcc: x\u202e\x00 b\u2028c") == "a Bcc: x b c"


def test_a_domain_goes_on_the_wire_as_an_a_label() -> None:
    assert envelope_address("Ana.Ruiz@españa.example") == "Ana.Ruiz@xn--espaa-rta.example"
    assert domain_of("Ana@ESPAÑA.example") == "xn--espaa-rta.example"
    assert needs_smtputf8("ñandú@example.org")
    assert not needs_smtputf8("nandu@españa.example")


@pytest.mark.parametrize(
    "address",
    [
        "",
        "a",
        "a@",
        "@b",
        "a b@c.example",
        "a@b@c.example",
        "<a@b.example>",
        "a@b.example, c@d.example",
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(HeaderError):
        mailbox("To", "", address)


def test_the_date_is_written_in_utc() -> None:
    date = datetime(2009, 9, 15, 23, 0, tzinfo=UTC)
    assert date_header(date) == b"Date: Tue, 15 Sep 2009 23:00:00 +0000\r\n"


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("The Daily Line", "The Daily Line <daily.news.example>"),
        ("Línea diaria: «noche»", "Linea diaria noche <daily.news.example>"),
        ("日刊", "<daily.news.example>"),
    ],
)
def test_a_list_is_named_in_ascii(title: str, expected: str) -> None:
    assert list_id(title, "daily", "news.example") == expected


PAGE = "https://news.example/subscribe"


@pytest.mark.parametrize(
    ("contact", "expected"),
    [
        pytest.param("mailto:desk@news.example", "<mailto:desk@news.example>", id="a mailbox"),
        pytest.param(
            "https://news.example/help?a=1", "<https://news.example/help?a=1>", id="a page"
        ),
        pytest.param("", f"<{PAGE}>", id="nobody to write to"),
        pytest.param("mailto:línea@news.example", f"<{PAGE}>", id="not ASCII"),
        pytest.param("mailto:a@b.example>,<x", f"<{PAGE}>", id="brackets of its own"),
        pytest.param("https://a.example/\r\nBcc: x", f"<{PAGE}>", id="a line break"),
        pytest.param("https://a.example/" + "x" * 1000, f"<{PAGE}>", id="longer than a line"),
    ],
)
def test_rfc2369_3_1_help_is_where_readers_may_write_else_the_page(
    contact: str, expected: str
) -> None:
    assert help_address(contact, PAGE) == expected


def test_complaints_are_counted_by_issue_list_and_sender_and_never_by_reader() -> None:
    first, other = (feedback_id(812, "daily", domain) for domain in ("a.example", "b.example"))
    assert first.split(":")[:3] == ["812", "daily", "digest"]
    assert len(first.split(":")) == 4
    assert first != other
    assert feedback_id(813, "daily", "a.example").split(":")[3] == first.split(":")[3]
