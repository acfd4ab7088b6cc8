"""The headers that every answer carries: what a page may load, what it tells others, where its forms go."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; frame-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
"""No script at all, nothing from elsewhere (DESIGN.md 8.8)."""


def page_policy(style_source: str) -> str:
    """The policy of a page that carries a style of its own, named by its hash."""
    return PAGE_POLICY.replace("style-src 'self'", f"style-src {style_source}")


LETTER_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'self'"
)
"""A mail shown as its reader sees it: its styles are inline by need, scripts and forms are off."""

SANDBOX = (
    "; sandbox allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation"
)

PICTURE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
"""A file of the newsroom opened by itself: an SVG may carry script, and has none here."""

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), browsing-topics=()",
}


class SecurityHeaders:
    """Adds the headers around an application, errors included; an answer's own policy is left as it is."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on and completes the head of the answer."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("Content-Security-Policy", PAGE_POLICY)
                for name, value in _ALWAYS.items():
                    headers.setdefault(name, value)
            await send(message)

        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        await self._app(scope, receive, send_with_headers)
