"""Makes a database ready for this program: its tables, and that it belongs to this press's secret."""

from dateline.migrations.apply import upgrade
from dateline.press import Press
from posts.database import reading, writing
from posts.errors import StoreError
from posts.facts import find_fact, keep_fact

_FINGERPRINT = "secret_fingerprint"


def migrate_database(press: Press) -> list[str]:
    """The versions that were applied, none when the database is current: then it costs two SELECTs.

    Called at every start; safe when many processes start at once. Raises StoreError where the database is newer than
    this program or was made with another secret: unsubscribe links and suppressions would stop working.
    """
    applied = upgrade(press.engine)
    mine = press.keys.fingerprint()
    with reading(press.engine) as conn:
        kept = find_fact(conn, _FINGERPRINT)
    if kept is None:
        with writing(press.engine) as conn:
            kept = keep_fact(conn, _FINGERPRINT, mine)
    if kept != mine:
        raise StoreError(
            "the database belongs to another secret than this file's",
            where=str(press.path(press.config.site.secret_file)),
            remedy="Put back the secret file that was beside the database, "
            "or name it as [site] secret_file.",
        )
    return applied
