"""One SMTP connection: set up (greeting, EHLO, STARTTLS, AUTH) step by step, then a Conversation over its socket.

TLS is never given up silently, nothing is logged in to before it (mail.md 3.1). Every phase has its own time limit,
counted from when the relay owed the answer, so that a reply dripping in does not prolong it.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

from newsletter.transport.base import Kind, Outcome, Supply
from newsletter.transport.conversation import (
    MESSAGES_A_CONNECTION,
    Conversation,
    Disorder,
    Offer,
)
from newsletter.transport.replies import BadReply, Phase, Reply, ReplyReader, outcome_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds (RFC 5321 4.5.3.2). Less than ten minutes after the final dot makes duplicates."""

    connect: float = 60.0
    greeting: float = 300.0
    command: float = 300.0
    data: float = 120.0
    block: float = 180.0
    dot: float = 600.0

    def of(self, phase: Phase) -> float:
        """How long the answer to `phase` may take."""
        if phase is Phase.DOT:
            return self.dot
        return self.data if phase is Phase.DATA else self.command


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """Where mail is handed over and how. `tls`: starttls, implicit or none; its context checks certificates."""

    host: str
    port: int
    tls: str = "none"
    context: ssl.SSLContext | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    helo: str = "localhost"
    timeouts: Timeouts = Timeouts()
    messages_a_connection: int = MESSAGES_A_CONNECTION


class SetUpFailed(Exception):
    """No talk came about; `outcome` is weather, or ours where only the operator can help."""

    def __init__(self, outcome: Outcome, phase: Phase) -> None:
        super().__init__(outcome.reply)
        self.outcome = outcome
        self.phase = phase


class SmtpConnection(asyncio.Protocol):
    """A connection to a relay. `ended` is called once, when it is of no more use."""

    def __init__(self, relay: Relay, ended: Callable[[SmtpConnection, str], None]) -> None:
        self._relay = relay
        self._ended = ended
        self._reader = ReplyReader()
        self._transport: asyncio.Transport | None = None
        self._replies: asyncio.Queue[Reply | None] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._deadline = float("inf")
        self._unwritten = 0
        self._why = ""
        self._is_over = False
        self._in_tls = False
        self.talk: Conversation | None = None
        self.offer = Offer()

    # what the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A socket, or TLS over it."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own does not derive from it

    def data_received(self, data: bytes) -> None:
        """Replies: to whoever sets up, or to the talk."""
        try:
            replies = self._reader.feed(data)
            for reply in replies:
                if self.talk is None:
                    self._replies.put_nowait(reply)
                elif not self._is_over:
                    self.talk.received(reply)
        except (BadReply, Disorder) as error:
            self.abort(str(error) or "not a reply")
            return
        if self.talk is not None and replies:
            self._rest()

    def eof_received(self) -> bool:
        """The relay hangs up."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The end, however it came."""
        self._end(f"the connection was lost: {exc}" if exc else "the relay closed the connection")

    # set-up

    async def set_up(self) -> None:
        """Connects, greets, secures, logs in; raises SetUpFailed with what the relay said."""
        relay, limits = self._relay, self._relay.timeouts
        context = relay.context if relay.tls == "implicit" else None
        try:
            async with asyncio.timeout(limits.connect):
                await self._loop.create_connection(
                    lambda: self,
                    relay.host,
                    relay.port,
                    ssl=context,
                    server_hostname=relay.host if context else None,
                )
        except ssl.SSLError as error:
            raise _failed(Kind.OURS, Phase.TLS, _tls_text(error)) from error
        except (OSError, TimeoutError) as error:
            text = str(error) or "no answer to the connection"
            raise _failed(Kind.WEATHER, Phase.CONNECT, text) from error
        self._in_tls = context is not None
        self._want(await self._answer(Phase.CONNECT, limits.greeting), Phase.CONNECT, 220)
        await self._greet()
        if relay.tls == "starttls":
            await self._secure()
            await self._greet()
        if relay.username is not None:
            await self._log_in(relay.username, relay.password or "")

    def converse(self, supply: Supply, heard: Callable[[Outcome, Phase], None]) -> None:
        """Begins to send."""
        self.talk = Conversation(
            self.offer, supply, self._write, heard, limit=self._relay.messages_a_connection
        )
        self.pump()

    async def _greet(self) -> None:
        reply = await self._ask(f"EHLO {self._relay.helo}", Phase.EHLO)
        if reply.code in (500, 502, 504, 550):
            reply = await self._ask(f"HELO {self._relay.helo}", Phase.EHLO)
            self._want(reply, Phase.EHLO, 250)
            self.offer = Offer()
            return
        self._want(reply, Phase.EHLO, 250)
        self.offer = parse_offer(reply.lines[1:])

    async def _secure(self) -> None:
        if not self.offer.starttls:
            raise _failed(Kind.OURS, Phase.TLS, "the relay does not offer STARTTLS")
        self._want(await self._ask("STARTTLS", Phase.TLS), Phase.TLS, 220)
        # what was sent before the handshake is an injection by somebody between us: thrown away
        self._reader = ReplyReader()
        while not self._replies.empty():
            self._replies.get_nowait()
        assert self._transport is not None
        assert self._relay.context is not None
        try:
            async with asyncio.timeout(self._relay.timeouts.command):
                secured = await self._loop.start_tls(
                    self._transport, self, self._relay.context, server_hostname=self._relay.host
                )
        except ssl.SSLError as error:
            raise _failed(Kind.OURS, Phase.TLS, _tls_text(error)) from error
        except (OSError, TimeoutError) as error:
            text = str(error) or "no answer to the TLS handshake"
            raise _failed(Kind.WEATHER, Phase.TLS, text) from error
        if secured is None:
            raise _failed(Kind.WEATHER, Phase.TLS, "the relay closed the connection")
        self._transport = secured
        self._in_tls = True

    async def _log_in(self, username: str, password: str) -> None:
        if not self._in_tls:
            raise _failed(Kind.OURS, Phase.AUTH, "no log-in without TLS")
        if "PLAIN" in self.offer.auth:
            secret = base64.b64encode(f"\0{username}\0{password}".encode()).decode()
            reply = await self._ask(f"AUTH PLAIN {secret}", Phase.AUTH)
        elif "LOGIN" in self.offer.auth:
            reply = await self._ask("AUTH LOGIN", Phase.AUTH)
            for word in (username, password):
                self._want(reply, Phase.AUTH, 334)
                reply = await self._ask(base64.b64encode(word.encode()).decode(), Phase.AUTH)
        else:
            raise _failed(Kind.OURS, Phase.AUTH, "the relay offers neither AUTH PLAIN nor LOGIN")
        self._want(reply, Phase.AUTH, 235)

    async def _ask(self, line: str, phase: Phase) -> Reply:
        self._write([line.encode() + b"\r\n"])
        return await self._answer(phase, self._relay.timeouts.command)

    async def _answer(self, phase: Phase, limit_s: float) -> Reply:
        if self._is_over and self._replies.empty():
            raise _failed(Kind.WEATHER, phase, self._why)
        try:
            async with asyncio.timeout(limit_s):
                reply = await self._replies.get()
        except TimeoutError as error:
            raise _failed(Kind.WEATHER, phase, f"no answer in {limit_s:g} s") from error
        if reply is None:
            raise _failed(Kind.WEATHER, phase, self._why)
        return reply

    def _want(self, reply: Reply, phase: Phase, code: int) -> None:
        if reply.code != code:
            raise SetUpFailed(outcome_of(phase, reply), phase)

    # sending

    def pump(self) -> None:
        """Starts what there is to start, or takes its leave when it has carried enough."""
        if self.talk is not None and not self._is_over:
            was_idle = self.talk.is_idle
            self.talk.pump()
            if was_idle:
                self._rest()

    def check(self, now: float) -> None:
        """Ends a connection whose relay owes an answer for too long; called every second or so."""
        if self._transport is None or self.talk is None or self.talk.is_idle:
            return
        unwritten = self._transport.get_write_buffer_size()
        limits = self._relay.timeouts
        if unwritten and unwritten != self._unwritten:
            self._deadline = now + limits.block
        elif self._unwritten and not unwritten:
            # the time for an answer begins when the last byte has left, or a slow line would make duplicates
            self._deadline = now + limits.of(self.talk.phase or Phase.MAIL)
        self._unwritten = unwritten
        if now >= self._deadline:
            self.abort("no answer in time")

    def quit(self) -> None:
        """Says QUIT and closes; for a connection that awaits nothing."""
        if not self._is_over and self._transport is not None:
            self._transport.write(b"QUIT\r\n")
            self._transport.close()
            self._end("done")

    def abort(self, why: str) -> None:
        """Closes without another byte."""
        # a final dot in our own buffer has not left; through TLS nobody can tell
        left = (
            self._in_tls or self._transport is None or not self._transport.get_write_buffer_size()
        )
        if self._transport is not None:
            self._transport.abort()
        self._end(why, dot_left=left)

    def _rest(self) -> None:
        talk = self.talk
        assert talk is not None
        phase = talk.phase
        if phase is not None:
            self._deadline = self._loop.time() + self._relay.timeouts.of(phase)
        elif talk.is_spent:
            self.quit()

    def _write(self, chunks: Sequence[bytes]) -> None:
        if self._transport is not None and not self._is_over:
            self._transport.writelines(list(chunks))

    def _end(self, why: str, *, dot_left: bool = True) -> None:
        if self._is_over:
            return
        self._is_over = True
        self._why = why
        self._replies.put_nowait(None)
        if self.talk is not None:
            self.talk.lost(why, dot_left=dot_left)
        self._ended(self, why)


def parse_offer(lines: Sequence[str]) -> Offer:
    """What the lines of an EHLO reply offer; unknown words are passed over."""
    words = [line.upper().replace("=", " ").split() for line in lines if line.strip()]
    names = {word[0]: word[1:] for word in words}
    size = names.get("SIZE")
    auth = [mechanism for word in words if word[0] == "AUTH" for mechanism in word[1:]]
    return Offer(
        pipelining="PIPELINING" in names,
        size=None if size is None else int(size[0]) if size and size[0].isdigit() else 0,
        smtputf8="SMTPUTF8" in names,
        eight_bit="8BITMIME" in names,
        starttls="STARTTLS" in names,
        auth=frozenset(auth),
    )


def _failed(kind: Kind, phase: Phase, text: str) -> SetUpFailed:
    return SetUpFailed(Outcome(kind=kind, text=text), phase)


def _tls_text(error: ssl.SSLError) -> str:
    reason = getattr(error, "verify_message", "") or error.reason or str(error)
    return f"TLS failed: {reason}"
