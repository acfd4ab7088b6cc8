"""The pages around a subscription: sign up, confirm, leave, preferences. Rules live in actions; a GET shows, a POST acts."""

from starlette.responses import PlainTextResponse, Response

from dateline.web.forms import build_form, invitation
from dateline.web.paper import Paper
from dateline.web.visit import Visit


def sign_up(paper: Paper, visit: Visit) -> Response:
    language = paper.language(visit)
    return paper.answer(
        "subscribe",
        visit,
        title="Subscribe",
        heading=invitation(paper, language),
        language=language,
        form=build_form(paper, language),
        fault=None,
    )


def confirm(paper: Paper, visit: Visit) -> Response:
    return PlainTextResponse("")


unsubscribe = preferences = confirm
