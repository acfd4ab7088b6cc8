"""Composing and signing digests of 32 kB, on one core, against dkimpy: CPU time a message."""

import argparse
import base64
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from typing import TypeVar

import dkim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from newsletter.dkim import SIGNED, Signing, compile_signing
from newsletter.dkim_keys import SigningKey, dns_record, load_key, make_key
from newsletter.message import Joiner, LoadedEdition, Recipient, compile_joiner, load_edition
from tests.newsletter.mail_samples import (
    DATE,
    KEYS,
    SITE,
    WEB_URL,
    a_post,
    a_recipient,
    sealed,
    words,
)

DOMAIN = "news.riverline.example"
READERS = 500
T = TypeVar("T")


def main(argv: list[str]) -> None:
    """`dkim [--messages N] [--theirs N] [--rounds N]`: microseconds a message, ours and dkimpy's in turns."""
    parser = argparse.ArgumentParser(prog="dkim")
    parser.add_argument("--messages", type=int, default=500)
    parser.add_argument("--theirs", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args(argv)
    edition = an_edition()
    joiner = a_joiner(edition)
    readers = [_reader(number) for number in range(READERS)]
    values = [joiner.values(reader) for reader in readers]
    bodies = [joiner.joined(value) for value in values]
    pems = {"rsa": make_key(), "ed25519": make_key(ed25519=True)}
    keys = [load_key(pem, domain=DOMAIN, selector=kind, where="") for kind, pem in pems.items()]
    rsa, ed25519 = (_compiled(edition, key) for key in keys)
    both = _compiled(edition, *keys)
    _prove(both.sign(values[0]) + bodies[0], keys)
    work: dict[str, tuple[Callable[[], object], int]] = {
        "compose": (_each(joiner.message, readers), given.messages),
        "dkimpy RSA-2048": (_each(_dkimpy(pems["rsa"]), bodies), given.theirs),
        "ours RSA-2048": (_each(rsa.sign, values), given.messages),
        "of it the RSA alone": (lambda: keys[0].sign_digest(b"x" * 32), given.messages),
        "dkimpy Ed25519": (_each(_dkimpy(pems["ed25519"]), bodies), given.theirs),
        "ours Ed25519": (_each(ed25519.sign, values), given.messages),
        "of it the Ed25519 alone": (lambda: keys[1].sign_digest(b"x" * 32), given.messages),
        "ours, both": (_each(both.sign, values), given.messages),
    }
    taken: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(given.rounds):
        for name, (once, amount) in work.items():
            taken[name].append(_cpu_us(once, amount))
    size = statistics.fmean(map(len, bodies))
    print(f"messages of {size:,.0f} bytes; CPU time, median of {given.rounds} rounds")
    medians = {name: statistics.median(rounds) for name, rounds in taken.items()}
    for name, median in medians.items():
        print(f"{name:26}{median:9,.1f} us  [{min(taken[name]):,.1f}-{max(taken[name]):,.1f}]")
    for kind in ("RSA-2048", "Ed25519"):
        print(f"ratio {kind}: {medians[f'dkimpy {kind}'] / medians[f'ours {kind}']:.1f}")
    for kind, signing in (("RSA-2048", rsa), ("Ed25519", ed25519)):
        one, two = (_rate(signing, values, threads, given.messages) for threads in (1, 2))
        print(f"{kind} in threads: 1: {one:,.0f}/s, 2: {two:,.0f}/s ({two / one:.2f} times)")


def an_edition() -> LoadedEdition:
    """A digest of eight posts, as the sender loads it."""
    issue = sealed([a_post(n, html=f"<p>{words(300)}</p>") for n in range(1, 9)])
    chosen = issue.editions[0]
    parts = dict(enumerate(issue.parts))
    return load_edition(chosen.program, parts, language=chosen.language, seal=chosen.seal)


def a_joiner(edition: LoadedEdition) -> Joiner:
    """What makes its messages."""
    return compile_joiner(
        edition,
        issue_id=812,
        date=DATE,
        keys=KEYS,
        web_url=WEB_URL,
        from_domain=DOMAIN,
        zone=SITE.zone,
    )


def _reader(number: int) -> Recipient:
    address = f"reader{number}@example.org"
    return a_recipient(subscriber=number, subscription=number, address=address)


def _compiled(edition: LoadedEdition, *keys: SigningKey) -> Signing:
    signing = compile_signing(edition, keys, DATE)
    assert signing is not None
    assert signing.is_prepared
    return signing


def _dkimpy(pem: bytes) -> Callable[[bytes], bytes]:
    """dkimpy's signature over the same headers, canonicalised alike."""
    key = serialization.load_pem_private_key(pem, None)
    is_rsa = not isinstance(key, Ed25519PrivateKey)
    raw = pem if is_rsa else base64.b64encode(key.private_bytes_raw())
    names = [name.encode() for name in SIGNED]

    def sign(body: bytes) -> bytes:
        made: bytes = dkim.sign(
            body,
            b"rsa" if is_rsa else b"ed25519",
            DOMAIN.encode(),
            raw,
            canonicalize=(b"relaxed", b"relaxed"),
            signature_algorithm=b"rsa-sha256" if is_rsa else b"ed25519-sha256",
            include_headers=names,
        )
        return made

    return sign


def _prove(message: bytes, keys: list[SigningKey]) -> None:
    """What is measured are signatures that verify."""
    records = {dns_record(key).name + ".": dns_record(key).value.encode() for key in keys}
    for place in range(len(keys)):
        whole = dkim.DKIM(message)
        assert whole.verify(idx=place, dnsfunc=lambda name, timeout=5: records[name.decode()])


def _each(one: Callable[[T], object], things: list[T]) -> Callable[[], object]:
    """A different one at each call, over and over."""
    turns = cycle(things)
    return lambda: one(next(turns))


def _cpu_us(once: Callable[[], object], amount: int) -> float:
    began = time.process_time()
    for _ in range(amount):
        once()
    return (time.process_time() - began) / amount * 1e6


def _rate(signing: Signing, values: list[dict[str, bytes]], threads: int, amount: int) -> float:
    """Signatures a second, by the clock on the wall."""
    turns = [values[number % READERS] for number in range(amount * threads)]
    with ThreadPoolExecutor(threads) as pool:
        began = time.perf_counter()
        list(pool.map(lambda part: [signing.sign(one) for one in part], _parts(turns, threads)))
        return len(turns) / (time.perf_counter() - began)


def _parts(things: list[T], amount: int) -> list[list[T]]:
    return [things[number::amount] for number in range(amount)]
