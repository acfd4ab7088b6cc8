"""Notices: the mails outside issues (confirm, already subscribed, the preferences link), complete as bytes.

They carry no text that a visitor typed, not even a name, and no List-Unsubscribe (mail.md 1.1, 7.1).
"""

import hashlib
from datetime import datetime
from html import escape
from typing import Literal, TypedDict

import jinja2

from newsletter.headers import date_header, domain_of, mailbox_header, plain_header, text_header
from newsletter.quoted_printable import encoded_text
from newsletter.rendering import rendered
from newsletter.spec import MailSettings
from newsletter.stylesheets import inlined_document
from newsletter.text_part import wrapped
from newsletter.words import Words, direction
from posts.errors import TemplateError
from posts.settings import Site
from posts.text import one_line

Kind = Literal["confirm", "known", "preferences_link"]


class NoticeValues(TypedDict):
    """What a notice is filled with: whom it goes to, the newsletter's title, its one link, and its identity.

    `date` and `message_id` come from the notice's row, so that a second attempt has the same.
    """

    address: str
    newsletter: str
    url: str
    date: datetime
    message_id: str


NOTICES: tuple[Kind, ...] = ("confirm", "known", "preferences_link")
_SUBJECTS = {
    "confirm": "Please confirm: {newsletter}",
    "known": "You are already subscribed: {newsletter}",
    "preferences_link": "Your link to the settings of {newsletter}",
}


def render_notice(
    kind: Kind,
    *,
    language: str,
    site: Site,
    web_url: str,
    mail: MailSettings,
    templates: jinja2.Environment,
    values: NoticeValues,
) -> bytes:
    """A complete mail in both parts; the same arguments give the same bytes."""
    words = Words(language)
    newsletter = one_line(values["newsletter"])
    subject = words.text(_SUBJECTS[kind], newsletter=newsletter)
    context: dict[str, object] = {
        "name": one_line(site.title),
        "home_url": site.url,
        "web_url": web_url,
        "newsletter": newsletter,
        "url": values["url"],
        "subject": subject,
        "contact": site.contact,
        "language": words.language,
        "direction": direction(words.language),
        "_": words.text,
    }
    text = rendered(templates, f"mail/notice_{kind}.txt.j2", wrapped=_wrapped, **context)
    html = inlined_document(
        templates, f"mail/notice_{kind}.html.j2", accent=site.accent, web=False, **context
    )
    _check_link(text, values["url"], f"mail/notice_{kind}.txt.j2")
    _check_link(html, escape(values["url"]), f"mail/notice_{kind}.html.j2")
    seed = "\0".join((kind, values["address"], values["message_id"], text, html))
    boundary = "=_" + hashlib.sha256(seed.encode()).hexdigest()[:32]
    return b"".join(
        (
            mailbox_header("From", one_line(site.title), mail.from_),
            mailbox_header("To", "", values["address"]),
            text_header("Subject", subject),
            date_header(values["date"]),
            plain_header("Message-ID", values["message_id"]),
            mailbox_header("Reply-To", "", mail.reply_to) if mail.reply_to else b"",
            plain_header("Auto-Submitted", "auto-generated"),
            plain_header("X-Auto-Response-Suppress", "OOF, AutoReply"),
            plain_header("Content-Language", words.language),
            plain_header("MIME-Version", "1.0"),
            alternative(boundary, encoded_text(text), encoded_text(html)),
        )
    )


def _check_link(text: str, url: str, name: str) -> None:
    if url not in text:
        raise TemplateError(
            "a template without the link that the mail is for",
            where=name,
            remedy="Print {{ url }}.",
        )


def notice_message_id(key: bytes, domain: str) -> str:
    """A Message-ID for a notice, out of bytes that name it and it alone."""
    return f"<{hashlib.sha256(key).hexdigest()[:26]}.notice@{domain_of('x@' + domain)}>"


def alternative(boundary: str, text: bytes, html: bytes) -> bytes:
    """Content-Type and body of a message of two encoded parts, the plain one first."""
    head = "--{0}\r\nContent-Type: text/{1}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    return b"".join(
        (
            f'Content-Type: multipart/alternative;\r\n boundary="{boundary}"\r\n\r\n'.encode(),
            head.format(boundary, "plain").encode(),
            text,
            b"\r\n",
            head.format(boundary, "html").encode(),
            html,
            f"\r\n--{boundary}--\r\n".encode(),
        )
    )


def _wrapped(text: str) -> str:
    return "\n".join(wrapped(text))
