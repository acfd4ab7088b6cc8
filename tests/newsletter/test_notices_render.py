"""Notices: complete mails outside issues."""

from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as oracle

import pytest

from newsletter.notices_render import Kind, NoticeValues, notice_message_id, render_notice
from tests.newsletter.mail_samples import MAIL, SITE, WEB_URL, templates

KINDS: tuple[Kind, ...] = ("confirm", "known", "preferences_link")
URL = f"{WEB_URL}/confirm/AAAAAAAJAAAABoZCAm0ZMsCpuNJOIEOLXg"


def notice(kind: Kind = "confirm", language: str = "en", **values: object) -> bytes:
    usual: dict[str, object] = {
        "address": "reader@example.org",
        "newsletter": "The Daily Line",
        "url": URL,
        "date": datetime(2009, 9, 15, 23, 0, tzinfo=UTC),
        "message_id": "<notice.1@news.riverline.example>",
    }
    given: NoticeValues = {**usual, **values}  # type: ignore[typeddict-item]
    return render_notice(
        kind,
        language=language,
        site=SITE,
        web_url=WEB_URL,
        mail=MAIL,
        templates=templates(),
        values=given,
    )


def parsed(body: bytes) -> EmailMessage:
    whole = message_from_bytes(body, policy=oracle)
    assert isinstance(whole, EmailMessage)
    assert not whole.defects
    return whole


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_notice_has_both_parts_with_its_one_link(kind: Kind, language: str) -> None:
    whole = parsed(notice(kind, language))
    assert whole["Content-Language"] == language
    for subtype in ("plain", "html"):
        part = whole.get_body((subtype,))
        assert part is not None
        assert URL in part.get_content()
        assert "The Daily Line" in part.get_content()
        assert "{" not in part.get_content().partition("</style>")[2]


def test_a_notice_is_in_the_readers_language() -> None:
    assert parsed(notice())["Subject"] == "Please confirm: The Daily Line"
    assert parsed(notice(language="es-MX"))["Subject"] == "Por favor, confirma: The Daily Line"


def test_a_notice_is_no_list_mail() -> None:
    head = parsed(notice())
    assert [name for name in head if name.startswith("List-") or name == "Precedence"] == []
    assert head["To"] == "reader@example.org"
    assert head["Auto-Submitted"] == "auto-generated"


def test_a_notice_is_safe_on_the_wire_and_the_same_each_time() -> None:
    body = notice(language="es")
    assert body == notice(language="es")
    assert body.isascii()
    assert all(len(line) <= 76 for line in body.split(b"\r\n"))
    assert not any(line.startswith(b".") for line in body.split(b"\r\n"))
    assert b"\n" not in body.replace(b"\r\n", b"")


def test_nothing_that_a_visitor_may_have_typed_is_in_it_but_the_address() -> None:
    whole = parsed(notice(address="evil-words-buy-now@example.org"))
    for part in whole.iter_parts():
        assert "evil-words" not in part.get_content()


def test_a_notice_is_named_after_what_it_is_made_of() -> None:
    name = notice_message_id(b"confirm 1", "news.riverline.example")
    assert name == notice_message_id(b"confirm 1", "news.riverline.example")
    assert name != notice_message_id(b"confirm 2", "news.riverline.example")
    assert name.endswith("@news.riverline.example>")
