"""The furniture of mails in the reader's language: counts, bylines, labels, the lines of the footer."""

from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.lists import format_list
from babel.numbers import format_decimal

from posts.bidi import isolated
from posts.catalogue import furniture_language, primary_language, translations
from posts.dates import date_line, time_of_day

_FOLDER = Path(__file__).parent / "locale"
_RIGHT_TO_LEFT = {"ar", "arc", "ckb", "dv", "fa", "he", "iw", "ku", "ps", "sd", "ug", "ur", "yi"}


def mail_language(language: str) -> str:
    """The language that a mail to a reader of `language` is furnished in."""
    return furniture_language(_FOLDER, language)


def furnished_languages() -> tuple[str, ...]:
    """The languages that mails can be furnished in."""
    return ("en", *sorted(path.stem for path in _FOLDER.glob("*.po")))


def direction(language: str) -> str:
    """`rtl` or `ltr`, by the language's usual script."""
    return "rtl" if primary_language(language) in _RIGHT_TO_LEFT else "ltr"


@lru_cache(maxsize=4096)
def _number(count: int, language: str) -> str:
    return format_decimal(count, locale=language)


class Words:
    """Phrases of one language, finished: a template gets these and no numbers."""

    def __init__(self, language: str) -> None:
        self.language = mail_language(language)
        self._translations = translations(_FOLDER, self.language)

    def text(self, message: str, **values: object) -> str:
        """`message` translated, its `{names}` filled in."""
        return self._translations.gettext(message).format(**values)

    def counted(self, one: str, many: str, count: int) -> str:
        """`one` or `many` translated for `count`, `{n}` written as the language writes numbers."""
        number = _number(count, self.language)
        return self._translations.ngettext(one, many, count).format(n=number)

    def date_line(self, moment: datetime, zone: ZoneInfo) -> str:
        """The line over a day's posts: "Tuesday, September 15, 2009"."""
        return date_line(moment, zone, self.language)

    def time(self, moment: datetime, zone: ZoneInfo) -> str:
        """The time of day as the language writes it."""
        return time_of_day(moment, zone, self.language)

    def byline(self, authors: tuple[str, ...], time: str) -> str:
        """Who and when: "By Luz Sosa and Ana Ruiz · 8:00 AM"."""
        if not authors:
            return time
        names = format_list([isolated(name) for name in authors], locale=self.language)
        by = self.text("By {names}", names=names)
        return f"{by} · {time}"

    def stories(self, count: int) -> str:
        """`5 stories`."""
        return self.counted("{n} story", "{n} stories", count)

    def minutes(self, count: int) -> str:
        """`9 minutes`."""
        return self.counted("{n} minute", "{n} minutes", count)

    def word_count(self, count: int) -> str:
        """`1,020 words`."""
        return self.counted("{n} word", "{n} words", count)

    def comments(self, count: int) -> str:
        """`12 comments`."""
        return self.counted("{n} comment", "{n} comments", count)

    def read_on(self, words: int, minutes: int) -> str:
        """`Read on: 1,020 words, 5 minutes`."""
        return self.text(
            "Read on: {words}, {minutes}",
            words=self.word_count(words),
            minutes=self.minutes(minutes),
        )

    def more(self, count: int) -> str:
        """`and 17 more`, after the last post that is shown."""
        return self.counted("and {n} more", "and {n} more", count)

    def and_more(self, headline: str, count: int) -> str:
        """A subject: the headline, and how many others there are."""
        if count == 0:
            return headline
        more = self.counted("+ {n} more", "+ {n} more", count)
        return f"{headline} {more}"

    def in_language(self, language: str) -> str:
        """The label of a post in another language: "In Spanish"."""
        try:
            name = Locale.parse(language, sep="-").get_display_name(self.language) or language
        except (UnknownLocaleError, ValueError):
            name = language
        return self.text("In {language}", language=name)

    def since(self, day: date) -> str:
        """The end of the line that says why a reader gets this: " since November 24, 2026"."""
        return self.text(" since {date}", date=format_date(day, "long", locale=self.language))
