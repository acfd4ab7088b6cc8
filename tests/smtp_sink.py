"""A recording SMTP sink in a process of its own: `python -m tests.smtp_sink LOG [--port-file FILE]`.

Each message that gets its final dot is a line of LOG, on disk before the answer: time, recipient, Message-ID, hash of
the bytes. It offers PIPELINING. `--discard` keeps no log (for the benchmark); `--delay` waits before each burst of
answers; `--plan` misbehaves as tests/faults/manners.py says, and LOG.events tells how often.
"""

import argparse
import asyncio
import hashlib
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, cast

_END = b"\r\n.\r\n"
_MESSAGE_ID = re.compile(rb"(?im)^message-id:\s*(\S+)")
_EHLO = b"250-sink.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n"


class Manners:
    """How a relay behaves; this one as it should. Answers are lines without their end; None: it says nothing more."""

    smtputf8 = True

    def greeting(self) -> str:
        """To a new connection; it closes after one that is not 220."""
        return "220 sink.example ESMTP"

    def parted(self) -> None:
        """A connection has ended."""

    def rcpt(self, recipient: str) -> str:
        """To a recipient."""
        return "250 2.1.5 ok"

    def data(self, recipient: str) -> str | None:
        """To DATA, where the recipient was taken."""
        return "354 go on"

    def dot(self, recipient: str) -> tuple[bool, str | None]:
        """To a whole text: whether it is kept, and the answer; "" closes without one."""
        return True, "250 2.0.0 queued"

    def wait_s(self) -> float:
        """How long a burst of answers is held back."""
        return 0.0


class Record:
    """The log: what is written is on disk before `then` is called; several connections share one sync."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._waiting: list[Callable[[], None]] = []

    def write(self, recipient: str, body: bytes) -> None:
        """Notes a message."""
        found = _MESSAGE_ID.search(body)
        digest = hashlib.sha256(body).hexdigest()
        message_id = found[1].decode() if found else "-"
        self._file.write(f"{time.time():.6f} {recipient} {message_id} {digest}\n".encode())

    def then(self, call: Callable[[], None]) -> None:
        """Calls as soon as all that was written is on disk."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._sync)
        self._waiting.append(call)

    def _sync(self) -> None:
        self._file.flush()
        os.fdatasync(self._file.fileno())
        waiting, self._waiting = self._waiting, []
        for call in waiting:
            call()


class Sink(asyncio.Protocol):
    """One connection."""

    def __init__(
        self, record: Record | None, delay_s: float = 0.0, manners: Manners | None = None
    ) -> None:
        self._log = record
        self._delay_s = delay_s
        self._manners = manners or Manners()
        self._buffer = bytearray()
        self._in_text = False
        self._searched = 0
        self._recipient = ""
        self._is_refused = False
        self._is_mute = False
        self._closes = False
        self._noted = False
        self._say_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greets."""
        self._transport = cast(asyncio.Transport, transport)
        greeting = self._manners.greeting()
        self._transport.write(greeting.encode() + b"\r\n")
        if not greeting.startswith("220"):
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """The end."""
        self._manners.parted()

    def data_received(self, data: bytes) -> None:
        """Takes commands and texts as they come."""
        self._buffer += data
        answers: list[bytes] = []
        while not (self._is_mute or self._closes) and self._step(answers):
            pass
        if not answers and not self._closes:
            return
        if self._noted and self._log is not None:
            self._noted = False
            self._log.then(lambda: self._answer(answers))
        else:
            self._answer(answers)

    def _answer(self, answers: list[bytes]) -> None:
        loop = asyncio.get_running_loop()
        # never before an earlier burst that was held back
        self._say_at = max(loop.time() + self._delay_s + self._manners.wait_s(), self._say_at)
        if self._say_at > loop.time():
            loop.call_at(self._say_at, self._say, answers)
        else:
            self._say(answers)

    def _say(self, answers: list[bytes]) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(b"".join(answers))
        if self._closes:
            self._transport.abort()

    def _step(self, answers: list[bytes]) -> bool:
        return self._text(answers) if self._in_text else self._command(answers)

    def _text(self, answers: list[bytes]) -> bool:
        end = self._buffer.find(_END, self._searched)
        if end < 0:
            self._searched = max(0, len(self._buffer) - len(_END))
            return False
        kept, answer = self._manners.dot(self._recipient)
        if kept and self._log is not None:
            self._log.write(self._recipient, bytes(self._buffer[: end + 2]))
            self._noted = True
        del self._buffer[: end + len(_END)]
        self._in_text = False
        self._is_mute, self._closes = answer is None, answer == ""
        if answer:
            answers.append(answer.encode() + b"\r\n")
        return True

    def _command(self, answers: list[bytes]) -> bool:
        end = self._buffer.find(b"\n")
        if end < 0:
            return False
        line = bytes(self._buffer[:end]).strip()
        del self._buffer[: end + 1]
        verb = line[:4].upper()
        if verb == b"EHLO":
            answers.append(
                _EHLO + (b"250 SMTPUTF8\r\n" if self._manners.smtputf8 else b"250 OK\r\n")
            )
        elif verb == b"RCPT":
            self._recipient = line.partition(b"<")[2].partition(b">")[0].decode()
            reply = self._manners.rcpt(self._recipient)
            self._is_refused = not reply.startswith("250")
            answers.append(reply.encode() + b"\r\n")
        elif verb == b"DATA":
            self._data(answers)
        elif verb == b"QUIT":
            answers.append(b"221 2.0.0 bye\r\n")
        else:
            answers.append(b"250 2.0.0 ok\r\n")
        return True

    def _data(self, answers: list[bytes]) -> None:
        if self._is_refused:
            answers.append(b"503 5.5.1 no valid recipients\r\n")
            return
        reply = self._manners.data(self._recipient)
        self._is_mute = reply is None
        if reply is not None:
            self._in_text, self._searched = True, 0
            answers.append(reply.encode() + b"\r\n")


async def serve(
    record: Record | None,
    port_file: Path | None,
    port: int,
    delay_s: float,
    manners: Manners | None = None,
) -> None:
    """Listens until the process is ended; the port stands in `port_file` once it does."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Sink(record, delay_s, manners), "127.0.0.1", port)
    if port_file is not None:
        draft = port_file.with_suffix(".draft")
        draft.write_text(str(server.sockets[0].getsockname()[1]))
        draft.rename(port_file)
    async with server:
        await server.serve_forever()


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("log", type=Path)
    parser.add_argument("--port-file", type=Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--plan")
    parser.add_argument("--discard", action="store_true")
    given = parser.parse_args()
    import uvloop

    manners: Manners | None = None
    if given.plan:
        from tests.faults.manners import Hostile, Plan

        manners = Hostile(Plan.parse(given.plan), given.log.with_suffix(".events"))
    with given.log.open("ab") as log:
        kept = None if given.discard else Record(log)
        uvloop.run(serve(kept, given.port_file, given.port, given.delay, manners))


if __name__ == "__main__":
    main()
