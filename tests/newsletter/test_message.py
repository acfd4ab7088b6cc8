"""A message is a join; the `email` package reads back what a full render gives."""

import hashlib
import subprocess
import sys
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as oracle
from html import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.digest import build_digest
from newsletter.headers import HeaderError
from newsletter.message import LoadedEdition, load_edition
from posts.errors import StoreError
from tests.newsletter.full_render import Values, full_html, full_message, full_text
from tests.newsletter.mail_samples import (
    DATE,
    KEYS,
    MAIL,
    NEXT,
    SITE,
    WEB_URL,
    a_document_post,
    a_newsletter,
    a_post,
    a_recipient,
    a_week,
    message,
    sealed,
    templates,
)


def parsed(body: bytes) -> EmailMessage:
    whole = message_from_bytes(body, policy=oracle)
    assert isinstance(whole, EmailMessage)
    assert not whole.defects
    return whole


def part(body: bytes, subtype: str) -> str:
    found = parsed(body).get_body((subtype,))
    assert found is not None
    assert not found.defects
    return str(found.get_content()).replace("\r\n", "\n")


def spelled_alike(html: str) -> str:
    """A value is put in with its quotes escaped; between tags the inliner writes them as they are."""
    return html.replace("&#x27;", "'").replace("&quot;", '"')


def tokens(body: bytes) -> tuple[str, str]:
    unsubscribe = str(parsed(body)["List-Unsubscribe"])[1:-1]
    change = KEYS.token("preferences", 9, generation=0, made=DATE)
    return unsubscribe, f"{WEB_URL}/preferences/{change}"


@pytest.mark.parametrize("language", ["en", "es"])
def test_the_joined_segments_parse_back_to_what_a_full_render_gives(language: str) -> None:
    posts = [a_document_post(), *(a_post(number) for number in range(2, 20))]
    body = message(
        sealed(posts, languages=[language]), a_recipient(address="o'reader&co@example.org")
    )
    digest = build_digest(
        a_newsletter(),
        SITE,
        WEB_URL,
        posts,
        number=128,
        date=DATE,
        language=language,
        next_due=NEXT,
    )
    unsubscribe, change = tokens(body)
    since = {"en": " since March 5, 2009", "es": " desde el 5 de marzo de 2009"}[language]
    reader = Values(
        address="o'reader&co@example.org",
        name="",
        since=since,
        unsubscribe_url=unsubscribe,
        preferences_url=change,
    )
    text = full_text(templates(), a_newsletter(), digest, reader)
    html = full_html(templates(), a_newsletter(), SITE, digest, reader)
    whole = full_message(text, html).as_bytes()
    assert spelled_alike(part(body, "html")) == part(whole, "html") == html
    assert part(body, "plain") == part(whole, "plain") == text


def test_the_headers_are_those_that_receivers_ask_for() -> None:
    head = parsed(message(sealed([a_post(1)]), a_recipient(name="Ana Ruiz")))
    assert dict(head.items()) | {"Content-Type": "", "Message-ID": "", "List-Unsubscribe": ""} == {
        "From": "The River Line <digest@news.riverline.example>",
        "To": "Ana Ruiz <reader@example.org>",
        "Subject": "Story number 1",
        "Date": "Tue, 15 Sep 2009 23:00:00 +0000",
        "Message-ID": "",
        "Reply-To": "desk@riverline.example",
        "List-Id": "The Daily Line <daily.news.riverline.example>",
        "List-Unsubscribe": "",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "List-Help": "<mailto:desk@riverline.example>",
        "List-Archive": f"<{WEB_URL}/daily/128/>",
        "List-Post": "NO",
        "Feedback-ID": "812:daily:digest:e17e82371620",
        "Auto-Submitted": "auto-generated",
        "Precedence": "bulk",
        "X-Auto-Response-Suppress": "OOF, AutoReply",
        "Content-Language": "en",
        "MIME-Version": "1.0",
        "Content-Type": "",
    }
    assert head["Message-ID"].endswith(".812@news.riverline.example>")
    assert [p.get_content_type() for p in head.iter_parts()] == ["text/plain", "text/html"]


def test_rfc8058_the_unsubscribe_header_is_one_https_address_on_one_line() -> None:
    line = next(
        line
        for line in message(sealed([a_post(1)])).split(b"\r\n")
        if line.startswith(b"List-Unsubscribe:")
    )
    token = KEYS.token("unsubscribe", 9, generation=0, made=DATE)
    assert line == f"List-Unsubscribe: <{WEB_URL}/u/{token}>".encode()


ADDRESSES = st.builds(
    "{}@{}.example".format,
    st.text("abcXYZ019.!#$%&'*+/=?^_`{|}~-", min_size=1, max_size=64),
    st.text("abc019", min_size=1, max_size=60),
)


@settings(max_examples=60)
@given(ADDRESSES, st.one_of(st.none(), st.text('aé日"\\<>, ', min_size=1, max_size=90)))
def test_personal_values_of_any_length_keep_lines_short_and_are_read_back(
    address: str, name: str | None
) -> None:
    body = message(_ISSUE, a_recipient(address=address, name=name))
    head, _, text = body.partition(b"\r\n\r\n")
    assert body.isascii()
    assert b"\n" not in body.replace(b"\r\n", b"")
    assert all(len(line) <= 76 for line in text.split(b"\r\n"))
    assert all(len(line) <= 998 for line in head.split(b"\r\n"))
    assert not any(line.startswith(b".") for line in body.split(b"\r\n"))
    assert address in part(body, "plain")
    assert escape(address) in part(body, "html")
    assert parsed(body)["To"].addresses[0].addr_spec.replace('"', "") == address


_ISSUE = sealed([a_post(1)])


def test_a_reader_whose_beginning_nobody_knows_gets_a_whole_sentence() -> None:
    body = message(_ISSUE, a_recipient(since=None))
    assert "has been subscribed to The Daily Line." in part(body, "plain").replace("\n", " ")


def test_an_address_that_would_break_the_header_is_refused() -> None:
    with pytest.raises(HeaderError):
        message(_ISSUE, a_recipient(address="a@example.org\r\nBcc: b@example.org"))
    with pytest.raises(HeaderError):
        message(_ISSUE, a_recipient(name="a\nb"))


def test_8_6_the_same_delivery_has_the_same_bytes_in_another_process() -> None:
    code = (
        "import hashlib;from tests.newsletter.mail_samples import *;"
        "s=sealed(a_week(),languages=('en','es'));"
        "print(s.seal, hashlib.sha256(message(s,edition=1)).hexdigest())"
    )
    issue = sealed(a_week(), languages=("en", "es"))
    here = f"{issue.seal} {hashlib.sha256(message(issue, edition=1)).hexdigest()}"
    for seed in ("1", "2"):
        there = subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ".", "TZ": "Asia/Tokyo"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert there.stdout.strip() == here


def test_two_readers_differ_only_where_they_are_named() -> None:
    one = message(_ISSUE, a_recipient(subscriber=1, subscription=1, address="one@example.org"))
    two = message(_ISSUE, a_recipient(subscriber=2, subscription=2, address="two@example.org"))
    differing = [
        (a, b) for a, b in zip(one.split(b"\r\n"), two.split(b"\r\n"), strict=True) if a != b
    ]
    assert 0 < len(differing) <= 11


def test_a_reader_who_comes_back_has_new_links() -> None:
    before, after = message(_ISSUE), message(_ISSUE, a_recipient(generation=1))
    assert parsed(before)["List-Unsubscribe"] != parsed(after)["List-Unsubscribe"]
    assert parsed(before)["Message-ID"] == parsed(after)["Message-ID"]


def test_a_part_that_is_not_what_was_sealed_is_not_sent() -> None:
    edition = _ISSUE.editions[0]
    parts = dict(enumerate(_ISSUE.parts))
    assert isinstance(_load(edition.program, parts, edition.seal), LoadedEdition)
    with pytest.raises(StoreError, match="not what was sealed"):
        _load(edition.program, parts | {3: b"other"}, edition.seal)
    with pytest.raises(StoreError, match="missing"):
        _load(edition.program, {n: body for n, body in parts.items() if n != 3}, edition.seal)


def _load(program: tuple[int | str, ...], parts: dict[int, bytes], seal: str) -> LoadedEdition:
    return load_edition(program, parts, language="en", seal=seal)


def test_a_recipient_is_greeted_by_date_in_the_newsrooms_zone() -> None:
    late = DATE.replace(hour=3)  # still the evening before in Chicago
    body = message(_ISSUE, a_recipient(since=late))
    assert "since September 14, 2009" in part(body, "plain").replace("\n", " ")


def test_a_sender_without_reply_address_is_answered_itself() -> None:
    issue = sealed([a_post(1)], mail=MAIL.model_copy(update={"reply_to": None}))
    assert parsed(message(issue))["Reply-To"] is None
