"""The web server's application: every address of DESIGN.md 7, and what stands in front of them."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from dateline.actions.feed_style import feed_style
from dateline.press import Press
from dateline.redirects import Redirects
from dateline.web import feed_pages, issues, mailbox_pages, pages, subscribe
from dateline.web.errors import error_page
from dateline.web.feed_documents import FeedDocuments
from dateline.web.feed_files import FeedFiles, OnAnswer
from dateline.web.paper import Paper, build_paper
from dateline.web.progress import progress_routes
from dateline.web.security import PICTURE_POLICY, SecurityHeaders
from dateline.web.visit import Visit, in_thread
from feeds.spec import MAX_AGE_S, STYLESHEET_PATH

_FOR_EVER = "public, max-age=31536000, immutable"


def build_app(
    press: Press,
    *,
    mailbox: Path | None = None,
    is_stopping: Callable[[], bool] = lambda: False,
    on_answer: OnAnswer | None = None,
) -> FeedFiles:
    """The ASGI application of a press: built feeds first, then pages. `mailbox` shows a maildir (demo only);
    `is_stopping` says when answers without an end are to end; `on_answer` is told of each answer for a feed."""
    paper = build_paper(press, mailbox=mailbox)
    on_error = error_page(paper)
    site = Starlette(
        routes=[*progress_routes(press, is_stopping), *_routes(paper)],
        exception_handlers=dict.fromkeys((400, 404, 405, 410, 413, 500), on_error),
    )
    config = press.config
    documents = FeedDocuments(
        press.public,
        press.var / "built",
        web_url=config.web.url,
        clock=press.clock,
        hubs=config.websub.hubs,
    )
    taken = frozenset(newsletter.slug for newsletter in config.newsletters)
    redirects = Redirects(config.redirects, web_url=config.web.url, taken=taken)
    return FeedFiles(SecurityHeaders(site), documents, redirects, on_answer)


def _routes(paper: Paper) -> list[BaseRoute]:
    def shows(path: str, page: Callable[[Paper, Visit], Response]) -> Route:
        return Route(path, in_thread(partial(page, paper)), methods=["GET"])

    def acts(path: str, page: Callable[[Paper, Visit], Response]) -> Route:
        return Route(path, in_thread(partial(page, paper)), methods=["GET", "POST"])

    routes: list[BaseRoute] = [
        shows("/", pages.front),
        shows("/healthz", pages.healthz),
        shows("/style.css", _style),
        shows("/icon.svg", _icon),
        shows(STYLESHEET_PATH, _feed_style),
        shows("/feeds/", feed_pages.feeds),
        shows("/feeds/{name}.{format}", pages.no_feed),
        shows("/feeds/{name}/", feed_pages.feed),
        acts("/subscribe", subscribe.sign_up),
        acts("/confirm/{token}", subscribe.confirm),
        acts("/u/{token}", subscribe.unsubscribe),
        acts("/preferences/{token}", subscribe.preferences),
        Mount("/media", _MediaFiles(paper)),
    ]
    if paper.mailbox is not None:
        routes += [
            shows("/mailbox/", mailbox_pages.mailbox),
            shows("/mailbox/{name}/", mailbox_pages.mail),
            shows("/mailbox/{name}/html", mailbox_pages.mail_html),
        ]
    return [
        *routes,
        shows("/{year:int}/{month:int}/{slug}/", pages.post),
        shows("/{newsletter}/{number:int}/", issues.issue),
        shows("/{newsletter}/", issues.issues),
    ]


def _style(paper: Paper, visit: Visit) -> Response:
    return Response(paper.style, media_type="text/css", headers={"Cache-Control": _FOR_EVER})


def _icon(paper: Paper, visit: Visit) -> Response:
    headers = {"Cache-Control": _FOR_EVER, "Content-Security-Policy": PICTURE_POLICY}
    return Response(paper.icon, media_type="image/svg+xml", headers=headers)


def _feed_style(paper: Paper, visit: Visit) -> Response:
    """The style of a feed opened in a browser; its address stands in files, so it carries no fingerprint."""
    headers = {"Cache-Control": f"public, max-age={MAX_AGE_S}"}
    return Response(feed_style(paper.press), media_type="text/css", headers=headers)


class _MediaFiles(StaticFiles):
    """The files of `[paths] media`, each under a policy that lets an SVG draw and do nothing else."""

    def __init__(self, paper: Paper) -> None:
        folder = paper.press.path(paper.press.config.paths.media)
        super().__init__(directory=folder, check_dir=False)

    async def check_config(self) -> None:
        """A newsroom without pictures has no such folder: its files are not there, which is no mistake of ours."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, or 404 as an exception."""
        response = await super().get_response(path, scope)
        response.headers["Content-Security-Policy"] = PICTURE_POLICY
        return response
