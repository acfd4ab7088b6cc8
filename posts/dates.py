"""Dates as sources write them, and as readers read them. Pure."""

import re
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from email.utils import parsedate_tz

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time

_ISO = re.compile(
    r"(?P<day>\d{4}-\d{2}-\d{2})"
    r"(?:(?:[Tt]|\s+)(?P<time>\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?)"
    r"(?:\s*(?P<zone>[Zz]|UTC|GMT|[+-]\d{2}:?\d{2}))?)?"
)
_RFC_822 = re.compile(
    r"(?:(?P<weekday>[A-Za-z]{3})[A-Za-z]*,\s*)?\d{1,2}\s+(?P<month>[A-Za-z]{3})[A-Za-z]*\s+\d{4}"
    r"\s+\d{1,2}:\d{2}(?::\d{2})?(?:\s+(?P<zone>[A-Za-z]{1,5}|[+-]\d{4}))?(?:\s*\([^()]*\))?"
)
_WEEKDAYS = frozenset(["mon", "tue", "wed", "thu", "fri", "sat", "sun"])
_MONTHS = frozenset(
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
)
_ZONES = frozenset(
    ["ut", "utc", "gmt", "z", "est", "edt", "cst", "cdt", "mst", "mdt", "pst", "pdt"]
)  # RFC 822 5.1, and UTC
FIRST_YEAR, LAST_YEAR = 1000, 2999


def parse_date(text: str, zone: tzinfo) -> datetime | None:
    """The moment that `text` names, in UTC, or None where it names none for certain.

    ISO 8601 and RFC 3339 (a day alone is its midnight), and the dates of RSS (RFC 822, four-digit years). Without a
    zone of its own it counts in `zone`: in a spring gap it moves by the length of the gap, in an autumn fold the first
    counts (RFC 5545 3.3.5). `01/02/2026`, Spanish names and 31 February are None: a guess would be stored for ever.
    """
    moment = _written_date(text, zone)
    if moment is None or not FIRST_YEAR <= moment.year <= LAST_YEAR:
        return None
    return moment.astimezone(UTC)


def has_strange_year(text: str, zone: tzinfo) -> bool:
    """True for a whole date that `parse_date` refuses for its year alone: a slip of the pen, or a program's zero."""
    moment = _written_date(text, zone)
    return moment is not None and not FIRST_YEAR <= moment.year <= LAST_YEAR


def _written_date(text: str, zone: tzinfo) -> datetime | None:
    stripped = " ".join(text.split())
    try:
        return _iso_date(stripped, zone) or _rfc_822_date(stripped, zone)
    except (ValueError, OverflowError):
        return None


def date_line(moment: datetime, zone: tzinfo, language: str) -> str:
    """The day as a heading: "Tuesday, September 15, 2009", "martes, 15 de septiembre de 2009"."""
    return format_date(moment.astimezone(zone).date(), format="full", locale=_locale(language))


def short_date(moment: datetime, zone: tzinfo, language: str) -> str:
    """The day in a line of text: "Sep 15, 2009", "15 sept 2009"."""
    return format_date(moment.astimezone(zone).date(), format="medium", locale=_locale(language))


def time_of_day(moment: datetime, zone: tzinfo, language: str) -> str:
    """The time of day: "8:00 AM", "8:00"."""
    local = moment.astimezone(zone)
    text = format_time(local.time(), format="short", locale=_locale(language))
    # CLDR puts U+202F before AM; several mail programs have no glyph for it.
    return text.replace("\u202f", "\u00a0")


def _iso_date(text: str, zone: tzinfo) -> datetime | None:
    match = _ISO.fullmatch(text)
    if match is None:
        return None
    day = date.fromisoformat(match["day"])
    if match["time"] is None:
        return datetime.combine(day, time(), tzinfo=zone)
    clock = match["time"].replace(",", ".")
    at = time.fromisoformat(clock if clock[1] != ":" else "0" + clock)
    return datetime.combine(day, at, tzinfo=_offset(match["zone"]) or zone)


def _offset(text: str | None) -> tzinfo | None:
    if text is None:
        return None
    if text[0] not in "+-":
        return UTC
    hours, minutes = int(text[1:3]), int(text[-2:])
    if minutes > 59:
        raise ValueError(f"{text} is not an offset")
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if text[0] == "-" else offset)


def _rfc_822_date(text: str, zone: tzinfo) -> datetime | None:
    match = _RFC_822.fullmatch(text)
    if match is None or match["month"].lower() not in _MONTHS:
        return None
    if match["weekday"] and match["weekday"].lower() not in _WEEKDAYS:
        return None
    parts = parsedate_tz(text)
    if parts is None:
        return None
    wall = datetime(*parts[:6])  # noqa: DTZ001  its zone follows
    name = match["zone"]
    if name is None:
        return wall.replace(tzinfo=zone)
    if name[0] not in "+-" and name.lower() not in _ZONES:
        return None  # the standard library takes a zone that it does not know for UTC
    return wall.replace(tzinfo=timezone(timedelta(seconds=parts[9] or 0)))


def _locale(language: str) -> Locale:
    """The locale of a BCP 47 tag, English where Babel knows none."""
    for tag in (language, language.partition("-")[0]):
        try:
            return Locale.parse(tag, sep="-")
        except (ValueError, UnknownLocaleError):
            continue
    return Locale("en")
