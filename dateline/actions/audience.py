"""The audience of feeds: what the web server noted goes into the database every minute, and out of it for people."""

from datetime import timedelta

from dateline.press import Press
from feeds.audience import Audience
from feeds.audience_report import FeedAudience
from feeds.audience_rows import list_audience, record_audience
from posts.database import reading, writing

SHOWN = timedelta(days=7)
"""So far back `feeds list` looks: services that stopped asking drop out of the count."""

KEPT = timedelta(days=366)
"""Older days are dropped."""


def flush_audience(press: Press, audience: Audience) -> None:
    """Writes down what was noted since the last time; what cannot be written is kept for the next."""
    now = press.clock()
    noted = audience.take(now.date())
    if not noted.tallies and not noted.declared:
        return
    try:
        with writing(press.engine) as conn:
            record_audience(conn, noted, now)
    except Exception:
        audience.give_back(noted)
        raise


def audience_of_feeds(press: Press) -> dict[str, FeedAudience]:
    """The audience of the last seven days, by feed."""
    since = (press.clock() - SHOWN).date()
    with reading(press.engine) as conn:
        return list_audience(conn, since)
