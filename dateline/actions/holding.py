"""Holding: a database older than what this press has done mails nobody (DESIGN.md 8.12); and noting what is done.

Two kinds of lines, and the order in which line (L), commit (C) and mail (M) come:

- L C: what readers and editors do (release, leave, suppress, erase, cancel, ...). `note` is the last thing in the
  transaction; the transaction moves the database's mark to the end of the file, so both agree at every commit.
- C L M: what the delivery program does (a batch leased, a batch settled). No byte of a batch goes to the wire before
  its lease is in the database and then in the file. So mail that a database knows nothing of has left a line.

What stands behind the mark (the tail), while nobody else writes, and what follows from it:

| the process died, or the copy was made | tail | so |
|---|---|---|
| before L | nothing | nothing was done |
| in the middle of L | a torn line | it was never synced, so never done: passed over |
| between L and C, a reader's act | that one write | the reader pressed the button: it is done at once, no hold |
| between L and C, a release | that one write | no batch exists, so nobody was mailed: the draft is as it was, no hold |
| between C and L of a batch | nothing | leased, and nothing of it went out: the lease lapses |
| behind L of a batch | lines that the database bears out | nothing: attempts only grow, the mark moves on |
| the database was copied before a batch was leased or settled | lines that it does not bear out | HOLD |
| the database was copied before two or more writes | more than one write: a crash leaves one, since
  whoever notes first settles what is there | HOLD |
| the database was copied before one write, no mail since | that one write | done at once: what it was is made good |
| an adoption died between L and C, or the database is older than an adoption | a line that says so | HOLD |
| the file is gone, older than the mark, or another | (SQLite) | HOLD |
| file and database were copied alike | inode, generation or machine differ from the file's last word | HOLD |

No line is ever taken back: after an exception a reader's act is done at the next look, a release's line says nothing.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum

import sqlalchemy as sa
import structlog

from dateline.counterfoil import FILE_NAME, Counterfoil, Signature
from dateline.press import Press
from newsletter import adoption, counterfoil_marks
from newsletter.counterfoil import (
    AFTER_COMMIT,
    Entry,
    Line,
    Since,
    What,
    last_place,
    parse_lines,
    post_hash,
    subscription_hash,
    sum_up,
    was_adopted,
    writes,
)
from newsletter.counterfoil_marks import Mark
from newsletter.issues import Issue
from newsletter.release import Noter
from newsletter.subscribers import get_subscriber
from newsletter.subscriptions import Subscription
from posts.database import reading, writing
from posts.errors import DatelineError, Refused, StoreError
from posts.model import Post

_LOOK_ANYWAY_S = 30.0
_PLAIN_LINES = 1000
log = structlog.get_logger()


class Why(StrEnum):
    """Why sending is held."""

    MISSING = "missing"
    OTHER = "other"
    COPIED = "copied"
    OLDER = "older"
    CUT_SHORT = "cut short"


_SAID = {
    Why.MISSING: "{file} is missing, and this database has noted there what it mailed",
    Why.OTHER: "{file} is not the one that this database belongs to, or an older copy of it",
    Why.COPIED: "{file} is a copy, or was moved to another file system or machine; the press that it was copied from "
    "may be running",
    Why.OLDER: "this database is older than what this press has done, by its {file}",
    Why.CUT_SHORT: "an adoption stands in {file} that this database does not know: it was cut short, or the database "
    "is older",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Sending is held: why, what the counterfoil names that the database does not know, `unknown` batches of it."""

    why: Why
    since: Since = field(default_factory=Since)
    unknown: tuple[Line, ...] = ()
    file: str = FILE_NAME

    def __str__(self) -> str:
        return _SAID[self.why].format(file=self.file)


class Held(Refused):
    """Nothing is mailed or released until somebody has adopted the database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """What a look at database and file found: a hold, or a tail that the mark may move behind, to `upto`."""

    hold: Hold | None = None
    tail: tuple[Line, ...] = ()
    upto: int = 0

    @property
    def needs_settling(self) -> bool:
        """False for what the delivery program wrote, until there is much of it."""
        return len(self.tail) > _PLAIN_LINES or any(
            line.entry.what not in AFTER_COMMIT for line in self.tail
        )


def find_hold(press: Press) -> Hold | None:
    """Why nothing may be mailed now, or None; a tail that a crash has left is settled on the way."""
    foil = Counterfoil(press.var)
    with reading(press.engine) as conn:
        seen = _look(conn, foil)
    if seen.hold is None and not seen.needs_settling:
        return None
    with writing(
        press.engine
    ) as conn:  # nobody writes meanwhile: what stands there now is all there is
        counterfoil_marks.lock(conn)
        seen = _look(conn, foil)
        if seen.hold is None and seen.tail:
            _settle(press, conn, foil, seen)
        return seen.hold


def look(conn: sa.Connection, foil: Counterfoil) -> Hold | None:
    """As `find_hold`, in a transaction of the caller's that nobody writes beside; settles nothing."""
    return _look(conn, foil).hold


def refuse_held(press: Press) -> None:
    """Raises Held where nothing may be mailed."""
    hold = find_hold(press)
    if hold is not None:
        raise Held(f"nothing is mailed: {hold}", remedy=remedy(press))


def remedy(press: Press) -> str:
    """What a person does about a hold."""
    return f"`{press.program} adopt` shows what is known, and what to do."


class HoldWatch:
    """Asks again and again for next to nothing: only a file that changed is looked at, and any file now and then."""

    def __init__(self, press: Press) -> None:
        self._press = press
        self._foil = Counterfoil(press.var)
        self._seen: Signature | None = None
        self._looked = float("-inf")
        self._hold: Hold | None = None

    def find(self) -> Hold | None:
        """As `find_hold`."""
        seen, now = self._foil.signature(), time.monotonic()
        if seen != self._seen or now - self._looked > _LOOK_ANYWAY_S:
            self._hold = find_hold(self._press)
            self._seen, self._looked = seen, now
        return self._hold


@contextmanager
def watching(press: Press, *, every_s: float = 1.0) -> Iterator[Callable[[], bool]]:
    """Looks on in a thread of its own while something is sent; gives what tells at once whether all is to stop."""
    watch, held, over = HoldWatch(press), threading.Event(), threading.Event()

    def looks() -> None:
        while not over.wait(every_s):
            try:
                if watch.find() is not None:
                    held.set()
                    return
            except (sa.exc.SQLAlchemyError, DatelineError, OSError) as error:
                # the sender meets the same trouble and says so; nothing is known of a hold
                log.warning("the counterfoil could not be looked at", error=type(error).__name__)

    thread = threading.Thread(target=looks, name="counterfoil", daemon=True)
    thread.start()
    try:
        yield held.is_set
    finally:
        over.set()
        thread.join(timeout=5)


def note_release(press: Press) -> Noter:
    """What notes a release; it refuses one under a hold."""

    def noted(conn: sa.Connection, issue: Issue, posts: Sequence[Post]) -> None:
        entry = Entry(
            what=What.RELEASED,
            issue=issue.id,
            newsletter=issue.newsletter,
            frequency=issue.frequency,
            number=issue.number,
            end=issue.end,
            due=issue.wall_time,
            seal=issue.seal,
            recipients=issue.recipients,
            posts=tuple(post_hash(post.guid) for post in posts),
        )
        note(press, conn, entry, mails=True)

    return noted


def note_subscription(press: Press, conn: sa.Connection, what: What, *found: Subscription) -> None:
    """Notes what became of subscriptions of one reader: left, back, paused, resumed."""
    if not found:
        return
    key = get_subscriber(conn, found[0].subscriber).address_key
    entries = [
        Entry(
            what=what,
            row=one.id,
            newsletter=one.newsletter,
            who=subscription_hash(press.keys, one.newsletter, key),
        )
        for one in found
    ]
    note(press, conn, *entries)


def note(press: Press, conn: sa.Connection, *entries: Entry, mails: bool = False) -> None:
    """Notes what this transaction does, synced, before it commits: call it when only the commit is left.

    What `mails` (a release) is refused under a hold. What readers do goes on: it is noted where there is a file, and
    the mark stays where it is. Raises StoreError where the file cannot be written; then nothing is done.
    """
    if not entries:
        return
    foil = Counterfoil(press.var)
    counterfoil_marks.lock(conn)
    if foil.size() is None and _refused(press, _look(conn, foil).hold, mails=mails):
        return  # a file made now would hide that it is missing
    with foil.locked():
        seen = _look(conn, foil)
        is_held = _refused(press, seen.hold, mails=mails)
        if seen.tail and not is_held:
            _settle(press, conn, foil, seen)
        try:
            last, upto = foil.append(entries, press.clock())
        except OSError as error:
            raise StoreError(
                f"the counterfoil cannot be written: {error.strerror or error}",
                where=str(foil.path),
                remedy="Nothing was done; make room, and try again.",
            ) from error
    if not is_held:
        mark = Mark(upto=upto, n=last.n, place=foil.place())
        counterfoil_marks.save_mark(conn, last.file, mark)


def _refused(press: Press, hold: Hold | None, *, mails: bool) -> bool:
    """True under a hold; raises Held for what mails."""
    if hold is not None and mails:
        raise Held(f"nothing is released: {hold}", remedy=remedy(press))
    return hold is not None


def note_after(press: Press, entries: Sequence[Entry]) -> None:
    """Notes what the delivery program has committed, synced, before anything of it goes to the wire."""
    if not entries:
        return
    foil = Counterfoil(press.var)
    if foil.size() is None:
        _begin(press)
    with foil.locked():
        foil.append(entries, press.clock())


def _begin(press: Press) -> None:
    """Makes the file of a press whose database has no mark yet (it is older than counterfoils)."""
    foil = Counterfoil(press.var)
    with writing(press.engine) as conn:
        counterfoil_marks.lock(conn)
        if conn.dialect.name == "sqlite" and counterfoil_marks.list_marks(conn):
            raise OSError(f"{foil.path} is gone")
        with foil.locked():
            last, upto = foil.append((), press.clock())
        mark = Mark(upto=upto, n=last.n, place=foil.place())
        counterfoil_marks.save_mark(conn, last.file, mark)


def _look(conn: sa.Connection, foil: Counterfoil) -> _Look:
    """Compares the file with what the database knows of it. Costs two small reads where they agree."""
    marks = counterfoil_marks.list_marks(conn)
    alone = conn.dialect.name == "sqlite"  # elsewhere each host has a file of its own
    name = str(foil.path)
    try:
        size = foil.size()
        last = foil.last_line() if size is not None else None
        if size is None or last is None:
            return _Look(hold=Hold(why=Why.MISSING, file=name) if alone and marks else None)
        mark = _best(foil, marks, size)
        if mark is None and marks and (alone or last.file in marks):
            # an older copy of ours says nothing that is not known; of another one, all may be news
            since = Since() if last.file in marks else sum_up(parse_lines(foil.read()))
            return _Look(hold=Hold(why=Why.OTHER, since=since, file=name))
        after = mark.upto if mark is not None else 0
        whole = foil.read(after).rpartition(b"\n")[
            0
        ]  # a line that is just being written is for the next look
        tail = tuple(parse_lines(whole))
        place = last_place(tail) or (mark.place if mark is not None else None)
        here = foil.place()
    except OSError as error:
        raise StoreError(
            f"the counterfoil cannot be read: {error.strerror or error}", where=name
        ) from error
    unknown = tuple(counterfoil_marks.list_unknown(conn, tail))
    why: Why | None = None
    if place is not None and not place.is_same(here):
        why = Why.COPIED
    elif was_adopted(tail):
        why = Why.CUT_SHORT
    elif unknown or writes(tail) > 1:
        why = Why.OLDER
    if why is not None:
        return _Look(hold=Hold(why=why, since=sum_up(tail), unknown=unknown, file=name))
    return _Look(tail=tail, upto=after + len(whole) + 1)


def _best(foil: Counterfoil, marks: dict[str, Mark], size: int) -> Mark | None:
    """The farthest mark that fits the file: its last byte ends the line that the mark says."""
    for file, mark in sorted(marks.items(), key=lambda pair: -pair[1].upto):
        if mark.upto <= size:
            line = foil.last_line(mark.upto)
            if line is not None and (line.file, line.n) == (file, mark.n):
                return mark
    return None


def _settle(press: Press, conn: sa.Connection, foil: Counterfoil, look: _Look) -> None:
    """Does what a crash has kept from being done, and moves the mark behind the tail."""
    done = adoption.replay(conn, press.keys, sum_up(look.tail), press.clock())
    if done != adoption.Replayed():
        log.warning("an act that was cut short was done", **vars_of(done))
    last = look.tail[-1]
    counterfoil_marks.save_mark(conn, last.file, Mark(upto=look.upto, n=last.n, place=foil.place()))


def vars_of(done: adoption.Replayed) -> dict[str, int]:
    """What was done again, without the zeros, as the log and JSON say it."""
    counts = {
        "left": done.left,
        "paused": done.paused,
        "suppressed": done.suppressed,
        "erased": done.erased,
        "cancelled": done.cancelled,
    }
    return {name: count for name, count in counts.items() if count}
