"""Rendered texts to byte segments: what is the same for everybody once, and holes for what is not.

A template writes a *mark* (marks.py) where something is put in later: a personal field, a piece that is encoded
already, or a cut, where two editions may go on alike.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from newsletter.marks import Marks
from newsletter.quoted_printable import encoded_text

Item = bytes | str
"""Bytes that are the same for everybody, or the name of a personal field."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in a compiled text where pieces go that are encoded already."""

    name: str


@dataclass(frozen=True, slots=True)
class Piece:
    """Text that is encoded already; `size` counts its bytes before."""

    body: bytes
    size: int


def compiled(text: str, marks: Marks) -> tuple[Item | Slot, ...]:
    """The segments of a text: constants encoded as quoted-printable, each beginning a line; fields and slots by name."""
    items: list[Item | Slot] = []
    for kind, value in marks.split(text):
        if kind == "text":
            items.append(encoded_piece(value))
        elif kind == "slot":
            items.append(Slot(value))
        elif kind == "field":
            items.append(value)
    return tuple(items)


@lru_cache(maxsize=1024)
def encoded_piece(text: str) -> bytes:
    """The pieces of shells are small, and most of them are the same in each edition."""
    return encoded_text(text)


class PartBook:
    """The sealed parts of one issue: each different segment stands in it once."""

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {}

    def program(self, items: Iterable[Item]) -> tuple[int | str, ...]:
        """The message as a list: an integer names a part, a string a personal field."""
        numbers = self._numbers
        return tuple(
            item if isinstance(item, str) else numbers.setdefault(item, len(numbers))
            for item in items
        )

    @property
    def parts(self) -> tuple[bytes, ...]:
        """All parts by number, from 0."""
        return tuple(self._numbers)


def items_hash(items: Iterable[Item], known: dict[Item, bytes] | None = None) -> str:
    """A hash over segments and fields in their order: what an edition's seal is.

    `known` keeps the hashes of segments between editions, which share most of theirs.
    """
    known = {} if known is None else known
    digest = hashlib.sha256()
    for item in items:
        own = known.get(item)
        if own is None:
            own = known[item] = (
                b"F" + item.encode() + b"\0"
                if isinstance(item, str)
                else b"P" + hashlib.sha256(item).digest()
            )
        digest.update(own)
    return digest.hexdigest()


def program_items(program: Iterable[int | str], parts: Mapping[int, bytes]) -> list[Item]:
    """What a stored program stands for; raises KeyError where a part is missing."""
    return [item if isinstance(item, str) else parts[item] for item in program]


_CODES = {
    "to": "t",
    "message_id": "m",
    "list_unsubscribe": "l",
    "html.address": "ha",
    "html.name": "hn",
    "html.since": "hs",
    "html.unsubscribe_url": "hu",
    "html.preferences_url": "hp",
    "text.address": "ta",
    "text.name": "tn",
    "text.since": "ts",
    "text.unsubscribe_url": "tu",
    "text.preferences_url": "tp",
}
"""How a stored program names its fields; issues are kept, so an entry is only ever added."""
_NAMES = {code: name for name, code in _CODES.items()}


def packed_program(program: Iterable[int | str]) -> list[int | str]:
    """A program as it is stored: a run of parts as its first and, negative, how many follow; fields by short names."""
    packed: list[int | str] = []
    last: int | None = None
    for item in program:
        if isinstance(item, str):
            packed.append(_CODES.get(item, item))
            last = None
        elif last is not None and item == last + 1:
            before = packed[-1]
            if isinstance(before, int) and before < 0:
                packed[-1] = before - 1
            else:
                packed.append(-1)
            last = item
        else:
            packed.append(item)
            last = item
    return packed


def unpacked_program(packed: Iterable[int | str]) -> list[int | str]:
    """The program that `packed_program` made this of; one that was stored in full is itself."""
    program: list[int | str] = []
    for item in packed:
        if isinstance(item, str):
            program.append(_NAMES.get(item, item))
        elif item >= 0:
            program.append(item)
        else:
            first = program[-1]
            if isinstance(first, str):
                raise ValueError("a stored program begins a run behind a field")
            program += range(first + 1, first + 1 - item)
    return program
