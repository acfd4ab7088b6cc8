"""Quoted-printable as this program writes it (RFC 2045 6.7), for texts that are joined afterwards.

No line is longer than 76, and none begins with a dot: the same bytes go to SMTP (nothing to stuff, RFC 5321 4.5.2)
and into a maildir. None begins with `From ` either, which old mailboxes would change.
"""

import re

_LINE = 76
SOFT_BREAK = b"=\r\n"
_SPECIAL = re.compile(rb"[^\x20-\x3c\x3e-\x7e]")
_PLAIN_VALUE = re.compile(rb"[A-Za-z0-9@:/_+][A-Za-z0-9@:/_+.,?&;#%-]{0,73}")


def encoded_text(text: str) -> bytes:
    """`text` encoded, its line ends as CRLF; it must be put at the beginning of a line.

    Where it does not end with a line end, it ends with a soft break, so that what follows begins a line as well.
    """
    lines = text.replace("\r\n", "\n").encode().split(b"\n")
    encoded = [_encoded_line(line) for line in lines]
    if not lines[-1]:
        return b"\r\n".join(encoded)
    return b"\r\n".join(encoded) + SOFT_BREAK


def encoded_value(value: str) -> bytes:
    """A personal value of any length between two joints: on lines of its own, ended by a soft break."""
    raw = value.encode()
    if _PLAIN_VALUE.fullmatch(raw):
        return raw + SOFT_BREAK
    return _encoded_line(raw) + SOFT_BREAK if raw else b""


def _encoded_line(line: bytes) -> bytes:
    encoded = _SPECIAL.sub(lambda match: b"=%02X" % match[0][0], line)
    if encoded.endswith(b" "):
        encoded = encoded[:-1] + b"=20"
    pieces = []
    while True:
        if encoded.startswith(b"."):
            encoded = b"=2E" + encoded[1:]
        elif encoded.startswith(b"From "):
            encoded = b"=46" + encoded[1:]
        if len(encoded) < _LINE:
            pieces.append(encoded)
            return SOFT_BREAK.join(pieces)
        cut = _LINE - 1
        if encoded[cut - 1 : cut] == b"=":
            cut -= 1
        elif encoded[cut - 2 : cut - 1] == b"=":
            cut -= 2
        pieces.append(encoded[:cut])
        encoded = encoded[cut:]
