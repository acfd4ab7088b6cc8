"""Forgetting what is old: deliveries of finished issues, unconfirmed sign-ups, what was counted, notices, previews."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic, sleep

import structlog

from dateline.actions.audience import KEPT as AUDIENCE_KEPT
from dateline.press import Press
from feeds.audience_rows import delete_audience
from newsletter.retention import (
    delete_deliveries,
    delete_old_sign_ups,
    delete_unconfirmed,
    list_finished,
    list_with_leftovers,
    save_totals,
    scrub_old_notices,
)
from posts.database import forget_deleted, reading, writing

PREVIEWS_KEPT = timedelta(days=30)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanedUp:
    """How much was forgotten."""

    unconfirmed: int
    sign_ups: int
    notices: int
    previews: int
    deliveries: int = 0
    audience: int = 0


def clean_up(press: Press) -> CleanedUp:
    """Forgets what is old; safe to call at any time, as often as one likes."""
    now = press.clock()
    with writing(press.engine) as connection:
        unconfirmed = delete_unconfirmed(connection, now)
        sign_ups = delete_old_sign_ups(connection, now)
        notices = scrub_old_notices(connection, now)
        audience = delete_audience(connection, (now - AUDIENCE_KEPT).date())
    previews = _delete_old_files(press.var / "preview", before=now - PREVIEWS_KEPT)
    done = CleanedUp(
        unconfirmed=unconfirmed,
        sign_ups=sign_ups,
        notices=notices,
        previews=previews,
        audience=audience,
        deliveries=_let_go_of_deliveries(press, now - press.config.privacy.keep_deliveries),
    )
    if done != CleanedUp(unconfirmed=0, sign_ups=0, notices=0, previews=0):
        log.info(
            "old things forgotten",
            unconfirmed=unconfirmed,
            sign_ups=sign_ups,
            notices=notices,
            previews=previews,
            deliveries=done.deliveries,
            audience=audience,
        )
    return done


def _let_go_of_deliveries(press: Press, before: datetime) -> int:
    """The rows of issues that ended `before` give way to their totals; gives how many rows went.

    Totals first, then the rows in slices: killed anywhere, the books are right and the next round goes on.
    """
    with reading(press.engine) as connection:
        finished = list_finished(connection, before)
    for issue in finished:
        with writing(press.engine) as connection:
            saved = save_totals(connection, issue, before)
        if saved:
            log.info("deliveries gave way to totals", issue=issue)
    with reading(press.engine) as connection:
        leftovers = list_with_leftovers(connection)
    gone = 0
    for issue in leftovers:
        while slice_of := _delete_slice(press, issue):
            gone += slice_of
    if gone:
        forget_deleted(press.engine)
    return gone


def _delete_slice(press: Press, issue: int) -> int:
    with writing(press.engine) as connection:
        began = monotonic()
        deleted = delete_deliveries(connection, issue)
    # SQLite lets those who wait try again by the clock: who holds the lock back to back starves them (DESIGN.md 9)
    sleep(min(1.0, monotonic() - began))
    return deleted


def _delete_old_files(folder: Path, *, before: datetime) -> int:
    if not folder.is_dir():
        return 0
    old = [
        path
        for path in folder.iterdir()
        if path.is_file() and path.stat().st_mtime < before.timestamp()
    ]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)
