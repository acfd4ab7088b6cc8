"""How sending stands, for machines of the newsroom: as JSON, as an event stream, and for Prometheus.

A newsroom's numbers are nobody else's business: only this machine gets them, or who knows `[web] metrics_token`.
Many viewers cost one reading, and a reading takes at most a twentieth of the time.
"""

import asyncio
import hmac
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_address
from urllib.parse import urlsplit

from pydantic import SecretStr
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from dateline.actions.progress import Figures, FiguresReader, as_plain
from dateline.press import Press
from dateline.web.metrics import render_metrics

_LEAST_AGE_S = 0.5
_SHARE = 0.05
_STEP_S = 0.5
_EVENT_EVERY_S = 1.0
_COMMENT_AFTER_S = 15.0
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
_OF_THE_MOMENT = ("at", "queue_age_s")
"""They move all the time, which is no news."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """The figures at one moment, as JSON too; `gist` is equal as long as nothing changed that is news."""

    figures: Figures
    json: str
    gist: str


class SharedReading:
    """One reading for all who ask at once or soon after each other. All calls come from one event loop.

    A reading that took long is kept for long: twenty times what it took, so that the database is never read for more
    than a twentieth of the time, whoever looks.
    """

    def __init__(
        self,
        read: Callable[[], Figures],
        *,
        least_age_s: float = _LEAST_AGE_S,
        share: float = _SHARE,
    ) -> None:
        self._read = read
        self._least_age_s = least_age_s
        self._share = share
        self._shot: Shot | None = None
        self._stale_at = float("-inf")
        self._reading: asyncio.Task[Shot] | None = None

    async def latest(self) -> Shot:
        """The figures, fresh or a little old; raises what the reading raises."""
        if self._shot is not None and time.monotonic() < self._stale_at:
            return self._shot
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._refresh())
        # a viewer that goes away does not take the reading from the others
        return await asyncio.shield(self._reading)

    async def _refresh(self) -> Shot:
        began = time.monotonic()
        shot = await run_in_threadpool(lambda: _shot_of(self._read()))
        now = time.monotonic()
        self._shot = shot
        self._stale_at = now + max(self._least_age_s, (now - began) * (1 / self._share - 1))
        return shot


def progress_routes(press: Press, is_stopping: Callable[[], bool]) -> list[Route]:
    """`/progress`, `/progress.json` and `/metrics`, which share one reading."""
    shared = SharedReading(FiguresReader(press).read)
    token = press.config.web.metrics_token

    def shows(path: str, answer: Callable[[Request], Awaitable[Response]]) -> Route:
        async def endpoint(request: Request) -> Response:
            if not may_see(request, token):
                raise HTTPException(HTTPStatus.NOT_FOUND)
            return await answer(request)

        return Route(path, endpoint, methods=["GET"])

    async def as_json(request: Request) -> Response:
        shot = await shared.latest()
        return Response(shot.json + "\n", media_type="application/json", headers=_HEADERS)

    async def as_events(request: Request) -> Response:
        if request.method == "HEAD":
            return Response(media_type="text/event-stream", headers=_HEADERS)
        events = stream_events(shared, is_stopping)
        return StreamingResponse(events, media_type="text/event-stream", headers=_HEADERS)

    async def as_metrics(request: Request) -> Response:
        shot = await shared.latest()
        body, content_type = render_metrics(shot.figures, request.headers.get("accept", ""))
        return Response(body, headers={**_HEADERS, "Content-Type": content_type})

    return [
        shows("/progress", as_events),
        shows("/progress.json", as_json),
        shows("/metrics", as_metrics),
    ]


async def stream_events(
    shared: SharedReading,
    is_stopping: Callable[[], bool],
    *,
    comment_after_s: float = _COMMENT_AFTER_S,
    every_s: float = _EVENT_EVERY_S,
) -> AsyncIterator[str]:
    """An event whenever the figures changed, a comment where they did not for a while; ends with the server."""
    gist, told_at = "", time.monotonic()
    yield "retry: 3000\n\n"
    while not is_stopping():
        shot = await shared.latest()
        if shot.gist != gist:
            gist, told_at = shot.gist, time.monotonic()
            yield f"event: progress\ndata: {shot.json}\n\n"
        elif time.monotonic() - told_at >= comment_after_s:
            told_at = time.monotonic()
            yield ": nothing new\n\n"
        until = time.monotonic() + every_s
        while not is_stopping() and (rest_s := until - time.monotonic()) > 0:
            await asyncio.sleep(min(rest_s, _STEP_S))


def may_see(request: Request, token: SecretStr | None) -> bool:
    """True for who knows the token, and for a program on this machine that asks us itself.

    A reverse proxy is on this machine too. One says so by a header; one that was told nothing (nginx as it comes)
    speaks HTTP/1.0. The host that was asked for must be this machine by name, else a page in somebody's browser
    here could ask by a name of its own.
    """
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if token is not None and scheme.lower() == "bearer":
        return hmac.compare_digest(given.strip().encode(), token.get_secret_value().encode())
    return (
        request.client is not None
        and _is_here(request.client.host)
        and _is_here(_host_asked_for(request))
        and request.scope.get("http_version") != "1.0"
        and not any(name in request.headers for name in _FORWARDED)
    )


def _host_asked_for(request: Request) -> str:
    try:
        return urlsplit("//" + request.headers.get("host", "")).hostname or ""
    except ValueError:
        return ""


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def _shot_of(figures: Figures) -> Shot:
    plain = as_plain(figures)
    gist = {name: value for name, value in plain.items() if name not in _OF_THE_MOMENT}
    return Shot(figures=figures, json=json.dumps(plain, ensure_ascii=False), gist=json.dumps(gist))
