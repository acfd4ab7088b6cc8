"""A relay in a thread that does as a test says: refuses, hangs up after the dot, makes wait, and keeps what came."""

import asyncio
import email
import email.policy
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage

from tests.smtp_sink import Sink


@dataclass
class Board:
    """What the relay is to do, and what it has seen. `refuse`: recipient -> reply; `lose`: it hangs up after the dot;
    `hold`: 354 comes only when `released` is set."""

    port: int = 0
    refuse: dict[str, str] = field(default_factory=dict)
    lose: set[str] = field(default_factory=set)
    hold: set[str] = field(default_factory=set)
    released: threading.Event = field(default_factory=threading.Event)
    on_message: Callable[[int], None] = lambda count: None
    messages: list[tuple[str, bytes]] = field(default_factory=list)
    offered: list[str] = field(default_factory=list)
    cut_short: list[str] = field(default_factory=list)

    @property
    def recipients(self) -> list[str]:
        """Who got something, in order, with repeats."""
        return [recipient for recipient, _ in self.messages]

    def texts(self, recipient: str) -> list[str]:
        """The text of all that somebody got."""
        found = []
        for who, body in self.messages:
            if who == recipient:
                message = email.message_from_bytes(body, policy=email.policy.default)
                assert isinstance(message, EmailMessage)
                part = message.get_body(("plain",))
                assert part is not None
                found.append(part.get_content())
        return found


class _Relay(Sink):
    """One connection."""

    def __init__(self, board: Board) -> None:
        super().__init__(None)
        self._board = board
        self._is_refused = False

    def connection_lost(self, exc: Exception | None) -> None:
        """Notes a text that never got its dot."""
        if self._in_text:
            self._board.cut_short.append(self._recipient)

    def _command(self, answers: list[bytes]) -> bool:
        line = bytes(self._buffer.partition(b"\n")[0]) if b"\n" in self._buffer else b""
        before = len(answers)
        if not super()._command(answers):
            return False
        board, verb = self._board, line[:4].upper()
        if verb == b"RCPT":
            board.offered.append(self._recipient)
            refusal = board.refuse.get(self._recipient)
            self._is_refused = refusal is not None
            if refusal is not None:
                answers[before:] = [refusal.encode() + b"\r\n"]
        elif verb == b"DATA" and self._is_refused:
            self._in_text = False
            answers[before:] = [b"503 5.5.1 no valid recipients\r\n"]
        elif verb == b"DATA" and self._recipient in board.hold:
            answers[before:] = []
            self._transport.write(b"".join(answers))
            answers.clear()
            self._wait()
        return True

    def _wait(self) -> None:
        if self._board.released.is_set():
            self._transport.write(b"354 go on\r\n")
        else:
            asyncio.get_running_loop().call_later(0.005, self._wait)

    def _text(self, answers: list[bytes]) -> bool:
        end = self._buffer.find(b"\r\n.\r\n", self._searched)
        body = bytes(self._buffer[: end + 2]) if end >= 0 else b""
        if not super()._text(answers):
            return False
        board = self._board
        board.messages.append((self._recipient, body))
        board.on_message(len(board.messages))
        if self._recipient in board.lose:
            self._transport.abort()
            answers.clear()
        return True


@contextmanager
def a_relay() -> Iterator[Board]:
    """Listens on a port of its own until the test is over."""
    board, loop = Board(), asyncio.new_event_loop()
    server = loop.run_until_complete(loop.create_server(lambda: _Relay(board), "127.0.0.1", 0))
    board.port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield board
    finally:
        board.released.set()
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        server.close()
        loop.close()
