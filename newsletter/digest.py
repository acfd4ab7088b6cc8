"""The digest: one composed value that HTML, text, headline list and web copy are all made of (digest.md)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import groupby

from newsletter.compose import Noted
from newsletter.headers import header_text
from newsletter.spec import NewsletterSettings
from newsletter.story import Form, Story, StoryDesk, correction_label
from newsletter.subject import subject_line
from newsletter.words import Words, direction
from posts.model import Post
from posts.settings import Site
from posts.text import excerpt, one_line, reading_minutes, same_language

WITH_BODY = 12
"""From the 13th post on a smart digest gives headline and byline."""
SHOWN = 40
"""From the 41st post on it gives their number."""
HEADLINES_FROM = 3
NOTES_SHOWN = 20
"""So many corrections are printed; whoever corrects more at once has them on the pages and in the feed of updates."""
_NOTE_CHARACTERS = 8000
"""Room for them in one mail, which has to stay under the bound of `fitting.py`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of the footer: what it says, and the address it is linked to, if any."""

    label: str
    text: str
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """A line of the headline list."""

    post: int
    title: str
    url: str
    minutes: str
    language: str
    direction: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionLine:
    """A correction of a post that an earlier issue may have brought: `label` says what it is and of which day."""

    title: str
    url: str
    label: str
    note: str
    language: str
    direction: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """The stories under one date line. A lead from another day has a date line of its own before the others'."""

    line: str
    stories: tuple[Story, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortened:
    """A post that has less room than the newsletter's length gives: why is `size`, `count` or `fault`."""

    post: int
    title: str
    form: Form
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """All that a digest says, finished: a template lays it out and decides nothing.

    `why` holds the literal places `{address}` and `{since}` for the two personal pieces of its sentence.
    """

    language: str
    direction: str
    newsletter: str
    name: str
    tagline: str
    home_url: str
    date: str
    counts: str
    subject: str
    preheader: str
    archive_url: str
    subscribe_url: str
    headlines: tuple[Headline, ...]
    days: tuple[Day, ...]
    more: str
    why: str
    lines: tuple[Line, ...]
    web_lines: tuple[Line, ...]
    shortened: tuple[Shortened, ...]
    corrections: tuple[CorrectionLine, ...] = ()

    @property
    def stories(self) -> tuple[Story, ...]:
        """The stories in their order."""
        return tuple(story for day in self.days for story in day.stories)


def posts_for_reader(
    posts: Iterable[Post], language: str, newsletter: NewsletterSettings
) -> list[Post]:
    """The posts that a reader of `language` gets of these, in their order.

    Of a post and its translations one: in the reader's language, else the first of them. With `languages = "own"`
    only those in the reader's language.
    """
    chosen: dict[str, Post] = {}
    for post in posts:
        key = post.content.translation_key
        if not key and newsletter.languages != "own":
            chosen[f"post {post.id}"] = post
            continue
        own = same_language(post.content.language, language)
        if newsletter.languages == "own" and not own:
            continue
        key = f"translation {key}" if key else f"post {post.id}"
        held = chosen.get(key)
        if held is None or (own and not same_language(held.content.language, language)):
            chosen[key] = post
    return list(chosen.values())


def ordered_posts(posts: Iterable[Post]) -> list[Post]:
    """The lead (marked `lead`, else the newest) first, then the newest first; equal times by number in the store."""
    newest = sorted(posts, key=lambda post: (post.published, post.id), reverse=True)
    lead = next((post for post in newest if post.content.lead), None)
    return newest if lead is None else [lead, *(post for post in newest if post is not lead)]


def build_digest(
    newsletter: NewsletterSettings,
    site: Site,
    web_url: str,
    posts: Sequence[Post],
    *,
    number: int | None,
    date: datetime,
    language: str,
    next_due: datetime | None = None,
    previous_subject: str | Mapping[str, str] | None = None,
    caps: Mapping[int, Form] | None = None,
    notes: Sequence[Noted] = (),
) -> Digest:
    """Composes `posts` for readers of `language`. Pure: the same arguments give the same digest.

    `previous_subject` is that of the issue before, or one by language. `caps` gives single posts (by id) less room
    than the newsletter's length does.
    """
    desk = DigestDesk(
        newsletter,
        site,
        web_url,
        number=number,
        date=date,
        next_due=next_due,
        previous_subject=previous_subject,
    )
    return desk.digest(posts, language=language, caps=caps, notes=notes)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Furniture:
    """What all digests of an issue in one language say alike."""

    words: Words
    name: str
    tagline: str
    date: str
    why: str
    lines: tuple[Line, ...]
    web_lines: tuple[Line, ...]


class DigestDesk:
    """Composes the digests of one issue; what its editions have in common is made once."""

    def __init__(
        self,
        newsletter: NewsletterSettings,
        site: Site,
        web_url: str,
        *,
        number: int | None,
        date: datetime,
        next_due: datetime | None,
        previous_subject: str | Mapping[str, str] | None,
    ) -> None:
        self.newsletter = newsletter
        self.site = site
        self.web_url = web_url.rstrip("/")
        self.number = number
        self.date = date
        self.next_due = next_due
        self.previous_subject = previous_subject
        self.stories = StoryDesk(site, web_url)
        self._furniture: dict[str, _Furniture] = {}
        self._headlines: dict[tuple[int, int, str], Headline] = {}

    def digest(
        self,
        posts: Sequence[Post],
        *,
        language: str,
        caps: Mapping[int, Form] | None = None,
        notes: Sequence[Noted] = (),
    ) -> Digest:
        """`posts` composed for readers of `language`, with `notes` on posts of before."""
        furniture = self._furnished(language)
        words, newsletter, desk = furniture.words, self.newsletter, self.stories
        own = posts_for_reader(posts, words.language, newsletter)
        chosen = ordered_posts(
            own or posts_for_reader(posts, words.language, _all_languages(newsletter))
        )
        if not chosen:
            raise ValueError("a digest of no posts")
        forms = planned_forms(newsletter.length, len(chosen))
        capped = [
            min(form, (caps or {}).get(post.id, form))
            for post, form in zip(chosen, forms, strict=True)
        ]
        stories = [
            desk.story(post, form, words=words, is_lead=at == 0)
            for at, (post, form) in enumerate(
                pair for pair in zip(chosen, capped, strict=True) if pair[1] > Form.MORE
            )
        ]
        hidden = len(chosen) - len(stories)
        number = self.number
        return Digest(
            language=words.language,
            direction=direction(words.language),
            newsletter=newsletter.title,
            name=furniture.name,
            tagline=furniture.tagline,
            home_url=self.site.url,
            date=furniture.date,
            counts=_counts(words, number, sum(map(desk.word_count, chosen)), len(chosen)),
            subject=subject_line(
                newsletter,
                lead=_lead(chosen[0].content.title),
                others=len(chosen) - 1,
                words=words,
                date=furniture.date,
                number=number,
                previous=_previous(self.previous_subject, words.language),
            ),
            preheader=_preheader(chosen),
            archive_url=f"{self.web_url}/{newsletter.slug}/"
            + (f"{number}/" if number is not None else ""),
            subscribe_url=f"{self.web_url}/subscribe",
            headlines=()
            if newsletter.length == "headlines"  # the body is the list
            or len(chosen) < HEADLINES_FROM
            else tuple(self._headline(post, words) for post in chosen[: len(stories)]),
            days=_days(stories),
            more=words.more(hidden) if hidden else "",
            why=furniture.why,
            lines=furniture.lines,
            web_lines=furniture.web_lines,
            shortened=_shortened(chosen, forms, capped, stories, newsletter.length),
            corrections=self._corrections(notes, words),
        )

    def _corrections(self, notes: Sequence[Noted], words: Words) -> tuple[CorrectionLine, ...]:
        """The newest of `notes` that there is room for, whole: half a correction says another thing."""
        lines, room = [], _NOTE_CHARACTERS
        for noted in notes[:NOTES_SHOWN]:
            post, correction = noted.post, noted.correction
            room -= len(correction.note)
            if room < 0:
                break
            lines.append(
                CorrectionLine(
                    title=_title(post),
                    url=self.stories.url(post),
                    label=correction_label(correction, words, self.site),
                    note=one_line(correction.note),
                    language=post.content.language,
                    direction=direction(post.content.language),
                )
            )
        return tuple(lines)

    def _furnished(self, language: str) -> _Furniture:
        if language not in self._furniture:
            words, site = Words(language), self.site
            site_lines = _site_lines(words, site)
            self._furniture[language] = _Furniture(
                words=words,
                name=one_line(site.title),
                tagline=one_line(site.tagline),
                date=words.date_line(self.date, site.zone),
                why=_why(words, self.newsletter),
                lines=(
                    *_mail_lines(words, site, self.next_due),
                    *site_lines,
                    _promise(words, "mail"),
                ),
                web_lines=(*site_lines, _promise(words, "page")),
            )
        return self._furniture[language]

    def _headline(self, post: Post, words: Words) -> Headline:
        key = (post.id, post.revision, words.language)
        if key not in self._headlines:
            content, desk = post.content, self.stories
            self._headlines[key] = Headline(
                post=post.id,
                title=_title(post),
                url=desk.url(post),
                minutes=words.minutes(reading_minutes(desk.word_count(post))),
                language=content.language,
                direction=direction(content.language),
            )
        return self._headlines[key]


def planned_forms(length: str, count: int) -> list[Form]:
    """How much of each post a digest of `count` posts gives, by the newsletter's `length`, in their order."""
    if length == "full":
        return [Form.WHOLE] * count
    if length == "headlines":
        return [Form.HEADLINE] * min(count, SHOWN) + [Form.MORE] * max(0, count - SHOWN)
    if count == 1:
        return [Form.WHOLE]
    return [
        Form.EXCERPT if at < WITH_BODY else Form.HEADLINE if at < SHOWN else Form.MORE
        for at in range(count)
    ]


def _all_languages(newsletter: NewsletterSettings) -> NewsletterSettings:
    """The web copy of an issue that holds nothing in the page's language shows what there is."""
    return newsletter.model_copy(update={"languages": "all"})


def _previous(previous: str | Mapping[str, str] | None, language: str) -> str | None:
    return previous if previous is None or isinstance(previous, str) else previous.get(language)


def _counts(words: Words, number: int | None, word_count: int, stories: int) -> str:
    """`No. 128 · 5 stories · 9 minutes`: the minutes are those of the posts as they were written."""
    pieces = [words.stories(stories), words.minutes(reading_minutes(word_count))]
    if number is not None:
        pieces.insert(0, words.text("No. {number}", number=number))
    return " · ".join(pieces)


@lru_cache(maxsize=1024)
def _lead(title: str) -> str:
    return header_text(title)


@lru_cache(maxsize=1024)
def _line_of(title: str) -> str:
    return one_line(title)


def _title(post: Post) -> str:
    return _line_of(post.content.title)


def _preheader(posts: Sequence[Post]) -> str:
    """Headlines two and three; of a single post its summary or first words."""
    if len(posts) > 1:
        return " · ".join(map(_title, posts[1:3]))
    content = posts[0].content
    return one_line(content.summary or excerpt(content.html, 20))


def _days(stories: Sequence[Story]) -> tuple[Day, ...]:
    """Date lines in order. The lead's day is named once where the next stories are of the same."""
    grouped = groupby(stories, key=lambda story: story.day)
    return tuple(Day(line=line, stories=tuple(of_day)) for line, of_day in grouped)


def _why(words: Words, newsletter: NewsletterSettings) -> str:
    return words.text(
        "You get this because {address} has been subscribed to {newsletter}{since}.",
        address="{address}",
        newsletter=newsletter.title,
        since="{since}",
    )


def _mail_lines(words: Words, site: Site, next_due: datetime | None) -> list[Line]:
    lines = []
    if next_due is not None:
        when = f"{words.date_line(next_due, site.zone)}, {words.time(next_due, site.zone)}"
        lines.append(Line(label="", text=words.text("The next one comes on {when}.", when=when)))
    lines.append(Line(label="", text=words.text("A reply to this mail reaches the editors.")))
    return lines


def _site_lines(words: Words, site: Site) -> list[Line]:
    named = (
        (words.text("Contact"), site.contact),
        (words.text("Tips"), site.tips),
        (words.text("Comment policy"), site.policy),
    )
    lines = [Line(label=name, text=value, url=address_of(value)) for name, value in named if value]
    if site.postal_address:
        rows = [row.strip() for row in site.postal_address.splitlines() if row.strip()]
        lines.append(Line(label="", text=", ".join(rows)))
    return lines


def _promise(words: Words, what: str) -> Line:
    if what == "mail":
        return Line(label="", text=words.text("This mail loads nothing and reports nothing."))
    return Line(label="", text=words.text("This page loads nothing and reports nothing."))


def address_of(value: str) -> str | None:
    """What `value` can be linked to: itself where it is an address of the web, `mailto:` where one of mail."""
    if any(character.isspace() for character in value):
        return None
    if value.lower().startswith(("https://", "http://", "mailto:")):
        return value
    local, _, domain = value.partition("@")
    return f"mailto:{value}" if local and "." in domain else None


def _shortened(
    posts: Sequence[Post],
    planned: Sequence[Form],
    capped: Sequence[Form],
    stories: Sequence[Story],
    length: str,
) -> tuple[Shortened, ...]:
    usual = {"full": Form.WHOLE, "smart": Form.EXCERPT, "headlines": Form.HEADLINE}[length]
    shortened = []
    faulty = {story.post for story in stories if story.is_faulty}
    for post, plan, form in zip(posts, planned, capped, strict=True):
        why = (
            "fault"
            if post.id in faulty
            else "size"
            if form < plan
            else "count"
            if plan < usual
            else ""
        )
        if why:
            form = Form.HEADLINE if why == "fault" else form
            shortened.append(Shortened(post=post.id, title=_title(post), form=form, why=why))
    return tuple(shortened)
