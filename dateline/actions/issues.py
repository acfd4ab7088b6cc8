"""Issues as records: what `issues list`, `issues show` and the console tell of each."""

from typing import Any

import sqlalchemy as sa

from dateline.press import Press
from newsletter import issues, subscriptions
from newsletter.books import Books, list_books
from newsletter.issues import Issue
from newsletter.subscriptions import SubscriptionStatus
from posts import store
from posts.database import reading

Record = dict[str, Any]  # printed as it is: a table or JSON
"""One issue with its books, flat, as `--json` prints it (DESIGN.md 6)."""


def list_records(
    press: Press, *, newsletter: str | None = None, limit: int | None = None
) -> list[Record]:
    """The newest issues, newest first. Counting a million deliveries takes a third of a second for each issue."""
    with reading(press.engine) as conn:
        return _records(conn, issues.list_issues(conn, newsletter=newsletter, limit=limit))


def count_issues(press: Press, *, newsletter: str | None = None) -> int:
    """How many issues there are."""
    with reading(press.engine) as conn:
        return issues.count_issues(conn, newsletter)


def get_record(press: Press, issue_id: int) -> Record:
    """One issue; raises NotFound."""
    with reading(press.engine) as conn:
        (record,) = _records(conn, [issues.get_issue(conn, issue_id)])
        return record


def list_titles(press: Press, issue_id: int) -> list[str]:
    """The titles of the posts that an issue holds, in order."""
    with reading(press.engine) as conn:
        ids = issues.list_post_ids(conn, issue_id)
        found = store.list_by_ids(conn, ids)
    return [found[post].content.title for post in ids]


def count_readers(press: Press, issue_id: int) -> int:
    """How many active readers a draft would go to, at most: some lists may come out empty."""
    with reading(press.engine) as conn:
        issue = issues.get_issue(conn, issue_id)
        groups = subscriptions.list_groups(
            conn, issue.newsletter, issue.frequency, (SubscriptionStatus.ACTIVE,)
        )
    return sum(count for _, _, count in groups)


def _records(conn: sa.Connection, found: list[Issue]) -> list[Record]:
    ids = [issue.id for issue in found]
    books = list_books(conn, ids)
    posts = issues.count_posts(conn, ids)
    return [_record(issue, posts.get(issue.id, 0), books.get(issue.id, Books())) for issue in found]


def _record(issue: Issue, posts: int, books: Books) -> Record:
    return {
        "id": issue.id,
        "newsletter": issue.newsletter,
        "number": issue.number,
        "kind": issue.kind,
        "frequency": issue.frequency,
        "status": issue.status.value,
        "subject": issue.subject,
        "posts": posts,
        "start": issue.start,
        "end": issue.end,
        "due": issue.wall_time,
        "date": issue.date,
        "released": issue.released,
        "finished": issue.finished,
        "recipients": books.recipients,
        "sent": books.sent,
        "queued": books.queued,
        "leased": books.leased,
        "deferred": books.deferred,
        "failed": books.failed,
        "excluded": books.excluded_total,
        "excluded_by": dict(books.excluded),
        "in_doubt": books.in_doubt,
        "waiting": books.queued + books.leased + books.deferred,
        "only_totals": issue.has_only_totals,
        "not_sent": books.failed + books.excluded_total + books.in_doubt,
    }
