"""The list by hand: adding, importing, exporting, ending and erasing subscriptions."""

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from html import escape
from pathlib import Path

import sqlalchemy as sa
import structlog

from dateline.actions.holding import note, note_subscription
from dateline.actions.sealing import find_newsletter

# The web's part of the same list; callers take these from here, each stands in its own module.
from dateline.actions.sign_up import ask_by_mail
from dateline.actions.sign_up import form_stamp as form_stamp
from dateline.actions.sign_up import sign_up as sign_up
from dateline.actions.subscriber_links import SubscriptionView as SubscriptionView
from dateline.actions.subscriber_links import confirm as confirm
from dateline.actions.subscriber_links import find_token as find_token
from dateline.actions.subscriber_links import preferences as preferences
from dateline.actions.subscriber_links import send_preferences_link as send_preferences_link
from dateline.actions.subscriber_links import set_preferences as set_preferences
from dateline.actions.subscriber_links import undo_unsubscribe as undo_unsubscribe
from dateline.actions.subscriber_links import unsubscribe_token as unsubscribe_token
from dateline.press import Press
from newsletter import bulk, frequencies, subscribers, subscriptions, suppression
from newsletter.addresses import Address, parse_address
from newsletter.counterfoil import Entry, What, erased_hash
from newsletter.import_csv import (
    ImportRow,
    RefusedRow,
    clean_name,
    decoded,
    find_layout,
    guarded,
    parse_rows,
)
from newsletter.spec import NewsletterSettings
from newsletter.subscriptions import SubscriptionStatus
from posts.database import forget_deleted, reading, writing
from posts.errors import DatelineError, NotFound, Refused
from posts.text import valid_language

_CHUNK = 5_000
COLUMNS = ("Email", "Name", "Language", "Newsletter", "Frequency", "Status", "Since", "Consent")
_WHY = {
    SubscriptionStatus.UNSUBSCRIBED: "has unsubscribed; only the reader can come back",
    bulk.SUPPRESSED: "is suppressed: never to be mailed again",
}
log = structlog.get_logger()


@dataclass(slots=True, kw_only=True)
class ImportResult:
    """What an import did, or would do. `refused` names every row that was not taken, by line."""

    rows: int = 0
    added: int = 0
    asked: int = 0
    already: int = 0
    refused: list[RefusedRow] = field(default_factory=list)
    dry_run: bool = False
    encoding: str = ""
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """How many subscriptions of a newsletter and frequency are in a status."""

    newsletter: str
    frequency: str
    status: str
    subscribers: int


def add(
    press: Press,
    address: str,
    newsletter: str,
    *,
    consent: str | None = None,
    ask: bool = False,
    name: str | None = None,
    language: str | None = None,
    frequency: str | None = None,
) -> str:
    """Adds one reader: active with `consent`, or asked by mail with `ask`. Gives "added", "asked" or "already".

    Raises Refused for an address that is none, is suppressed or has unsubscribed, or without a word on consent.
    """
    _need_consent(consent, ask)
    settings = find_newsletter(press, newsletter)
    parsed = _parsed(address)
    if language and valid_language(language) is None:
        raise Refused(
            f'"{language}" is not a language', remedy="Write a tag such as en, es or es-MX."
        )
    row = ImportRow(
        line=0,
        address=parsed,
        name=clean_name(name or ""),
        language=valid_language(language or ""),
    )
    result = ImportResult()
    _take(press, settings, [row], result, consent=consent, frequency=frequency)
    if result.refused:
        raise Refused(f"that address {result.refused[0].why}")
    return "added" if result.added else "asked" if result.asked else "already"


def import_file(
    press: Press,
    path: Path,
    newsletter: str,
    *,
    consent: str | None = None,
    ask: bool = False,
    dry_run: bool = False,
    frequency: str | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> ImportResult:
    """Imports a file of readers, active with `consent` or asked by mail with `ask`.

    Suppressed and unsubscribed readers stay as they are. Raises Refused without a word on consent, and DatelineError
    for a file that cannot be read. `dry_run` only says what would happen.
    """
    _need_consent(consent, ask)
    settings = find_newsletter(press, newsletter)
    try:
        text, encoding = decoded(path.read_bytes())
        layout = find_layout(text, encoding)
    except OSError as error:
        raise DatelineError(f"cannot be read: {error.strerror}", where=str(path)) from error
    except ValueError as error:
        raise DatelineError(
            str(error),
            where=path.name,
            remedy="A file of readers has one mail address in each row, with or without other columns.",
        ) from error
    result = ImportResult(dry_run=dry_run, encoding=layout.encoding, columns=tuple(layout.columns))
    total = text.count("\n") + 1
    chunk: list[ImportRow] = []
    for row in parse_rows(text, layout):
        result.rows += 1
        if isinstance(row, RefusedRow):
            result.refused.append(row)
            continue
        chunk.append(row)
        if len(chunk) == _CHUNK:
            _take(press, settings, chunk, result, consent=consent, frequency=frequency)
            chunk = []
            if progress is not None:
                progress(result.rows, total)
    _take(press, settings, chunk, result, consent=consent, frequency=frequency)
    result.refused.sort(key=lambda refused: refused.line)
    log.info(
        "readers imported",
        newsletter=newsletter,
        rows=result.rows,
        added=result.added,
        asked=result.asked,
        already=result.already,
        refused=len(result.refused),
        dry_run=dry_run,
    )
    return result


def export(
    press: Press, *, newsletter: str | None = None, status: str | None = None
) -> Iterator[str]:
    """The list as lines of CSV, header first; cells that a spreadsheet would run are made harmless with a `'`."""
    yield _csv_line(COLUMNS)
    after = 0
    while True:
        with reading(press.engine) as conn:
            rows = subscriptions.list_members(
                conn, newsletter=newsletter, status=status, after=after, limit=_CHUNK
            )
        for row in rows:
            consent = row["consent"] or {}
            words = consent.get("wording") or consent.get("method") or ""
            yield _csv_line(
                (
                    row["address"],
                    row["name"] or "",
                    row["language"],
                    row["newsletter"],
                    row["frequency"],
                    row["status"],
                    row["since"].isoformat() if row["since"] else "",
                    words,
                )
            )
        if len(rows) < _CHUNK:
            return
        after = rows[-1]["id"]


def unsubscribe(press: Press, address: str, newsletter: str | None = None) -> int:
    """Ends a reader's subscription to a newsletter, or all of them; gives how many. Raises NotFound."""
    now = press.clock()
    ended = []
    with writing(press.engine) as conn:
        reader = subscribers.find_subscriber(conn, _key(address))
        if reader is None:
            raise NotFound("nobody subscribes with that address")
        for found in subscriptions.list_subscriptions(conn, reader.id):
            wanted = newsletter is None or found.newsletter == newsletter
            if wanted and found.status is not SubscriptionStatus.UNSUBSCRIBED:
                ended.append(subscriptions.leave(conn, found, via="editor", now=now))
        note_subscription(press, conn, What.LEFT, *ended)
    log.info("subscription ended", subscriber=reader.id, via="editor", ended=len(ended))
    return len(ended)


def erase(press: Press, address: str, *, suppress: bool = False) -> bool:
    """Erases an address everywhere (DESIGN.md 8.8); with `suppress` its keyed hash stays, never to be mailed again.

    The deliveries keep number and state. Gives False where the address was not there (and still suppresses it).
    """
    now = press.clock()
    parsed = _parsed(address)
    done: list[Entry] = []
    with writing(press.engine) as conn:
        reader = subscribers.find_subscriber(conn, parsed.key)
        if reader is not None:
            subscribers.erase_subscriber(conn, reader.id)
            who = erased_hash(press.keys, parsed.key)
            done.append(Entry(what=What.ERASED, row=reader.id, who=who))
        if suppress:
            suppression.suppress(conn, press.keys, parsed.address, "erased", "on request", now)
            who = suppression.hash_address(press.keys, parsed.address)
            done.append(Entry(what=What.SUPPRESSED, who=who, reason="erased"))
        note(press, conn, *done)
    if reader is not None:
        forget_deleted(press.engine)
        log.info("subscriber erased", subscriber=reader.id, suppressed=suppress)
    return reader is not None


def list_stats(press: Press) -> list[Stats]:
    """How many readers are where."""
    with reading(press.engine) as conn:
        counts = subscriptions.count_by_status(conn)
    return [
        Stats(newsletter=newsletter, frequency=often, status=status, subscribers=count)
        for newsletter, often, status, count in counts
    ]


def build_form(press: Press, newsletter: str) -> str:
    """Plain HTML to paste into another site: it posts to this server, without JavaScript."""
    settings = find_newsletter(press, newsletter)
    site = press.config.site
    promise = "You will get a mail that asks you to confirm. You can leave at any time by a link in each issue."
    action = press.config.web.url.rstrip("/") + "/subscribe"
    return f"""<form method="post" action="{escape(action)}" accept-charset="utf-8">
  <p><strong>{escape(settings.title)}</strong></p>
  <p><label>Mail address <input type="email" name="address" required autocomplete="email"></label></p>
  <p hidden><label>Leave this empty <input type="text" name="website" tabindex="-1" autocomplete="off"></label></p>
  <input type="hidden" name="newsletter" value="{escape(settings.slug)}">
  <input type="hidden" name="language" value="{escape(site.language)}">
  <p>{escape(promise)}</p>
  <p><button type="submit">Subscribe</button></p>
</form>
"""


def _take(
    press: Press,
    settings: NewsletterSettings,
    rows: list[ImportRow],
    result: ImportResult,
    *,
    consent: str | None,
    frequency: str | None,
) -> None:
    """Decides on a slice of rows and, unless it is a dry run, writes it in one transaction."""
    if not rows:
        return
    now = press.clock()
    name = frequency or next(iter(settings.frequencies))
    if name not in settings.frequencies:
        raise NotFound(f'"{settings.slug}" has no frequency "{name}"')
    begin = reading if result.dry_run else writing
    with begin(press.engine) as conn:
        if not result.dry_run:
            frequencies.sync_frequencies(
                conn, press.config.newsletters, now, press.config.site.max_age
            )
        keys = [row.address.key for row in rows]
        standings = bulk.list_standings(conn, press.keys, settings.slug, keys)
        fresh: list[ImportRow] = []
        for row in rows:
            standing = standings.get(row.address.key)
            if standing in _WHY:
                result.refused.append(RefusedRow(row.line, _WHY[standing]))
            elif standing in (SubscriptionStatus.ACTIVE, SubscriptionStatus.PAUSED):
                result.already += 1
            else:
                fresh.append(row)
        if result.dry_run:
            result.added += len(fresh) if consent else 0
            result.asked += 0 if consent else len(fresh)
        elif consent:
            record = {"method": "editor", "wording": consent}
            result.added += (
                bulk.save_active(
                    conn,
                    settings.slug,
                    name,
                    fresh,
                    language=press.config.site.language,
                    consent=record,
                    via="import",
                    now=now,
                )
                if fresh
                else 0
            )
        else:
            _ask_all(press, conn, settings, fresh, result, now)


def _ask_all(
    press: Press,
    conn: sa.Connection,
    settings: NewsletterSettings,
    rows: list[ImportRow],
    result: ImportResult,
    now: datetime,
) -> None:
    """Sends each a mail that asks for consent; an address that was asked lately is not asked again."""
    for row in rows:
        mailed = ask_by_mail(
            press,
            conn,
            settings,
            row.address,
            name=row.name,
            language=row.language or press.config.site.language,
            consent={"method": "editor asked", "asked": now.isoformat()},
            now=now,
        )
        if mailed:
            result.asked += 1
        else:
            why = "was asked by mail not long ago and has not answered"
            result.refused.append(RefusedRow(row.line, why))


def _need_consent(consent: str | None, ask: bool) -> None:
    if (consent and consent.strip()) and not ask:
        return
    if ask and not consent:
        return
    raise Refused(
        "nobody is mailed without consent",
        remedy='Say how and when these readers gave it (--consent "signed up on the blog, 2008 to 2009"), '
        "or have each asked by a confirmation mail (--ask); one of the two.",
    )


def _key(address: str) -> str:
    return _parsed(address).key


def _parsed(address: str) -> Address:
    try:
        return parse_address(address)
    except ValueError as error:
        raise Refused(f"the address {error}", remedy="Write it as reader@example.org.") from error


def _csv_line(cells: tuple[str, ...]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerow([guarded(cell) for cell in cells])
    return buffer.getvalue()
