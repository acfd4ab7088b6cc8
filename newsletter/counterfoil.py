"""The counterfoil's lines: what a press notes outside its database before it does it, and what a tail of them says.

A line is one JSON object: `n` numbers the write that it came with, `file` names the counterfoil, `at` is the time,
`what` and the rest say what was done. Addresses stand there as keyed hashes only. The rules are DESIGN.md 8.12; how
a line and its transaction can be torn apart, and what then, is the table in `dateline/actions/holding.py`.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum

from newsletter.tokens import Keys


class What(StrEnum):
    """What a line says was done. Up to `resumed` it is written before its commit; `leased` and `settled` after."""

    MADE = "made"
    ADOPTED = "adopted"
    RELEASED = "released"
    CANCELLED = "cancelled"
    LEFT = "left"
    BACK = "back"
    PAUSED = "paused"
    RESUMED = "resumed"
    SUPPRESSED = "suppressed"
    UNSUPPRESSED = "unsuppressed"
    ERASED = "erased"
    LEASED = "leased"
    SETTLED = "settled"


AFTER_COMMIT = frozenset((What.LEASED, What.SETTLED))
"""Lines of the delivery program, written once the database knows and before anything of it goes to the wire."""

_PLACED = frozenset((What.MADE, What.ADOPTED))


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a file lies, as far as that tells it from a copy of it. An empty part was not to be had."""

    inode: int
    generation: int = 0
    machine: str = ""

    def is_same(self, other: "Place") -> bool:
        """True where both can be the same file: the parts that both know are equal."""
        return (
            self.inode == other.inode
            and (not (self.generation and other.generation) or self.generation == other.generation)
            and (not (self.machine and other.machine) or self.machine == other.machine)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that was done. `row` is the subscription's (or subscriber's) id, `who` the keyed hash that proves it."""

    what: What
    issue: int | None = None
    newsletter: str | None = None
    frequency: str | None = None
    number: int | None = None
    end: int | None = None
    due: str | None = None
    seal: str | None = None
    recipients: int | None = None
    batch: int | None = None
    attempt: int | None = None
    row: int | None = None
    who: str | None = None
    reason: str | None = None
    posts: tuple[str, ...] | None = None
    place: Place | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """An entry as it stands in the file."""

    n: int
    file: str
    at: datetime
    entry: Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Since:
    """What a tail of lines says was done, each thing in its last state. `leased`: batches by issue."""

    released: Mapping[int, Line] = field(default_factory=dict)
    cancelled: frozenset[int] = frozenset()
    left: tuple[Entry, ...] = ()
    paused: tuple[Entry, ...] = ()
    came_back: int = 0
    suppressed: tuple[Entry, ...] = ()
    unsuppressed: int = 0
    erased: tuple[Entry, ...] = ()
    leased: Mapping[int, frozenset[int]] = field(default_factory=dict)

    @property
    def mailed(self) -> frozenset[int]:
        """Issues of which something may have gone out."""
        return frozenset(self.leased)


_NAMES = [one.name for one in fields(Entry) if one.name not in ("what", "place")]


def subscription_hash(keys: Keys, newsletter: str, address_key: str) -> str:
    """What stands for a subscription: nobody without the secret can tell whose it is."""
    return keys.mac("counterfoil", f"{newsletter} {address_key}".encode()).hex()[:32]


def erased_hash(keys: Keys, address_key: str) -> str:
    """What stands for an address that was erased; not the hash of a suppression."""
    return keys.mac("counterfoil erased", address_key.encode()).hex()[:32]


def post_hash(guid: str) -> str:
    """What stands for a post that an issue held; short, and the same for ever."""
    return hashlib.sha256(guid.encode()).hexdigest()[:16]


def format_lines(entries: Iterable[Entry], *, n: int, file: str, at: datetime) -> bytes:
    """The lines of one write."""
    return b"".join(_format(entry, n, file, at) for entry in entries)


def _format(entry: Entry, n: int, file: str, at: datetime) -> bytes:
    said: dict[str, object] = {"n": n, "file": file, "at": at.isoformat(timespec="seconds")}
    said["what"] = entry.what.value
    said |= {name: value for name in _NAMES if (value := getattr(entry, name)) is not None}
    if entry.place is not None:
        place = entry.place
        said["place"] = [place.inode, place.generation, place.machine]
    return json.dumps(said, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def parse_lines(body: bytes) -> list[Line]:
    """The lines of a stretch of the file, in order. What cannot be read is passed over.

    A line can only be torn when its write was cut short; then it was never synced, and what it says was never done.
    """
    found = (_parse(raw) for raw in body.split(b"\n") if raw)
    return [line for line in found if line is not None]


def parse_last_line(body: bytes) -> Line | None:
    """The last line of a stretch that can be read; the others are not looked at."""
    for raw in reversed(body.split(b"\n")):
        line = _parse(raw) if raw else None
        if line is not None:
            return line
    return None


def _parse(raw: bytes) -> Line | None:
    try:
        said = json.loads(raw)
        place = said.get("place")
        return Line(
            n=int(said["n"]),
            file=str(said["file"]),
            at=datetime.fromisoformat(said["at"]),
            entry=Entry(
                what=What(said["what"]),
                place=Place(inode=place[0], generation=place[1], machine=place[2])
                if place
                else None,
                posts=tuple(said["posts"]) if "posts" in said else None,
                **{name: said[name] for name in _NAMES if name in said and name != "posts"},
            ),
        )
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        return None


def last_place(lines: Iterable[Line]) -> Place | None:
    """Where the file says that it lies: its last word on that, or None where these lines say nothing."""
    places = [line.entry.place for line in lines if line.entry.what in _PLACED]
    return places[-1] if places else None


def writes(lines: Iterable[Line]) -> int:
    """How many transactions wrote these lines before their commit; the file's first line is none."""
    noted = (line for line in lines if line.entry.what not in AFTER_COMMIT)
    return len({line.n for line in noted if line.entry.what is not What.MADE})


def was_adopted(lines: Iterable[Line]) -> bool:
    """True where an adoption stands among these lines."""
    return any(line.entry.what is What.ADOPTED for line in lines)


def sum_up(lines: Sequence[Line]) -> Since:
    """What these lines say, net: whoever left and came back has not left."""
    state: dict[str, Entry] = {}
    pauses: dict[str, Entry] = {}
    suppressed: dict[str, Entry] = {}
    erased: dict[str, Entry] = {}
    released: dict[int, Line] = {}
    cancelled: set[int] = set()
    leased: dict[int, set[int]] = {}
    for line in lines:
        entry, who, issue = line.entry, line.entry.who or "", line.entry.issue or 0
        match entry.what:
            case What.RELEASED:
                released[issue] = line
            case What.CANCELLED:
                cancelled.add(issue)
            case What.LEFT | What.BACK:
                state[who] = entry
            case What.PAUSED | What.RESUMED:
                pauses[who] = entry
            case What.SUPPRESSED | What.UNSUPPRESSED:
                suppressed[who] = entry
            case What.ERASED:
                erased[who] = entry
            case What.LEASED | What.SETTLED:
                leased.setdefault(issue, set()).add(entry.batch or 0)
            case What.MADE | What.ADOPTED:
                pass
    return Since(
        released=released,
        cancelled=frozenset(cancelled),
        left=_those(state.values(), What.LEFT),
        paused=_those(pauses.values(), What.PAUSED),
        came_back=len(_those(state.values(), What.BACK)),
        suppressed=_those(suppressed.values(), What.SUPPRESSED),
        unsuppressed=len(_those(suppressed.values(), What.UNSUPPRESSED)),
        erased=tuple(erased.values()),
        leased={issue: frozenset(batches) for issue, batches in leased.items()},
    )


def _those(entries: Collection[Entry], what: What) -> tuple[Entry, ...]:
    return tuple(entry for entry in entries if entry.what is what)
