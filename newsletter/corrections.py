"""SQL of corrections for issues: those in a range of the journal that no issue of the frequency has carried."""

from dataclasses import replace

import sqlalchemy as sa

from newsletter.compose import Noted, hidden
from newsletter.issues import Issue, IssueStatus
from newsletter.spec import NewsletterSettings
from newsletter.tables import issue_posts
from newsletter.tables import issues as issue_table
from posts import journal, store
from posts.model import Change, ChangeKind, Post

_CARRIED = (IssueStatus.RELEASED, IssueStatus.PAUSED, IssueStatus.DONE)


def list_noted(
    conn: sa.Connection, newsletter: NewsletterSettings, issue: Issue, *, after: int
) -> tuple[Noted, ...]:
    """The corrections in `(after, end]` of a regular issue, newest first, of posts that readers may see now.

    Left out are those that an earlier issue of the frequency carried with the post itself. Each post is given as it
    was at the corrected revision, so that an issue sealed anew says the same.
    """
    if issue.end is None or issue.frequency is None:
        return ()
    lines = [
        change
        for change in journal.list_changes(conn, after, issue.end)
        if change.kind is ChangeKind.CORRECTED
    ]
    if not lines:
        return ()
    posts = store.list_by_ids(conn, sorted({line.post for line in lines}))
    carried = _carried_revisions(conn, issue, sorted(posts))
    return tuple(
        noted
        for line in reversed(lines)
        if carried.get(line.post, 0) < line.revision
        for noted in _noted(conn, newsletter, posts[line.post], line)
    )


def _noted(
    conn: sa.Connection, newsletter: NewsletterSettings, post: Post, line: Change
) -> list[Noted]:
    found = [one for one in post.corrections if one.revision == line.revision]
    if not found or post.number is None or hidden(post) or not newsletter.select.matches(post):
        return []
    if post.revision != line.revision:
        content = store.get_revision(conn, post.id, line.revision)
        post = replace(post, content=content, revision=line.revision)
    return [Noted(number=line.number, published=post.number or 0, post=post, correction=found[0])]


def _carried_revisions(conn: sa.Connection, issue: Issue, posts: list[int]) -> dict[int, int]:
    """The newest revision of each post that an earlier released issue of the same frequency held."""
    query = (
        sa.select(issue_posts.c.post, sa.func.max(issue_posts.c.revision).label("revision"))
        .join(issue_table, issue_table.c.id == issue_posts.c.issue)
        .where(
            issue_posts.c.post.in_(posts),
            issue_table.c.newsletter == issue.newsletter,
            issue_table.c.frequency == issue.frequency,
            issue_table.c.status.in_(_CARRIED),
            issue_table.c.end <= issue.start,
        )
        .group_by(issue_posts.c.post)
    )
    return {row.post: row.revision for row in conn.execute(query)}
