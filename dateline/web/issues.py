"""The pages of a newsletter: the list of its issues, and each issue as its web copy."""

import re
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response

from dateline.web.forms import build_form, invitation
from dateline.web.pager import build_pager
from dateline.web.paper import Paper
from dateline.web.security import page_policy
from dateline.web.visit import Visit, best_language
from dateline.web.words import LANGUAGES, page_language
from newsletter.issues import Issue, count_posts, find_by_number, list_released
from newsletter.spec import NewsletterSettings
from newsletter.stylesheets import style_source
from newsletter.web_copies import WebCopy, list_web_copies
from posts.database import reading
from posts.dates import short_date

_ISSUES_A_PAGE = 50
_HEAD_MARK = "<!-- dateline:head -->"
_BODY = re.compile(r"<body[^>]*>")


def issues(paper: Paper, visit: Visit) -> Response:
    """`/NEWSLETTER/`: its released issues, newest first, and the field to subscribe."""
    newsletter = _newsletter(paper, visit)
    language = paper.language(visit)
    words, zone = paper.words(language), paper.press.config.site.zone
    with reading(paper.press.engine) as conn:
        released = [i for i in reversed(list_released(conn, newsletter.slug)) if i.number]
        start = (visit.page - 1) * _ISSUES_A_PAGE
        shown = released[start : start + _ISSUES_A_PAGE]
        counts = count_posts(conn, [issue.id for issue in shown])
    if not shown and visit.page > 1:
        raise HTTPException(HTTPStatus.NOT_FOUND)

    def line(issue: Issue) -> str:
        stories = counts.get(issue.id, 0)
        counted = words.ngettext("{n} story", "{n} stories", stories).format(n=stories)
        number = words.gettext("No. {number}").format(number=issue.number)
        return f"{number} · {short_date(issue.date, zone, language)} · {counted}"

    return paper.answer(
        "issues",
        visit,
        title=f"{newsletter.title} · {paper.press.config.site.title}",
        heading=newsletter.title,
        language=language,
        canonical=f"{paper.web_url}/{newsletter.slug}/",
        description=words.gettext("Every issue that has gone out, as it was sent."),
        issues=[
            {
                "url": f"/{newsletter.slug}/{issue.number}/",
                "subject": issue.subject or newsletter.title,
                "line": line(issue),
            }
            for issue in shown
        ],
        pager=build_pager(paper, visit, len(released), _ISSUES_A_PAGE),
        form=build_form(paper, language, chosen=newsletter.slug),
        invitation=invitation(paper, language),
    )


def issue(paper: Paper, visit: Visit) -> Response:
    """`/NEWSLETTER/NUMBER/`: the web copy in the visitor's language, of its fullest edition."""
    newsletter = _newsletter(paper, visit)
    number = visit.parts["number"]
    if len(number) > 9:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    with reading(paper.press.engine) as conn:
        found = find_by_number(conn, newsletter.slug, int(number))
        copies = list_web_copies(conn, found.id) if found and found.released else []
    if found is None or not copies:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return _issue_page(paper, visit, newsletter, found, copies)


def _issue_page(
    paper: Paper,
    visit: Visit,
    newsletter: NewsletterSettings,
    found: Issue,
    copies: list[WebCopy],
) -> Response:
    """The sealed document as it is; only its head gets links, and the top a way to the rest of the site."""
    copy = _chosen(copies, visit, paper)
    language = page_language(copy.language)
    url = f"{paper.web_url}/{newsletter.slug}/{found.number}/"
    values = {
        "page": {
            **paper.sheet(visit, language),
            "title": copy.subject,
            "canonical": f"{url}?language={copy.language}" if len(copies) > 1 else url,
        },
        "description": paper.words(language)
        .gettext("{newsletter}, No. {number}")
        .format(newsletter=newsletter.title, number=found.number),
        "languages": [
            {
                "code": other.language,
                "name": LANGUAGES.get(page_language(other.language), other.language),
                "url": f"{url}?language={other.language}",
            }
            for other in copies
            if other is not copy
        ],
        "newsletter": {"title": newsletter.title, "url": f"/{newsletter.slug}/"},
    }
    html = copy.html.replace(_HEAD_MARK, paper.rendered("issue_head", language, **values), 1)
    top = paper.rendered("issue_top", language, **values)
    html = _BODY.sub(lambda match: f"{match[0]}\n{top}", html, count=1)
    html = html.replace("</body>", "</main>\n</body>", 1)
    headers = {
        "Content-Security-Policy": page_policy(style_source(copy.html)),
        "Content-Language": copy.language,
        "Vary": "Accept-Language",
    }
    return HTMLResponse(html, headers=headers)


def _chosen(copies: list[WebCopy], visit: Visit, paper: Paper) -> WebCopy:
    """The copy asked for by `?language=`, else the one the visitor reads best, else the fullest."""
    by_language = {copy.language: copy for copy in copies}
    asked = visit.query.get("language", "")
    if asked in by_language:
        return by_language[asked]
    by_primary = {page_language(copy.language): copy for copy in copies}
    fullest = max(copies, key=lambda copy: len(copy.posts))
    wished = best_language(
        visit.accept_language, list(by_primary), page_language(paper.press.config.site.language)
    )
    return by_primary.get(wished, fullest)


def _newsletter(paper: Paper, visit: Visit) -> NewsletterSettings:
    newsletter = paper.newsletter(visit.parts["newsletter"])
    if newsletter is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return newsletter
