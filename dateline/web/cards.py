"""Posts as lists show them: finished values for templates, grouped under their date lines."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from gettext import NullTranslations
from zoneinfo import ZoneInfo

from dateline.web.words import direction, language_name
from posts.bidi import isolated
from posts.dates import date_line, time_of_day
from posts.model import Post, post_url
from posts.text import excerpt, reading_minutes, same_language, word_count

_EXCERPT_WORDS = 45
_LEAD_WORDS = 80
_EDITED_AFTER = timedelta(minutes=1)
"""A post whose `updated` is that near to `published` was not edited; it has a writer's two dates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """For whom something is shown: language of the furniture, its catalogue, the site's zone."""

    language: str
    words: NullTranslations
    zone: ZoneInfo
    web_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A post in a list."""

    url: str
    title: str
    language: str
    dir: str
    byline: str
    excerpt: str
    lead: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A date line and the cards under it; `date` is ISO 8601."""

    line: str
    date: str
    cards: tuple[Card, ...]


def build_days(posts: Sequence[Post], reader: Reader, *, with_lead: bool = False) -> list[Day]:
    """`posts` (newest first) under the date lines of the site's zone.

    `with_lead` gives the first day a lead: the newest post there that is marked `lead`, else the newest.
    """
    by_date: dict[str, list[Post]] = {}
    for post in posts:
        by_date.setdefault(post.published.astimezone(reader.zone).date().isoformat(), []).append(
            post
        )
    days: list[Day] = []
    for date, of_day in by_date.items():
        lead = None
        if with_lead and not days:
            lead = next((post for post in of_day if post.content.lead), of_day[0])
            of_day = [lead, *(post for post in of_day if post is not lead)]
        line = date_line(of_day[0].published, reader.zone, reader.language)
        cards = tuple(build_card(post, reader, lead=post is lead) for post in of_day)
        days.append(Day(line=line, date=date, cards=cards))
    return days


def build_card(
    post: Post, reader: Reader, *, lead: bool = False, excerpt_text: str | None = None
) -> Card:
    """One post in a list; `excerpt_text` stands in place of its summary."""
    content = post.content
    words = _LEAD_WORDS if lead else _EXCERPT_WORDS
    return Card(
        url=page_address(post, reader.web_url),
        title=content.title or reader.words.gettext("Without a title"),
        language=content.language,
        dir=direction(content.language),
        byline=byline(post, reader),
        excerpt=excerpt_text or content.summary or excerpt(content.html, words),
        lead=lead,
    )


def page_address(post: Post, web_url: str) -> str:
    """Where a link on this server's pages leads: the post's own link, else its path (so that previews stay here)."""
    return post.path if post.content.link is None else post_url(post, web_url)


def byline(post: Post, reader: Reader) -> str:
    """Authors, time, length, and the language where it is not the page's: `By Ana Ruiz · 17:40 · 4 minutes`."""
    words = reader.words
    minutes = reading_minutes(word_count(post.content.html))
    pieces = []
    if post.content.authors:
        authors = ", ".join(map(isolated, post.content.authors))
        pieces.append(words.gettext("By {authors}").format(authors=authors))
    pieces.append(time_of_day(post.published, reader.zone, reader.language))
    pieces.append(words.ngettext("{n} minute", "{n} minutes", minutes).format(n=minutes))
    if not same_language(post.content.language, reader.language):
        pieces.append(language_name(post.content.language, in_language=reader.language))
    return " · ".join(pieces)


def updated_line(post: Post, reader: Reader) -> str | None:
    """When the post was last changed, or None where it was not."""
    if post.updated - post.published < _EDITED_AFTER:
        return None
    return reader.words.gettext("Updated: {date}, {time}").format(
        date=date_line(post.updated, reader.zone, reader.language),
        time=time_of_day(post.updated, reader.zone, reader.language),
    )
