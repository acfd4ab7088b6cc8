"""What changed in a document since the copy that a reader has: RFC 3229 with the instance manipulation `feed`.

A build leaves a sidecar beside what it knows of a document: where each entry stands in it and which journal number
changed it last, and which number each of the last entity tags stood for. So a delta is cut out of the document's own
bytes; nothing is rendered.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from feeds.conditional import split_tag

MANIPULATION = "feed"
_MAX_HEADER = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Sidecar:
    """What a build noted of one document: the hash of its bytes, where its entries are (offset, length, number of the
    last change), where its tail begins, and the journal number of each former hash."""

    hash: str
    tail_at: int
    entries: Sequence[tuple[int, int, int]]
    history: Mapping[str, int]


def parse_sidecar(raw: bytes, size: int) -> Sidecar | None:
    """The sidecar of a document of `size` bytes; None where it cannot be used, and then there are no deltas."""
    try:
        stored = json.loads(raw)
        entries = [(int(at), int(length), int(number)) for at, length, number in stored["entries"]]
        history: dict[str, int] = {}
        for hash_, number in stored["history"]:
            # The same bytes again after a change and its undoing: whoever has them knows all up to the later number.
            history[str(hash_)] = max(int(number), history.get(str(hash_), 0))
        sidecar = Sidecar(
            hash=str(stored["etag"]),
            tail_at=int(stored["tail_at"]),
            entries=tuple(entries),
            history=history,
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None
    return sidecar if _fits(sidecar, size) else None


def _fits(sidecar: Sidecar, size: int) -> bool:
    """True where its entries stand one behind the other inside the document."""
    end = 0
    for at, length, _ in sidecar.entries:
        if at < end or length < 0:
            return False
        end = at + length
    return end <= sidecar.tail_at <= size


def wants_delta(a_im: str) -> bool:
    """True where a request takes the manipulation `feed` (RFC 3229 10.5.3). Others that it names are not ours; a weight
    of 0 means that it does not want it."""
    for element in a_im[:_MAX_HEADER].split(","):
        name, *parameters = (part.strip().lower() for part in element.split(";"))
        if name == MANIPULATION:
            return not any(_forbids(parameter) for parameter in parameters)
    return False


def _forbids(parameter: str) -> bool:
    name, _, value = parameter.partition("=")
    return name.strip() == "q" and value.strip().rstrip("0") in ("", ".", "0.")


def delta_base(sidecar: Sidecar, tags: Sequence[str]) -> tuple[str, int] | None:
    """The newest copy that the reader has, of those that we remember: its opaque tag and journal number."""
    known = ((tag, sidecar.history.get(split_tag(tag)[0])) for tag in tags)
    found = [(number, tag) for tag, number in known if number is not None]
    if not found:
        return None
    number, tag = max(found)
    return tag, number


def build_delta(body: bytes, sidecar: Sidecar, since: int) -> bytes | None:
    """The document with only the entries that changed after `since`; None where these are all it has, which is no less
    than the whole. What stands between two entries (JSON's comma) is taken over."""
    changed = [(at, at + length) for at, length, number in sidecar.entries if number > since]
    if len(changed) == len(sidecar.entries):
        return None
    head = body[: sidecar.entries[0][0] if sidecar.entries else sidecar.tail_at]
    between = b""
    if len(sidecar.entries) > 1:
        (first, length, _), (second, _, _) = sidecar.entries[:2]
        between = body[first + length : second]
    entries = between.join(body[start:end] for start, end in changed)
    return head + entries + body[sidecar.tail_at :]
