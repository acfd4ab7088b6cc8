"""The pages of feeds, for people: which there are, and of each what it is, how to subscribe and its latest posts."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from itertools import groupby

import sqlalchemy as sa
from starlette.exceptions import HTTPException
from starlette.responses import Response

from dateline.web.cards import Card, Day, Reader, build_card, build_days
from dateline.web.pager import POSTS_A_PAGE, build_pager, reader_of
from dateline.web.paper import Paper
from dateline.web.visit import Visit
from dateline.web.words import direction, language_name
from feeds.fields import correction_lines
from feeds.spec import (
    EVERYTHING,
    MEDIA_TYPES,
    Feed,
    FeedKind,
    feed_paths,
    feed_url,
    list_feeds,
    page_url,
)
from newsletter.spec import NewsletterSettings
from posts import store
from posts.corrections import list_corrected_or_withdrawn
from posts.database import reading
from posts.dates import date_line, short_date
from posts.labels import list_labels
from posts.media import count_with_enclosures, list_with_enclosures
from posts.model import Change, Post, Status
from posts.notes import public_reason
from posts.settings import Selection

_FORMAT_NAMES = {"atom": "Atom", "rss": "RSS", "json": "JSON"}
_UPDATES_SHOWN = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class _Latest:
    """A page of a feed's posts under their date lines, and how many there are in all."""

    days: list[Day]
    total: int


def all_feeds(paper: Paper) -> list[Feed]:
    """Every feed there is now."""
    with reading(paper.press.engine) as conn:
        tags, authors = list_labels(conn, "tag"), list_labels(conn, "author")
        languages = store.list_languages(conn)
    config = paper.press.config
    return list_feeds(config.site, config.feeds, tags, languages, authors)


def feeds(paper: Paper, visit: Visit) -> Response:
    """`/feeds/`: every feed, and how feeds are read."""
    language = paper.language(visit)
    gettext = paper.words(language).gettext
    headings = {
        "tag-": gettext("By tag"),
        "author-": gettext("By author"),
        "language-": gettext("By language"),
        "": gettext("Everything, and chosen selections"),
    }
    groups: dict[str, list[dict[str, object]]] = {
        kind: [] for kind in ("", "language-", "author-", "tag-")
    }
    for feed in all_feeds(paper):
        kind = next(kind for kind in headings if feed.slug.startswith(kind))
        groups[kind].append(
            {
                "title": feed.title,
                "url": f"/feeds/{feed.slug}/",
                "documents": _documents(paper, feed),
                "sentence": None if kind else _sentence(paper, feed, language),
            }
        )
    return paper.answer(
        "feeds",
        visit,
        title=f"{gettext('Feeds')} · {paper.press.config.site.title}",
        language=language,
        canonical=paper.web_url + "/feeds/",
        description=gettext(
            "A feed brings each new post to a feed reader, whole, and knows nothing about you."
        ),
        groups=[
            {"title": headings[kind], "feeds": members}
            for kind, members in groups.items()
            if members
        ],
    )


def feed(paper: Paper, visit: Visit) -> Response:
    """`/feeds/NAME/`: what a feed is, how one subscribes to it, and its posts; the pages of tags, authors, languages."""
    language = paper.language(visit)
    every = all_feeds(paper)
    chosen = next((one for one in every if one.slug == visit.parts["name"]), None)
    if chosen is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    latest = _latest(paper, visit, chosen, reader_of(paper, language))
    if not latest.days and visit.page > 1:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    sentence = _sentence(paper, chosen, language)
    first = visit.page == 1
    return paper.answer(
        "feed",
        visit,
        title=f"{chosen.title} · {paper.words(language).gettext('Feeds')}",
        heading=chosen.title,
        language=language,
        canonical=page_url(chosen, paper.web_url) + ("" if first else f"?page={visit.page}"),
        feeds=_announced(chosen, every),
        sentence=sentence,
        documents=_documents(paper, chosen),
        newsletters=[
            {"title": newsletter.title, "url": f"/subscribe?newsletter={newsletter.slug}"}
            for newsletter in paper.press.config.newsletters
            if carries(newsletter, chosen)
        ],
        is_first=first,
        is_media=chosen.kind is FeedKind.MEDIA,
        days=latest.days,
        pager=build_pager(paper, visit, latest.total, POSTS_A_PAGE),
    )


def _announced(chosen: Feed, every: Sequence[Feed]) -> list[Feed]:
    """What a feed's page announces: the feed itself, that of all posts, and beside a language the other languages."""
    others = [feed for feed in every if feed.slug.startswith("language-")]
    beside = others if chosen in others else []
    return list(dict.fromkeys([chosen, every[0], *beside]))


def carries(newsletter: NewsletterSettings, feed: Feed) -> bool:
    """True when every post of `feed` comes in `newsletter` too, so that its form may be offered beside the feed.

    Not to readers of updates: what a newsletter prints of them is notes.
    """
    if feed.kind is FeedKind.UPDATES:
        return False
    return all(
        not wanted or (given and set(given) <= set(wanted))
        for wanted, given in zip(
            _criteria(newsletter.select), _criteria(feed.selection), strict=True
        )
    )


def _criteria(selection: Selection) -> tuple[tuple[str, ...], ...]:
    return (selection.tags, selection.authors, selection.languages)


def _documents(paper: Paper, feed: Feed) -> list[dict[str, str]]:
    return [
        {
            "format": _FORMAT_NAMES[format_],
            "path": path,
            "url": feed_url(feed, format_, paper.web_url),
            "type": MEDIA_TYPES[format_],
        }
        for format_, path in feed_paths(feed).items()
    ]


def _sentence(paper: Paper, feed: Feed, language: str) -> str:
    """What a feed is, in a sentence."""
    gettext = paper.words(language).gettext
    selection = feed.selection
    names = {
        "site": paper.press.config.site.title,
        "tag": ", ".join(selection.tags),
        "author": ", ".join(selection.authors),
        "language": ", ".join(language_name(c, in_language=language) for c in selection.languages),
    }
    if feed.kind is FeedKind.UPDATES:
        text = gettext("What {site} has corrected or taken back, the latest first.")
    elif feed.kind is FeedKind.HEADLINES:
        text = gettext("Every headline of {site} with a summary, without the full text.")
    elif feed.kind is FeedKind.MEDIA:
        text = gettext("The posts of {site} that come with sound, pictures or files.")
    elif selection == EVERYTHING:
        text = gettext("Every post of {site}, whole, the newest first.")
    elif feed.slug.startswith("tag-"):
        text = gettext("The posts of {site} filed under {tag}.")
    elif feed.slug.startswith("author-"):
        text = gettext("The posts of {site} by {author}.")
    elif feed.slug.startswith("language-"):
        text = gettext("The posts of {site} in this language: {language}.")
    else:
        text = gettext("A selection of the posts of {site}.")
    return text.format(**names)


def _latest(paper: Paper, visit: Visit, feed: Feed, reader: Reader) -> _Latest:
    offset = (visit.page - 1) * POSTS_A_PAGE
    with reading(paper.press.engine) as conn:
        if feed.kind is FeedKind.UPDATES:
            return _updates(conn, offset, reader)
        if feed.kind is FeedKind.MEDIA:
            posts = list_with_enclosures(conn, limit=POSTS_A_PAGE, offset=offset)
            total = count_with_enclosures(conn)
        else:
            posts = store.list_posts(conn, feed.selection, limit=POSTS_A_PAGE, offset=offset)
            total = store.count_posts(conn, feed.selection)
    return _Latest(days=build_days(posts, reader), total=total)


def _updates(conn: sa.Connection, offset: int, reader: Reader) -> _Latest:
    """The newest corrections and withdrawals, under the days on which they happened."""
    changes = list_corrected_or_withdrawn(conn, _UPDATES_SHOWN)
    shown = changes[offset : offset + POSTS_A_PAGE]
    posts = store.list_by_ids(conn, sorted({change.post for change in shown}))
    days = [
        Day(
            line=date_line(of_day[0].at, reader.zone, reader.language),
            date=date,
            cards=tuple(_update_card(posts[change.post], reader) for change in of_day),
        )
        for date, of_day in _by_day(shown, reader)
    ]
    return _Latest(days=days, total=len(changes))


def _by_day(changes: Sequence[Change], reader: Reader) -> list[tuple[str, list[Change]]]:
    def day(change: Change) -> str:
        return change.at.astimezone(reader.zone).date().isoformat()

    return [(date, list(of_day)) for date, of_day in groupby(changes, key=day)]


def _update_card(post: Post, reader: Reader) -> Card:
    """A correction with its note; of a withdrawn post not a word of its own."""
    gettext = reader.words.gettext
    if post.status is not Status.WITHDRAWN:
        label, note = correction_lines(post, reader.zone)[0]
        return build_card(post, reader, excerpt_text=f"{label}: {note}")
    date = short_date(post.published, reader.zone, reader.language)
    return Card(
        url=post.path,
        title=gettext("Withdrawn: a post of {date}").format(date=date),
        language=reader.language,
        dir=direction(reader.language),
        byline="",
        excerpt=gettext(public_reason(post) or "No reason was given."),
        lead=False,
    )
