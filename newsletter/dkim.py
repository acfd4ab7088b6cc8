"""DKIM signatures (RFC 6376, RFC 8463): prepared once for an edition, then little more than the signing for each mail.

Header and body are canonicalised "relaxed". What is the same for everybody is canonicalised when the edition is
compiled; of each message only its personal fields are. The list of headers is mail.md 2; dkimpy is the tests' oracle.
"""

import binascii
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from newsletter.dkim_keys import SigningKey
from newsletter.message import LoadedEdition
from newsletter.segments import Item

SIGNED = (
    *("from", "to", "cc", "subject", "date", "message-id", "reply-to", "mime-version"),
    *("content-type", "content-transfer-encoding", "list-id", "list-unsubscribe"),
    *("list-unsubscribe-post", "list-help", "list-archive", "feedback-id", "auto-submitted"),
)
"""The headers that a signature covers, where a message has them."""

OVERSIGNED = frozenset(
    (
        *("from", "to", "cc", "subject", "date", "reply-to", "message-id", "list-unsubscribe"),
        *("list-unsubscribe-post", "content-type", "mime-version"),
    )
)
"""Named once more than the message has them: whoever adds one breaks the signature (RFC 6376 8.15)."""

_LINE = 76
_FIELD_END = re.compile(rb"\r\n(?![ \t])")
_FOLDED_SPACE = re.compile(rb"(?:\r\n(?=[ \t])|[ \t])+")
_SPACE_BEFORE_END = re.compile(rb"[ \t]+(?=\r\n)|[ \t]+\Z")
_SPACE = re.compile(rb"[ \t]+")
_UNEVEN_FIELD = re.compile(rb"[\r\t]|  |\A | \Z")
_B_LINE = 72


@dataclass(frozen=True, slots=True)
class _Stamp:
    """The signature header of one key but for `bh=` and `b=`: as it is written, and in canonical form."""

    key: SigningKey
    written: bytes
    canonical: bytes


@dataclass(frozen=True, slots=True)
class _PersonalField:
    """A header field with something personal in it, as it stands; `start` and `end` are canonical.

    A value whose spaces are even already is only put between the two; `name` is empty where there are several.
    """

    items: tuple[Item, ...]
    start: bytes
    name: str
    end: bytes

    def canonical(self, values: Mapping[str, bytes]) -> bytes:
        """The field in canonical form."""
        value = values.get(self.name, b"")
        has_space = b" " in value or b"\t" in value
        if not value or (has_space and _UNEVEN_FIELD.search(value)):
            return relaxed_field(_joined(self.items, values))
        return self.start + value + self.end


@dataclass(frozen=True, slots=True)
class _Head:
    """The signed headers in canonical form, with a place for each personal one."""

    pieces: tuple[bytes, ...]
    personal: tuple[tuple[int, _PersonalField], ...]

    def canonical(self, values: Mapping[str, bytes]) -> bytes:
        """What the signature's hash begins with."""
        pieces = [*self.pieces]
        for place, field in self.personal:
            pieces[place] = field.canonical(values)
        return b"".join(pieces)


@dataclass(frozen=True, slots=True)
class _Body:
    """The canonical body: what stands before the first personal field is in `begun`, the rest in `pieces`.

    Of these every second one, from the first, is empty: the place of the field that `names` has for it.
    """

    begun: "hashlib._Hash"
    names: tuple[str, ...]
    pieces: tuple[bytes, ...]

    def digest(self, values: Mapping[str, bytes]) -> bytes | None:
        """The body hash, or None where a value is no line of its own or not in canonical form itself.

        Ours are both (quoted_printable.encoded_value); who gives others pays for a look at the whole body.
        """
        chosen = [values[name] for name in self.names]
        personal = b"".join(chosen)
        if b"  " in personal or b" \r" in personal or b"\t" in personal:
            return None
        for value in chosen:
            if value[-2:] != b"\r\n" and value:
                return None
        pieces = [*self.pieces]
        pieces[::2] = chosen
        state = self.begun.copy()
        # One long text instead of many pieces: hashlib lets go of the interpreter lock once, not for each.
        state.update(b"".join(pieces))
        return state.digest()


@dataclass(frozen=True, slots=True)
class Signing:
    """Signs the messages of one edition, with every key; may be called in threads."""

    _stamps: tuple[_Stamp, ...]
    _head: _Head
    _body: _Body | None
    _raw_body: tuple[Item, ...]

    def sign(self, values: Mapping[str, bytes]) -> bytes:
        """The DKIM-Signature headers of the message with these personal fields, to be put before it.

        They are one a key, in the order of the keys; the same arguments give the same bytes.
        """
        digest = self._body.digest(values) if self._body is not None else None
        if digest is None:
            digest = hashlib.sha256(relaxed_body(_joined(self._raw_body, values))).digest()
        body_hash = binascii.b2a_base64(digest, newline=False)
        head = self._head.canonical(values)
        return b"".join([_signature(stamp, head, body_hash) for stamp in self._stamps])

    @property
    def is_prepared(self) -> bool:
        """False where the whole body has to be canonicalised for each message, as a field stands inside a line."""
        return self._body is not None


def compile_signing(
    edition: LoadedEdition, keys: Sequence[SigningKey], date: datetime
) -> Signing | None:
    """What signs the messages of `edition`, dated as the issue is; None without keys.

    Raises ValueError where the edition has no From header.
    """
    if not keys:
        return None
    head, body = _split(_items(edition))
    fields = _fields(head)
    signed = [items for name in SIGNED for items in reversed(fields.get(name, []))]
    if "from" not in fields:
        raise ValueError("a message without From cannot be signed")
    names = [
        name for name in SIGNED for _ in range(len(fields.get(name, [])) + (name in OVERSIGNED))
    ]
    return Signing(
        _stamps=tuple(_compiled_stamp(key, names, date) for key in keys),
        _head=_compiled_head(signed),
        _body=_compiled_body(body),
        _raw_body=tuple(body),
    )


def sign_message(body: bytes, keys: Sequence[SigningKey], date: datetime) -> bytes:
    """A finished message with its signatures in front; itself without keys. For mails that are no edition's."""
    edition = LoadedEdition(language="", pieces=(body,), holes=())
    signing = compile_signing(edition, keys, date)
    return body if signing is None else signing.sign({}) + body


def relaxed_field(field: bytes) -> bytes:
    """One header field, without its line end, in canonical form with it (RFC 6376 3.4.2)."""
    name, _, value = field.partition(b":")
    plain = _FOLDED_SPACE.sub(b" ", value).strip(b" ")
    return name.strip(b" \t").lower() + b":" + plain + b"\r\n"


def relaxed_body(body: bytes) -> bytes:
    """A body in canonical form: space at line ends and empty lines at the end are gone (RFC 6376 3.4.4)."""
    lines = _relaxed_lines(body)
    end = len(lines)
    while lines.endswith(b"\r\n", 0, end):
        end -= 2
    return lines[:end] + b"\r\n" if end else b""


def _relaxed_lines(text: bytes) -> bytes:
    return _SPACE.sub(b" ", _SPACE_BEFORE_END.sub(b"", text))


def _signature(stamp: _Stamp, head: bytes, body_hash: bytes) -> bytes:
    digest = hashlib.sha256(head + stamp.canonical + body_hash + b"; b=").digest()
    made = binascii.b2a_base64(stamp.key.sign_digest(digest), newline=False)
    lines = [made[at : at + _B_LINE] for at in range(0, len(made), _B_LINE)]
    return stamp.written + body_hash + b";\r\n b=" + b"\r\n ".join(lines) + b"\r\n"


def _compiled_stamp(key: SigningKey, names: Sequence[str], date: datetime) -> _Stamp:
    *others, last = names
    tags = [
        "v=1;",
        f" a={key.algorithm};",
        " c=relaxed/relaxed;",
        f" d={key.domain};",
        f" s={key.selector};",
        f" t={int(date.timestamp())};",
        f" h={others[0]}:",
        *(f"{name}:" for name in others[1:]),
        f"{last};",
    ]
    lines = ["DKIM-Signature:"]
    for tag in [f" {tags[0]}", *tags[1:]]:
        if len(lines[-1]) + len(tag) <= _LINE - 1:
            lines[-1] += tag
        else:
            lines.append(" " + tag.lstrip())
    written = ("\r\n".join(lines) + "\r\n bh=").encode("ascii")
    return _Stamp(key, written, relaxed_field(written).removesuffix(b"\r\n"))


def _compiled_head(signed: Iterable[Sequence[Item]]) -> _Head:
    pieces: list[bytes] = []
    personal: list[tuple[int, _PersonalField]] = []
    for items in signed:
        holes = [item for item in items if isinstance(item, str)]
        if holes:
            whole = relaxed_field(_joined(items, dict.fromkeys(holes, b"\0")))
            start, _, end = whole.partition(b"\0")
            name = holes[0] if whole.count(b"\0") == 1 else ""
            personal.append((len(pieces), _PersonalField(tuple(items), start, name, end)))
            pieces.append(b"")
        else:
            pieces.append(relaxed_field(_joined(items, {})))
    return _Head(tuple(pieces), tuple(personal))


def _compiled_body(items: Sequence[Item]) -> _Body | None:
    """The body prepared, or None where a constant does not end a line before a field, or the end is empty.

    Canonical form is then that of the pieces: no run of spaces reaches over a joint, and none of the lines at the end
    that are cut away is a reader's.
    """
    within_line = any(
        isinstance(before, bytes) and isinstance(after, str) and not before.endswith(b"\r\n")
        for before, after in pairwise(items)
    )
    last = items[-1] if items else b""
    if within_line or not isinstance(last, bytes) or not relaxed_body(last):
        return None
    begun = hashlib.sha256()
    names: list[str] = []
    pieces: list[bytes] = []
    for item in [*items[:-1], None]:
        if isinstance(item, str):
            names.append(item)
            pieces += [b"", b""]
            continue
        constant = relaxed_body(last) if item is None else _relaxed_lines(item)
        if names:
            pieces[-1] = constant
        else:
            begun.update(constant)
    return _Body(begun, tuple(names), tuple(pieces))


def _items(edition: LoadedEdition) -> list[Item]:
    """The edition as a list again: constants that are not empty, and the names of fields."""
    names = dict(edition.holes)
    listed: list[Item] = [names.get(at, piece) for at, piece in enumerate(edition.pieces)]
    return [item for item in listed if item]


def _split(items: Sequence[Item]) -> tuple[list[Item], list[Item]]:
    """Header and body, without the empty line between them."""
    for at, item in enumerate(items):
        if isinstance(item, bytes) and b"\r\n\r\n" in item:
            head, _, body = item.partition(b"\r\n\r\n")
            rest: list[Item] = [body] if body else []
            return [*items[:at], head], [*rest, *items[at + 1 :]]
    return list(items), []


def _fields(head: Iterable[Item]) -> dict[str, list[list[Item]]]:
    """The header fields by name, each as items without its line end; those of a name in the message's order."""
    whole: list[list[Item]] = [[]]
    for item in head:
        if isinstance(item, str):
            whole[-1].append(item)
            continue
        first, *others = _FIELD_END.split(item)
        whole[-1].append(first)
        whole += [[other] for other in others]
    fields: dict[str, list[list[Item]]] = {}
    for items in whole:
        start = items[0]
        if len(items) > 1 and (isinstance(start, str) or b":" not in start):
            raise ValueError("a personal field stands where a header's name belongs")
        if isinstance(start, bytes) and b":" in start:
            name = start.partition(b":")[0].strip().lower().decode("ascii", "replace")
            fields.setdefault(name, []).append(items)
    return fields


def _joined(items: Iterable[Item], values: Mapping[str, bytes]) -> bytes:
    return b"".join([values[item] if isinstance(item, str) else item for item in items])
