"""Adopting a database after a hold: first what this press has done since the copy was made, then going on (DESIGN.md 8.12)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
import structlog

from dateline.actions import holding
from dateline.actions.holding import Hold, Why
from dateline.counterfoil import Counterfoil
from dateline.press import Press
from newsletter import adoption, counterfoil_marks
from newsletter.adoption import Covered, Replayed
from newsletter.counterfoil import Entry, Line, What
from newsletter.counterfoil_marks import Mark
from posts.database import forget_deleted, reading, writing

log = structlog.get_logger()

_WHOLE_RECORD = (Why.OLDER, Why.CUT_SHORT)
"""Here the file is this press's own, and names all that was done since the database was copied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasedSince:
    """An issue that was released behind the database's back. `was_mailed`: sending had begun."""

    issue: int
    newsletter: str
    number: int | None
    at: datetime
    recipients: int
    was_mailed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class UnfinishedIssue:
    """An issue that this database has not finished; `batches`: how many of them went on since, None: nobody can say."""

    issue: int
    name: str
    status: str
    open: int
    batches: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What this press has done that its database does not know; `is_whole`: the counterfoil names all of it."""

    why: Why
    reason: str
    is_whole: bool
    released: tuple[ReleasedSince, ...] = ()
    unfinished: tuple[UnfinishedIssue, ...] = ()
    left: int = 0
    paused: int = 0
    came_back: int = 0
    suppressed: int = 0
    unsuppressed: int = 0
    erased: int = 0
    cancelled: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """What adopting did. `ends`: how far newsletters count as mailed now; `doubts`: deliveries held, by issue."""

    replayed: Replayed = field(default_factory=Replayed)
    paused_issues: tuple[int, ...] = ()
    drafts_taken_back: tuple[int, ...] = ()
    ends: Mapping[str, int] = field(default_factory=dict)
    doubts: Mapping[int, int] = field(default_factory=dict)


def survey(press: Press) -> Survey | None:
    """What a person must know before adopting; None where nothing is held."""
    hold = holding.find_hold(press)
    if hold is None:
        return None
    with reading(press.engine) as conn:
        return _survey(conn, hold)


def adopt(press: Press, *, skip: bool) -> Adopted | None:
    """Ends a hold: does again what readers asked for, pauses what is unfinished, and notes it; None where nothing is held.

    With `skip` all that was released since counts as mailed, else it is composed and mailed again as the database
    says. One transaction; cut short anywhere, it is done anew by the next call.
    """
    foil = Counterfoil(press.var)
    now = press.clock()
    with writing(press.engine) as conn:
        counterfoil_marks.lock(conn)
        hold = holding.look(conn, foil)
        if hold is None:
            return None
        not_known = adoption.list_not_known(conn, hold.since)
        replayed = adoption.replay(conn, press.keys, hold.since, now)
        paused = adoption.pause_unfinished(conn)
        covered = Covered()
        if skip:
            covered = _cover(conn, hold, not_known, now)
        marks = counterfoil_marks.list_marks(conn)
        with foil.locked():
            entry = Entry(what=What.ADOPTED, reason="skip" if skip else "mail again")
            last, upto = foil.append([entry], now, anew=True)
        if conn.dialect.name == "sqlite":
            counterfoil_marks.forget_marks(conn, list(marks))
        mark = Mark(upto=upto, n=last.n, place=foil.place())
        counterfoil_marks.save_mark(conn, last.file, mark)
    if replayed.erased:
        forget_deleted(press.engine)
    done = Adopted(
        replayed=replayed,
        paused_issues=tuple(paused),
        drafts_taken_back=covered.drafts,
        ends={f"{newsletter} {often}": end for (newsletter, often), end in covered.ends.items()},
        doubts=dict(covered.doubts),
    )
    log.warning(
        "database adopted",
        why=hold.why.value,
        skip=skip,
        issues=paused,
        **holding.vars_of(replayed),
    )
    return done


def _cover(
    conn: sa.Connection, hold: Hold, not_known: Mapping[int, Line], now: datetime
) -> Covered:
    """What counts as mailed: releases of which something went out, and what was under way."""
    released = [line for issue, line in not_known.items() if _was_mailed(conn, hold, issue)]
    batches = {line.entry.batch or 0 for line in hold.unknown}
    return adoption.cover(conn, released, batches if hold.why in _WHOLE_RECORD else None, now)


def _was_mailed(conn: sa.Connection, hold: Hold, issue: int) -> bool:
    """False where the file would name the batch that went out, and names none: then nobody got it."""
    alone = conn.dialect.name == "sqlite"  # elsewhere another host may have sent it
    return issue in hold.since.mailed or not (alone and hold.why in _WHOLE_RECORD)


def _survey(conn: sa.Connection, hold: Hold) -> Survey:
    since = hold.since
    not_known = adoption.list_not_known(conn, since)
    is_whole = hold.why in _WHOLE_RECORD
    went_on: dict[int, set[int]] = {}
    for line in hold.unknown:
        went_on.setdefault(line.entry.issue or 0, set()).add(line.entry.batch or 0)
    return Survey(
        why=hold.why,
        reason=str(hold),
        is_whole=is_whole,
        released=tuple(
            ReleasedSince(
                issue=issue,
                newsletter=line.entry.newsletter or "",
                number=line.entry.number,
                at=line.at,
                recipients=line.entry.recipients or 0,
                was_mailed=_was_mailed(conn, hold, issue),
            )
            for issue, line in sorted(not_known.items())
        ),
        unfinished=tuple(
            UnfinishedIssue(
                issue=issue.id,
                name=issue.name,
                status=issue.status.value,
                open=adoption.count_open(conn, issue.id),
                batches=len(went_on.get(issue.id, ())) if is_whole else None,
            )
            for issue in adoption.list_unfinished(conn)
        ),
        left=len(since.left),
        paused=len(since.paused),
        came_back=since.came_back,
        suppressed=len(since.suppressed),
        unsuppressed=since.unsuppressed,
        erased=len(since.erased),
        cancelled=tuple(sorted(since.cancelled)),
    )
