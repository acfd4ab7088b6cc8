"""An SMTP server that does as it is told: each answer can be replaced, held back, or the connection dropped.

Runs in the loop of the test, on a real socket. What it heard stands in `connections`.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

DROP = "(drop)"
"""An answer: the connection is cut, without a word."""
HANG = "(hang)"
"""An answer: none, for ever."""
DRIP = "(drip)"
"""An answer: a reply that never ends, byte by byte."""

GOOD = {"DATA": "354 go on", "DOT": "250 2.0.0 queued as Q1", "QUIT": "221 bye"}


@dataclass
class Heard:
    """What one connection heard: command lines, and texts up to their dot (a lone dot is an empty text)."""

    commands: list[str] = field(default_factory=list)
    texts: list[bytes] = field(default_factory=list)

    def verbs(self) -> str:
        """The verbs in their order."""
        return " ".join(line.split(" ")[0].split(":")[0] for line in self.commands)


class Talk:
    """One connection, seen from the server."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, heard: Heard
    ) -> None:
        self.reader = reader
        self.writer = writer
        self.heard = heard
        self._ahead: deque[bytes] = deque()

    async def say(self, *lines: str) -> None:
        """Writes one reply or several at once."""
        self.writer.write(
            "".join(line + "\r\n" for line in lines).encode("utf-8", "surrogateescape")
        )
        await self.writer.drain()

    async def line(self) -> bytes:
        """The next line; raises EOFError at the end."""
        if self._ahead:
            return self._ahead.popleft()
        line = await self.reader.readline()
        if not line:
            raise EOFError
        return line

    async def read_ahead(self, lines: int) -> None:
        """Waits until so many more lines are there, without hearing them yet."""
        while len(self._ahead) < lines:
            line = await self.reader.readline()
            if not line:
                return
            self._ahead.append(line)

    async def text(self) -> None:
        """Reads a text up to its dot."""
        lines: list[bytes] = []
        while (line := await self.line()) != b".\r\n":
            lines.append(line)
        self.heard.texts.append(b"".join(lines))

    def drop(self) -> None:
        """Cuts the connection."""
        self.writer.transport.abort()


Script = Callable[[Talk], Awaitable[None]]


def obedient(
    answers: Mapping[str, Sequence[str]] | None = None,
    *,
    offers: Sequence[str] = ("PIPELINING",),
    ahead_of_dot: int = 0,
    greeting: str = "220 scripted.example ESMTP",
) -> Script:
    """A server that answers well but for `answers`: per verb (EHLO, MAIL, RCPT, DATA, DOT, ...) what it says in turn.

    `ahead_of_dot`: the reply to a dot waits until so many lines behind it have come.
    """

    async def script(talk: Talk) -> None:
        left = {verb: deque(said) for verb, said in (answers or {}).items()}
        await answer(talk, greeting)
        while True:
            line = (await talk.line()).decode("utf-8", "surrogateescape").rstrip("\r\n")
            talk.heard.commands.append(line)
            verb = line.split(" ")[0].split(":")[0].upper()
            said = left[verb].popleft() if left.get(verb) else _good(verb, offers)
            await answer(talk, said)
            if verb == "QUIT":
                return
            if verb == "DATA" and said.startswith("354"):
                await talk.text()
                await talk.read_ahead(ahead_of_dot)
                await answer(talk, left["DOT"].popleft() if left.get("DOT") else GOOD["DOT"])

    return script


def _good(verb: str, offers: Sequence[str]) -> str:
    if verb == "EHLO":
        lines = ["scripted.example", *offers]
        return "\r\n".join(
            f"250{'-' if n < len(lines) else ' '}{x}" for n, x in enumerate(lines, 1)
        )
    return GOOD.get(verb, "250 2.1.0 ok")


async def answer(talk: Talk, said: str) -> None:
    """One answer, or what stands for one."""
    if said == DROP:
        talk.drop()
        raise EOFError
    if said == HANG:
        await asyncio.Event().wait()
    if said == DRIP:
        while True:
            talk.writer.write(b"2")
            await talk.writer.drain()
            await asyncio.sleep(0.01)
    await talk.say(said)


@dataclass
class Server:
    """A running server."""

    port: int
    connections: list[Heard] = field(default_factory=list)

    @property
    def texts(self) -> list[bytes]:
        """All texts of all connections."""
        return [text for heard in self.connections for text in heard.texts]


@asynccontextmanager
async def serving(*scripts: Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """A server whose nth connection follows the nth script, further ones the last; ended with all its talks."""
    server = Server(0)
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        script = scripts[min(len(server.connections), len(scripts) - 1)]
        server.connections.append(Heard())
        try:
            await script(Talk(reader, writer, server.connections[-1]))
        except (EOFError, OSError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls, limit=1 << 20)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        if tasks:
            await asyncio.wait(tasks, timeout=0.05)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
