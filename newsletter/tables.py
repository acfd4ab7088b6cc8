"""The tables of newsletters: subscribers, frequencies, issues with their seals, the ledger, suppression, notices."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator

from newsletter.segments import packed_program, unpacked_program
from posts.tables import UTCDateTime, metadata


class ProgramColumn(TypeDecorator[list[int | str]]):
    """The program of an edition; it is stored packed, a third of its length (segments.py)."""

    impl = sa.JSON
    cache_ok = True

    def process_bind_param(
        self, value: Sequence[int | str] | None, dialect: sa.Dialect
    ) -> list[int | str] | None:
        """As it is stored."""
        return None if value is None else packed_program(value)

    def process_result_value(
        self, value: Sequence[int | str] | None, dialect: sa.Dialect
    ) -> list[int | str] | None:
        """As it is used."""
        return None if value is None else unpacked_program(value)


subscribers = sa.Table(
    "subscribers",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("address_key", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text),
    sa.Column("language", sa.Text, nullable=False),
    sa.Column("created", UTCDateTime, nullable=False),
    sqlite_autoincrement=True,
)
"""An id is never given again (nor that of a subscription): links in old mails carry it. `address` as typed (the domain as an A-label), `address_key` case-folded; erased rows are deleted."""

subscriptions = sa.Table(
    "subscriptions",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column(
        "subscriber",
        sa.Integer,
        sa.ForeignKey("subscribers.id", ondelete="CASCADE"),
        nullable=False,
    ),
    sa.Column("newsletter", sa.Text, nullable=False),
    sa.Column("frequency", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("position", sa.Integer),
    sa.Column("since", UTCDateTime),
    sa.Column("generation", sa.Integer, nullable=False, server_default="0"),
    sa.Column("consent", sa.JSON),
    sa.Column("changed", UTCDateTime, nullable=False),
    sa.UniqueConstraint("subscriber", "newsletter"),
    sa.Index(None, "newsletter", "frequency", "status", "subscriber"),
    sqlite_autoincrement=True,
)
"""`status`: pending, active, paused, unsubscribed. `position` only while the reader is out of step (DESIGN.md 3).
`generation` rotates the unsubscribe token when somebody comes back. `consent`: at, method, form, wording."""

subscription_changes = sa.Table(
    "subscription_changes",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column(
        "subscription",
        sa.Integer,
        sa.ForeignKey("subscriptions.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    sa.Column("at", UTCDateTime, nullable=False),
    sa.Column("what", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("frequency", sa.Text, nullable=False),
    sa.Column("position", sa.Integer),
    sa.Column("after_issue", sa.Integer),
    sa.Column("via", sa.Text, nullable=False),
)
"""Each change of a subscription with the state after it and the last release before it (for `explain`)."""

frequencies = sa.Table(
    "frequencies",
    metadata,
    sa.Column("newsletter", sa.Text, primary_key=True),
    sa.Column("frequency", sa.Text, primary_key=True),
    sa.Column("schedule", sa.Text, nullable=False),
    sa.Column("since", UTCDateTime, nullable=False),
    sa.Column("end", sa.Integer, nullable=False),
)

due_times = sa.Table(
    "due_times",
    metadata,
    sa.Column("newsletter", sa.Text, primary_key=True),
    sa.Column("frequency", sa.Text, primary_key=True),
    sa.Column("wall_time", sa.Text, primary_key=True),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("upto", sa.Integer),
    sa.Column("issue", sa.Integer),
    sa.Column("at", UTCDateTime, nullable=False),
)
"""`wall_time` is local, `YYYY-MM-DDTHH:MM`. `outcome`: waiting, released, draft, merged, too few, nothing new."""

issues = sa.Table(
    "issues",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("newsletter", sa.Text, nullable=False),
    sa.Column("frequency", sa.Text),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("number", sa.Integer),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("start", sa.Integer),
    sa.Column("end", sa.Integer),
    sa.Column("seen", sa.Integer, nullable=False),
    sa.Column("wall_time", sa.Text),
    sa.Column("subject", sa.Text),
    sa.Column("date", UTCDateTime, nullable=False),
    sa.Column("composed", UTCDateTime, nullable=False),
    sa.Column("preview_seal", sa.Text),
    sa.Column("seal", sa.Text),
    sa.Column("sealed_at", sa.Integer),
    sa.Column("released", UTCDateTime),
    sa.Column("finished", UTCDateTime),
    sa.Column("recipients", sa.Integer, nullable=False, server_default="0"),
    sa.Column("totals", sa.JSON),
    sa.UniqueConstraint("newsletter", "number"),
    sa.UniqueConstraint("newsletter", "frequency", "wall_time"),
    sa.Index(
        "uq_issues_one_draft",
        "newsletter",
        "frequency",
        unique=True,
        sqlite_where=sa.text("status = 'draft' AND kind = 'regular'"),
        postgresql_where=sa.text("status = 'draft' AND kind = 'regular'"),
    ),
)
"""`kind`: regular (covers journal (start, end]) or special. `status`: draft, released, paused, cancelled, done.
`seen` is the journal number it was composed at or last previewed at (DESIGN.md 8.4); `date` is the one Date
header; `number` is None for a cancelled draft, which was never there. `totals`: the last books, once the deliveries
were let go of (`[privacy] keep_deliveries`)."""

issue_posts = sa.Table(
    "issue_posts",
    metadata,
    sa.Column("issue", sa.Integer, sa.ForeignKey("issues.id"), primary_key=True),
    sa.Column("place", sa.Integer, primary_key=True),
    sa.Column("post", sa.Integer, sa.ForeignKey("posts.id"), nullable=False, index=True),
    sa.Column("revision", sa.Integer, nullable=False),
)
"""For a released regular issue: every post that any of its editions holds, range of the oldest position included."""

editions = sa.Table(
    "editions",
    metadata,
    sa.Column("issue", sa.Integer, sa.ForeignKey("issues.id"), primary_key=True),
    sa.Column("edition", sa.Integer, primary_key=True),
    sa.Column("language", sa.Text, nullable=False),
    sa.Column("posts", sa.JSON, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("program", ProgramColumn, nullable=False),
    sa.Column("seal", sa.Text, nullable=False),
    sa.Column("web_html", sa.Text, nullable=False),
    sa.Column("replaced_by", sa.Integer),
)
"""`replaced_by`: the edition in its place since the issue was sealed anew, 0 where nothing was left, NULL while it
stands; a delivery that was sent keeps the one that went out. `program` is the message as a list: an integer names a sealed part, a string a personal field (segments.py);
it is stored packed."""

reseals = sa.Table(
    "reseals",
    metadata,
    sa.Column("issue", sa.Integer, sa.ForeignKey("issues.id"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("line", sa.Integer, nullable=False),
    sa.Column("upto", sa.Integer, nullable=False),
    sa.Column("former_seal", sa.Text, nullable=False),
    sa.Column("seal", sa.Text, nullable=False),
    sa.Column("at", UTCDateTime, nullable=False),
)
"""Each time that an issue was sealed anew (DESIGN.md 8.4): both seals, the journal's `line` between them, and the
number `upto` which the journal was read to. `issues.sealed_at` stays: what the issue held then, it has held."""

sealed_parts = sa.Table(
    "sealed_parts",
    metadata,
    sa.Column("issue", sa.Integer, sa.ForeignKey("issues.id"), primary_key=True),
    sa.Column("part", sa.Integer, primary_key=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
)

deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("issue", sa.Integer, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("subscription", sa.Integer, nullable=False, index=True),
    sa.Column("subscriber", sa.Integer, nullable=False, index=True),
    sa.Column("edition", sa.Integer),
    sa.Column("after", sa.Integer),
    sa.Column("state", sa.Text),
    sa.Column("reason", sa.Text),
    sa.Column("code", sa.Integer),
    sa.Column("reply", sa.Text),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("first_refused", UTCDateTime),
    sa.Column("not_before", UTCDateTime),
    sa.Column("at", UTCDateTime),
    sqlite_with_rowid=False,
)
"""`number` runs from 1 to `issues.recipients`. `state` is NULL until there is a result: then queued or leased is
what its batch is (DESIGN.md 2); else sent, deferred, failed, excluded, in doubt. `after` is the journal number the
reader's edition starts behind (his position, else the issue's start); NULL for a special issue.
`subscriber` and `subscription` have no foreign key: an erased reader's deliveries keep number and state. `issue` has
none either: issues are never deleted, and PostgreSQL looked each row's up (a release to 100,000 took 5.0 s, now 1.5)."""

batches = sa.Table(
    "batches",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("issue", sa.Integer, sa.ForeignKey("issues.id"), nullable=False),
    sa.Column("first", sa.Integer, nullable=False),
    sa.Column("last", sa.Integer, nullable=False),
    sa.Column("owner", sa.Text),
    sa.Column("lease", UTCDateTime),
    sa.Column("attempt", sa.Integer, nullable=False, server_default="0"),
    sa.Column("due", UTCDateTime),
    sa.Column("on_wire", sa.JSON, nullable=False),
    sa.Column("finished", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Index(None, "finished", "due", "issue"),
)
"""The slice [first, last] of an issue's deliveries that one worker leases; `attempt` is the fence; `on_wire` the
delivery numbers that a committed flush has named (DESIGN.md 9). `due` NULL: at once."""

doubts = sa.Table(
    "doubts",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("issue", sa.Integer, nullable=False, index=True),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("at", UTCDateTime, nullable=False),
    sa.Column("settled", sa.Text),
)
"""Each time a delivery came into doubt, kept after it was settled (resent, held and then sent, ...)."""

suppressions = sa.Table(
    "suppressions",
    metadata,
    sa.Column("address_hash", sa.Text, primary_key=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("at", UTCDateTime, nullable=False),
)
"""`address_hash` is HMAC(key, case-folded address): it outlives the address."""

notices = sa.Table(
    "notices",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("subscriber", sa.Integer, index=True),
    sa.Column("recipient", sa.Text, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("state", sa.Text),
    sa.Column("owner", sa.Text),
    sa.Column("lease", UTCDateTime),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("first_refused", UTCDateTime),
    sa.Column("not_before", UTCDateTime),
    sa.Column("code", sa.Integer),
    sa.Column("reply", sa.Text),
    sa.Column("created", UTCDateTime, nullable=False),
    sa.Column("at", UTCDateTime),
)
"""A mail outside issues (confirm, known, preferences, test): the finished bytes, sent by the same sender."""

sign_ups = sa.Table(
    "sign_ups",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("network_hash", sa.Text, nullable=False, index=True),
    sa.Column("address_hash", sa.Text, nullable=False, index=True),
    sa.Column("domain_hash", sa.Text, nullable=False, index=True),
    sa.Column("at", UTCDateTime, nullable=False, index=True),
    sa.Column("mailed", sa.Boolean, nullable=False),
)
"""What the sign-up limits count; hashes under a daily key, kept 30 days (mail.md 7.1)."""

paces = sa.Table(
    "paces",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("rate", sa.Float),
    sa.Column("slowed", UTCDateTime),
    sa.Column("raised", UTCDateTime),
    sa.Column("next_at", UTCDateTime),
)
"""How fast one relay or one provider takes mail, shared by all who send. `rate` is what was found, messages a second,
NULL while nobody was asked to slow down; `next_at` when the next message may go."""

pace_counts = sa.Table(
    "pace_counts",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("slot", UTCDateTime, primary_key=True),
    sa.Column("count", sa.Integer, nullable=False),
)
"""How many messages were named for a relay or provider in the time that begins at `slot`: what the limits count."""

senders = sa.Table(
    "senders",
    metadata,
    sa.Column("owner", sa.Text, primary_key=True),
    sa.Column("began", UTCDateTime, nullable=False),
    sa.Column("at", UTCDateTime, nullable=False),
    sa.Column("report", sa.JSON, nullable=False),
)
"""The processes that send, each with what it last said of itself: counts, rate, relays (senders.py)."""
