"""A request as a value: read with bounds in the event loop, then handled by plain functions in a thread."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message

_BODY_BYTES = 16_384
_FIELDS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What a page needs to know of a request. `network` is the peer's address, used for limits and kept by nobody.

    Neither it nor the form shows in a trace (DESIGN.md 8.8).
    """

    method: str
    path: str
    parts: Mapping[str, str]
    query: Mapping[str, str]
    form: Mapping[str, str] = field(repr=False)
    accept_language: str
    network: str = field(repr=False)
    origin: str

    @property
    def acts(self) -> bool:
        """True for a POST, the only method that changes anything (DESIGN.md 8.7)."""
        return self.method == "POST"

    @property
    def page(self) -> int:
        """The page asked for by `?page=N`, from 1; anything else is the first."""
        text = self.query.get("page", "1")
        return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 7 else 1


Page = Callable[[Visit], Response]


def in_thread(page: Page) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint of Starlette that reads the request and calls `page` in a thread: pages wait for the database."""

    async def endpoint(request: Request) -> Response:
        return await run_in_threadpool(page, await read_visit(request))

    return endpoint


async def read_visit(request: Request) -> Visit:
    """The request as a value; a form of more than 16 kB or 40 fields is refused with 413 or 400."""
    return Visit(
        method=request.method,
        path=request.url.path,
        parts={name: str(value) for name, value in request.path_params.items()},
        query=dict(request.query_params),
        form=await _read_form(request) if request.method == "POST" else {},
        accept_language=request.headers.get("accept-language", ""),
        network=request.client.host if request.client else "",
        origin=request.headers.get("origin", ""),
    )


async def _read_form(request: Request) -> Mapping[str, str]:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _BODY_BYTES:
            raise HTTPException(413)

    async def again() -> Message:
        return {"type": "http.request", "body": bytes(body), "more_body": False}

    replayed = Request(request.scope, again)
    form = await replayed.form(max_files=0, max_fields=_FIELDS)
    return {name: value for name, value in form.items() if isinstance(value, str)}


def best_language(accepted: str, offered: Sequence[str], default: str) -> str:
    """The offered language that an Accept-Language header likes best, else `default` (RFC 9110 12.5.4)."""
    wishes: list[tuple[float, int, str]] = []
    for place, item in enumerate(accepted[:500].split(",")):
        name, _, parameter = item.strip().partition(";")
        wishes.append((-_weight(parameter), place, name.strip().lower().split("-")[0]))
    for weight, _place, name in sorted(wishes):
        if weight < 0 and name in offered:
            return name
    return default


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
