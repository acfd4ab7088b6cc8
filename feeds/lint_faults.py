"""What the linter says of a document, and the small rules that all formats share: addresses, dates, HTML. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime

from posts.text import strip_illegal
from posts.tree import words

MOST_FAULTS = 100
"""So many are told of one document; a broken template would give one an entry and a rule."""

_IRI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"\x00-\x20\x7f]+")
_WEB = re.compile(r"https?://[^\s/?#<>\"]+[^\s<>\"\x00-\x20\x7f]*", re.IGNORECASE)
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:(\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_RFC822 = re.compile(
    r"(?:(Mon|Tue|Wed|Thu|Fri|Sat|Sun), )?\d\d? (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
    r" (\d{4}) \d\d:\d\d(?::\d\d)? (?:[+-]\d{4}|GMT|UT)",
    re.ASCII,
)
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
# One whole tag, with whatever its quoted values hold; possessive, so that no text makes it go back.
_TAG = re.compile(r"<(/?[a-zA-Z][^\s/>]*+)((?:[^>\"']|\"[^\"]*+\"|'[^']*+')*+)>")
# A name matches without a value too: else a long one would be tried again from each of its letters.
_ATTRIBUTE = re.compile(r"([^\s=\"'/]++)(?:\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'|([^\s\"']++)))?")
# As far as HTML is what our cleaning writes: text, and tags whose attributes are harmless or lead to somewhere absolute.
_FINE = re.compile(
    r"(?:[^<]++|</[a-zA-Z][^>]*+>|<(?![a-zA-Z]|/[a-zA-Z])"
    r"|<(?!(?:script|iframe|object|embed|applet|form|input|button|textarea|select|style|link|meta|base|frame|frameset)[\s/>])"
    r"[a-zA-Z][a-zA-Z0-9]*+(?:\s++(?:(?:href|src|cite)=\"(?:https?://[^\"\s]|mailto:|tel:)[^\"]*+\""
    r"|(?:alt|title|width|height|lang|dir|hreflang|datetime|colspan|rowspan|start|type|rel)=\"[^\"]*+\"))*+\s*+/?>)*+",
    re.IGNORECASE,
)
_ADDRESSES = words("href src cite poster background action formaction")
_ACTIVE = words(
    "script iframe object embed applet form input button textarea select style link meta base"
    " frame frameset"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LintFault:
    """One rule that one document breaks. `guid` is the id that its entry carries (`fields.entry_id`), None where the
    document itself is at fault; `remedy` says what to do."""

    rule: str
    document: str
    guid: str | None
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        post = f" ({self.guid})" if self.guid else ""
        end = f" {self.remedy}" if self.remedy else ""
        return f"{self.document}{post}: {self.what}. [{self.rule}]{end}"


@dataclass(slots=True)
class Faults:
    """The faults of one document as they are found."""

    document: str
    found: list[LintFault] = field(default_factory=list)

    @property
    def is_full(self) -> bool:
        """True when no more are kept: who looks at thousands of entries may stop."""
        return len(self.found) >= MOST_FAULTS

    def add(self, rule: str, what: str, *, guid: str | None = None) -> None:
        """Notes a fault; `MOST_FAULTS` are kept."""
        if not self.is_full:
            remedy = POST_REMEDY if guid else DOCUMENT_REMEDY
            self.found.append(
                LintFault(
                    rule=rule, document=self.document, guid=guid, what=shown(what), remedy=remedy
                )
            )


POST_REMEDY = "Mend the post at its source; until then it is quarantined and the rest goes out."
DOCUMENT_REMEDY = "The last good document stays. Look at the settings of the site and of this feed; else it is a mistake of ours."


def shown(text: str) -> str:
    """`text` as an error may print it: one line, no control character, not too long."""
    return " ".join(strip_illegal(text).split())[:400]


def is_absolute(address: str) -> bool:
    """True for an address with a scheme; one of the web has a host too (RFC 3986 3)."""
    if address[:5].lower() in ("http:", "https"):
        return _WEB.fullmatch(address) is not None
    return _IRI.fullmatch(address) is not None


def is_web_address(address: str) -> bool:
    """True for an absolute http or https address."""
    return _WEB.fullmatch(address) is not None


def rfc3339_moment(text: str) -> datetime | None:
    """The moment that `text` names by RFC 3339 with its zone (RFC 4287 3.3), or None."""
    match = _RFC3339.fullmatch(text)
    if match is None:
        return None
    try:
        return datetime.fromisoformat(text.upper().replace("Z", "+00:00"))
    except ValueError:
        return None


def is_rfc822_date(text: str) -> bool:
    """True for a date by RFC 822 with a year of four digits and a zone (RSS Best Practices Profile) whose day of the week is the date's."""
    match = _RFC822.fullmatch(text)
    if match is None:
        return False
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return False
    # Python reads the year 0001 as 2001 (RFC 2822 4.3), so of the first century the day of the week says nothing.
    early = int(match[2]) < 100
    return early or match[1] in (None, _DAYS[moment.weekday()])


def html_faults(html: str) -> Iterator[tuple[str, str]]:
    """(rule, what) of an entry's HTML: addresses that are not absolute, and what runs or loads by itself.

    It goes through the text once whatever it holds; behind a tag that never ends there is nothing (HTML 13.2.5).
    """
    at = 0
    while fine := _FINE.match(html, at):
        tag = _TAG.match(html, fine.end())
        if tag is None:
            if fine.end() < len(html):
                yield "html.tag", "its HTML ends inside a tag"
            return
        name = tag[1].lower()
        if name in _ACTIVE:
            yield "html.active", f"its HTML holds <{name}>, which reader programs warn of"
        yield from _attribute_faults(name, tag[2])
        at = tag.end()


def _attribute_faults(name: str, attributes: str) -> Iterator[tuple[str, str]]:
    for match in _ATTRIBUTE.finditer(attributes):
        attribute = match[1].lower()
        value = match[2] or match[3] or match[4] or ""
        if attribute.startswith("on"):
            yield "html.active", f"its HTML holds <{name} {attribute}=...>"
        elif attribute in _ADDRESSES and not _leads_somewhere(value.replace("&amp;", "&").strip()):
            yield (
                "html.address",
                f'its HTML holds <{name} {attribute}="{value[:100]}">, which is no absolute address',
            )
        elif attribute == "srcset":
            for candidate in re.split(r",\s+", value):
                address = candidate.split()[0] if candidate.split() else ""
                if address and not _leads_somewhere(address.replace("&amp;", "&")):
                    yield "html.address", f'its HTML holds srcset="{address[:100]}"'


def _leads_somewhere(address: str) -> bool:
    """Like `is_absolute`, but lenient in what stands behind the host: browsers encode that themselves."""
    scheme, colon, rest = address.partition(":")
    if not colon or not scheme.isascii() or not scheme.replace("+", "").isalnum():
        return False
    if scheme.lower() in ("javascript", "vbscript", "file", "data"):
        return False
    return rest.startswith("//") and len(rest) > 2 if scheme.lower() in ("http", "https") else True
