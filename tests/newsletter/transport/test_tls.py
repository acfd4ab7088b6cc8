"""TLS and log-in, against aiosmtpd with certificates of a made-up authority (mail.md 3.1)."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from newsletter.transport.base import Kind, Trouble
from newsletter.transport.pool import SmtpTransport
from tests.newsletter.transport.desk import BODY, Desk, a_pool, run, send
from tests.newsletter.transport.scripted import Talk, obedient, serving

PASSWORD = "correct horse"
AUTHORITY = trustme.CA()
OTHER_AUTHORITY = trustme.CA()
CERTIFICATE = AUTHORITY.issue_cert("127.0.0.1")


def server_side(certificate: trustme.LeafCert = CERTIFICATE) -> ssl.SSLContext:
    """The server's context."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    return context


def client_side(authority: trustme.CA = AUTHORITY) -> ssl.SSLContext:
    """A context that trusts one authority."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


class Mailbox:
    """What aiosmtpd hands over."""

    def __init__(self) -> None:
        self.texts: list[bytes] = []
        self.secured: list[bool] = []
        self.mechanisms: list[str] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  aiosmtpd's name
        """Keeps a message."""
        assert isinstance(envelope.content, bytes)
        self.texts.append(envelope.content)
        self.secured.append(session.ssl is not None)
        return "250 2.0.0 kept"

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: object
    ) -> AuthResult:
        """Knows one user."""
        self.mechanisms.append(mechanism)
        known = isinstance(given, LoginPassword) and given == LoginPassword(
            b"press", PASSWORD.encode()
        )
        return AuthResult(success=known, handled=not known and False)


@asynccontextmanager
async def a_relay(
    mailbox: Mailbox, *, starttls: bool = True, implicit: bool = False, exclude: str = ""
) -> AsyncIterator[int]:
    """A listening aiosmtpd; gives its port."""
    context = server_side()
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(
        lambda: SMTP(
            mailbox,
            hostname="relay.example",
            tls_context=context if starttls else None,
            require_starttls=starttls,
            authenticator=mailbox.authenticate,
            auth_require_tls=not implicit,
            auth_exclude_mechanism=[exclude] if exclude else [],
            loop=loop,
        ),
        "127.0.0.1",
        0,
        ssl=context if implicit else None,
    )
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()


async def trouble_of(transport: SmtpTransport, desk: Desk) -> Trouble:
    """Lets a transport try, and gives the trouble that it runs into."""
    desk.transport = transport
    transport.start(desk)
    transport.wake()
    while transport.trouble is None:
        await asyncio.sleep(0.002)
    found = transport.trouble
    await transport.close(0.1)
    assert desk.outcomes == {}
    return found


def test_starttls_is_taken_and_the_certificate_is_checked() -> None:
    async def test() -> None:
        mailbox, desk = Mailbox(), Desk("ana")
        async with a_relay(mailbox) as port:
            await send(desk, a_pool(port, tls="starttls", context=client_side()), "ana")
        assert desk.kinds("ana") == [Kind.ACCEPTED]
        assert (mailbox.texts, mailbox.secured) == ([BODY], [True])

    run(test())


def test_implicit_tls_carries_mail() -> None:
    async def test() -> None:
        mailbox, desk = Mailbox(), Desk("ana", "ben")
        async with a_relay(mailbox, starttls=False, implicit=True) as port:
            await send(desk, a_pool(port, tls="implicit", context=client_side()), "ana", "ben")
        assert mailbox.texts == [BODY, BODY]

    run(test())


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_certificate_of_an_unknown_authority_is_refused(tls: str) -> None:
    async def test() -> None:
        mailbox, desk = Mailbox(), Desk("ana")
        implicit = tls == "implicit"
        async with a_relay(mailbox, starttls=not implicit, implicit=implicit) as port:
            transport = a_pool(port, tls=tls, context=client_side(OTHER_AUTHORITY))
            trouble = await trouble_of(transport, desk)
        assert trouble.ours
        assert "unable to get local issuer certificate" in trouble.what
        assert mailbox.texts == []

    run(test())


def test_a_certificate_of_another_name_is_refused() -> None:
    async def test() -> None:
        other = server_side(AUTHORITY.issue_cert("other.example"))
        desk = Desk("ana")
        async with serving(obedient(), tls=other) as server:
            transport = a_pool(server.port, tls="implicit", context=client_side())
            trouble = await trouble_of(transport, desk)
        assert trouble.ours
        assert "not valid for '127.0.0.1'" in trouble.what

    run(test())


def test_where_starttls_is_not_offered_nothing_is_sent_in_the_clear() -> None:
    async def test() -> None:
        desk = Desk("ana")
        async with serving(obedient()) as server:
            transport = a_pool(server.port, tls="starttls", context=client_side())
            trouble = await trouble_of(transport, desk)
            assert server.connections[0].verbs() in ("EHLO", "EHLO QUIT")
        assert trouble.ours
        assert "does not offer STARTTLS" in trouble.what

    run(test())


def test_where_starttls_is_refused_nothing_is_sent_in_the_clear() -> None:
    async def test() -> None:
        desk = Desk("ana")
        refusing = obedient({"STARTTLS": ["454 4.7.0 not now"]}, offers=("STARTTLS",))
        async with serving(refusing) as server:
            transport = a_pool(server.port, tls="starttls", context=client_side())
            trouble = await trouble_of(transport, desk)
            assert server.texts == []
        assert "454 4.7.0 not now" in trouble.what

    run(test())


def test_what_was_said_before_the_handshake_is_thrown_away() -> None:
    offers: list[str] = []

    async def injecting(talk: Talk) -> None:
        await talk.say("220 hi")
        await talk.line()
        await talk.say("250-x", "250 STARTTLS")
        await talk.line()
        await talk.say("220 go", "250-injected", "250-PIPELINING", "250 AUTH PLAIN")
        await talk.writer.start_tls(server_side())
        offers.append((await talk.line()).decode())
        await talk.say("250-x", "250 SIZE 1000")
        for reply in ("250 ok", "250 ok", "354 go"):
            offers.append((await talk.line()).decode())
            await talk.say(reply)
        await talk.text()
        await talk.say("250 queued")

    async def test() -> None:
        desk = Desk("ana")
        async with serving(injecting) as server:
            transport = a_pool(server.port, tls="starttls", context=client_side())
            await send(desk, transport, "ana")
            assert server.texts == [BODY]

    run(test())
    assert offers[1] == f"MAIL FROM:<press@news.example> SIZE={len(BODY)}\r\n"


@pytest.mark.parametrize(("exclude", "used"), [("", "PLAIN"), ("PLAIN", "LOGIN")])
def test_it_logs_in_after_tls(exclude: str, used: str) -> None:
    async def test() -> None:
        mailbox, desk = Mailbox(), Desk("ana")
        async with a_relay(mailbox, exclude=exclude) as port:
            transport = a_pool(
                port,
                tls="starttls",
                context=client_side(),
                username="press",
                password=PASSWORD,
            )
            await send(desk, transport, "ana")
        assert mailbox.mechanisms == [used]
        assert desk.kinds("ana") == [Kind.ACCEPTED]

    run(test())


def test_nothing_is_logged_in_to_without_tls() -> None:
    async def test() -> None:
        desk = Desk("ana")
        async with serving(obedient(offers=("AUTH PLAIN LOGIN",))) as server:
            transport = a_pool(server.port, username="press", password=PASSWORD)
            trouble = await trouble_of(transport, desk)
            assert "AUTH" not in server.connections[0].verbs()
        assert trouble.ours

    run(test())


@pytest.mark.parametrize("exclude", ["", "PLAIN"])
def test_a_wrong_password_is_our_fault_and_is_never_told(
    exclude: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> Trouble:
        mailbox, desk = Mailbox(), Desk("ana")
        async with a_relay(mailbox, exclude=exclude) as port:
            transport = a_pool(
                port,
                tls="starttls",
                context=client_side(),
                username="press",
                password="hunter2 hunter2",
            )
            return await trouble_of(transport, desk)

    with caplog.at_level("DEBUG"):
        trouble = run(test())
    ours = [record for record in caplog.records if not record.name.startswith("mail")]
    told = trouble.what + "".join(record.getMessage() for record in ours)
    assert trouble.ours
    assert "535" in trouble.what
    for secret in (b"hunter2 hunter2", b"\0press\0hunter2 hunter2"):
        assert secret.decode() not in told
        assert base64.b64encode(secret).decode() not in told


def test_a_relay_shows_no_password() -> None:
    from tests.newsletter.transport.desk import a_relay as described

    assert "secret" not in repr(described(25, password="secret"))
