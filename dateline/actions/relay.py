"""Where mail is handed over, as the configuration says it; refused where it would do harm."""

import asyncio
import ipaddress
import random
import socket
import ssl
from urllib.parse import urlsplit

from dateline.press import Press
from newsletter.headers import domain_of
from newsletter.transport.base import Transport
from newsletter.transport.maildir import MaildirTransport
from newsletter.transport.pool import SmtpTransport
from newsletter.transport.smtp import Relay, Timeouts
from posts.errors import Refused

DEFAULT_RATE_PER_S = 10.0
"""To a relay on another machine, unless `[mail] rate` says otherwise (DESIGN.md 7)."""

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


def refuse_dead_links(press: Press) -> None:
    """Raises Refused while mail would go to a relay elsewhere with links to unsubscribe that lead nowhere."""
    mail, url = press.config.mail, press.config.web.url
    if mail.transport == "smtp" and not is_local(mail.host) and leads_nowhere(url):
        raise Refused(
            f'nothing is sent to {mail.host}: the links to unsubscribe would lead to "{url}"',
            where="[web] url",
            remedy="Set it to the address at which readers reach this server.",
        )


def refuse_open_talk(press: Press) -> None:
    """Raises Refused where mail or a password would cross a network unencrypted."""
    mail = press.config.mail
    if mail.transport != "smtp" or mail.tls != "none":
        return
    if not is_local(mail.host):
        raise Refused(
            f'tls = "none" is for a relay on this machine, and {mail.host} is not',
            where="[mail] tls",
            remedy='Set it to "starttls" (port 587) or "implicit" (port 465).',
        )
    if mail.username is not None:
        raise Refused(
            "a password is never sent without TLS",
            where="[mail] username",
            remedy='Remove it, or set tls to "starttls" or "implicit".',
        )


def rate_of(press: Press) -> float | None:
    """Messages a second; None: as fast as the relay takes them."""
    mail = press.config.mail
    if mail.rate is not None or mail.transport == "maildir" or is_local(mail.host):
        return mail.rate
    return DEFAULT_RATE_PER_S


def build_transport(press: Press) -> Transport:
    """The transport that `[mail]` names; to be called inside the event loop that sends."""
    mail = press.config.mail
    asyncio.get_running_loop()
    if mail.transport == "maildir":
        folder = press.path(mail.maildir) if mail.maildir else press.var / "outbox"
        return MaildirTransport(folder)
    relay = Relay(
        host=mail.host,
        port=mail.port,
        tls=mail.tls,
        context=_context(press),
        username=mail.username,
        password=_password(press),
        helo=_own_name(press),
        timeouts=press.patience.timeouts or Timeouts(),
    )
    return SmtpTransport(
        relay, mail.connections, random.random, first_wait_s=press.patience.first_wait_s
    )


def _context(press: Press) -> ssl.SSLContext | None:
    mail = press.config.mail
    if mail.tls == "none":
        return None
    try:
        return ssl.create_default_context(
            cafile=str(press.path(mail.ca_file)) if mail.ca_file else None
        )
    except (OSError, ssl.SSLError) as error:
        raise Refused(
            f"the certificates cannot be read: {error}", where="[mail] ca_file"
        ) from error


def _password(press: Press) -> str | None:
    mail = press.config.mail
    if mail.password_file is None:
        return mail.password.get_secret_value() if mail.password is not None else None
    try:
        lines = press.path(mail.password_file).read_text("utf-8").splitlines()
    except OSError as error:
        raise Refused(
            f"the password cannot be read: {error.strerror}", where="[mail] password_file"
        ) from error
    return lines[0].strip() if lines else ""


def _own_name(press: Press) -> str:
    """What this machine calls itself to the relay; a name without a dot is refused by many."""
    name = socket.gethostname()
    return name if "." in name and name.isascii() else domain_of(press.config.mail.from_)
