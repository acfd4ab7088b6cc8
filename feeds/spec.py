"""Which feeds there are: those of every site (all, per tag, per language) and those that config names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated
from urllib.parse import urlsplit

from babel import Locale, UnknownLocaleError
from pydantic import AfterValidator, Field

from posts.model import Label, Post, Status
from posts.settings import Selection, Settings, Site

SIZE = 50
"""How many of the newest posts a document holds unless config says otherwise (feeds.md 1.4: 20 to 50)."""

MAX_AGE_S = 900
"""How long an answer may be kept, in seconds, and RSS's `ttl` in minutes: reader programs wait for the longer of the
two, so they must agree (feeds.md 2.1)."""

STYLESHEET_PATH = "/feed.css"
"""Where the style of a feed that is opened in a browser is served and lies under `public/`."""

MEDIA_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "atom": "application/atom+xml",
        "rss": "application/rss+xml",
        "json": "application/feed+json",
    }
)
"""The formats, by the ending of their addresses, Atom first because readers take the first that they know."""

EVERYTHING = Selection()
"""The selection of the feed of all posts."""

_RESERVED = frozenset({"all", "updates", "headlines", "media"})
_RESERVED_BEGINNINGS = ("tag-", "author-", "language-")


def _free_slug(slug: str) -> str:
    if slug in _RESERVED or slug.startswith(_RESERVED_BEGINNINGS):
        raise ValueError(
            f'"{slug}" is kept for feeds that always exist; choose a name that is not one of '
            f"{', '.join(sorted(_RESERVED))} and does not begin with {', '.join(_RESERVED_BEGINNINGS)}"
        )
    return slug


class FeedSettings(Settings):
    """`[[feeds]]`: a feed beside the ones that always exist."""

    slug: Annotated[
        str,
        Field(
            pattern=r"^[a-z0-9][a-z0-9-]*$",
            description="Its name in addresses: `/feeds/SLUG.atom`.",
        ),
        AfterValidator(_free_slug),
    ]
    title: Annotated[
        str, Field(min_length=1, max_length=200, description="Its title in feed readers.")
    ]
    select: Annotated[Selection, Field(description="Which posts it holds.")] = Selection()
    size: Annotated[
        int, Field(ge=1, le=1000, description="How many of the newest posts a document holds.")
    ] = SIZE


class FeedKind(StrEnum):
    """What a feed shows of the posts of its selection, and in which order.

    POSTS all of them, MEDIA those with enclosures, HEADLINES all of them without their full text, each by date of
    publication; UPDATES those that were corrected or withdrawn, by the time when that last happened.
    """

    POSTS = "posts"
    UPDATES = "updates"
    HEADLINES = "headlines"
    MEDIA = "media"


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A selection of posts at one address, in every format. `language` is the one that it declares."""

    slug: str
    title: str
    language: str
    selection: Selection = EVERYTHING
    size: int = SIZE
    kind: FeedKind = FeedKind.POSTS

    def holds(self, post: Post) -> bool:
        """True when the post belongs to this feed, as far as its content says; whether it is public is another question.

        A withdrawn post belongs to UPDATES, where `render_withdrawal` gives its entry.
        """
        if not self.selection.matches(post):
            return False
        if self.kind is FeedKind.MEDIA:
            return bool(post.content.enclosures)
        if self.kind is FeedKind.UPDATES:
            return post.status is Status.WITHDRAWN or bool(post.corrections)
        return True


_KIND_NAMES: Mapping[str, Mapping[FeedKind, str]] = MappingProxyType(
    {
        "en": {
            FeedKind.UPDATES: "corrections and withdrawals",
            FeedKind.HEADLINES: "headlines",
            FeedKind.MEDIA: "sound, pictures and files",
        },
        "es": {
            FeedKind.UPDATES: "correcciones y retiradas",
            FeedKind.HEADLINES: "titulares",
            FeedKind.MEDIA: "sonido, imágenes y archivos",
        },
    }
)
"""A feed's title is part of its bytes, so its language is the site's, whoever reads it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameLinks:
    """Where a document stands among the documents of its feed, and who passes its changes on; addresses are absolute.

    Archives as in RFC 5005 4: the subscription document (`is_archive` False) has `prev_archive` alone, an archive
    document has `self_url`, `current` and its neighbours. `next_url` is JSON Feed's word for the older document.
    """

    self_url: str | None = None
    prev_archive: str | None = None
    next_archive: str | None = None
    current: str | None = None
    is_archive: bool = False
    hubs: tuple[str, ...] = ()
    next_url: str | None = None


NO_LINKS = FrameLinks()
"""A document that stands alone: its address is the feed's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedLink:
    """What a page says of a feed: a `<link rel="alternate">` with these attributes."""

    title: str
    url: str
    type: str
    language: str


def list_feeds(
    site: Site,
    configured: Iterable[FeedSettings] = (),
    tags: Iterable[Label] = (),
    languages: Iterable[str] = (),
    authors: Iterable[Label] = (),
) -> list[Feed]:
    """All feeds of a site, in this order: all posts, updates, headlines, media, those that config names, one a
    language, one a tag, one an author.
    """
    return [
        Feed(slug="all", title=site.title, language=site.language),
        *_feeds_of_other_kinds(site),
        *(
            Feed(
                slug=settings.slug,
                title=settings.title,
                language=_language_of(settings.select, site),
                selection=settings.select,
                size=settings.size,
            )
            for settings in configured
        ),
        *(
            Feed(
                slug=f"language-{slug}",
                title=f"{site.title} ({_language_name(codes[0])})",
                language=codes[0],
                selection=Selection(languages=tuple(codes)),
            )
            for slug, codes in sorted(_by_slug(languages).items())
        ),
        *(
            Feed(
                slug=f"tag-{tag.slug}",
                title=f"{site.title}: {tag.name}",
                language=site.language,
                selection=Selection(tags=(tag.name,)),
            )
            for tag in sorted(tags, key=lambda tag: tag.slug)
        ),
        *(
            Feed(
                slug=f"author-{author.slug}",
                title=f"{site.title}: {author.name}",
                language=site.language,
                selection=Selection(authors=(author.name,)),
            )
            for author in sorted(authors, key=lambda author: author.slug)
        ),
    ]


def _feeds_of_other_kinds(site: Site) -> list[Feed]:
    names = _KIND_NAMES.get(site.language.partition("-")[0].lower(), _KIND_NAMES["en"])
    return [
        Feed(
            slug=kind.value,
            title=f"{site.title}: {names[kind]}",
            language=site.language,
            kind=kind,
        )
        for kind in (FeedKind.UPDATES, FeedKind.HEADLINES, FeedKind.MEDIA)
    ]


def _by_slug(languages: Iterable[str]) -> dict[str, list[str]]:
    """Language tags by their name in addresses; spellings that differ in case alone (RFC 5646 2.1.1) share one."""
    found: dict[str, list[str]] = {}
    for code in sorted(set(languages)):
        found.setdefault(code.lower(), []).append(code)
    return found


def _language_of(selection: Selection, site: Site) -> str:
    return selection.languages[0] if len(selection.languages) == 1 else site.language


def _language_name(code: str) -> str:
    """What a language calls itself, or its code where Babel does not know it."""
    try:
        return Locale.parse(code, sep="-").get_display_name() or code
    except (UnknownLocaleError, ValueError):
        return code


def feed_paths(feed: Feed) -> dict[str, str]:
    """Where a feed's documents are served and lie under `public/`, by format."""
    return {format_: f"/feeds/{feed.slug}.{format_}" for format_ in MEDIA_TYPES}


def feed_url(feed: Feed, format_: str, web_url: str) -> str:
    """The absolute address of one document of a feed."""
    return web_url.rstrip("/") + feed_paths(feed)[format_]


def page_url(feed: Feed, web_url: str) -> str:
    """The absolute address of a feed's page for people."""
    return f"{web_url.rstrip('/')}/feeds/{feed.slug}/"


def alternate_url(feed: Feed, site: Site, web_url: str) -> str:
    """The page that a feed is the feed of: the newsroom's home for the feed of all posts, else the feed's own page."""
    return site.url if feed.slug == "all" else page_url(feed, web_url)


def feed_id(feed: Feed, site: Site) -> str:
    """The feed's permanent id: a tag URI (RFC 4151) of the newsroom's own host, so that it outlives a move of the server."""
    host = urlsplit(site.url).hostname or "localhost"
    return f"tag:{host.strip('[]').replace(':', '-')},2026:feeds/{feed.slug}"


def autodiscovery(site: Site, web_url: str, feeds: Sequence[Feed]) -> list[FeedLink]:
    """What a page puts into its head: each feed in each format, the page's own feed first if it comes first.

    Titles carry the site's name, so that a reader program's list of choices says whose feed it is.
    """
    names = {"atom": "Atom", "rss": "RSS", "json": "JSON"}
    return [
        FeedLink(
            title=f"{feed.title} ({names[format_]})"
            if feed.title.startswith(site.title)
            else f"{site.title}: {feed.title} ({names[format_]})",
            url=feed_url(feed, format_, web_url),
            type=media_type,
            language=feed.language,
        )
        for feed in feeds
        for format_, media_type in MEDIA_TYPES.items()
    ]
