"""The digest as it looks: HTML and text of three issues, read as diffs; `pytest --golden` writes them anew."""

from collections.abc import Callable
from email import message_from_bytes
from email.policy import default as oracle
from pathlib import Path

import pytest

from newsletter.render import SealedIssue
from tests.newsletter.mail_samples import a_document_post, a_post, a_week, message, sealed, words

GOLDEN = Path(__file__).parent / "golden"
Compare = Callable[[Path, bytes], None]


def a_long_article() -> SealedIssue:
    """An article made of quoted documents, in an issue with two others: it leads and is cut."""
    document = a_document_post(title="What four offices wrote about one closed ferry")
    pages = "\n".join(
        f"<blockquote><p><strong>Office {number}, {number} September 2009</strong></p>"
        f"<p>{words(60)}</p><p>{words(40)}</p></blockquote><p>The next letter is shorter.</p>"
        for number in range(1, 9)
    )
    long_one = a_post(
        1,
        title="What four offices wrote about one closed ferry",
        html=document.content.html + pages,
        comment_count=12,
        comments_url="https://riverline.example/2009/09/ferry/#comments",
        lead=True,
    )
    return sealed([long_one, a_post(2, html=f"<blockquote>{words(90)}</blockquote>"), a_post(3)])


ISSUES: dict[str, Callable[[], SealedIssue]] = {
    "one-post": lambda: sealed([a_document_post()]),
    "a-week": lambda: sealed(a_week(), languages=("en", "es")),
    "quoted-documents": a_long_article,
}


@pytest.mark.parametrize("name", ISSUES)
def test_an_issue_reads_as_it_was_reviewed(name: str, golden: Compare) -> None:
    issue = ISSUES[name]()
    for at, edition in enumerate(issue.editions):
        whole = message_from_bytes(message(issue, edition=at), policy=oracle)
        for subtype, ending in (("html", "html"), ("plain", "txt")):
            part = whole.get_body((subtype,))  # type: ignore[attr-defined]
            text = str(part.get_content()).replace("\r\n", "\n")
            golden(GOLDEN / f"{name}.{edition.language}.{ending}", text.encode())


def test_a_message_is_on_the_wire_as_it_was_reviewed(golden: Compare) -> None:
    body = message(sealed([a_post(1, html="<p>Ñandú.</p>")])).replace(b"\r\n", b"\n")
    golden(GOLDEN / "message.eml", body)


def test_the_web_copy_reads_as_it_was_reviewed(golden: Compare) -> None:
    page = sealed([a_document_post(), a_post(2)]).editions[0].web_html
    golden(GOLDEN / "web-copy.html", page.encode())
