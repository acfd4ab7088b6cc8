"""Segments and a recipient to a message: a join. There is no second, slow path (performance.md 2)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from html import escape
from typing import Protocol
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


class Reader(Protocol):
    """As much of a recipient as its message shows; a leased delivery is one too."""

    @property
    def subscriber(self) -> int:
        """The number of the address."""

    @property
    def subscription(self) -> int:
        """What the links in the mail are for."""

    @property
    def generation(self) -> int:
        """How often it has come back."""

    @property
    def address(self) -> str:
        """Where the mail goes."""

    @property
    def name(self) -> str | None:
        """How the address is written out."""

    @property
    def since(self) -> datetime | None:
        """When the subscription began."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Joiner:
    """An edition with all that its messages share worked out: a message costs some 10 us. Safe in threads.

    `values` is for whoever needs a message's personal fields too, such as a DKIM signature (dkim.py).
    """

    edition: LoadedEdition
    zone: ZoneInfo
    message_id: Callable[[int], bytes]
    leave_token: Callable[[int, int], bytes]
    change_token: Callable[[int, int], bytes]
    leave_url: bytes
    leave_lines: tuple[bytes, bytes]
    change_lines: tuple[bytes, bytes]
    shows_name: bool

    def message(self, reader: Reader) -> bytes:
        """The complete message, the same bytes at every attempt; raises HeaderError for an address that is none."""
        return self.joined(self.values(reader))

    def joined(self, values: Mapping[str, bytes]) -> bytes:
        """The message with these personal fields."""
        pieces = [*self.edition.pieces]
        for place, name in self.edition.holes:
            pieces[place] = values[name]
        return b"".join(pieces)

    def values(self, reader: Reader) -> dict[str, bytes]:
        """Each personal field, escaped and encoded for where it stands (`marks.FIELDS`); may raise HeaderError."""
        subject, generation = reader.subscription, reader.generation
        name, address, since = reader.name or "", reader.address, reader.since
        to = mailbox("To", name, address).encode()  # first: it refuses what cannot be encoded
        leave = self.leave_token(subject, generation)
        leave_end = leave + SOFT_BREAK
        change_end = self.change_token(subject, generation) + SOFT_BREAK
        leave_html, leave_text = self.leave_lines
        change_html, change_text = self.change_lines
        day = since.astimezone(self.zone).date() if since is not None else None
        html_since, text_since = _since(self.edition.language, day)
        html_address = text_address = encoded_value(address)
        if "&" in address or "'" in address:
            html_address = encoded_value(escape(address))
        return {
            "to": to,
            "message_id": self.message_id(reader.subscriber),
            "list_unsubscribe": self.leave_url + leave,
            "html.address": html_address,
            "html.name": encoded_value(escape(name)) if self.shows_name else b"",
            "html.since": html_since,
            "html.unsubscribe_url": leave_html + leave_end,
            "html.preferences_url": change_html + change_end,
            "text.address": text_address,
            "text.name": encoded_value(name) if self.shows_name else b"",
            "text.since": text_since,
            "text.unsubscribe_url": leave_text + leave_end,
            "text.preferences_url": change_text + change_end,
        }


def compile_joiner(
    edition: LoadedEdition,
    *,
    issue_id: int,
    date: datetime,
    keys: Keys,
    web_url: str,
    from_domain: str,
    zone: ZoneInfo,
) -> Joiner:
    """What makes the messages of an edition. A token needs no encoding: letters, digits, `-` and `_`."""
    base = web_url.rstrip("/")
    leave, change = f"{base}/u/", f"{base}/preferences/"
    return Joiner(
        edition=edition,
        zone=zone,
        message_id=keys.message_ids(issue_id, from_domain),
        leave_token=keys.tokens(UNSUBSCRIBE, date),
        change_token=keys.tokens(PREFERENCES, date),
        leave_url=leave.encode("ascii"),
        leave_lines=(encoded_value(escape(leave)), encoded_value(leave)),
        change_lines=(encoded_value(escape(change)), encoded_value(change)),
        shows_name=any(name.endswith(".name") for _, name in edition.holes),
    )


def build_message(
    edition: LoadedEdition,
    recipient: Reader,
    *,
    issue_id: int,
    date: datetime,
    keys: Keys,
    web_url: str,
    from_domain: str,
    zone: ZoneInfo,
) -> bytes:
    """One message of an edition; who makes many keeps the joiner."""
    joiner = compile_joiner(
        edition,
        issue_id=issue_id,
        date=date,
        keys=keys,
        web_url=web_url,
        from_domain=from_domain,
        zone=zone,
    )
    return joiner.message(recipient)


@lru_cache(maxsize=4096)
def _since(language: str, day: date | None) -> tuple[bytes, bytes]:
    if day is None:
        return b"", b""
    phrase = Words(language).since(day)
    return encoded_value(escape(phrase)), encoded_value(phrase)
