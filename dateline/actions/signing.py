"""The keys that `[[mail.dkim]]` names: loaded for whoever sends, and looked through for faults."""

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from dateline.press import Press
from newsletter.dkim_keys import (
    KEYGEN,
    DkimKeyError,
    SigningKey,
    is_aligned,
    load_key,
    signing_domain,
)
from newsletter.headers import domain_of
from posts.errors import Refused

_LARGEST = 100_000
"""Bytes; the longest key that may be used takes 4,000."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFault:
    """What is wrong with one `[[mail.dkim]]`: which one, in which of its settings, and what."""

    index: int
    setting: str
    what: str


def load_signing_keys(press: Press) -> tuple[SigningKey, ...]:
    """The keys that sign this press's mail, in the order of the configuration; raises Refused where one cannot be used.

    A mail that should be signed is not sent without: receivers would refuse it or doubt the next ones.
    """
    try:
        _refuse_twins(press)
        return tuple(
            _loaded(press.path(one.key_file), one.domain, one.selector)
            for one in press.config.mail.dkim
        )
    except DkimKeyError as error:
        raise Refused(f"mail cannot be signed: {error}", where="[[mail.dkim]]") from error


def list_key_faults(press: Press) -> list[KeyFault]:
    """Everything wrong with the keys, for `dateline check`: files, lengths, kinds, rights, domains, selectors."""
    return [*_file_faults(press), *_alignment_faults(press), *_twin_faults(press)]


def _file_faults(press: Press) -> Iterator[KeyFault]:
    for index, one in enumerate(press.config.mail.dkim):
        try:
            signing_domain(one.domain, where="")
        except DkimKeyError as error:
            yield KeyFault(index=index, setting="domain", what=str(error))
            continue
        path = press.path(one.key_file)
        try:
            _loaded(path, one.domain, one.selector)
        except DkimKeyError as error:
            yield KeyFault(index=index, setting="key_file", what=str(error))
            continue
        if path.stat().st_mode & stat.S_IRWXO:
            what = f"{path}: others on this machine can read the key. `chmod 600` it."
            yield KeyFault(index=index, setting="key_file", what=what)


def _alignment_faults(press: Press) -> Iterator[KeyFault]:
    """A signature of another domain is fine beside one that speaks for `[mail] from`, and useless to DMARC alone."""
    from_domain = domain_of(press.config.mail.from_)
    keys = press.config.mail.dkim
    if any(is_aligned(_written(one.domain), from_domain) for one in keys):
        return
    for index, one in enumerate(keys):
        if not _is_domain(one.domain):
            continue  # named as that already
        what = (
            f'signs for "{one.domain}", but mail.from is at "{from_domain}": DMARC does not count that. '
            f'Sign for "{from_domain}" or the domain above it.'
        )
        yield KeyFault(index=index, setting="domain", what=what)


def _twin_faults(press: Press) -> Iterator[KeyFault]:
    seen: set[tuple[str, str]] = set()
    for index, one in enumerate(press.config.mail.dkim):
        place = (one.selector.lower(), _written(one.domain))
        if place in seen:
            what = (
                f'is used twice: "{one.selector}" of {place[1]}; one name in the DNS holds one key. '
                "Give each key a selector of its own."
            )
            yield KeyFault(index=index, setting="selector", what=what)
        seen.add(place)


def _refuse_twins(press: Press) -> None:
    for fault in _twin_faults(press):
        raise DkimKeyError(f"mail.dkim.{fault.setting} {fault.what}")


def _written(domain: str) -> str:
    return signing_domain(domain, where="") if _is_domain(domain) else domain


def _is_domain(domain: str) -> bool:
    try:
        signing_domain(domain, where="")
    except DkimKeyError:
        return False
    return True


def _loaded(path: Path, domain: str, selector: str) -> SigningKey:
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode) or about.st_size > _LARGEST:
            # a pipe would be waited for without end, a device read without end
            raise DkimKeyError("is not a file with a key in it", where=str(path), remedy=KEYGEN)
        return _cached(path, domain, selector, (about.st_mtime_ns, about.st_size, about.st_ino))
    except OSError as error:
        raise DkimKeyError(
            f"the key cannot be read: {error.strerror}",
            where=str(path),
            remedy="`dateline doctor keygen` makes one; the program's user must be able to read it.",
        ) from None


@lru_cache(maxsize=32)
def _cached(path: Path, domain: str, selector: str, state: tuple[int, int, int]) -> SigningKey:
    """A key as long as its file is in this `state`: OpenSSL takes 40 ms to prove an RSA key good."""
    return load_key(path.read_bytes(), domain=domain, selector=selector, where=str(path))
