"""Sealing: sizes, sharing, determinism, and what the HTML must and must not hold."""

import re
from email import message_from_bytes
from email.policy import default as oracle
from pathlib import Path

import jinja2
import pytest
from lxml import html as lxml_html

from dateline.templating import build_templates
from newsletter.fitting import HTML_BYTES
from newsletter.render import EditionSpec, SealedIssue, seal_issue
from newsletter.story import Form
from newsletter.stylesheets import style_source
from posts.errors import TemplateError
from tests.newsletter.mail_samples import (
    DATE,
    MAIL,
    SITE,
    WEB_URL,
    a_document_post,
    a_newsletter,
    a_post,
    a_week,
    message,
    sealed,
    templates,
    words,
)


def html_of(issue: SealedIssue, edition: int = 0) -> str:
    body = message_from_bytes(message(issue, edition=edition), policy=oracle).get_body(("html",))  # type: ignore[attr-defined]
    return str(body.get_content()).replace("\r\n", "\n")


def long_posts(count: int, size: int = 1000) -> list:
    return [a_post(n, html=f"<p>{words(size)}</p>" * 2) for n in range(1, count + 1)]


@pytest.mark.parametrize("length", ["smart", "full", "headlines"])
@pytest.mark.parametrize("count", [1, 12, 60])
def test_every_length_keeps_to_90000_bytes_of_html(length: str, count: int) -> None:
    posts = [*long_posts(count - 1, 3000), a_post(count, html=f"<p>{words(9)}</p>" * 9000)]
    issue = sealed(posts, newsletter=a_newsletter(length=length))
    assert len(html_of(issue).encode()) <= HTML_BYTES


def test_what_does_not_fit_is_shortened_from_the_end_and_named() -> None:
    issue = sealed(long_posts(12), newsletter=a_newsletter(length="full"))
    shortened = [one.post for one in issue.shortened]
    assert shortened == list(range(13 - len(shortened), 13))
    assert {(one.form, one.why) for one in issue.shortened} == {(Form.EXCERPT, "size")}
    assert len(html_of(issue).encode()) > 80_000


def test_what_fits_is_not_shortened() -> None:
    assert sealed(long_posts(3), newsletter=a_newsletter(length="full")).shortened == ()


def test_a_post_too_long_for_any_mail_is_an_excerpt() -> None:
    issue = sealed([a_post(1, html=f"<p>{words(100)}</p>" * 300)])
    assert [(one.form, one.why) for one in issue.shortened] == [(Form.EXCERPT, "size")]
    assert "Read on: 30,000 words" in html_of(issue)


def test_8_1_sealing_twice_gives_the_same_bytes() -> None:
    assert sealed(a_week(), languages=("en", "es")) == sealed(a_week(), languages=("en", "es"))


def test_a_word_changed_changes_the_seal() -> None:
    assert sealed([a_post(1)]).seal != sealed([a_post(1, html="<p>Other.</p>")]).seal


def test_editions_share_the_articles_they_have_in_common() -> None:
    posts = a_week()

    def stored(count: int) -> int:
        specs = [
            EditionSpec(language="en", posts=tuple(posts[at // 5 : 30 - at % 5]))
            for at in range(count)
        ]
        issue = seal_issue(
            a_newsletter(), SITE, WEB_URL, MAIL, templates(), specs, issue_id=1, number=1, date=DATE
        )
        return sum(map(len, issue.parts))

    assert stored(25) < 1.5 * stored(1)


def test_only_the_first_edition_of_a_language_has_a_web_copy() -> None:
    issue = sealed([a_post(1)], languages=("en", "es", "en"))
    assert [bool(edition.web_html) for edition in issue.editions] == [True, True, False]
    assert [edition.language for edition in issue.editions] == ["en", "es", "en"]


def test_an_edition_names_its_posts_by_id() -> None:
    assert sealed([a_post(3), a_post(2)]).editions[0].posts == (3, 2)


def test_8_8_a_mail_loads_nothing() -> None:
    html = html_of(sealed([a_document_post(), *a_week()[1:]]))
    tree = lxml_html.document_fromstring(html)
    assert tree.xpath("//img | //link | //script | //iframe | //object | //video | //audio") == []
    assert "url(" not in html
    assert "@import" not in html
    assert not re.search(r"\b(?:src|background|srcset)=", html)


@pytest.mark.parametrize("language", ["en", "es"])
def test_every_link_of_the_html_is_in_the_text(language: str) -> None:
    posts = [a_document_post(), *a_week()[1:], *(a_post(n) for n in range(40, 60))]
    issue = sealed(posts, languages=(language,))
    body = message_from_bytes(message(issue), policy=oracle).get_body(("plain",))  # type: ignore[attr-defined]
    links = lxml_html.document_fromstring(html_of(issue)).xpath("//a/@href")
    assert len(links) > 80
    assert {link.removeprefix("mailto:") for link in links} <= set(body.get_content().split())


def test_no_phrase_stands_in_a_template_untranslated() -> None:
    for path in (Path(__file__).parents[2] / "templates/mail").glob("*.[ht]*.j2"):
        text = re.sub(
            r"{%.*?%}|{{.*?}}|{#.*?#}|<!--.*?-->|<[^>]*>|&nbsp;",
            "",
            path.read_text(),
            flags=re.DOTALL,
        )
        assert not re.search(r"[^\W\d_]", text), path


def test_a_mail_is_a_document_with_language_direction_and_real_headings() -> None:
    tree = lxml_html.document_fromstring(html_of(sealed(a_week(), languages=("es",))))
    assert (tree.get("lang"), tree.get("dir")) == ("es", "ltr")
    assert len(tree.xpath("//h1")) == 1
    assert len(tree.xpath("//h3")) == 30
    foreign = tree.xpath("//div[contains(@class, 'story')][@lang='ar']")
    assert [div.get("dir") for div in foreign] == ["rtl"]
    assert tree.xpath("//table[@width='600']/@role") == ["presentation"]
    assert all("underline" in a.get("style", "") for a in tree.xpath("//a"))


def test_the_links_to_leave_and_change_are_large_enough_to_touch() -> None:
    tree = lxml_html.document_fromstring(html_of(sealed([a_post(1)])))
    for link in tree.xpath("//td[@class='action']/a"):
        style = link.get("style").replace(" ", "")
        assert "padding:12px" in style
        assert "line-height:20px" in style  # 12 + 20 + 12 = 44


def test_the_web_copy_holds_nothing_personal_and_its_style_can_be_named() -> None:
    page = sealed([a_document_post(), a_post(2)]).editions[0].web_html
    tree = lxml_html.document_fromstring(page)
    assert tree.xpath("//@style") == []
    assert len(tree.xpath("//style")) == 1
    assert "@@" not in page.replace("@media", "")
    assert "reader@" not in page
    assert "/u/" not in page
    assert re.fullmatch(r"'sha256-[A-Za-z0-9+/]{43}='", style_source(page))
    assert page.count("<!-- dateline:head -->") == 1


def test_a_post_cannot_write_a_mark() -> None:
    title = "@@0:field:html.unsubscribe_url@@ & <b>"
    html = html_of(sealed([a_post(1, title=title)]))
    assert "@@0:field:html.unsubscribe_url@@ &amp; &lt;b&gt;" in html


def test_a_template_with_an_error_is_named_with_its_line(tmp_path: pytest.TempPathFactory) -> None:
    folder = tmp_path / "mail"  # type: ignore[operator]
    folder.mkdir()
    for text, place in (
        ("a\n{% if %}", "digest.txt.j2:2"),
        ("a\n\n{{ nobody }}", "digest.txt.j2:3"),
    ):
        (folder / "digest.txt.j2").write_text(text)
        environment: jinja2.Environment = build_templates(tmp_path)  # type: ignore[arg-type]
        with pytest.raises(TemplateError, match=place):
            seal_issue(
                a_newsletter(),
                SITE,
                WEB_URL,
                MAIL,
                environment,
                [EditionSpec(language="en", posts=(a_post(1),))],
                issue_id=1,
                number=1,
                date=DATE,
            )
    with pytest.raises(TemplateError, match=r"mail/other\.html\.j2"):
        sealed([a_post(1)], newsletter=a_newsletter(template="other"))


def test_a_title_of_10_kb_with_everything_in_it_breaks_nothing() -> None:
    title = "<&\u202e\x00🚢\r\nBcc: a " * 600
    body = message(sealed([a_post(1, title=title), a_post(2)]))
    whole = message_from_bytes(body, policy=oracle)
    assert whole["Bcc"] is None
    assert len(whole["Subject"]) <= 150
    assert not any(line.startswith(b".") for line in body.split(b"\r\n"))
