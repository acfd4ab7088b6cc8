"""The demo's mailbox: every mail in the maildir, as its reader sees it. Never part of a real site."""

from http import HTTPStatus
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response

from dateline.web.maildir import Mail, list_mails, read_mail
from dateline.web.pager import build_pager
from dateline.web.paper import Paper
from dateline.web.security import LETTER_POLICY, SANDBOX
from dateline.web.visit import Visit
from posts.dates import short_date, time_of_day

_MAILS_A_PAGE = 50
_SHORT_HEADERS = ("From", "To", "Subject", "Date", "List-Id", "List-Unsubscribe")


def mailbox(paper: Paper, visit: Visit) -> Response:
    """`/mailbox/`: the mails, newest first; `?q=` finds by a part of an address or a subject."""
    language = paper.language(visit)
    words, zone = paper.words(language), paper.press.config.site.zone
    query = visit.query.get("q", "").strip()[:100]
    found = list_mails(_folder(paper), containing=query)
    start = (visit.page - 1) * _MAILS_A_PAGE
    counted = words.ngettext("{n} mail", "{n} mails", len(found)).format(n=len(found))
    return paper.answer(
        "mailbox",
        visit,
        title=words.gettext("Mailbox"),
        language=language,
        standfirst=words.gettext(
            "{count}. Nobody was really mailed: this is the maildir of the demo."
        ).format(count=counted),
        query=query,
        mails=[
            {
                "url": f"/mailbox/{mail.name}/",
                "subject": mail.subject,
                "to": mail.to,
                "time": f"{short_date(mail.at, zone, language)}, {time_of_day(mail.at, zone, language)}",
            }
            for mail in found[start : start + _MAILS_A_PAGE]
        ],
        pager=build_pager(
            paper, visit, len(found), _MAILS_A_PAGE, extra=f"&q={query}" * bool(query)
        ),
    )


def mail(paper: Paper, visit: Visit) -> Response:
    """`/mailbox/NAME/`: one mail, its HTML part in a frame that may run nothing."""
    found = _mail(paper, visit)
    return paper.answer(
        "mail",
        visit,
        title=found.subject,
        short_headers=[(name, found.header(name)) for name in _SHORT_HEADERS if found.header(name)],
        headers=found.headers_text,
        text=found.text,
        html_url=f"/mailbox/{visit.parts['name']}/html" if found.html else None,
    )


def mail_html(paper: Paper, visit: Visit) -> Response:
    """`/mailbox/NAME/html`: the HTML part alone, in a sandbox; its links open in the whole window."""
    found = _mail(paper, visit)
    if not found.html:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    html = found.html.replace("<head>", '<head><base target="_top">', 1)
    return HTMLResponse(
        html,
        headers={
            "Content-Security-Policy": LETTER_POLICY.replace("base-uri 'none'; ", "") + SANDBOX
        },
    )


def _mail(paper: Paper, visit: Visit) -> Mail:
    found = read_mail(_folder(paper), visit.parts["name"])
    if found is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return found


def _folder(paper: Paper) -> Path:
    assert paper.mailbox is not None
    return paper.mailbox
