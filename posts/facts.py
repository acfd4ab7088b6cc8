"""SQL of facts about the whole database: small texts by key, such as the fingerprint of the secret that it belongs to."""

import sqlalchemy as sa

from posts.tables import press
from posts.upsert import insert_into


def find_fact(conn: sa.Connection, key: str) -> str | None:
    """What the database says about itself under `key`, or None."""
    query = sa.select(press.c.value).where(press.c.key == key)
    value: str | None = conn.execute(query).scalar_one_or_none()
    return value


def keep_fact(conn: sa.Connection, key: str, value: str) -> str:
    """Stores `value` where nothing is stored yet; gives what holds from now on, which another may have stored first."""
    conn.execute(insert_into(conn, press).values(key=key, value=value).on_conflict_do_nothing())
    return find_fact(conn, key) or value
