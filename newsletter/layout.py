"""A digest to its two parts as segments: pieces laid out once for all editions of an issue, and the shell around them.

A shell is rendered with marks for what editions differ in, and serves all that have the rest in common. A template
that looks closer (loops over the headlines, asks for the subject's length) is rendered for each edition.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from html import escape

import jinja2
from markupsafe import Markup

from newsletter.digest import Digest, Headline
from newsletter.fitting import HTML_BYTES
from newsletter.marks import EditionList, EditionNeeded, EditionText, Mark, Marks, Reader
from newsletter.places import check_html, check_text, slots_of
from newsletter.quoted_printable import encoded_text
from newsletter.rendering import rendered
from newsletter.segments import Item, Piece, Slot, compiled
from newsletter.spec import NewsletterSettings
from newsletter.story import Form, Story
from newsletter.stylesheets import KEPT_STYLE, inlined, inlined_fragment, style_sheets
from newsletter.text_part import story_text, underlined, wrapped
from newsletter.words import Words, direction
from posts.errors import TemplateError
from posts.settings import Site

_PERSONAL_BYTES = 1500
"""Room for the personal pieces of one mail in its HTML."""
_TEXTS = ("subject", "preheader", "counts", "more")
"""What editions of one language differ in, and a template prints."""
_LISTS = ("headlines", "days", "stories", "shortened")


@dataclass(frozen=True, slots=True)
class _Shell:
    """All of a part but its pieces, and how many bytes that is before it is encoded."""

    items: tuple[Item | Slot, ...]
    size: int


@dataclass(frozen=True, slots=True)
class Laid:
    """A part of an edition as segments; `size` counts its bytes before encoding, with room for personal pieces."""

    items: tuple[Item, ...]
    size: int


class Layout:
    """Lays out the digests of one issue."""

    def __init__(
        self,
        templates: jinja2.Environment,
        newsletter: NewsletterSettings,
        site: Site,
        marks: Marks,
    ) -> None:
        self.marks = marks
        self._templates = templates
        self._template = newsletter.template
        self._css, self._dark_css = style_sheets(templates, site.accent)
        self._pieces: dict[tuple[str, object, str], tuple[object, Piece]] = {}
        self._shells: dict[tuple[object, ...], _Shell] = {}
        self._by_edition: set[str] = set()

    def html(self, digest: Digest) -> Laid:
        """The HTML part. Raises TemplateError where the template cannot be used."""
        language = digest.language
        slots = {name: [self._html_text(getattr(digest, name))] for name in _TEXTS}
        slots["headlines"] = [self._html_headline(one, language) for one in digest.headlines]
        slots["days"] = []
        for day in digest.days:
            slots["days"].append(self._html_dateline(day.line))
            slots["days"] += [self._html_story(story, language, "\n") for story in day.stories]
        return self._laid("html", digest, slots, self._html_story)

    def text(self, digest: Digest) -> Laid:
        """The text part. Raises TemplateError where the template cannot be used."""
        language = digest.language
        slots = {name: [self._plain(getattr(digest, name))] for name in _TEXTS}
        slots["headlines"] = [
            self._kept(
                "headlines", "", language, lambda: _heading(Words(language).text("Headlines"))
            ),
            *(self._text_headline(one) for one in digest.headlines),
        ]
        slots["days"] = []
        for day in digest.days:
            slots["days"].append(self._text_dateline(day.line))
            slots["days"] += [self._text_story(story, language, "\n") for story in day.stories]
        return self._laid("text", digest, slots, self._text_story)

    def article_size(self, story: Story, language: str) -> int:
        """Bytes of a story in the HTML part."""
        return self._html_story(story, language).size

    def web_copy(self, digest: Digest) -> str:
        """The page of an edition: one `<style>` (see `stylesheets.style_source`), no style attribute, nothing personal.

        Where `<!-- dateline:head -->` stands, whoever serves it may put autodiscovery links.
        """
        language = digest.language

        def article(story: Story) -> Markup:
            return Markup(article_html(self._templates, story, language))

        days = "".join(
            self._dateline_html(day.line) + "".join(f"{article(story)}\n" for story in day.stories)
            for day in digest.days
        )
        page = self._document(
            digest,
            digest,
            web=True,
            style_html=f"<style>\n{self._css}{self._dark_css}</style>",
            headlines=Markup(
                "".join(self._headline_html(one, language) for one in digest.headlines)
            ),
            days=Markup(days),
            article=article,
            why="",
            cut=lambda: "",
        )
        if self.marks.salt in page:
            raise TemplateError(
                "a personal field on the page that everybody may read",
                where=f"mail/{self._template}.html.j2",
                remedy="Put it between {% if not web %} and {% endif %}.",
            )
        return page

    def _laid(
        self,
        part: str,
        digest: Digest,
        slots: dict[str, list[Piece]],
        story_piece: Callable[[Story, str], Piece],
    ) -> Laid:
        shell = self._shell(part, digest)
        stories = {f"story-{story.post}": story for story in digest.stories}
        items: list[Item] = []
        size = shell.size + _PERSONAL_BYTES
        for item in shell.items:
            if not isinstance(item, Slot):
                items.append(item)
                continue
            pieces = slots.get(item.name)
            if pieces is None:
                pieces = [story_piece(stories[item.name], digest.language)]
            items += [piece.body for piece in pieces if piece.body]
            size += sum(piece.size for piece in pieces)
        return Laid(tuple(items), size)

    def _shell(self, part: str, digest: Digest) -> _Shell:
        """The shell of an edition: one that others have too, unless the template looks at what they differ in."""
        if part not in self._by_edition:
            key = (part, *_common_values(digest))
            if key not in self._shells:
                try:
                    self._shells[key] = self._rendered_shell(
                        part, digest, _Common(digest, self.marks)
                    )
                except (EditionNeeded, TemplateError):
                    self._by_edition.add(part)
            if key in self._shells:
                return self._shells[key]
        own = (part, digest)
        if own not in self._shells:
            self._shells[own] = self._rendered_shell(part, digest, digest)
        return self._shells[own]

    def _rendered_shell(self, part: str, digest: Digest, shown: object) -> _Shell:
        name = f"mail/{self._template}.{'html' if part == 'html' else 'txt'}.j2"
        make = self._html_shell if part == "html" else self._text_shell
        text = make(digest, shown)
        check = check_html if part == "html" else check_text
        in_text = check(text, self.marks, digest, self._templates, name)
        if shown is not digest and not in_text.issuperset(slots_of(text, self.marks)):
            raise EditionNeeded
        size = sum(len(value.encode()) for kind, value in self.marks.split(text) if kind == "text")
        if size > HTML_BYTES:
            raise TemplateError(
                f"a template that gives {size:,} bytes around the articles",
                where=name,
                remedy=f"A whole mail has room for {HTML_BYTES:,} (mail programs cut a longer one).",
            )
        return _Shell(compiled(text, self.marks), size)

    def _html_shell(self, digest: Digest, shown: object) -> str:
        why = _with_reader(escape(digest.why), Reader("html", self.marks))
        html = self._document(
            digest,
            shown,
            web=False,
            style_html=f"{KEPT_STYLE}\n{self._dark_css}</style>",
            headlines=self._slot("headlines"),
            days=self._slot("days"),
            article=lambda story: self._slot(f"story-{story.post}"),
            why=Mark(why, "the sentence that says why"),
            cut=lambda: Mark(self.marks.cut(), "a cut"),
        )
        return inlined(html, self._css)

    def _text_shell(self, digest: Digest, shown: object) -> str:
        reader = Reader("text", self.marks)
        why = _with_reader("\n".join(wrapped(digest.why)), reader)
        return rendered(
            self._templates,
            f"mail/{self._template}.txt.j2",
            self.marks.salt,
            digest=shown,
            language=digest.language,
            lines=digest.lines,
            headlines=self._slot("headlines"),
            days=self._slot("days"),
            corrections=corrections_text(digest),
            article=lambda story: self._slot(f"story-{story.post}"),
            why=Mark(why, "the sentence that says why"),
            reader=reader,
            field=reader.field,
            cut=lambda: Mark(self.marks.cut(), "a cut"),
            _=Words(digest.language).text,
        )

    def _document(self, digest: Digest, shown: object, **values: object) -> str:
        reader = Reader("html", self.marks)
        return rendered(
            self._templates,
            f"mail/{self._template}.html.j2",
            self.marks.salt,
            digest=shown,
            name=digest.name,
            language=digest.language,
            direction=digest.direction,
            lines=digest.web_lines if values["web"] else digest.lines,
            reader=reader,
            field=reader.field,
            _=Words(digest.language).text,
            **values,
        )

    def _slot(self, name: str) -> Mark:
        return Mark(self.marks.slot(name), f"the place of the {name}")

    def _kept(self, kind: str, value: object, language: str, make: Callable[[], str]) -> Piece:
        """A piece, made once. Stories and headlines are known by identity: the desk keeps them, and to compare all
        of their text for each edition took longer than the rest."""
        key = (kind, value if isinstance(value, str) else id(value), language)
        held = self._pieces.get(key)
        if held is None:
            text = make()
            held = self._pieces[key] = value, Piece(encoded_text(text), len(text.encode()))
        return held[1]

    def _html_story(self, story: Story, language: str, end: str = "") -> Piece:
        return self._kept(
            f"html story{end}", story, language, lambda: self._inlined_story(story, language) + end
        )

    def _inlined_story(self, story: Story, language: str) -> str:
        plain = article_html(self._templates, story, language)
        return inlined_fragment(plain, self._css).rstrip("\n") + "\n"

    def _html_headline(self, headline: Headline, language: str) -> Piece:
        def made() -> str:
            html = self._headline_html(headline, language)
            return "\n" + inlined_fragment(html, self._css).strip("\n") + "\n"

        return self._kept("html headline", headline, language, made)

    def _headline_html(self, headline: Headline, language: str) -> str:
        html = rendered(
            self._templates,
            "mail/headline.html.j2",
            headline=headline,
            language=language,
            direction=direction(language),
        )
        return "\n" + html.strip("\n") + "\n"

    def _html_dateline(self, line: str) -> Piece:
        def made() -> str:
            html = self._dateline_html(line)
            return inlined_fragment(html, self._css).strip("\n") + "\n"

        return self._kept("html dateline", line, "", made)

    def _dateline_html(self, line: str) -> str:
        return rendered(self._templates, "mail/dateline.html.j2", line=line).strip("\n") + "\n"

    def _html_text(self, text: str) -> Piece:
        """Text as the inliner writes it between tags."""
        return self._kept("html text", text, "", lambda: _as_html(text))

    def _text_story(self, story: Story, language: str, end: str = "") -> Piece:
        return self._kept(
            f"text story{end}", story, language, lambda: story_text(story) + "\n" + end
        )

    def _text_headline(self, headline: Headline) -> Piece:
        return self._kept(
            "text headline", headline, "", lambda: f"- {headline.title} ({headline.minutes})\n"
        )

    def _text_dateline(self, line: str) -> Piece:
        return self._kept("text dateline", line, "", lambda: f"\n{_heading(line)}\n")

    def _plain(self, text: str) -> Piece:
        return self._kept("text", text, "", lambda: text)


class _Common:
    """A digest as a template sees it whose rendering serves several editions: what they differ in is a mark."""

    def __init__(self, digest: Digest, marks: Marks) -> None:
        for name in _COMMON:
            setattr(self, name, getattr(digest, name))
        for name in _TEXTS:
            mark = EditionText(marks.slot(name))
            setattr(self, name, mark if getattr(digest, name) else "")
        for name in _LISTS:
            setattr(self, name, EditionList(name) if getattr(digest, name) else ())


_COMMON = tuple(field.name for field in fields(Digest) if field.name not in (*_TEXTS, *_LISTS))


def _common_values(digest: Digest) -> tuple[object, ...]:
    """What makes a shell the same: all that a template is shown of a digest in common, and what there is at all."""
    return (
        *(getattr(digest, name) for name in _COMMON),
        *(bool(getattr(digest, name)) for name in (*_TEXTS, *_LISTS)),
    )


def article_html(templates: jinja2.Environment, story: Story, language: str) -> str:
    """A story's HTML with classes, its styles not yet in it."""
    return rendered(
        templates,
        "mail/article.html.j2",
        story=story,
        body_html=story.body_html,
        brief=story.form == Form.HEADLINE and not story.is_lead,
        language=language,
        direction=direction(language),
    )


def corrections_text(digest: Digest) -> str:
    """The corrections of posts of before, as the text part prints them."""
    lines = underlined(Words(digest.language).text("Corrections"), "-")
    for one in digest.corrections:
        lines += ["", *wrapped(one.title), one.url, *wrapped(f"{one.label}: {one.note}")]
    return "\n".join(lines)


def _heading(line: str) -> str:
    return "\n".join(underlined(line, "-")) + "\n"


def _with_reader(why: str, reader: Reader) -> str:
    marks = reader.marks
    return why.replace("{address}", marks.field(f"{reader.part}.address")).replace(
        "{since}", marks.field(f"{reader.part}.since")
    )


def _as_html(text: str) -> str:
    """Text between tags as the HTML standard writes it (13.3), and so the inliner."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace("\u00a0", "&nbsp;")
