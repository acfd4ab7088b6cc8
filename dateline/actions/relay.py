"""Where mail is handed over, as the configuration says it; refused where it would do harm."""

import asyncio
import ipaddress
import random
import socket
import ssl
from collections.abc import Callable
from urllib.parse import urlsplit

import structlog

from dateline.actions.gates import build_gates, relay_settings
from dateline.actions.holding import refuse_held
from dateline.actions.signing import load_signing_keys
from dateline.press import Press
from newsletter.headers import domain_of
from newsletter.paces import list_found
from newsletter.spec import RelaySettings
from newsletter.transport.base import Transport
from newsletter.transport.maildir import MaildirTransport
from newsletter.transport.pool import SmtpTransport
from newsletter.transport.relays import RelayChain
from newsletter.transport.smtp import Relay, Timeouts
from posts.database import reading
from posts.errors import Refused

log = structlog.get_logger()

_NOBODYS = ("example.org", "example.com", "example.net", "example", "invalid", "test", "localhost")


def is_local(host: str) -> bool:
    """True for this machine, by name or address."""
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def leads_nowhere(url: str) -> bool:
    """True when no reader can follow an address: this machine, or a name that is nobody's (RFC 2606)."""
    host = (urlsplit(url).hostname or "").rstrip(".").lower()
    unspecified = host in ("", "0.0.0.0", "::")
    return (
        unspecified
        or is_local(host)
        or any(host == name or host.endswith("." + name) for name in _NOBODYS)
    )


def refuse_to_send(press: Press) -> None:
    """Raises Refused where no mail may go out, whatever the relay says: a setting, a key, or a hold."""
    refuse_dead_links(press)
    refuse_open_talk(press)
    refuse_held(press)
    load_signing_keys(press)


def refuse_dead_links(press: Press) -> None:
    """Raises Refused while mail would go to a relay elsewhere with links to unsubscribe that lead nowhere."""
    mail, url = press.config.mail, press.config.web.url
    if mail.transport != "smtp" or not leads_nowhere(url):
        return
    for relay in relay_settings(mail):
        if not is_local(relay.host):
            raise Refused(
                f'nothing is sent to {relay.host}: the links to unsubscribe would lead to "{url}"',
                where="[web] url",
                remedy="Set it to the address at which readers reach this server.",
            )


def refuse_open_talk(press: Press) -> None:
    """Raises Refused where mail or a password would cross a network unencrypted."""
    mail = press.config.mail
    if mail.transport != "smtp":
        return
    for number, relay in enumerate(relay_settings(mail)):
        section = "[mail]" if number == 0 else "[[mail.relays]]"
        if relay.tls != "none":
            continue
        if not is_local(relay.host):
            raise Refused(
                f'tls = "none" is for a relay on this machine, and {relay.host} is not',
                where=f"{section} tls",
                remedy='Set it to "starttls" (port 587) or "implicit" (port 465).',
            )
        if relay.username is not None:
            raise Refused(
                "a password is never sent without TLS",
                where=f"{section} username",
                remedy='Remove it, or set tls to "starttls" or "implicit".',
            )


def build_transport(press: Press) -> Transport:
    """The transport that `[mail]` names; to be called inside the event loop that sends."""
    mail = press.config.mail
    loop = asyncio.get_running_loop()
    if mail.transport == "maildir":
        folder = press.path(mail.maildir) if mail.maildir else press.var / "outbox"
        return MaildirTransport(folder)
    settings = relay_settings(mail)
    relays = [_relay(press, one, number) for number, one in enumerate(settings)]
    local = [is_local(one.host) for one in settings]
    # on SQLite the lock of `deliver` lets one process send (DESIGN.md 9)
    shared = press.engine.dialect.name != "sqlite"
    gates = build_gates(mail, local, loop.time(), shared=shared)
    with reading(press.engine) as conn:
        now = press.clock()
        gates.restore(list_found(conn, now), loop.time(), now)

    def build(number: int, changed: Callable[[], None]) -> SmtpTransport:
        connections = settings[number].connections
        return SmtpTransport(
            relays[number],
            connections,
            random.random,
            first_wait_s=press.patience.first_wait_s,
            changed=changed,
        )

    return RelayChain(gates, build, log)


def _relay(press: Press, settings: RelaySettings, number: int) -> Relay:
    section = "[mail]" if number == 0 else "[[mail.relays]]"
    return Relay(
        host=settings.host,
        port=settings.port,
        tls=settings.tls,
        context=_context(press, settings, section),
        username=settings.username,
        password=_password(press, settings, section),
        helo=_own_name(press),
        timeouts=press.patience.timeouts or Timeouts(),
    )


def _context(press: Press, relay: RelaySettings, section: str) -> ssl.SSLContext | None:
    if relay.tls == "none":
        return None
    try:
        return ssl.create_default_context(
            cafile=str(press.path(relay.ca_file)) if relay.ca_file else None
        )
    except (OSError, ssl.SSLError) as error:
        raise Refused(
            f"the certificates cannot be read: {error}", where=f"{section} ca_file"
        ) from error


def _password(press: Press, relay: RelaySettings, section: str) -> str | None:
    if relay.password_file is None:
        return relay.password.get_secret_value() if relay.password is not None else None
    try:
        lines = press.path(relay.password_file).read_text("utf-8").splitlines()
    except OSError as error:
        raise Refused(
            f"the password cannot be read: {error.strerror}", where=f"{section} password_file"
        ) from error
    return lines[0].strip() if lines else ""


def _own_name(press: Press) -> str:
    """What this machine calls itself to the relay; a name without a dot is refused by many."""
    name = socket.gethostname()
    return name if "." in name and name.isascii() else domain_of(press.config.mail.from_)
