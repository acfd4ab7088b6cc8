"""What is compiled is what a full render gives: random posts, readers, languages and operators' templates."""

import hashlib
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from html import escape
from pathlib import Path

import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dateline.templating import build_templates
from newsletter.digest import build_digest
from newsletter.message import Recipient
from newsletter.render import EditionSpec, seal_issue
from newsletter.words import Words
from posts.model import Enclosure, Post
from tests.newsletter.full_render import Values, full_html, full_message, full_text
from tests.newsletter.mail_samples import (
    DATE,
    KEYS,
    MAIL,
    NEXT,
    SITE,
    WEB_URL,
    a_newsletter,
    a_post,
    a_recipient,
    message,
)
from tests.newsletter.test_message import part, spelled_alike

TEXT = st.text(
    st.sampled_from("aZ é日 <&>\"'\u00a0.,-=@{}%س🚢\u200d") | st.characters(codec="utf-8", categories=("L", "N", "P", "S")),
    min_size=1,
    max_size=40,
)  # fmt: skip
PARAGRAPHS = st.lists(TEXT, min_size=1, max_size=8)
OWN = {
    "own.html.j2": """<html><body>{% macro leave() %}<a href="{{ reader.unsubscribe_url }}">{{ _("Unsubscribe") }}</a>{% endmacro %}
{% if language == "es" %}Hola{% else %}Hello{% endif %} {% if not web %}{{ reader.name }} &lt;{{ reader.address }}&gt;{{ reader.since }}{% endif %}
<b title="{{ digest.subject }}">{{ digest.subject|upper }}</b> {{ digest.stories|length }}
{% for one in digest.headlines %}<i>{{ loop.index }} {{ one.title }}</i>{% endfor %}
{% for day in digest.days %}<h2>{{ day.line }}</h2>{% for story in day.stories %}
{{ article(story) }}
{% endfor %}{% endfor %}
{{ digest.counts }} {{ digest.preheader }} {{ digest.more }}
{% if not web %}{{ why }} {{ leave() }}{% endif %}</body></html>
""",
    "own.txt.j2": """{{ reader.name }} {{ digest.subject|upper }} {{ digest.counts }}
{% if digest.headlines|length > 3 %}many{% endif %}
{{ headlines }}
{% for story in digest.stories %}
{{ article(story) }}
{% endfor %}
{{ why }} {{ reader.address }}{{ reader.since }} {{ reader.unsubscribe_url }} {{ reader.preferences_url }}
""",
}


@st.composite
def posts_and_readers(draw: st.DrawFn) -> tuple[list[Post], Recipient, str]:
    """Up to 45 posts, and a reader of one language."""
    titles = draw(st.lists(TEXT, min_size=1, max_size=45))
    posts = []
    for number, title in enumerate(titles, 1):
        paragraphs = draw(PARAGRAPHS)
        posts.append(
            a_post(
                number,
                title=title.strip() or "x",
                html="".join(f"<p>{escape(one)}</p>" for one in paragraphs)
                + draw(st.sampled_from(["", "<ul><li>a</li></ul>", "<pre>  a\n b</pre>"])),
                language=draw(st.sampled_from(["en", "es", "ar", "zh-Hant"])),
                authors=tuple(draw(st.lists(TEXT.filter(str.strip), max_size=2))),
                comment_count=draw(st.integers(0, 3)),
                enclosures=(Enclosure(url="https://a.example/b.mp3", type="audio/mpeg"),)
                if draw(st.booleans())
                else (),
                published=DATE - timedelta(hours=draw(st.integers(0, 200))),
                lead=draw(st.booleans()),
            )
        )
    reader = a_recipient(
        name=draw(st.none() | st.text("aé\"<>&' ", max_size=30)),
        address=draw(st.sampled_from(["a@example.org", "o'b&c@example.org", "x" * 64 + "@e.org"])),
        since=draw(st.none() | st.just(datetime(2009, 3, 5, 18, tzinfo=UTC))),
    )
    return posts, reader, draw(st.sampled_from(["en", "es"]))


@lru_cache(maxsize=1)
def operators_templates(folder: Path) -> jinja2.Environment:
    (folder / "mail").mkdir()
    for name, text in OWN.items():
        (folder / "mail" / name).write_text(text, "utf-8")
    return build_templates(folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An operator's folder."""
    return tmp_path_factory.mktemp("operator")


@pytest.mark.parametrize("template", ["digest", "own"])
@pytest.mark.parametrize("length", ["smart", "full", "headlines"])
@settings(max_examples=25, deadline=None)
@given(given=posts_and_readers())
def test_a_compiled_message_reads_as_a_full_render(
    folder: Path, template: str, length: str, given: tuple[list[Post], Recipient, str]
) -> None:
    posts, reader, language = given
    newsletter = a_newsletter(template=template, length=length)
    environment = operators_templates(folder)
    others = [EditionSpec(language=language, posts=tuple(posts[:1]))]
    others += [EditionSpec(language="es", posts=tuple(posts[1:]))] if posts[1:] else []
    issue = seal_issue(
        newsletter,
        SITE,
        WEB_URL,
        MAIL,
        environment,
        [*others, EditionSpec(language=language, posts=tuple(posts))],
        issue_id=812,
        number=128,
        date=DATE,
        next_due=NEXT,
    )
    body = message(issue, reader, edition=len(others))
    digest = build_digest(
        newsletter, SITE, WEB_URL, posts, number=128, date=DATE, language=language, next_due=NEXT
    )
    day = reader.since.astimezone(SITE.zone).date() if reader.since else None
    tokens = [
        KEYS.token(kind, 9, generation=0, made=DATE) for kind in ("unsubscribe", "preferences")
    ]
    values = Values(
        address=reader.address,
        name=reader.name or "",
        since=Words(language).since(day) if day else "",
        unsubscribe_url=f"{WEB_URL}/u/{tokens[0]}",
        preferences_url=f"{WEB_URL}/preferences/{tokens[1]}",
    )
    text = full_text(environment, newsletter, digest, values)
    html = full_html(environment, newsletter, SITE, digest, values)
    whole = full_message(text, html).as_bytes()
    assert part(body, "plain") == part(whole, "plain")
    assert spelled_alike(part(body, "html")) == spelled_alike(part(whole, "html"))


def test_8_1_editions_sealed_in_two_processes_are_the_same_bytes(folder: Path) -> None:
    operators_templates(folder)
    code = (
        "import hashlib, sys; from pathlib import Path; from dateline.templating import build_templates;"
        "from newsletter.render import *; from tests.newsletter.mail_samples import *;"
        "week = a_week();"
        "issues = [seal_issue(a_newsletter(template=name), SITE, WEB_URL, MAIL, build_templates(Path(sys.argv[1])),"
        " [EditionSpec(language=one, posts=tuple(week[at:])) for one in ('en', 'es') for at in (0, 5, 29)],"
        " issue_id=812, number=1, date=DATE, next_due=NEXT) for name in ('digest', 'own')];"
        "print(hashlib.sha256(repr(issues).encode()).hexdigest());"
        "print(hashlib.sha256(b''.join(message(one, edition=at) for one in issues for at in range(6))).hexdigest())"
    )
    given = {
        subprocess.run(
            [sys.executable, "-c", code, str(folder)],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ".", "TZ": zone, "LC_ALL": locale},
            capture_output=True,
            check=True,
        ).stdout
        for seed, zone, locale in (("1", "Asia/Tokyo", "C"), ("77", "UTC", "C.UTF-8"))
    }
    assert len(given) == 1
    assert len(given.pop().split()[1]) == hashlib.sha256().digest_size * 2
