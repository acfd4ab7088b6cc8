"""The SQL of explaining: everything that is on record about one reader and one newsletter, read at one moment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from newsletter import frequencies, issues, subscriptions, suppression
from newsletter.counterfoil import post_hash
from newsletter.counterfoil_marks import list_covered
from newsletter.frequencies import Frequency
from newsletter.issues import Issue
from newsletter.subscriptions import Subscription, SubscriptionChange
from newsletter.tables import deliveries, editions, issue_posts, suppressions
from newsletter.tables import issues as issue_table
from newsletter.tokens import Keys
from posts import journal
from posts.model import Change, ChangeKind, Post


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFact:
    """One issue to this reader: its state, the relay's reply, and the posts of his edition."""

    issue: int
    state: str | None
    reason: str | None
    code: int | None
    reply: str | None
    at: datetime | None
    after: int | None
    posts: tuple[int, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderFacts:
    """All about one subscription: its changes, deliveries, and every issue of the newsletter that was released.

    `deliveries` has none of issues of which only totals are kept.
    """

    subscription: Subscription
    language: str
    suppressed: str | None
    changes: tuple[SubscriptionChange, ...]
    released: tuple[Issue, ...]
    drafts: tuple[Issue, ...]
    deliveries: Mapping[int, DeliveryFact]
    frequencies: Mapping[str, Frequency]


@dataclass(frozen=True, slots=True, kw_only=True)
class PostFacts:
    """All about one post: its journal lines, and which issues of the newsletter hold it; `covered`: an issue did that
    this database has lost (`adopt --skip`)."""

    post: Post
    lines: tuple[Change, ...]
    holders: frozenset[int]
    siblings: tuple[int, ...] = ()
    covered: bool = False

    @property
    def entries(self) -> tuple[int, ...]:
        """The numbers by which it was published or restored."""
        kinds = (ChangeKind.PUBLISHED, ChangeKind.RESTORED)
        return tuple(line.number for line in self.lines if line.kind in kinds)


def get_reader_facts(
    conn: sa.Connection, keys: Keys, subscription: Subscription, *, address: str, language: str
) -> ReaderFacts:
    """What is on record about one subscription."""
    every = issues.list_issues(conn, newsletter=subscription.newsletter)
    return ReaderFacts(
        subscription=subscription,
        language=language,
        suppressed=_suppression(conn, keys, address),
        changes=tuple(subscriptions.list_changes(conn, subscription.id)),
        released=tuple(issues.list_released(conn, subscription.newsletter)),
        drafts=tuple(issue for issue in every if issue.status is issues.IssueStatus.DRAFT),
        deliveries=_deliveries(conn, subscription.id),
        frequencies={
            row.frequency: row
            for row in frequencies.list_frequencies(conn)
            if row.newsletter == subscription.newsletter
        },
    )


def get_post_facts(conn: sa.Connection, post: Post, newsletter: str) -> PostFacts:
    """What is on record about one post, as far as it concerns a newsletter."""
    query = (
        sa.select(issue_posts.c.issue)
        .join(issue_table, issue_table.c.id == issue_posts.c.issue)
        .where(issue_posts.c.post == post.id, issue_table.c.newsletter == newsletter)
    )
    return PostFacts(
        post=post,
        lines=tuple(journal.list_post_changes(conn, post.id)),
        holders=frozenset(conn.execute(query).scalars()),
        covered=post_hash(post.guid) in list_covered(conn, newsletter),
    )


def _deliveries(conn: sa.Connection, subscription: int) -> dict[int, DeliveryFact]:
    query = (
        sa.select(
            deliveries.c.issue,
            deliveries.c.state,
            deliveries.c.reason,
            deliveries.c.code,
            deliveries.c.reply,
            deliveries.c.at,
            deliveries.c.after,
            editions.c.posts,
        )
        .outerjoin(
            editions,
            (editions.c.issue == deliveries.c.issue) & (editions.c.edition == deliveries.c.edition),
        )
        .join(issue_table, issue_table.c.id == deliveries.c.issue)
        # rows that are on their way out are gone already
        .where(deliveries.c.subscription == subscription, issue_table.c.totals.is_(None))
    )
    found = {}
    for row in conn.execute(query):
        posts: Sequence[int] | None = row.posts
        values = {**row._mapping, "posts": tuple(posts) if posts is not None else None}
        found[row.issue] = DeliveryFact(**values)
    return found


def _suppression(conn: sa.Connection, keys: Keys, address: str) -> str | None:
    """Why the address is suppressed, as the end of a sentence, or None."""
    hashed = suppression.hash_address(keys, address)
    query = sa.select(suppressions.c.reason, suppressions.c.detail, suppressions.c.at)
    row = conn.execute(query.where(suppressions.c.address_hash == hashed)).one_or_none()
    if row is None:
        return None
    detail = f", {row.detail}" if row.detail else ""
    return f"since {row.at:%Y-%m-%d} ({row.reason}{detail})"
