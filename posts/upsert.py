"""SQL of INSERT ... ON CONFLICT, which both databases have and SQLAlchemy spells by dialect."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite


def insert_into(conn: sa.Connection, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT into `table` that knows `on_conflict_do_nothing` and `on_conflict_do_update`."""
    if conn.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)
