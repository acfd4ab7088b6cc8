"""A post as one digest tells it: headline, byline, as much of its body as there is room for, its links."""

from dataclasses import dataclass
from enum import IntEnum
from html import escape

from lxml import etree

from newsletter.article import inner_html, mail_tree, medium_label
from newsletter.excerpt import excerpt_tree
from newsletter.words import Words, direction
from posts.dates import short_date
from posts.model import Content, Correction, Enclosure, Post, post_url
from posts.settings import Site
from posts.text import one_line, plain_text, reading_minutes, same_language, word_count

LEAD_WORDS = 250
STORY_WORDS = 60
_NOTES = 5
"""So many corrections an article carries, the newest; its page has them all."""


class Form(IntEnum):
    """How much of a post is shown, from its mere number to all of it."""

    MORE = 0
    HEADLINE = 1
    EXCERPT = 2
    WHOLE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A line that is linked."""

    text: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A correction of the post it stands in: what it is and of which day, and what it says."""

    label: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A post in a digest, finished. `post` is its id, `day` its date line; `label`
    names its language where that is not the reader's."""

    post: int
    form: Form
    title: str
    url: str
    byline: str
    label: str
    language: str
    direction: str
    day: str
    is_foreign: bool
    is_faulty: bool
    is_lead: bool
    body_html: str
    read_on: str
    comments: Link | None
    media: tuple[Link, ...]
    corrections: tuple[Note, ...] = ()


class StoryDesk:
    """Makes stories and keeps them: the editions of one issue share theirs."""

    def __init__(self, site: Site, web_url: str) -> None:
        self._site = site
        self._web_url = web_url
        self._stories: dict[tuple[int, int, Form, str, bool], Story] = {}
        self._word_counts: dict[tuple[int, int], int] = {}

    def story(self, post: Post, form: Form, *, words: Words, is_lead: bool) -> Story:
        """`post` told in `form`; the lead's excerpt is longer than the others'."""
        key = (post.id, post.revision, form, words.language, is_lead)
        if key not in self._stories:
            self._stories[key] = build_story(
                post, form, words=words, is_lead=is_lead, site=self._site, web_url=self._web_url
            )
        return self._stories[key]

    def url(self, post: Post) -> str:
        """Where the headline of `post` leads."""
        return story_url(post, self._web_url)

    def word_count(self, post: Post) -> int:
        """How many words the whole of `post` has."""
        key = (post.id, post.revision)
        if key not in self._word_counts:
            self._word_counts[key] = word_count(post.content.html)
        return self._word_counts[key]


def build_story(
    post: Post, form: Form, *, words: Words, is_lead: bool, site: Site, web_url: str
) -> Story:
    """`post` told in `form`. A body that cannot be laid out leaves a headline, and `is_faulty` (DESIGN.md 8.2)."""
    content = post.content
    url = story_url(post, web_url)
    is_faulty = False
    body_html, is_cut = "", False
    if form > Form.HEADLINE:
        try:
            body_html, is_cut = _body(content, form, words=words, is_lead=is_lead, url=url)
        except (etree.LxmlError, ValueError, RecursionError):
            is_faulty, is_cut, form = True, True, Form.HEADLINE
    is_foreign = not same_language(content.language, words.language)
    return Story(
        post=post.id,
        form=form,
        title=one_line(content.title),
        url=url,
        byline=words.byline(
            tuple(one_line(name) for name in content.authors), words.time(post.published, site.zone)
        ),
        label=words.in_language(content.language) if is_foreign else "",
        language=content.language,
        direction=direction(content.language),
        day=words.date_line(post.published, site.zone),
        is_foreign=is_foreign,
        is_faulty=is_faulty,
        is_lead=is_lead,
        body_html=body_html,
        read_on=_read_on(content, words) if is_cut else "",
        comments=_comments(content, words, url) if form > Form.HEADLINE else None,
        media=_media(content, words) if form > Form.HEADLINE else (),
        corrections=_corrections(post, words, site) if form > Form.HEADLINE else (),
    )


def correction_label(correction: Correction, words: Words, site: Site) -> str:
    """What stands before a correction: "Correction, Sep 16, 2009"."""
    return words.text(
        "Correction, {date}", date=short_date(correction.at, site.zone, words.language)
    )


def _corrections(post: Post, words: Words, site: Site) -> tuple[Note, ...]:
    """Its notes, newest first: nobody should read the text without them."""
    return tuple(
        Note(label=correction_label(one, words, site), note=one_line(one.note))
        for one in reversed(post.corrections[-_NOTES:])
    )


def own_summary(content: Content) -> str | None:
    """The author's own summary; None where it is only the text's beginning, as many feeds have it."""
    summary = one_line(content.summary or "")
    stem = summary.rstrip(" .…[]&>»")
    for ending in ("Read more", "Continue reading", "Leer más", "Seguir leyendo"):
        stem = stem.removesuffix(ending).rstrip(" .…[]→")
    if not stem or " ".join(plain_text(content.html).split()).startswith(stem):
        return None
    return summary


def _body(
    content: Content, form: Form, *, words: Words, is_lead: bool, url: str
) -> tuple[str, bool]:
    """The body's HTML, and whether it is less than all of it."""
    tree = mail_tree(content.html, words=words, url=url)
    if form is Form.WHOLE:
        return inner_html(tree), False
    cut = excerpt_tree(tree, LEAD_WORDS if is_lead else STORY_WORDS)
    if cut is None:
        return inner_html(tree), False
    summary = own_summary(content)
    if summary and (not is_lead or not len(cut)):
        return f"<p>{escape(summary)}</p>", True
    return inner_html(cut), True


def _read_on(content: Content, words: Words) -> str:
    count = word_count(content.html)
    return words.read_on(count, reading_minutes(count))


def _comments(content: Content, words: Words, url: str) -> Link | None:
    """How many comments, linked to them, or to the post where the source does not say where they are."""
    if not content.comment_count:
        return None
    place = content.comments_url or ""
    return Link(text=words.comments(content.comment_count), url=place if _is_web(place) else url)


def _media(content: Content, words: Words) -> tuple[Link, ...]:
    return tuple(
        _medium(enclosure, words) for enclosure in content.enclosures if _is_web(enclosure.url)
    )


def _medium(enclosure: Enclosure, words: Words) -> Link:
    kind = {"image": "img", "video": "video", "audio": "audio"}.get(
        enclosure.type.partition("/")[0], "file"
    )
    title = one_line(enclosure.title or enclosure.url.rpartition("/")[2].partition("?")[0])
    return Link(text=medium_label(words, kind, title), url=enclosure.url)


def story_url(post: Post, web_url: str) -> str:
    """Where the headline leads; a link that is none of the web's never gets into a mail."""
    url = post_url(post, web_url)
    return url if _is_web(url) else web_url.rstrip("/") + post.path


def _is_web(url: str) -> bool:
    return url.lower().startswith(("https://", "http://"))
