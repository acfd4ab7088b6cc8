"""The tables of the post store, and the one column type for times."""

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""One metadata for all packages: migrations are compared with it."""


class UTCDateTime(TypeDecorator[datetime]):
    """Aware datetimes in, aware UTC datetimes out: SQLite drops the zone, so it is put back here (DESIGN.md 1)."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Refuses a naive datetime: its zone would be a guess."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive datetime {value!r} cannot be stored")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Gives UTC, whatever the database kept."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


posts = sa.Table(
    "posts",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("guid", sa.Text, nullable=False, unique=True),
    sa.Column("slug", sa.Text, nullable=False, unique=True),
    sa.Column("path", sa.Text, nullable=False, unique=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("external_id", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("language", sa.Text, nullable=False),
    sa.Column("link", sa.Text),
    sa.Column("summary", sa.Text),
    sa.Column("authors", sa.JSON, nullable=False),
    sa.Column("tags", sa.JSON, nullable=False),
    sa.Column("enclosures", sa.JSON, nullable=False),
    sa.Column("comment_count", sa.Integer),
    sa.Column("comments_url", sa.Text),
    sa.Column("lead", sa.Boolean, nullable=False),
    sa.Column("translation_key", sa.Text),
    sa.Column("content_hash", sa.Text, nullable=False),
    sa.Column("published", UTCDateTime, nullable=False),
    sa.Column("updated", UTCDateTime, nullable=False),
    sa.Column("first_seen", UTCDateTime, nullable=False),
    sa.Column("history", sa.Boolean, nullable=False),
    sa.Column("number", sa.Integer),
    sa.Column("fault", sa.Text),
    sa.Column("withdrawn_by", sa.Text),
    sa.Column("withdrawal_reason", sa.Text),
    sa.Column("missing_polls", sa.Integer, nullable=False, server_default="0"),
    sa.Column("link_key", sa.Text, index=True),
    sa.Column("text_hash", sa.Text, nullable=False, index=True),
    # The long texts stand last: SQLite walks through all overflow pages of a row to reach what stands behind them.
    sa.Column("html", sa.Text, nullable=False),
    sa.Column("source_text", sa.Text, nullable=False),
    sa.UniqueConstraint("source", "external_id"),
    sa.Index(None, "status", "published", "id"),
    sa.Index(
        None, "status", "fault", "language"
    ),  # which languages there are, without a row a post
)

"""`withdrawn_by`: source (its file is gone or a draft again) or hand. `missing_polls` counts the polls in a row that
did not find it. `link_key` and `text_hash` find a post whose id changed at its source (identity.py)."""

post_labels = sa.Table(
    "post_labels",
    metadata,
    sa.Column("post", sa.Integer, sa.ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Index(None, "kind", "name", "post"),
)

labels = sa.Table(
    "labels",
    metadata,
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("slug", sa.Text, nullable=False),
    sa.UniqueConstraint("kind", "slug"),
)

revisions = sa.Table(
    "revisions",
    metadata,
    sa.Column("post", sa.Integer, sa.ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("revision", sa.Integer, primary_key=True),
    sa.Column("at", UTCDateTime, nullable=False),
    sa.Column("updated", UTCDateTime, nullable=False),
    sa.Column("content_hash", sa.Text, nullable=False),
    sa.Column("content", sa.JSON, nullable=False),
)

"""Every revision of every post, the newest too; `content` is the whole Content."""

journal = sa.Table(
    "journal",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("post", sa.Integer, sa.ForeignKey("posts.id"), nullable=False, index=True),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("at", UTCDateTime, nullable=False, index=True),
)

source_states = sa.Table(
    "source_states",
    metadata,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("feed_url", sa.Text),
    sa.Column("etag", sa.Text),
    sa.Column("last_modified", sa.Text),
    sa.Column("first_polled", UTCDateTime),
    sa.Column("polled", UTCDateTime),
    sa.Column("next_poll", UTCDateTime),
    sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
    sa.Column("summaries_only", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("files", sa.JSON),
)

source_faults = sa.Table(
    "source_faults",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("source", sa.Text, nullable=False, index=True),
    sa.Column("place", sa.Text, nullable=False),
    sa.Column("what", sa.Text, nullable=False),
    sa.Column("remedy", sa.Text, nullable=False),
    sa.Column("at", UTCDateTime, nullable=False),
)

press = sa.Table(
    "press",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
"""Facts about the whole database: the fingerprint of its secret."""
