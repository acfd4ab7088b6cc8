"""Pacing, senders, totals of issues whose deliveries were let go."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Pacing, senders, totals of issues whose deliveries were let go."""
    op.create_table(
        "pace_counts",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("slot", sa.DateTime(timezone=True), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key", "slot", name=op.f("pk_pace_counts")),
    )
    op.create_table(
        "paces",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("rate", sa.Float(), nullable=True),
        sa.Column("slowed", sa.DateTime(timezone=True), nullable=True),
        sa.Column("raised", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_paces")),
    )
    op.create_table(
        "senders",
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("began", sa.DateTime(timezone=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("owner", name=op.f("pk_senders")),
    )
    with op.batch_alter_table("issues", schema=None) as batch_op:
        batch_op.add_column(sa.Column("totals", sa.JSON(), nullable=True))
    if op.get_bind().dialect.name == "sqlite":
        for table in ("subscribers", "subscriptions"):
            kept = {"sqlite_autoincrement": True}
            with op.batch_alter_table(table, recreate="always", table_kwargs=kept):
                pass  # copied as it is: from now on SQLite gives no id twice
    # reasons were a note for the record and are public from now on: what was written in confidence stays unpublished
    op.execute("UPDATE posts SET withdrawal_reason = NULL")
