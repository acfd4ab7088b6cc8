"""A recording SMTP sink in a process of its own: `python -m tests.smtp_sink LOG [--port-file FILE]`.

Each message that gets its final dot is a line of LOG, written before the answer: recipient, Message-ID, hash of the
bytes. It offers PIPELINING. `--discard` keeps no log (for the benchmark); `--delay` waits before each burst of answers.
"""

import argparse
import asyncio
import hashlib
import re
from pathlib import Path
from typing import TextIO, cast

_END = b"\r\n.\r\n"
_MESSAGE_ID = re.compile(rb"(?im)^message-id:\s*(\S+)")


class Sink(asyncio.Protocol):
    """One connection."""

    def __init__(self, log: TextIO | None, delay_s: float = 0.0) -> None:
        self._log = log
        self._delay_s = delay_s
        self._buffer = bytearray()
        self._in_text = False
        self._searched = 0
        self._recipient = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greets."""
        self._transport = cast(asyncio.Transport, transport)
        transport.write(b"220 sink.example ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        """Takes commands and texts as they come."""
        self._buffer += data
        answers: list[bytes] = []
        while self._step(answers):
            pass
        if answers and self._delay_s:
            loop = asyncio.get_running_loop()
            loop.call_later(self._delay_s, self._transport.write, b"".join(answers))
        elif answers:
            self._transport.write(b"".join(answers))

    def _step(self, answers: list[bytes]) -> bool:
        return self._text(answers) if self._in_text else self._command(answers)

    def _text(self, answers: list[bytes]) -> bool:
        end = self._buffer.find(_END, self._searched)
        if end < 0:
            self._searched = max(0, len(self._buffer) - len(_END))
            return False
        if self._log is not None:
            self._record(bytes(self._buffer[: end + 2]))
        del self._buffer[: end + len(_END)]
        self._in_text = False
        answers.append(b"250 2.0.0 queued\r\n")
        return True

    def _record(self, body: bytes) -> None:
        assert self._log is not None
        found = _MESSAGE_ID.search(body)
        digest = hashlib.sha256(body).hexdigest()
        self._log.write(f"{self._recipient} {found[1].decode() if found else '-'} {digest}\n")
        self._log.flush()

    def _command(self, answers: list[bytes]) -> bool:
        end = self._buffer.find(b"\n")
        if end < 0:
            return False
        line = bytes(self._buffer[:end]).strip()
        del self._buffer[: end + 1]
        verb = line[:4].upper()
        if verb == b"EHLO":
            answers.append(
                b"250-sink.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"
            )
        elif verb == b"RCPT":
            self._recipient = line.partition(b"<")[2].partition(b">")[0].decode()
            answers.append(b"250 2.1.5 ok\r\n")
        elif verb == b"DATA":
            self._in_text, self._searched = True, 0
            answers.append(b"354 go on\r\n")
        elif verb == b"QUIT":
            answers.append(b"221 2.0.0 bye\r\n")
        else:
            answers.append(b"250 2.0.0 ok\r\n")
        return True


async def serve(log: TextIO | None, port_file: Path | None, port: int, delay_s: float) -> None:
    """Listens until the process is ended; the port stands in `port_file` once it does."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Sink(log, delay_s), "127.0.0.1", port)
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
    parser.add_argument("--discard", action="store_true")
    given = parser.parse_args()
    import uvloop

    with given.log.open("a", encoding="utf-8") as log:
        kept = None if given.discard else log
        uvloop.run(serve(kept, given.port_file, given.port, given.delay))


if __name__ == "__main__":
    main()
