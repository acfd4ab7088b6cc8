"""A trial of an operator's templates: mails of made-up posts, so that a fault shows before an issue is due."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import jinja2

from newsletter.notices_render import NOTICES, NoticeValues, render_notice
from newsletter.render import EditionSpec, seal_issue
from newsletter.spec import MailSettings, NewsletterSettings
from posts.errors import TemplateError
from posts.model import Content, Enclosure, Post, Status
from posts.settings import Site

_DATE = datetime(2024, 2, 29, 17, 0, tzinfo=UTC)
_COUNTS = (1, 3, 45)
"""A single post, one with a list of headlines, and one that says how many more there are."""


def newsletter_faults(
    newsletter: NewsletterSettings,
    site: Site,
    web_url: str,
    mail: MailSettings,
    templates: jinja2.Environment,
    languages: tuple[str, ...],
) -> Iterator[TemplateError]:
    """Each different fault that sealing an issue of made-up posts shows."""
    seen: set[str] = set()
    for count in _COUNTS:
        for language in languages:
            posts = tuple(_post(number, language) for number in range(1, count + 1))
            try:
                seal_issue(
                    newsletter,
                    site,
                    web_url,
                    mail,
                    templates,
                    [EditionSpec(language=language, posts=posts)],
                    issue_id=1,
                    number=1,
                    date=_DATE,
                    next_due=_DATE + timedelta(days=1),
                )
            except TemplateError as error:
                if str(error) not in seen:
                    seen.add(str(error))
                    yield error


def notice_faults(
    site: Site,
    web_url: str,
    mail: MailSettings,
    templates: jinja2.Environment,
    languages: tuple[str, ...],
) -> Iterator[TemplateError]:
    """Each different fault of the mails outside issues."""
    seen: set[str] = set()
    values: NoticeValues = {
        "address": "reader@example.org",
        "newsletter": "Daily",
        "url": f"{web_url.rstrip('/')}/confirm/x",
        "date": _DATE,
        "message_id": "<trial.notice@example.org>",
    }
    for kind in NOTICES:
        for language in languages:
            try:
                render_notice(
                    kind,
                    language=language,
                    site=site,
                    web_url=web_url,
                    mail=mail,
                    templates=templates,
                    values=values,
                )
            except TemplateError as error:
                if str(error) not in seen:
                    seen.add(str(error))
                    yield error


def _post(number: int, language: str) -> Post:
    published = _DATE - timedelta(hours=5 * number)
    return Post(
        id=number,
        guid=f"tag:example.org,2024:{number}",
        slug=f"trial-{number}",
        path=f"/2024/02/trial-{number}/",
        source="trial",
        external_id=f"{number}.md",
        status=Status.PUBLISHED,
        revision=1,
        content=Content(
            title=f"Trial {number}",
            html=f"<p>First words of number {number}.</p>" + "<p>And some more of it.</p>" * 30,
            source_text="",
            language=language if number % 3 else "ar",
            authors=("Ada Quintero",) if number % 2 else (),
            comment_count=number % 2,
            enclosures=(Enclosure(url="https://example.org/a.mp3", type="audio/mpeg"),)
            if number == 1
            else (),
        ),
        content_hash=f"trial {number}",
        published=published,
        updated=published,
        first_seen=published,
    )
