"""A request's conditions against a document: which of its representations is meant, and whether the reader has it.

A document has a representation for each content coding: as it is, gzip, brotli (RFC 9110 8.8.3.3). Each has a strong
entity tag of its own, made of one hash: that of the document as it is, so that all three are known by one value.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Sequence
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache

IDENTITY = "identity"
CODINGS = ("br", "gzip", IDENTITY)
"""What a document may be sent as, smallest first."""

ANY = "*"
MAX_TAGS = 1000
"""So many tags of a list are looked at; a reader has one, a cache a handful. What it costs to be absurd is bounded."""

_MAX_HEADER = 64 * 1024
_USUAL_HEADER = 200
_TAG = re.compile(r'"([^"]*)"')
_QVALUE = re.compile(r"\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*", re.IGNORECASE)
_ALIASES = {"x-gzip": "gzip"}  # RFC 9110 8.4.1.3


def http_date(moment: datetime) -> str:
    """An HTTP date (RFC 9110 5.6.7); `moment` is in UTC."""
    return format_datetime(moment, usegmt=True)


def document_hash(body: bytes) -> str:
    """What a document's entity tags are made of: the same for the same bytes, whoever serves them."""
    return hashlib.sha256(body).hexdigest()[:32]


def entity_tag(hash_: str, coding: str) -> str:
    """The strong entity tag of one representation, quotes included."""
    return f'"{hash_}"' if coding == IDENTITY else f'"{hash_}-{coding}"'


def split_tag(opaque: str) -> tuple[str, str]:
    """Hash and coding of an opaque tag. Apache adds `-gzip` where it compresses itself, which reads the same."""
    hash_, dash, coding = opaque.rpartition("-")
    return (hash_, coding) if dash and coding in CODINGS else (opaque, IDENTITY)


def listed_tags(if_none_match: str) -> list[str]:
    """The opaque tags of an If-None-Match, without quotes and `W/`: on GET the comparison is weak (RFC 9110 13.1.2).

    `*` gives the list of ANY alone. Some readers drop the quotes (feeds.md 2.3); what they send then is taken as it is.
    At most MAX_TAGS are given.
    """
    value = if_none_match[:_MAX_HEADER].strip()
    if value == ANY:
        return [ANY]
    tags = [match[1] for match, _ in zip(_TAG.finditer(value), range(MAX_TAGS), strict=False)]
    if not tags and '"' not in value:
        tags = [part.strip().removeprefix("W/") for part in value.split(",", MAX_TAGS)[:MAX_TAGS]]
    return [tag for tag in tags if tag]


def acceptable_codings(accept_encoding: str | None) -> tuple[str, ...]:
    """The codings that a request takes, most wanted first (RFC 9110 12.5.3); never empty.

    A request that says nothing takes any coding, but is sent the document as it is: whoever asks so cannot always
    decode. `*` ranks behind that for the same reason. A document that a reader forbids in every form that there is comes
    as it is, which the rule allows and which helps more than 406.
    """
    if accept_encoding is None:
        return (IDENTITY, "br", "gzip")
    if len(accept_encoding) > _USUAL_HEADER:
        return _parsed_codings(accept_encoding)
    return _usual_codings(accept_encoding)


@lru_cache(maxsize=512)
def _usual_codings(accept_encoding: str) -> tuple[str, ...]:
    """As parsed; the world has a few dozen spellings, and they come with every request."""
    return _parsed_codings(accept_encoding)


def _parsed_codings(accept_encoding: str) -> tuple[str, ...]:
    weights: dict[str, float] = {}
    for element in accept_encoding[:_MAX_HEADER].lower().split(",", MAX_TAGS)[:MAX_TAGS]:
        name, _, parameters = element.partition(";")
        weight = _weight(parameters)
        if weight is not None:
            weights[_ALIASES.get(name.strip(), name.strip())] = weight
    rest = weights.get(ANY)
    ranked: list[tuple[float, int, str]] = []
    for place, coding in enumerate(CODINGS):
        weight = weights.get(coding)
        if weight is None:  # behind all that was named; the document as it is first
            if coding == IDENTITY:
                weight = 0.0 if rest == 0 else 0.0005
            else:
                weight = 0.0001 if rest else 0.0
        if weight > 0:
            ranked.append((-weight, place, coding))
    return tuple(coding for *_, coding in sorted(ranked)) or (IDENTITY,)


def _weight(parameters: str) -> float | None:
    """The weight of a list element (RFC 9110 12.4.2); None where it is not written as one."""
    if not parameters.strip():
        return 1.0
    match = _QVALUE.fullmatch(parameters)
    return float(match[1]) if match else None


def chosen_coding(acceptable: Sequence[str], available: Collection[str]) -> str:
    """What is sent: the most wanted coding that there is, else the document as it is."""
    return next((coding for coding in acceptable if coding in available), IDENTITY)


def matched_coding(
    tags: Sequence[str], hash_: str, acceptable: Sequence[str], available: Collection[str]
) -> str | None:
    """The representation that the reader has already (304), or None (200).

    A tag counts where it names a representation that the request would take now: a cache uses the tag of a 304 to find
    what it may send on (RFC 9111 4.3.3), and must not be led to a coding that its own reader cannot decode.
    """
    chosen = chosen_coding(acceptable, available)
    for tag in tags:
        if tag == ANY:
            return chosen
        named, coding = split_tag(tag)
        if named != hash_:
            continue
        if coding not in available:  # Apache compressed what we sent as it is
            return chosen
        if coding in acceptable or coding == chosen:
            return coding
    return None


def is_unchanged_since(if_modified_since: str, last_modified: str) -> bool:
    """True where the date is exactly what we sent: reader programs make dates up (feeds.md 2.1), and a date between a
    change and its build would get a 304 for bytes that it never saw. RFC 9110 13.1.3 leaves us free to send them."""
    return if_modified_since.strip() == last_modified
