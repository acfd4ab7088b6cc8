"""The one secret of a press, and what is derived from it: tokens, Message-IDs, suppression hashes.

A token names a subscription and a purpose and carries a MAC over both, so that nothing about it is stored and an
old mail's link works for years; the generation inside rotates it when somebody comes back (mail.md 7.2).
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
_MAC_BYTES = 16
_TOKEN_CHARACTERS = 34
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a token with a valid MAC says: the subscription (or notice) it was made for, and when."""

    subject: int
    generation: int
    made: datetime


class Keys:
    """Everything that the secret keys. Holds the secret; its `repr` shows nothing of it."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._message_id_key = self.mac("message-id", b"")

    def __repr__(self) -> str:
        return "Keys(...)"

    def fingerprint(self) -> str:
        """What the database keeps of the secret, to refuse a process that has another."""
        return self.mac("fingerprint", b"").hex()

    def mac(self, purpose: str, message: bytes) -> bytes:
        """A keyed 32-byte hash of `message`, separate for each purpose."""
        return hmac.digest(self._secret, purpose.encode() + b"\0" + message, "sha256")

    def address_hash(self, address_key: str) -> str:
        """What outlives a suppressed address: a keyed hash of its case-folded form."""
        return self.mac("suppression", address_key.encode()).hex()

    def message_id(self, issue: int, subscriber: int, domain: str) -> str:
        """The Message-ID of one delivery, angle brackets included; the same at every attempt (DESIGN.md 8.6)."""
        return self.message_ids(issue, domain)(subscriber).decode("ascii")

    def message_ids(self, issue: int, domain: str) -> Callable[[int], bytes]:
        """What gives the Message-IDs of an issue: the function of a subscriber's number."""
        start = hashlib.blake2b(f"{issue}:".encode(), key=self._message_id_key, digest_size=20)
        end = f".{issue}@{domain}>"

        def made(subscriber: int) -> bytes:
            state = start.copy()
            state.update(b"%d" % subscriber)
            return f"<{_base32_26(state.digest())}{end}".encode("ascii")

        return made

    def token(self, purpose: str, subject: int, *, generation: int = 0, made: datetime) -> str:
        """A URL-safe token of 34 characters for `subject` and `purpose`; `made` is kept to the day."""
        return self.tokens(purpose, made)(subject, generation).decode("ascii")

    def tokens(self, purpose: str, made: datetime) -> Callable[[int, int], bytes]:
        """What gives the tokens of a purpose and a day: the function of subject and generation."""
        day = max(0, (made - _EPOCH).days).to_bytes(2, "big")
        inner, outer = self._hmac_states(_token_purpose(purpose))

        def token(subject: int, generation: int) -> bytes:
            head = (subject << 8 | generation % 256).to_bytes(7, "big") + day
            inside = inner.copy()
            inside.update(head)
            mac = outer.copy()
            mac.update(inside.digest())
            raw = head + mac.digest()[:_MAC_BYTES]
            return binascii.b2a_base64(raw, newline=False).translate(_URL_SAFE)[:_TOKEN_CHARACTERS]

        return token

    def claim(self, purpose: str, token: str) -> Claim | None:
        """What a token says, or None where it is not one of ours for this purpose; never raises on hostile input."""
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except ValueError:
            return None
        head, mac = raw[:9], raw[9:]
        if len(raw) != 9 + _MAC_BYTES or not hmac.compare_digest(
            mac, self._token_mac(purpose, head)
        ):
            return None
        return Claim(
            subject=int.from_bytes(head[:6], "big"),
            generation=head[6],
            made=_EPOCH + timedelta(days=int.from_bytes(head[7:9], "big")),
        )

    def _token_mac(self, purpose: str, head: bytes) -> bytes:
        return self.mac(_token_purpose(purpose), head)[:_MAC_BYTES]

    def _hmac_states(self, purpose: str) -> tuple["hashlib._Hash", "hashlib._Hash"]:
        """The two hashes of `mac(purpose, ...)` (RFC 2104) with the secret and the purpose taken in: to be copied.

        A copy of them costs 0.8 us a token where `hmac.digest` costs 1.8; hmac's own objects cost 1.4.
        """
        key = self._secret if len(self._secret) <= 64 else hashlib.sha256(self._secret).digest()
        padded = key.ljust(64, b"\0")
        inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded) + purpose.encode() + b"\0")
        return inner, hashlib.sha256(bytes(byte ^ 0x5C for byte in padded))


def _token_purpose(purpose: str) -> str:
    return "token:" + purpose


_PAIRS = [
    a + b for a in "abcdefghijklmnopqrstuvwxyz234567" for b in "abcdefghijklmnopqrstuvwxyz234567"
]


def _base32_26(digest: bytes) -> str:
    """The first 26 characters of lower-case base32: the library's own took a tenth of a message's time.

    Written out: a loop over the shifts costs half as much again.
    """
    pairs, bits = _PAIRS, int.from_bytes(digest[:17], "big") >> 6
    return (
        f"{pairs[bits >> 120]}{pairs[bits >> 110 & 1023]}{pairs[bits >> 100 & 1023]}"
        f"{pairs[bits >> 90 & 1023]}{pairs[bits >> 80 & 1023]}{pairs[bits >> 70 & 1023]}"
        f"{pairs[bits >> 60 & 1023]}{pairs[bits >> 50 & 1023]}{pairs[bits >> 40 & 1023]}"
        f"{pairs[bits >> 30 & 1023]}{pairs[bits >> 20 & 1023]}{pairs[bits >> 10 & 1023]}"
        f"{pairs[bits & 1023]}"
    )
