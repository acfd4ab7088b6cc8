"""The one secret of a press, and what is derived from it: tokens, Message-IDs, suppression hashes.

A token names a subscription and a purpose and carries a MAC over both, so that nothing about it is stored and an
old mail's link works for years; the generation inside rotates it when somebody comes back (mail.md 7.2).
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
_MAC_BYTES = 16


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
        digest = hashlib.blake2b(
            f"{issue}:{subscriber}".encode(), key=self._message_id_key, digest_size=20
        ).digest()
        name = _base32_26(digest)
        return f"<{name}.{issue}@{domain}>"

    def token(self, purpose: str, subject: int, *, generation: int = 0, made: datetime) -> str:
        """A URL-safe token of 34 characters for `subject` and `purpose`; `made` is kept to the day."""
        day = max(0, (made - _EPOCH).days)
        head = (
            subject.to_bytes(6, "big")
            + (generation % 256).to_bytes(1, "big")
            + day.to_bytes(2, "big")
        )
        return base64.urlsafe_b64encode(head + self._token_mac(purpose, head)).decode().rstrip("=")

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
        return self.mac("token:" + purpose, head)[:_MAC_BYTES]


_PAIRS = [
    a + b for a in "abcdefghijklmnopqrstuvwxyz234567" for b in "abcdefghijklmnopqrstuvwxyz234567"
]


def _base32_26(digest: bytes) -> str:
    """The first 26 characters of lower-case base32: the library's own took a tenth of a message's time."""
    bits = int.from_bytes(digest[:17], "big") >> 6
    return "".join([_PAIRS[(bits >> shift) & 1023] for shift in range(120, -1, -10)])
