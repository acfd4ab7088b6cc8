"""Segments and a recipient to a message: a join. There is no second, slow path (performance.md 2)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from html import escape
from zoneinfo import ZoneInfo

from newsletter.headers import mailbox
from newsletter.quoted_printable import SOFT_BREAK, encoded_value
from newsletter.segments import items_hash, program_items
from newsletter.tokens import Keys
from newsletter.words import Words
from posts.errors import StoreError

UNSUBSCRIBE = "unsubscribe"
PREFERENCES = "preferences"
"""The purposes of the two tokens that a mail carries; their subject is the subscription."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Whom one delivery is for. `since` is when the subscription began, None where nobody knows."""

    subscriber: int
    subscription: int
    generation: int
    address: str
    name: str | None
    since: datetime | None
    language: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """The bytes of one delivery, with its envelope."""

    sender: str
    recipient: str
    body: bytes
    delivery: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedEdition:
    """An edition ready to be joined: constants, an empty place for each hole, and which field fills which."""

    language: str
    pieces: tuple[bytes, ...]
    holes: tuple[tuple[int, str], ...]


def load_edition(
    program: Iterable[int | str], parts: Mapping[int, bytes], *, language: str, seal: str
) -> LoadedEdition:
    """An edition from its stored program and parts; raises StoreError where they are not what was sealed."""
    try:
        items = program_items(program, parts)
    except KeyError as error:
        raise StoreError(f"a sealed part is missing: {error.args[0]}") from error
    if items_hash(items) != seal:
        raise StoreError(
            "the stored edition is not what was sealed",
            remedy="Restore the database from a backup; nothing was sent of it.",
        )
    pieces: list[bytes] = []
    holes: list[tuple[int, str]] = []
    constant: list[bytes] = []
    for item in items:
        if isinstance(item, bytes):
            constant.append(item)
            continue
        pieces += [b"".join(constant), b""]
        holes.append((len(pieces) - 1, item))
        constant = []
    pieces.append(b"".join(constant))
    return LoadedEdition(language=language, pieces=tuple(pieces), holes=tuple(holes))


def build_message(
    edition: LoadedEdition,
    recipient: Recipient,
    *,
    issue_id: int,
    date: datetime,
    keys: Keys,
    web_url: str,
    from_domain: str,
    zone: ZoneInfo,
) -> bytes:
    """The complete message, the same bytes at every attempt; raises HeaderError for an address that is none."""
    values = field_values(
        recipient,
        language=edition.language,
        issue_id=issue_id,
        date=date,
        keys=keys,
        web_url=web_url,
        from_domain=from_domain,
        zone=zone,
    )
    pieces = list(edition.pieces)
    for place, name in edition.holes:
        pieces[place] = values[name]
    return b"".join(pieces)


def field_values(
    recipient: Recipient,
    *,
    language: str,
    issue_id: int,
    date: datetime,
    keys: Keys,
    web_url: str,
    from_domain: str,
    zone: ZoneInfo,
) -> dict[str, bytes]:
    """Each personal field, escaped and encoded for where it stands (`segments.FIELDS`)."""
    subject, generation = recipient.subscription, recipient.generation
    leave = keys.token(UNSUBSCRIBE, subject, generation=generation, made=date)
    change = keys.token(PREFERENCES, subject, generation=generation, made=date)
    leave_url, leave_html, leave_text, change_html, change_text = _addresses(web_url)
    leave_end, change_end = leave.encode() + SOFT_BREAK, change.encode() + SOFT_BREAK
    since = recipient.since
    html_since, text_since = _since(language, since.astimezone(zone).date() if since else None)
    address = recipient.address
    html_address = text_address = encoded_value(address)
    if "&" in address or "'" in address:
        html_address = encoded_value(escape(address))
    return {
        "to": mailbox("To", recipient.name or "", address).encode(),
        "message_id": keys.message_id(issue_id, recipient.subscriber, from_domain).encode(),
        "list_unsubscribe": leave_url + leave.encode(),
        "html.address": html_address,
        "html.since": html_since,
        "html.unsubscribe_url": leave_html + leave_end,
        "html.preferences_url": change_html + change_end,
        "text.address": text_address,
        "text.since": text_since,
        "text.unsubscribe_url": leave_text + leave_end,
        "text.preferences_url": change_text + change_end,
    }


@lru_cache(maxsize=16)
def _addresses(web_url: str) -> tuple[bytes, bytes, bytes, bytes, bytes]:
    """What stands before a reader's token: in the header, and encoded on lines of their own in HTML and text.

    A token needs no encoding: it is made of letters, digits, `-` and `_`.
    """
    base = web_url.rstrip("/")
    leave, change = f"{base}/u/", f"{base}/preferences/"
    return (
        leave.encode("ascii"),
        encoded_value(escape(leave)),
        encoded_value(leave),
        encoded_value(escape(change)),
        encoded_value(change),
    )


@lru_cache(maxsize=4096)
def _since(language: str, day: date | None) -> tuple[bytes, bytes]:
    if day is None:
        return b"", b""
    phrase = Words(language).since(day)
    return encoded_value(escape(phrase)), encoded_value(phrase)
