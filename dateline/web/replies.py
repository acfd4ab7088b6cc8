"""Answers that are made of a status, finished header lines and a body, ready for the wire."""

from collections.abc import Sequence
from http import HTTPStatus

Header = tuple[bytes, bytes]


class Reply:
    """An answer. `head` is its status line and header lines as they go on the wire, without `Date` and the empty line.

    Made once and sent many times: joining a dozen lines costs as much as all else that a 304 needs.
    """

    __slots__ = ("body", "head", "headers", "status")

    def __init__(self, status: int, headers: Sequence[Header], body: bytes = b"") -> None:
        self.status = status
        self.headers = list(headers)
        self.body = body
        lines = b"".join(b"%b: %b\r\n" % header for header in self.headers)
        self.head = b"HTTP/1.1 %d %b\r\n%b" % (status, _phrase(status), lines)


def wire(*headers: tuple[str, str]) -> list[Header]:
    """Headers as ASGI wants them: bytes, names in lower case."""
    return [(name.lower().encode("ascii"), value.encode("latin-1")) for name, value in headers]


def text_reply(status: int, text: str, *headers: tuple[str, str]) -> Reply:
    """An answer of a line or two for a person."""
    body = text.encode("utf-8")
    length = ("Content-Length", str(len(body)))
    return Reply(
        status, wire(("Content-Type", "text/plain; charset=utf-8"), length, *headers), body
    )


def _phrase(status: int) -> bytes:
    return HTTPStatus(status).phrase.encode("ascii")
