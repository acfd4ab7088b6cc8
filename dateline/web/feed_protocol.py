"""Uvicorn's HTTP protocol with a short way for feeds: an answer that is ready goes out without a task of its own.

A task, its scope, its cycle and two messages cost twice what all of a 304 does. So when a request's head is complete
and nobody is being answered on its connection, `FeedFiles.reply` is asked at once; for everything else uvicorn does what
it always does. It also bounds the head of a request, which uvicorn with httptools does not.
"""

import asyncio
import urllib.parse
from collections.abc import Callable, Sequence
from typing import ClassVar

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from dateline.web.replies import Header, Reply, text_reply

MAX_HEAD_BYTES = 512 * 1024
MAX_HEADERS = 500

GiveReply = Callable[[str, str, str, Sequence[Header]], Reply | None]
"""`FeedFiles.reply`: method, decoded path, query and headers to an answer, or None."""

_TOO_MUCH = text_reply(
    431, "Too many or too long headers.\n", ("Connection", "close"), ("Cache-Control", "no-store")
)


def feed_protocol(give_reply: GiveReply) -> type[HttpToolsProtocol]:
    """The protocol class for `uvicorn.Config(http=...)` that asks `give_reply` first."""

    class Bound(FeedProtocol):
        _give_reply = staticmethod(give_reply)

    return Bound


class FeedProtocol(HttpToolsProtocol):
    """One connection. `_is_answered`: the request that is being read has its answer already."""

    _give_reply: "staticmethod[[str, str, str, Sequence[Header]], Reply | None]"
    _is_answered = False
    _is_in_head = False
    _head_bytes = 0
    _answered_at = 0.0
    _watch: asyncio.TimerHandle | None = None
    _date: ClassVar[tuple[object, bytes]] = (None, b"")

    def data_received(self, data: bytes) -> None:
        """Reads on, unless a head has grown too long."""
        if self._is_in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._unset_keepalive_if_required()
                self._refuse()
                return
        super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is watched any more."""
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """A new head begins; what uvicorn makes of it can wait until it is uvicorn's to answer."""
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._is_answered = False
        self._is_in_head = True
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        """Answers at once where there is an answer and it is this request's turn."""
        self._is_in_head = False
        if len(self.headers) > MAX_HEADERS:
            self._is_answered = True
            self._refuse()
            return
        # An upgrade is uvicorn's business, whatever it asks for.
        is_ours = self._is_free() and not self.parser.should_upgrade()
        reply = self._ask() if is_ours else None
        if reply is None:
            self._leave_to_uvicorn()
            return
        self._is_answered = True
        self._send(reply)

    def on_body(self, body: bytes) -> None:
        """Lets go of the body of a request that is answered."""
        if not self._is_answered:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Nothing is left to do for a request that is answered."""
        if not self._is_answered:
            super().on_message_complete()

    def _is_free(self) -> bool:
        """True where nothing stands before this request: no answer under way, no bytes waiting for a slow reader."""
        is_busy = self.cycle is not None and not self.cycle.response_complete
        return not is_busy and not self.flow.write_paused and not self.transport.is_closing()

    def _leave_to_uvicorn(self) -> None:
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers.extend(headers)  # its scope has this list
        super().on_headers_complete()

    def _ask(self) -> Reply | None:
        # As uvicorn reads it; what it cannot read, it is left to refuse.
        try:
            parsed = httptools.parse_url(self.url)
        except httptools.HttpParserInvalidURLError:
            return None
        path = parsed.path.decode("latin-1")
        if "%" in path:
            path = urllib.parse.unquote(path)
        query = parsed.query.decode("latin-1") if parsed.query else ""
        method = self.parser.get_method().decode("ascii")
        try:
            return self._give_reply(method, path, query, self.headers)
        except Exception:  # noqa: BLE001, a mistake of ours: the long way meets it again, tells it and answers 500
            return None

    def _send(self, reply: Reply) -> None:
        keeps = self.parser.should_keep_alive() and self.parser.get_http_version() != "1.0"
        end = b"\r\n" if keeps else b"connection: close\r\n\r\n"
        self.transport.write(reply.head + self._date_line() + end)
        if reply.body and self.parser.get_method() != b"HEAD":
            self.transport.write(reply.body)
        self.server_state.total_requests += 1
        if not keeps:
            self.transport.close()
            return
        self._answered_at = self.loop.time()
        if self._watch is None:
            self._watch = self.loop.call_later(self.timeout_keep_alive, self._close_if_idle)

    def _close_if_idle(self) -> None:
        """Ends a connection that nobody used for as long as uvicorn allows. One timer a connection that looks at the time
        of the last answer: setting one for each answer costs a third of it."""
        self._watch = None
        if self.transport.is_closing():
            return
        is_busy = self._is_in_head or not self._is_free() or self.timeout_keep_alive_task
        left = self._answered_at + self.timeout_keep_alive - self.loop.time()
        if not is_busy and left <= 0:
            self.transport.close()
            return
        wait = left if left > 0 else self.timeout_keep_alive
        self._watch = self.loop.call_later(wait, self._close_if_idle)

    def _date_line(self) -> bytes:
        """`Date:` and the like, joined once for each list of them, of which uvicorn makes one a second."""
        default = self.server_state.default_headers
        made_of, line = FeedProtocol._date
        if made_of is not default:
            line = b"".join(b"%b: %b\r\n" % header for header in default)
            FeedProtocol._date = (default, line)
        return line

    def _refuse(self) -> None:
        """431 (RFC 6585 5), and the connection ends."""
        if not self.transport.is_closing():
            self.transport.write(_TOO_MUCH.head + self._date_line() + b"\r\n" + _TOO_MUCH.body)
            self.transport.close()
