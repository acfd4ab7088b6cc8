"""The SQL of the overview: what `status` counts beyond issues and their books."""

import sqlalchemy as sa

from newsletter.ledger import InDoubt
from newsletter.notices import is_open
from newsletter.tables import notices


def count_open_notices(conn: sa.Connection, in_doubt: InDoubt) -> int:
    """How many notices the sender is still to deal with, due or not."""
    query = sa.select(sa.func.count()).select_from(notices).where(is_open(in_doubt))
    return conn.execute(query).scalar_one()
