"""An operator's template: what it may do with a reader's own fields, and what is refused with file, line and reason."""

from pathlib import Path

import pytest

from dateline.templating import build_templates
from newsletter.render import EditionSpec, SealedIssue, seal_issue
from posts.errors import TemplateError
from tests.newsletter.mail_samples import (
    DATE,
    MAIL,
    SITE,
    WEB_URL,
    a_newsletter,
    a_post,
    a_recipient,
    message,
)
from tests.newsletter.test_message import part

LEAVE = '{% if not web %}<a href="{{ reader.unsubscribe_url }}">Leave</a>{% endif %}'
TEXT_LEAVE = "Leave: {{ reader.unsubscribe_url }}"


def issue_of(folder: Path, files: dict[str, str], *, posts: int = 3) -> SealedIssue:
    """An issue made with these templates in the operator's folder, in two languages."""
    (folder / "mail").mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / "mail" / name).write_text(text, "utf-8")
    chosen = tuple(a_post(number) for number in range(1, posts + 1))
    return seal_issue(
        a_newsletter(),
        SITE,
        WEB_URL,
        MAIL,
        build_templates(folder),
        [EditionSpec(language=language, posts=chosen) for language in ("en", "es")],
        issue_id=812,
        number=1,
        date=DATE,
    )


def html_page(body: str) -> dict[str, str]:
    return {"digest.html.j2": f"<html><body>\n{{{{ days }}}}\n{LEAVE}\n{body}\n</body></html>\n"}


def text_page(body: str) -> dict[str, str]:
    return {"digest.txt.j2": f"{{{{ days }}}}\n{TEXT_LEAVE}\n\n{body}\n"}


LOGIC = [
    pytest.param("{% if reader.name == 'Ana' %}x{% endif %}", id="compares"),
    pytest.param("{% if 'Ana' != reader.name %}x{% endif %}", id="compares the other way round"),
    pytest.param("{% if reader.name %}x{% endif %}", id="branches"),
    pytest.param("{{ 'x' if not reader.name }}", id="branches in an expression"),
    pytest.param("{{ reader.name or 'friend' }}", id="falls back"),
    pytest.param("{{ reader.name|default('friend') }}", id="falls back by filter"),
    pytest.param("{{ reader.address|upper }}", id="filters"),
    pytest.param("{{ reader.address|length }}", id="measures"),
    pytest.param("{{ reader.address[:3] }}", id="slices"),
    pytest.param("{{ reader.address.split('@')[0] }}", id="calls a method"),
    pytest.param("{% for c in reader.name %}{{ c }}{% endfor %}", id="loops"),
    pytest.param("{% if '@' in reader.address %}x{% endif %}", id="searches"),
    pytest.param("{{ 'Dear ' ~ reader.name }}", id="joins"),
    pytest.param("{{ 'Dear ' + reader.name }}", id="adds"),
    pytest.param("{{ 'Dear %s'|format(reader.name) }}", id="formats"),
    pytest.param("{{ [reader.name]|join(', ') }}", id="joins a list"),
    pytest.param("{% if reader.name is none %}x{% endif %}", id="tests"),
    pytest.param("{% if reader.name is defined %}x{% endif %}", id="asks whether there is one"),
    pytest.param("{% if reader.name is undefined %}x{% endif %}", id="asks whether there is none"),
    pytest.param("{% if reader.name is string %}x{% endif %}", id="tests a type"),
    pytest.param("{% set x %}{{ reader.name }}{% endset %}{{ x }}", id="captures"),
    pytest.param("{% filter upper %}{{ reader.name }}{% endfilter %}", id="filters a block"),
    pytest.param(
        "{% macro m() %}{{ reader.name }}{% endmacro %}{% if m() == 'Ana' %}x{% endif %}",
        id="compares what a macro gave",
    ),
    pytest.param(
        "{% macro m() %}{{ reader.name }}{% endmacro %}{{ m()|upper }}", id="filters a macro"
    ),
    pytest.param("{% set n = reader.name %}{% if n < 'b' %}x{% endif %}", id="compares a variable"),
    pytest.param("{{ {reader.name: 1} }}", id="looks up"),
    pytest.param("{% if why == '' %}x{% endif %}", id="compares the sentence that says why"),
]


@pytest.mark.parametrize("logic", LOGIC)
@pytest.mark.parametrize("kind", ["html", "txt"])
def test_a_template_that_decides_by_a_reader_is_refused_with_file_and_line(
    tmp_path: Path, logic: str, kind: str
) -> None:
    files = html_page(logic) if kind == "html" else text_page(logic)
    with pytest.raises(TemplateError, match="can only be printed") as refused:
        issue_of(tmp_path, files)
    assert refused.value.where == f"{tmp_path}/mail/digest.{kind}.j2:4"


def test_what_differs_by_language_or_by_posts_is_an_edition_of_its_own(tmp_path: Path) -> None:
    logic = (
        "{% if language == 'es' %}Hola{% else %}Hello{% endif %} "
        "{% if digest.stories|length > 2 %}many{% endif %} {{ digest.subject|upper }} "
        "{{ digest.headlines[0].title }}"
    )
    issue = issue_of(tmp_path, html_page(logic) | text_page(logic))
    for subtype in ("html", "plain"):
        assert "Hello many STORY NUMBER 1 + 2 MORE Story number 1" in part(message(issue), subtype)
        assert "Hola many" in part(message(issue, edition=1), subtype)


def test_a_template_may_lay_out_posts_and_headlines_itself(tmp_path: Path) -> None:
    own = (
        "{% for one in digest.headlines %}{{ one.title }};{% endfor %}"
        "{% for day in digest.days %}{% for story in day.stories %}\n{{ article(story) }}{% endfor %}{% endfor %}"
    )
    issue = issue_of(
        tmp_path,
        {
            "digest.html.j2": f"<html><body>{own}{LEAVE}</body></html>",
            "digest.txt.j2": f"{own}{TEXT_LEAVE}",
        },
    )
    for subtype in ("html", "plain"):
        shown = part(message(issue), subtype)
        assert "Story number 1;Story number 2;Story number 3;" in shown
        assert "What happened first in story 3" in shown


def test_every_field_can_be_printed_and_held_by_a_macro(tmp_path: Path) -> None:
    fields = (  # the page for everybody has none of them
        "{% macro all() %}{{ reader.name }}|{{ reader.address|e }}|{{ reader.since }}|{% endmacro %}{{ all() }}"
        "{% set link = reader.preferences_url %}{{ link }}|"
    )
    issue = issue_of(
        tmp_path,
        html_page(f'{{% if not web %}}<p title="{{{{ reader.name }}}}">{fields}</p>{{% endif %}}')
        | text_page(fields),
    )
    body = message(issue, a_recipient(name='A "B" <i>', address="o'b@example.org"))
    shown = f" since March 5, 2009|{WEB_URL}/preferences/"
    assert f'A "B" <i>|o\'b@example.org|{shown}' in part(body, "plain")
    html = part(body, "html")
    escaped = "A &quot;B&quot; &lt;i&gt;"
    assert f'<p title="{escaped}">{escaped}|o&#x27;b@example.org|{shown}' in html


def test_a_field_of_the_other_part_or_of_the_header_is_refused(tmp_path: Path) -> None:
    for name in ("text.address", "to", "message_id", "html.salary"):
        with pytest.raises(TemplateError, match="not a personal field"):
            issue_of(tmp_path, html_page(f"{{{{ field('{name}') }}}}"))


PLACES = [
    pytest.param('<a href="https://x.example/?a={{ reader.address }}">x</a>', "href", id="query"),
    pytest.param('<a href="{{ reader.address }}">x</a>', "href", id="no link"),
    pytest.param('<a href="{{ reader.unsubscribe_url }}?a=1">x</a>', "href", id="part of a link"),
    pytest.param('<img src="{{ reader.unsubscribe_url }}">', "src", id="a picture"),
    pytest.param("<script>x = '{{ reader.name }}'</script>", "<script>", id="script"),
    pytest.param("<style>p:after { content: '{{ reader.name }}' }</style>", "<style>", id="style"),
    pytest.param('<p style="color: {{ reader.name }}">x</p>', "style", id="style attribute"),
    pytest.param('<p onclick="{{ reader.name }}">x</p>', "onclick", id="event"),
    pytest.param("<!-- {{ reader.name }} -->", "comment", id="comment"),
    pytest.param("<p {{ reader.name }}>x</p>", "attribute", id="name of an attribute"),
    pytest.param('<iframe srcdoc="{{ reader.name }}">x</iframe>', "srcdoc", id="a document"),
    pytest.param("<p><x{{ reader.name }}>x</p>", "the name of a tag", id="name of a tag"),
]


def test_a_field_that_is_not_printed_as_it_stands_is_refused(tmp_path: Path) -> None:
    for printed in (html_page("{{ reader }}"), text_page("{{ reader }}")):
        with pytest.raises(TemplateError, match="changes a personal field"):
            issue_of(tmp_path, printed)


@pytest.mark.parametrize(("html", "named"), PLACES)
def test_a_field_where_its_value_cannot_be_escaped_is_refused_with_the_line(
    tmp_path: Path, html: str, named: str
) -> None:
    with pytest.raises(TemplateError, match="cannot be escaped") as refused:
        issue_of(tmp_path, html_page(html))
    assert named in refused.value.what
    line = 3 if "reader.unsubscribe_url" in html else 4
    assert refused.value.where == f"{tmp_path}/mail/digest.html.j2:{line}"


NOTHING = [
    pytest.param({"digest.html.j2": ""}, "renders nothing", id="empty"),
    pytest.param({"digest.html.j2": " \n\t{# a #}&nbsp;&zwnj;"}, "renders nothing", id="blank"),
    pytest.param({"digest.txt.j2": " \n\n"}, "renders nothing", id="blank text"),
    pytest.param({"digest.html.j2": f"Hello {LEAVE}"}, "none of the posts", id="no posts"),
    pytest.param({"digest.txt.j2": f"Hello {TEXT_LEAVE}"}, "none of the posts", id="no text"),
    pytest.param({"digest.html.j2": "{{ days }}"}, "link to unsubscribe", id="no way out"),
    pytest.param(
        {"digest.html.j2": "{{ days }}{{ reader.unsubscribe_url }}"},
        "link to unsubscribe",
        id="the way out is no link",
    ),
    pytest.param({"digest.txt.j2": "{{ days }}"}, "link to unsubscribe", id="no way out in text"),
    pytest.param(html_page("{{ 1 / 0 }}"), "ZeroDivisionError", id="raises"),
    pytest.param(html_page("{{ 1 + 'a' }}"), "TypeError", id="raises a type error"),
    pytest.param(html_page("{{ nobody }}"), "undefined", id="unknown name"),
    pytest.param(html_page("{% include 'mail/digest.html.j2' %}"), "without end", id="itself"),
    pytest.param(
        html_page("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"), "without end", id="recursion"
    ),
    pytest.param(
        html_page("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"),
        "turns",
        id="loops for ever",
    ),
    pytest.param(
        html_page(
            "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}"
        ),
        "turns",
        id="calls for ever",
    ),
    pytest.param(
        html_page("{% for a in range(99999) %}{{ 'x' * 9999 }}{% endfor %}"),
        "characters",
        id="huge",
    ),
    pytest.param(html_page("{{ 'x' * 10 ** 10 }}"), "100,000", id="a gigabyte at once"),
    pytest.param(html_page("{{ 10 ** 10 ** 10 }}"), "power", id="a power"),
    pytest.param(html_page("{{ 'x' * 99000 }}"), "around the articles", id="too long"),
    pytest.param(text_page("{{ 'x' * 99000 }}"), "around the articles", id="too long a text"),
    pytest.param(html_page("{{ '\\ud800' }}"), "UnicodeEncodeError", id="half a character"),
    pytest.param(
        html_page("{% if web %}{{ reader.name }}{% endif %}"), "everybody may read", id="on the web"
    ),
    pytest.param({"mail.css.j2": ".a { color: {{ nothing }} }"}, "undefined", id="in the styles"),
    pytest.param({"article.html.j2": "{{ story.author.name }}"}, "no attribute", id="an article"),
]


@pytest.mark.parametrize(("files", "reason"), NOTHING)
def test_a_template_that_makes_no_mail_is_refused_with_the_reason(
    tmp_path: Path, files: dict[str, str], reason: str
) -> None:
    with pytest.raises(TemplateError, match=reason) as refused:
        issue_of(tmp_path, files)
    name = next(iter(files))
    assert name in refused.value.where


def test_a_subject_that_goes_on_for_ever_is_refused() -> None:
    endless = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    with pytest.raises(TemplateError, match="turns"):
        seal_issue(
            a_newsletter(subject=endless),
            SITE,
            WEB_URL,
            MAIL,
            build_templates(None),
            [EditionSpec(language="en", posts=(a_post(1),))],
            issue_id=1,
            number=1,
            date=DATE,
        )
