"""The pages for what went wrong: nothing there, taken back, too much, a mistake of ours."""

from collections.abc import Callable
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from dateline.web.paper import Paper
from dateline.web.visit import Visit


def error_page(paper: Paper) -> Callable[[Request, Exception], Response]:
    """What answers an exception: a page in style that says nothing of our insides."""

    def answer(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        headers = error.headers if isinstance(error, HTTPException) else None
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            return PlainTextResponse("Method not allowed\n", status, headers=headers)
        visit = Visit(
            method=request.method,
            path=request.url.path,
            parts={},
            query={},
            form={},
            accept_language=request.headers.get("accept-language", ""),
            network="",
            origin="",
        )
        title, explanation = _words(paper, visit, status)
        return paper.answer("error", visit, title=title, status=status, explanation=explanation)

    return answer


def _words(paper: Paper, visit: Visit, status: int) -> tuple[str, str]:
    gettext = paper.words(paper.language(visit)).gettext
    if status == HTTPStatus.NOT_FOUND:
        return gettext("There is no such page"), gettext(
            "Perhaps the address was cut off on its way, or the page has moved."
        )
    if status == HTTPStatus.GONE:
        return gettext("This post was taken back"), gettext(
            "The newsroom has withdrawn it; it is not shown here any more."
        )
    if status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return gettext("That did not work"), gettext(
            "What your browser sent could not be read. Please go back and try once more."
        )
    return gettext("Something broke on our side"), gettext(
        "It has been written down, and somebody will look. Please try again in a while."
    )
