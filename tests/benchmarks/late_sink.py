"""A sink that answers late, as a relay far away does: `python -m tests.benchmarks.late_sink PORT DELAY_S`.

Each burst of answers waits for the delay; bursts do not wait for each other. It looks for the final dot and keeps
nothing, so that several hundred connections are no trouble; several processes may share the port.
"""

import asyncio
import sys
from collections.abc import Callable
from typing import cast

_END = b"\r\n.\r\n"
_OFFER = b"250-sink.example\r\n250-PIPELINING\r\n250-SIZE\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"
_ANSWERS = {
    b"EHLO": _OFFER,
    b"DATA": b"354 go on\r\n",
    b"QUIT": b"221 2.0.0 bye\r\n",
}


class LateSink(asyncio.Protocol):
    """One connection; `keep` gets each message as it came, without its final dot."""

    def __init__(self, delay_s: float, keep: Callable[[bytes], None] | None = None) -> None:
        self._delay_s = delay_s
        self._keep = keep
        self._in_text = False
        self._rest = b""
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greets."""
        self._transport = cast(asyncio.Transport, transport)
        self._answer(b"220 sink.example ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        """Takes commands and texts as they come."""
        data = self._rest + data
        answers = b""
        while True:
            if self._in_text:
                end = data.find(_END)
                if end < 0:
                    self._rest = data if self._keep is not None else data[-4:]
                    break
                if self._keep is not None:
                    self._keep(data[2 : end + 2])
                self._in_text = False
                data = data[end + len(_END) :]
                answers += b"250 2.0.0 queued\r\n"
            else:
                line, found, rest = data.partition(b"\r\n")
                if not found:
                    self._rest = data
                    break
                verb = line[:4].upper()
                answers += _ANSWERS.get(verb, b"250 2.0.0 ok\r\n")
                self._in_text = verb == b"DATA"
                # the line break before the text, so that a text without a line ends too
                data = b"\r\n" + rest if self._in_text else rest
        if answers:
            self._answer(answers)

    def _answer(self, answers: bytes) -> None:
        if self._delay_s:
            self._loop.call_later(self._delay_s, self._transport.write, answers)
        else:
            self._transport.write(answers)


async def serve(port: int, delay_s: float) -> None:
    """Listens until the process is ended."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: LateSink(delay_s), "127.0.0.1", port, reuse_port=True, backlog=1000
    )
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    uvloop.run(serve(int(sys.argv[1]), float(sys.argv[2])))
