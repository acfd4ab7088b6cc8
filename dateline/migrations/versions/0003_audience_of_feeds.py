"""Audience of feeds: requests by day, feed and program, and the subscribers that services declare."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """audience of feeds"""
    op.create_table(
        "feed_audience",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("feed", sa.Text(), nullable=False),
        sa.Column("program", sa.Text(), nullable=False),
        sa.Column("major", sa.Text(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("not_modified", sa.BigInteger(), nullable=False),
        sa.Column("unconditional", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "feed", "program", "major", name=op.f("pk_feed_audience")),
    )
    op.create_table(
        "feed_subscribers",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("feed", sa.Text(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("feed_id", sa.Text(), nullable=False),
        sa.Column("subscribers", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint(
            "day", "feed", "format", "service", "feed_id", name=op.f("pk_feed_subscribers")
        ),
    )
