"""The private keys that sign mail, and what of them stands in the DNS (RFC 6376 3.6, RFC 8463)."""

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from newsletter.headers import HeaderError, domain_of
from posts.errors import DatelineError

Algorithm = Literal["rsa-sha256", "ed25519-sha256"]

RSA_BITS = 2048
_MOST_RSA_BITS = 4096
"""Verifiers need not take longer ones (RFC 8301 3.2)."""
_STRING_BYTES = 255
_DOMAIN = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)+")
KEYGEN = "`dateline doctor keygen` makes one."


class DkimKeyError(DatelineError):
    """A key that cannot sign, or a domain that it cannot sign for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A key with its place in the DNS. `sign_digest` signs a SHA-256 of 32 bytes; it may be called in threads.

    Both algorithms are deterministic, so that a retry has the same bytes (RFC 8017 8.2, RFC 8032 5.1.6).
    """

    domain: str
    selector: str
    algorithm: Algorithm
    public: bytes = field(repr=False)
    """What `p=` holds, decoded."""
    sign_digest: Callable[[bytes], bytes] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsRecord:
    """The TXT record that lets receivers verify; `strings` are its value in pieces of at most 255 bytes."""

    name: str
    strings: tuple[str, ...]

    @property
    def value(self) -> str:
        """The whole value, as most control panels want it."""
        return "".join(self.strings)

    def __str__(self) -> str:
        """A line of a zone file."""
        return f"{self.name}. IN TXT ( " + " ".join(f'"{string}"' for string in self.strings) + " )"


def load_key(raw: bytes, *, domain: str, selector: str, where: str) -> SigningKey:
    """The key in a PEM file; raises DkimKeyError where it is none, too short, locked or of another kind."""
    name = signing_domain(domain, where=where)
    key = _private_key(raw, where)
    if isinstance(key, RSAPrivateKey):
        if key.key_size < RSA_BITS:
            raise DkimKeyError(
                f"the RSA key is too short: {key.key_size} bits",
                where=where,
                remedy=f"Receivers want {RSA_BITS}. {KEYGEN}",
            )
        if key.key_size > _MOST_RSA_BITS:
            raise DkimKeyError(
                f"the RSA key is too long: {key.key_size} bits",
                where=where,
                remedy=f"Receivers need not take more than {_MOST_RSA_BITS} (RFC 8301). {KEYGEN}",
            )
        public = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return SigningKey(
            domain=name,
            selector=selector,
            algorithm="rsa-sha256",
            public=public,
            sign_digest=_rsa_signer(key),
        )
    return SigningKey(
        domain=name,
        selector=selector,
        algorithm="ed25519-sha256",
        public=key.public_key().public_bytes_raw(),
        sign_digest=key.sign,
    )


def make_key(*, ed25519: bool = False) -> bytes:
    """A new private key, PEM (PKCS #8), not locked."""
    key = Ed25519PrivateKey.generate() if ed25519 else generate_private_key(65537, RSA_BITS)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def dns_record(key: SigningKey) -> DnsRecord:
    """What is to be published so that receivers can verify this key's signatures."""
    kind = key.algorithm.removesuffix("-sha256")
    value = f"v=DKIM1; k={kind}; p={base64.b64encode(key.public).decode('ascii')}"
    return DnsRecord(
        name=f"{key.selector}._domainkey.{key.domain}",
        strings=tuple(value[at : at + _STRING_BYTES] for at in range(0, len(value), _STRING_BYTES)),
    )


def signing_domain(domain: str, *, where: str) -> str:
    """A domain as `d=` has it: A-label, lower case; raises DkimKeyError where it is none."""
    try:
        name = domain_of("x@" + domain.strip().rstrip("."))
    except HeaderError:
        name = ""
    if not _DOMAIN.fullmatch(name) or len(name) > 253:
        raise DkimKeyError(
            f"is no domain to sign for: {domain!a}",
            where=where,
            remedy="Write it as news.example.org.",
        )
    return name


def is_aligned(domain: str, from_domain: str) -> bool:
    """True where a signature of `domain` speaks for mail from `from_domain` (DMARC, relaxed).

    One must be the other or stand above it. Two neighbours may share an organisation too; only the DNS knows.
    """
    return (
        domain == from_domain
        or domain.endswith("." + from_domain)
        or from_domain.endswith("." + domain)
    )


def _private_key(raw: bytes, where: str) -> RSAPrivateKey | Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(raw, password=None)
    except TypeError:
        raise DkimKeyError(
            "the key is locked with a password",
            where=where,
            remedy=f"Nobody is there to type it; write the key without one. {KEYGEN}",
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise DkimKeyError(_not_a_key(raw), where=where, remedy=KEYGEN) from None
    if isinstance(key, RSAPrivateKey | Ed25519PrivateKey):
        return key
    raise DkimKeyError(
        f"a key of this kind cannot sign mail: {type(key).__name__.removesuffix('PrivateKey')}",
        where=where,
        remedy=f"DKIM knows RSA and Ed25519. {KEYGEN}",
    )


def _not_a_key(raw: bytes) -> str:
    if not raw.strip():
        return "the key file is empty"
    if b"-----BEGIN PUBLIC KEY-----" in raw or b"-----BEGIN RSA PUBLIC KEY-----" in raw:
        return "is the public key; the private one signs"
    if b"-----BEGIN CERTIFICATE-----" in raw:
        return "is a certificate, not a private key"
    return "is not a private key in PEM"


def _rsa_signer(key: RSAPrivateKey) -> Callable[[bytes], bytes]:
    scheme, hashed = padding.PKCS1v15(), Prehashed(hashes.SHA256())

    def sign(digest: bytes) -> bytes:
        return key.sign(digest, scheme, hashed)

    return sign
