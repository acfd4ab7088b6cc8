"""The SQL of issues and their posts: rows and `Issue` values. The one transaction of a release is `release.py`."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa

from newsletter.tables import editions, issue_posts, issues, sealed_parts
from posts.errors import NotFound
from posts.model import Post


class IssueStatus(StrEnum):
    """Where an issue stands."""

    DRAFT = "draft"
    RELEASED = "released"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """One number of a newsletter. `id` is what commands take; `number` is its No., None for a cancelled draft.

    A regular issue covers the journal's `(start, end]`; a special one has neither. `seen` is the number it was
    composed or last previewed at, `sealed_at` the one it was sealed at. `date` is the one Date header. `finished` is
    when it was done or cancelled; `has_only_totals`: its deliveries were let go of (`[privacy] keep_deliveries`).
    """

    id: int
    newsletter: str
    frequency: str | None
    kind: str
    number: int | None
    status: IssueStatus
    start: int | None
    end: int | None
    seen: int
    wall_time: str | None
    subject: str | None
    date: datetime
    composed: datetime
    preview_seal: str | None
    seal: str | None
    sealed_at: int | None
    released: datetime | None
    finished: datetime | None
    recipients: int
    has_only_totals: bool = False

    @property
    def is_regular(self) -> bool:
        """True when it covers a range of the journal."""
        return self.kind == REGULAR

    @property
    def name(self) -> str:
        """How people call it: its newsletter and No."""
        return f"{self.newsletter} No. {self.number}" if self.number else self.newsletter


REGULAR = "regular"
SPECIAL = "special"
_I = issues.c
_P = issue_posts.c


def get_issue(conn: sa.Connection, issue_id: int) -> Issue:
    """The issue with this id; raises NotFound."""
    found = find_issue(conn, issue_id)
    if found is None:
        raise NotFound(
            f"there is no issue {issue_id}",
            remedy="`issues list` shows them; the number it wants is the id, not the No. of a mail.",
        )
    return found


def find_issue(conn: sa.Connection, issue_id: int) -> Issue | None:
    """The issue with this id, or None."""
    row = conn.execute(_query().where(_I.id == issue_id)).one_or_none()
    return _issue(row) if row else None


def find_by_number(conn: sa.Connection, newsletter: str, number: int) -> Issue | None:
    """The issue with this No. of a newsletter, or None."""
    query = _query().where(_I.newsletter == newsletter, _I.number == number)
    row = conn.execute(query).one_or_none()
    return _issue(row) if row else None


def find_draft(conn: sa.Connection, newsletter: str, frequency: str) -> Issue | None:
    """The one unreleased regular issue of a frequency, or None."""
    query = _query().where(
        _I.newsletter == newsletter,
        _I.frequency == frequency,
        _I.kind == REGULAR,
        _I.status == IssueStatus.DRAFT,
    )
    row = conn.execute(query).one_or_none()
    return _issue(row) if row else None


def list_issues(
    conn: sa.Connection,
    *,
    newsletter: str | None = None,
    status: IssueStatus | None = None,
    limit: int | None = None,
) -> list[Issue]:
    """Issues, newest first."""
    query = _query().order_by(_I.id.desc()).limit(limit)
    if newsletter is not None:
        query = query.where(_I.newsletter == newsletter)
    if status is not None:
        query = query.where(_I.status == status)
    return [_issue(row) for row in conn.execute(query)]


def count_issues(conn: sa.Connection, newsletter: str | None = None) -> int:
    """How many issues there are, of all newsletters or one."""
    query = sa.select(sa.func.count()).select_from(issues)
    if newsletter is not None:
        query = query.where(_I.newsletter == newsletter)
    return conn.execute(query).scalar_one()


def list_released(conn: sa.Connection, newsletter: str) -> list[Issue]:
    """Every issue of a newsletter that was ever released, in the order of the releases."""
    query = _query().where(_I.newsletter == newsletter, _I.released.is_not(None))
    return [_issue(row) for row in conn.execute(query.order_by(_I.released, _I.id))]


def find_last_released(
    conn: sa.Connection, newsletter: str, *, before: datetime | None = None
) -> Issue | None:
    """The issue of a newsletter that was released last (`before` a moment), or None."""
    query = _query().where(_I.newsletter == newsletter, _I.released.is_not(None))
    if before is not None:
        query = query.where(_I.released < before)
    row = conn.execute(query.order_by(_I.released.desc(), _I.id.desc()).limit(1)).one_or_none()
    return _issue(row) if row else None


def save_draft(
    conn: sa.Connection,
    *,
    newsletter: str,
    frequency: str | None,
    kind: str,
    start: int | None,
    end: int | None,
    seen: int,
    wall_time: str | None,
    posts: Sequence[Post],
    now: datetime,
) -> Issue:
    """A new draft with the next No.; a second one of a frequency breaks the unique key."""
    made = conn.execute(
        sa.insert(issues).values(
            newsletter=newsletter,
            frequency=frequency,
            kind=kind,
            number=_next_number(newsletter),
            status=IssueStatus.DRAFT,
            start=start,
            end=end,
            seen=seen,
            wall_time=wall_time,
            date=now,
            composed=now,
        )
    )
    assert made.inserted_primary_key is not None
    issue_id = int(made.inserted_primary_key[0])
    save_posts(conn, issue_id, posts)
    return get_issue(conn, issue_id)


def renew_draft(
    conn: sa.Connection,
    issue: Issue,
    *,
    start: int | None,
    end: int | None,
    seen: int,
    wall_time: str | None,
    posts: Sequence[Post],
    now: datetime,
) -> Issue | None:
    """The draft composed again under its id and No.; None where it is no draft any more."""
    changed = conn.execute(
        sa.update(issues)
        .where(_I.id == issue.id, _I.status == IssueStatus.DRAFT)
        .values(
            start=start,
            end=end,
            seen=seen,
            wall_time=wall_time,
            date=now,
            composed=now,
            preview_seal=None,
        )
    )
    if changed.rowcount != 1:
        return None
    save_posts(conn, issue.id, posts)
    return get_issue(conn, issue.id)


def mark_previewed(
    conn: sa.Connection,
    issue: Issue,
    *,
    seal: str,
    seen: int,
    date: datetime,
    posts: Sequence[Post],
) -> bool:
    """Keeps what a preview showed: its seal, the number it was made at, its Date; False where it is no draft."""
    changed = conn.execute(
        sa.update(issues)
        .where(_I.id == issue.id, _I.status == IssueStatus.DRAFT)
        .values(preview_seal=seal, seen=seen, date=date)
    )
    if changed.rowcount == 1:
        save_posts(conn, issue.id, posts)
    return changed.rowcount == 1


def save_posts(conn: sa.Connection, issue_id: int, posts: Sequence[Post]) -> None:
    """Writes which posts an issue holds, in order, at which revision; replaces what was there."""
    conn.execute(sa.delete(issue_posts).where(_P.issue == issue_id))
    if posts:
        conn.execute(
            sa.insert(issue_posts),
            [
                {"issue": issue_id, "place": place, "post": post.id, "revision": post.revision}
                for place, post in enumerate(posts, 1)
            ],
        )


def list_post_ids(conn: sa.Connection, issue_id: int) -> list[int]:
    """Row ids of the posts that an issue holds, in order."""
    query = sa.select(_P.post).where(_P.issue == issue_id).order_by(_P.place)
    return list(conn.execute(query).scalars())


def count_posts(conn: sa.Connection, issue_ids: Collection[int]) -> dict[int, int]:
    """How many posts each of these issues holds."""
    query = sa.select(_P.issue, sa.func.count()).where(_P.issue.in_(issue_ids)).group_by(_P.issue)
    return {row.issue: row[1] for row in conn.execute(query)}


def list_issues_holding(conn: sa.Connection, post: int) -> set[int]:
    """Ids of the issues that hold a post, drafts included."""
    return set(conn.execute(sa.select(_P.issue).where(_P.post == post)).scalars())


def list_seals_holding(
    conn: sa.Connection, newsletter: str, posts: Collection[int]
) -> dict[int, list[int]]:
    """For each post: the numbers that the released regular issues holding it were sealed at."""
    if not posts:
        return {}
    query = (
        sa.select(_P.post, _I.sealed_at)
        .join(issues, _I.id == _P.issue)
        .where(
            _P.post.in_(posts),
            _I.newsletter == newsletter,
            _I.kind == REGULAR,
            _I.released.is_not(None),
        )
    )
    found: dict[int, list[int]] = {}
    for post, sealed_at in conn.execute(query):
        found.setdefault(post, []).append(sealed_at or 0)
    return found


def mark_status(
    conn: sa.Connection,
    issue_id: int,
    status: IssueStatus,
    *,
    old: Iterable[IssueStatus],
    finished: datetime | None = None,
) -> bool:
    """Moves an issue's status; False where it stood in none of `old`. The ledger obeys at its next flush.

    `finished` is for one that ends: the moment stays where it had ended before.
    """
    ended = {"finished": sa.func.coalesce(_I.finished, finished)} if finished else {}
    changed = conn.execute(
        sa.update(issues)
        .where(_I.id == issue_id, _I.status.in_([state.value for state in old]))
        .values(status=status, **ended)
    )
    return changed.rowcount == 1


def cancel_draft(conn: sa.Connection, issue_id: int) -> bool:
    """Ends a draft as if it had never been: its No. and due time are free again; False where it is no draft."""
    changed = conn.execute(
        sa.update(issues)
        .where(_I.id == issue_id, _I.status == IssueStatus.DRAFT)
        .values(status=IssueStatus.CANCELLED, number=None, wall_time=None)
    )
    if changed.rowcount == 1:
        conn.execute(sa.delete(issue_posts).where(_P.issue == issue_id))
    return changed.rowcount == 1


def list_edition_posts(conn: sa.Connection, issue_id: int) -> dict[int, list[int]]:
    """Row ids of the posts of each edition of a released issue, by the edition's number."""
    query = sa.select(editions.c.edition, editions.c.posts).where(editions.c.issue == issue_id)
    return {edition: list(posts) for edition, posts in conn.execute(query)}


def list_subjects(conn: sa.Connection, issue_id: int) -> dict[str, str]:
    """The subject of a released issue by language, that of readers in step."""
    query = sa.select(editions.c.language, editions.c.subject).where(
        editions.c.issue == issue_id, editions.c.replaced_by.is_(None)
    )
    subjects: dict[str, str] = {}
    for language, subject in conn.execute(query.order_by(editions.c.edition)):
        subjects.setdefault(language, subject)
    return subjects


def list_seals(conn: sa.Connection, issue_id: int) -> list[tuple[str, tuple[int | str, ...], str]]:
    """Language, program and seal of each edition of a released issue that stands, in order."""
    columns = (editions.c.language, editions.c.program, editions.c.seal)
    mine = (editions.c.issue == issue_id) & editions.c.replaced_by.is_(None)
    query = sa.select(*columns).where(mine).order_by(editions.c.edition)
    return [(language, tuple(program), seal) for language, program, seal in conn.execute(query)]


def list_parts(conn: sa.Connection, issue_id: int) -> dict[int, bytes]:
    """The sealed parts of a released issue by number."""
    query = sa.select(sealed_parts.c.part, sealed_parts.c.body)
    rows = conn.execute(query.where(sealed_parts.c.issue == issue_id))
    return {part: bytes(body) for part, body in rows}


def _next_number(newsletter: str) -> sa.ScalarSelect[int]:
    taken = sa.select(sa.func.coalesce(sa.func.max(_I.number), 0) + 1)
    return taken.where(_I.newsletter == newsletter).scalar_subquery()


def _query() -> sa.Select[tuple[object, ...]]:
    stored = (issues.c[name] for name in Issue.__slots__ if name != "has_only_totals")
    return sa.select(*stored, issues.c.totals.is_not(None).label("has_only_totals"))


def _issue(row: sa.Row[tuple[object, ...]]) -> Issue:
    values = dict(row._mapping)
    values["status"] = IssueStatus(values["status"])
    return Issue(**values)
