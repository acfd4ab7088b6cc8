"""Keys for tests, made once a process, and a DNS that knows them."""

from collections.abc import Callable, Sequence
from functools import cache

import dkim

from newsletter.dkim_keys import SigningKey, dns_record, load_key, make_key

DOMAIN = "news.riverline.example"


def a_pem(*, ed25519: bool = False) -> bytes:
    """A private key; the same one each time."""
    return _pem(ed25519)


@cache
def _pem(ed25519: bool) -> bytes:
    return make_key(ed25519=ed25519)


@cache
def a_key(*, ed25519: bool = False, domain: str = DOMAIN) -> SigningKey:
    """A key ready to sign: selector s1 for RSA, s2 for Ed25519."""
    selector = "s2" if ed25519 else "s1"
    return load_key(a_pem(ed25519=ed25519), domain=domain, selector=selector, where="a test")


def both_keys() -> tuple[SigningKey, SigningKey]:
    """RSA, and Ed25519 beside it."""
    return a_key(), a_key(ed25519=True)


def dns_of(keys: Sequence[SigningKey]) -> Callable[..., bytes | None]:
    """What dkimpy asks for TXT records: exactly what we would have people publish."""
    records = {dns_record(key).name + ".": dns_record(key).value.encode() for key in keys}

    def answer(name: bytes | str, timeout: int = 5) -> bytes | None:
        return records.get(name.decode() if isinstance(name, bytes) else name)

    return answer


def verdicts(message: bytes, keys: Sequence[SigningKey]) -> list[bool]:
    """What dkimpy says of each signature of a message, the topmost first."""
    amount = message.partition(b"\r\n\r\n")[0].count(b"DKIM-Signature:")
    return [_verdict(message, keys, place) for place in range(amount)]


def _verdict(message: bytes, keys: Sequence[SigningKey], place: int) -> bool:
    try:
        return bool(dkim.DKIM(message).verify(idx=place, dnsfunc=dns_of(keys)))
    except dkim.ValidationError:
        return False
