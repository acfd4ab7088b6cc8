"""Forgetting what is old: unconfirmed sign-ups, what the limits counted, settled notices, previews."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from dateline.press import Press
from newsletter.retention import delete_old_sign_ups, delete_unconfirmed, scrub_old_notices
from posts.database import writing

PREVIEWS_KEPT = timedelta(days=30)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanedUp:
    """How much was forgotten."""

    unconfirmed: int
    sign_ups: int
    notices: int
    previews: int


def clean_up(press: Press) -> CleanedUp:
    """Forgets what is old; safe to call at any time, as often as one likes."""
    now = press.clock()
    with writing(press.engine) as connection:
        unconfirmed = delete_unconfirmed(connection, now)
        sign_ups = delete_old_sign_ups(connection, now)
        notices = scrub_old_notices(connection, now)
    previews = _delete_old_files(press.var / "preview", before=now - PREVIEWS_KEPT)
    done = CleanedUp(unconfirmed=unconfirmed, sign_ups=sign_ups, notices=notices, previews=previews)
    if done != CleanedUp(unconfirmed=0, sign_ups=0, notices=0, previews=0):
        log.info(
            "old things forgotten",
            unconfirmed=unconfirmed,
            sign_ups=sign_ups,
            notices=notices,
            previews=previews,
        )
    return done


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
