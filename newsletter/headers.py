"""The header writer: mail headers as bytes, folded and encoded by our own rules.

The standard library pushes a long List-Unsubscribe to the second line or encodes it, and the large receivers then
ignore it (mail.md 1.4); so nothing here is left to it but the oracle's part in the tests.
"""

import base64
import hashlib
import re
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache

import idna

from posts.errors import DatelineError

_LINE = 76
_WORD = 75
_JOINERS = {"\u200c", "\u200d"}
"""Format characters that spell something: Persian words and families of emoji need them."""
_PLAIN = re.compile(r"[\x20-\x7e]*")
_IN_BRACKETS = re.compile(r"(?:https?://|mailto:)[!-;=?-~]{1,900}")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")
_SAFE_IN_Q = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")
_PLAIN_IN_Q = bytes(_SAFE_IN_Q) + b" "
_Q = [
    chr(byte) if byte in _SAFE_IN_Q else "_" if byte == 0x20 else f"={byte:02X}"
    for byte in range(256)
]
_ADDRESS = re.compile(r"[^\s@<>()\[\],;:\"\\]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*")
_PLAIN_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9'-]+(?: [A-Za-z0-9'-]+)*")
_ADDRESS_LENGTH = 64 + 1 + 255
"""RFC 5321 4.5.3.1; a longer one would make a line that no relay takes."""
_REFUSED = ("Cc", "Cf", "Zl", "Zp", "Cs", "Co")


class HeaderError(DatelineError):
    """A value that must not stand in a header: a control, a line break, a format character."""


def checked(name: str, value: str) -> str:
    """`value` itself; raises HeaderError where it holds a control, a line break or a format character."""
    if _PLAIN.fullmatch(value) or not any(_is_refused(character) for character in value):
        return value
    shown = ascii(next(character for character in value if _is_refused(character)))
    raise HeaderError(
        f"a character that no header may carry: {shown}",
        where=f"the header {name}",
        remedy="Remove it from the title, name or address it came from.",
    )


def header_text(text: str) -> str:
    """`text` made fit for a header: refused characters become spaces or nothing, runs of space one space."""
    spaced = (" " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in text)
    return " ".join("".join(c for c in spaced if not _is_refused(c)).split())


def text_header(name: str, value: str) -> bytes:
    """An unstructured header (Subject): folded at spaces where it is plain, in encoded words where it is not."""
    value = checked(name, value)
    if _PLAIN.fullmatch(value) and "=?" not in value:
        folded = _folded(f"{name}:", value)
        if folded is not None:
            return folded
    words = _encoded_words(value, room=_LINE - len(name) - 2)
    return f"{name}: {_stacked(words)}\r\n".encode("ascii")


def mailbox_header(name: str, display: str, address: str) -> bytes:
    """A header of one mailbox (From, Reply-To); the first line is never empty (mail.md 1.4)."""
    return f"{name}: {mailbox(name, display, address)}\r\n".encode()


def mailbox(name: str, display: str, address: str) -> str:
    """`display <address>` as it stands in header `name`, folded before the address where one line is too short."""
    if len(address) <= _ADDRESS_LENGTH and _PLAIN_ADDRESS.fullmatch(address):
        if not display:
            return address
        if len(name) + len(display) + len(address) <= _LINE - 5 and _PLAIN_NAME.fullmatch(display):
            return f"{display} <{address}>"
    address = envelope_address(address)
    checked(name, display)
    if not display:
        return address
    phrase = _phrase(display, room=_LINE - len(name) - 2)
    last = phrase.rpartition("\r\n")[2]
    used = len(last) + (len(name) + 2 if last == phrase else 0)
    gap = " " if used + len(address) + 3 <= _LINE else "\r\n "
    return f"{phrase}{gap}<{address}>"


def plain_header(name: str, value: str) -> bytes:
    """A structured header whose value is ASCII and stays as it is, on one line (addresses in `<>`, tokens)."""
    checked(name, value)
    if not _PLAIN.fullmatch(value):
        raise HeaderError("a value that is not ASCII", where=f"the header {name}")
    return f"{name}: {value}\r\n".encode("ascii")


def date_header(date: datetime) -> bytes:
    """The Date header in UTC, written `+0000`."""
    return f"Date: {format_datetime(date.astimezone(UTC))}\r\n".encode("ascii")


def list_id(title: str, slug: str, domain: str) -> str:
    """`Title <slug.domain>`: ASCII, the same for ever as long as slug and domain are (RFC 2919)."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^A-Za-z0-9 '&+-]+", " ", plain)
    plain = " ".join(plain.split())[:120].rstrip()
    if not plain:
        return f"<{slug}.{domain}>"
    return (
        f"{plain} <{slug}.{domain}>" if _ATOMS.fullmatch(plain) else f'"{plain}" <{slug}.{domain}>'
    )


def help_address(contact: str, page: str) -> str:
    """What List-Help names (RFC 2369 3.1): where readers may write; `page` where `contact` is no address of ASCII."""
    return f"<{contact if _IN_BRACKETS.fullmatch(contact) else page}>"


def feedback_id(issue_id: int, slug: str, domain: str) -> str:
    """`issue:list:digest:sender`, by which Gmail counts complaints; never a subscriber, since it counts many.

    Gmail wants 5 to 15 characters for the sender, the same for ever: a hash of the domain that mails come from.
    """
    sender = hashlib.sha256(domain.encode("ascii")).hexdigest()[:12]
    return f"{issue_id}:{slug}:digest:{sender}"


def envelope_address(address: str) -> str:
    """`address` with its domain as an A-label, as it goes on the wire; raises HeaderError if it is none.

    The local part stays as typed; where `needs_smtputf8`, a relay without SMTPUTF8 cannot take it.
    """
    local, _, domain = address.rpartition("@")
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True).decode("ascii")
        except idna.IDNAError as error:
            raise HeaderError("a domain that is none", where="an address") from error
    whole = f"{local}@{domain}"
    if len(whole) > _ADDRESS_LENGTH or not _ADDRESS.fullmatch(whole):
        checked("To", whole)
        raise HeaderError(
            "an address that cannot stand in a header",
            where="an address",
            remedy="It must read local@domain, in 320 characters, without spaces, quotes or brackets.",
        )
    checked("To", whole)
    return whole


def needs_smtputf8(address: str) -> bool:
    """True when the local part is not ASCII: only a relay that offers SMTPUTF8 takes it (RFC 6531)."""
    return not address.rpartition("@")[0].isascii()


def domain_of(address: str) -> str:
    """The domain of an address as an A-label, lower case."""
    return envelope_address(address).rpartition("@")[2].lower()


@lru_cache(maxsize=4096)
def _is_refused(character: str) -> bool:
    return unicodedata.category(character) in _REFUSED and character not in _JOINERS


def _folded(start: str, value: str) -> bytes | None:
    lines = [start]
    for word in value.split(" "):
        if len(lines[-1]) + 1 + len(word) <= _LINE:
            lines[-1] += " " + word
        elif len(lines) == 1 and lines[0] == start:
            return None  # the first line would stay empty
        elif len(word) + 1 > _LINE or not word:
            return None
        else:
            lines.append(" " + word)
    if any(not line.strip() for line in lines):
        return None  # a line of spaces alone is dropped by some relays
    return "\r\n".join(lines).encode("ascii") + b"\r\n"


def _phrase(display: str, room: int) -> str:
    if _PLAIN.fullmatch(display) and "=?" not in display:
        if _ATOMS.fullmatch(display) and display == " ".join(display.split()):
            folded = _folded(" " * (_LINE - room - 1), display)
            if folded is not None:
                return folded.decode("ascii").strip()
        quoted = '"' + display.replace("\\", "\\\\").replace('"', '\\"') + '"'
        if len(quoted) <= room:
            return quoted
    return _stacked(_encoded_words(display, room=room))


def _stacked(words: Iterator[str]) -> str:
    return "\r\n ".join(words)


def _encoded_words(text: str, room: int) -> Iterator[str]:
    """Encoded words of at most 75 characters, cut between characters (RFC 2047 5); the first fits in `room`."""
    raw = text.encode()
    unsafe = len(raw.translate(None, _PLAIN_IN_Q))
    encode, mark = (_q, "q") if unsafe * 3 <= len(raw) else (_b, "b")
    start, end = f"=?utf-8?{mark}?", "?="
    room = min(room, _WORD) - len(start) - len(end)
    if len(raw) <= room and len(whole := encode(raw)) <= room:  # as names are
        yield start + whole + end
        return
    taken = b""
    for character in text:
        longer = taken + character.encode()
        if taken and len(encode(longer)) > room:
            yield start + encode(taken) + end
            room, longer = _WORD - len(start) - len(end), character.encode()
        taken = longer
    yield start + encode(taken) + end


def _q(raw: bytes) -> str:
    return "".join([_Q[byte] for byte in raw])


def _b(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")
