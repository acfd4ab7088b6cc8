"""The SQL tables of feeds: the audience, a row a day, feed and program, and what services declared."""

import sqlalchemy as sa

from posts.tables import UTCDateTime, metadata

feed_audience = sa.Table(
    "feed_audience",
    metadata,
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("feed", sa.Text, primary_key=True),
    sa.Column("program", sa.Text, primary_key=True),
    sa.Column("major", sa.Text, primary_key=True),
    sa.Column("requests", sa.BigInteger, nullable=False),
    sa.Column("not_modified", sa.BigInteger, nullable=False),
    sa.Column("unconditional", sa.BigInteger, nullable=False),
)
"""Requests for a feed in UTC's day. `program` and `major` are all that is kept of a User-Agent (user_agents.py)."""

feed_subscribers = sa.Table(
    "feed_subscribers",
    metadata,
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("feed", sa.Text, primary_key=True),
    sa.Column("format", sa.Text, primary_key=True),
    sa.Column("service", sa.Text, primary_key=True),
    sa.Column("feed_id", sa.Text, primary_key=True),
    sa.Column("subscribers", sa.Integer, nullable=False),
    sa.Column("at", UTCDateTime, nullable=False),
)
"""The newest number that a service declared in a day for one document; `feed_id` is the service's own, often empty."""
