"""Rendered texts to byte segments: what is the same for everybody once, and holes for what is not.

A template writes a *mark* where something is put in later: a personal field, an article that is encoded already, or
a cut, where two editions may go on alike. The marks carry a salt that no post can contain, because it is a hash over
the posts.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from newsletter.quoted_printable import encoded_text
from posts.errors import TemplateError

Item = bytes | str
"""Bytes that are the same for everybody, or the name of a personal field."""

FIELDS = frozenset(
    {
        "to",
        "message_id",
        "list_unsubscribe",
        *(
            f"{part}.{name}"
            for part in ("html", "text")
            for name in ("address", "since", "unsubscribe_url", "preferences_url")
        ),
    }
)
"""Every personal field; the part before the dot says for where its value is escaped."""


@dataclass(frozen=True, slots=True)
class Marks:
    """Writes the marks of one issue; `salt` is a hash over all that is in it."""

    salt: str

    def field(self, name: str) -> str:
        """The mark of a personal field."""
        if name not in FIELDS:
            raise TemplateError(
                f"{name} is not a personal field",
                remedy=f"There are: {', '.join(sorted(FIELDS))}.",
            )
        return f"@@{self.salt}:field:{name}@@"

    def slot(self, name: str) -> str:
        """The mark of a text that is encoded apart from its surroundings; stands at the beginning of a line."""
        return f"@@{self.salt}:slot:{name}@@"

    def cut(self) -> str:
        """The mark of a place where the text is cut in two segments."""
        return f"@@{self.salt}:cut:@@"

    def split(self, text: str) -> list[tuple[str, str]]:
        """`text` as pairs of kind (text, field, slot, cut) and value."""
        pieces = re.split(rf"@@{self.salt}:(field|slot|cut):([a-z0-9._-]*)@@", text)
        pairs = [("text", pieces[0])]
        for at in range(1, len(pieces), 3):
            pairs += [(pieces[at], pieces[at + 1]), ("text", pieces[at + 2])]
        return [(kind, value) for kind, value in pairs if kind != "text" or value]


def compile_text(text: str, marks: Marks, slots: Mapping[str, bytes]) -> list[Item]:
    """The segments of a text: constants encoded as quoted-printable, each beginning a line; fields by name."""
    items: list[Item] = []
    for kind, value in marks.split(text):
        if kind == "text":
            items.append(_encoded_piece(value))
        elif kind == "slot":
            items.append(slots[value])
        elif kind == "field":
            items.append(value)
    return items


@lru_cache(maxsize=1024)
def _encoded_piece(text: str) -> bytes:
    """The pieces of shells are small, and most of them are the same in each edition."""
    return encoded_text(text)


class PartBook:
    """The sealed parts of one issue: each different segment stands in it once."""

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {}

    def program(self, items: Iterable[Item]) -> tuple[int | str, ...]:
        """The message as a list: an integer names a part, a string a personal field."""
        return tuple(
            item if isinstance(item, str) else self._numbers.setdefault(item, len(self._numbers))
            for item in items
        )

    @property
    def parts(self) -> tuple[bytes, ...]:
        """All parts by number, from 0."""
        return tuple(self._numbers)


def items_hash(items: Iterable[Item]) -> str:
    """A hash over segments and fields in their order: what an edition's seal is."""
    digest = hashlib.sha256()
    for item in items:
        if isinstance(item, str):
            digest.update(b"F" + item.encode() + b"\0")
        else:
            digest.update(b"P" + hashlib.sha256(item).digest())
    return digest.hexdigest()


def program_items(program: Iterable[int | str], parts: Mapping[int, bytes]) -> list[Item]:
    """What a stored program stands for; raises KeyError where a part is missing."""
    return [item if isinstance(item, str) else parts[item] for item in program]
