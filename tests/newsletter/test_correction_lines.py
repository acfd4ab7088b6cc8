"""How a mail prints corrections: of posts of before behind the articles, and of its own in the article itself."""

import email
import email.policy
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from newsletter.compose import Noted
from newsletter.digest import NOTES_SHOWN, build_digest
from newsletter.render import EditionSpec, SealedIssue, seal_issue
from posts.model import Correction, Post
from tests.newsletter.mail_samples import (
    DATE,
    MAIL,
    SITE,
    WEB_URL,
    a_newsletter,
    a_post,
    message,
    templates,
)

NOTE = 'The <b>ferry</b> is called "Ana & Luz".'


def noted(number: int = 9, note: str = NOTE, **content: object) -> Noted:
    """A correction of an earlier post."""
    return Noted(
        number=100 - number,
        published=1,
        post=a_post(number, **content),
        correction=Correction(at=DATE - timedelta(hours=2), note=note, revision=2),
    )


def sealed(posts: Sequence[Post], *notes: Sequence[Noted], language: str = "en") -> SealedIssue:
    """An issue of these posts, an edition for each list of notes."""
    return seal_issue(
        a_newsletter(),
        SITE,
        WEB_URL,
        MAIL,
        templates(),
        [EditionSpec(language=language, posts=tuple(posts), notes=tuple(one)) for one in notes],
        issue_id=812,
        number=128,
        date=DATE,
    )


def parts(issue: SealedIssue, *, edition: int = 0) -> tuple[str, str]:
    """The text and the HTML part of one edition's message."""
    mail = email.message_from_bytes(message(issue, edition=edition), policy=email.policy.default)
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert html is not None
    return text.get_content().replace("\r\n", "\n"), html.get_content()


def test_a_note_stands_behind_the_articles_in_every_part_as_text() -> None:
    issue = sealed([a_post(1)], [noted()])
    text, html = parts(issue)
    assert "Corrections\n-----------\n\nStory number 9\n" in text
    assert f"Correction, Sep 15, 2009: {NOTE}" in text
    for page in (html, issue.editions[0].web_html):
        assert "The &lt;b&gt;ferry&lt;/b&gt; is called" in page
        assert page.index("What happened first in story 1") < page.index("Corrections")
        assert "https://mail.riverline.example/2009/09/story-9/" in page


def test_editions_that_differ_in_notes_alone_each_say_their_own() -> None:
    issue = sealed([a_post(1)], [noted(note="First.")], [], [noted(note="Second.")])
    said = [parts(issue, edition=place)[0] for place in range(3)]
    assert [("First." in text, "Second." in text, "Corrections" in text) for text in said] == [
        (True, False, True),
        (False, False, False),
        (False, True, True),
    ]


def test_without_corrections_nothing_is_said_of_them() -> None:
    text, html = parts(sealed([a_post(1)], []))
    assert "Correction" not in text + html


def test_a_reader_of_spanish_reads_the_label_in_spanish() -> None:
    text, html = parts(sealed([a_post(1)], [noted()], language="es"))
    assert "Correcciones" in text
    assert "Corrección, 15 sept 2009:" in text
    assert "Correcciones" in html


def test_a_post_in_another_direction_keeps_it() -> None:
    digest = build_digest(
        a_newsletter(),
        SITE,
        WEB_URL,
        [a_post(1)],
        number=1,
        date=DATE,
        language="en",
        notes=[noted(language="ar", note="خطأ")],
    )
    assert [(one.language, one.direction) for one in digest.corrections] == [("ar", "rtl")]


@pytest.mark.parametrize("length", [1000, 10])
def test_many_corrections_leave_the_mail_within_its_bounds_and_none_is_cut(length: int) -> None:
    note = "&" * length
    text, _ = parts(sealed([a_post(1)], [[noted(9 + at, note) for at in range(60)]][0]))
    shown = text.count("Correction, ")
    assert shown == min(NOTES_SHOWN, 8000 // length)
    assert text.replace("\n", "").count(note) == shown


def test_an_article_carries_its_own_corrections_above_its_text() -> None:
    note = Correction(at=DATE, note=NOTE, revision=2)
    posts = [replace(a_post(1), revision=2, corrections=(note,)), a_post(2)]
    text, html = parts(sealed(posts, []))
    assert text.index("Correction, Sep 15, 2009: The <b>ferry") < text.index("What happened first")
    assert "The &lt;b&gt;ferry&lt;/b&gt;" in html
    assert "Corrections" not in text
