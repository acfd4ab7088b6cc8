"""Templates to texts: a digest and its articles as HTML for mail, HTML for the web, and plain text.

Each story is laid out, inlined and encoded once for all editions of an issue.
"""

import base64
import hashlib
import re
import traceback
from collections.abc import Mapping
from functools import lru_cache

import css_inline
import jinja2
from markupsafe import Markup

from newsletter import colour
from newsletter.digest import Digest
from newsletter.quoted_printable import encoded_text
from newsletter.segments import Marks
from newsletter.spec import NewsletterSettings
from newsletter.story import Form, Story
from newsletter.text_part import story_text, underlined, wrapped
from newsletter.words import Words, direction
from posts.errors import TemplateError
from posts.settings import Site

_SERIF = "Charter, Georgia, 'Times New Roman', serif"
_SANS = "-apple-system, 'Segoe UI', Roboto, Arial, sans-serif"
_MONO = "Menlo, Consolas, 'Liberation Mono', monospace"

_KEPT_STYLE = '<style data-css-inline="ignore">'
_PERSONAL_BYTES = 1500
"""Room for the personal pieces of one mail in its HTML."""


class Layout:
    """Lays out the digests of one issue. The marks say where personal pieces and articles go in later."""

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
        self._html: dict[tuple[Story, str], str] = {}
        self._shell: tuple[Digest, str] | None = None
        self._encoded: dict[tuple[Story, str, str], bytes] = {}

    def html_article(self, story: Story, language: str) -> bytes:
        """A story inlined and encoded; begins and ends a line."""
        key = (story, language, "html")
        if key not in self._encoded:
            self._encoded[key] = encoded_text(self.inlined_article(story, language))
        return self._encoded[key]

    def text_article(self, story: Story, language: str) -> bytes:
        """A story as plain text, encoded; begins a line and ends with an empty one."""
        key = (story, language, "text")
        if key not in self._encoded:
            self._encoded[key] = encoded_text(story_text(story) + "\n")
        return self._encoded[key]

    def inlined_article(self, story: Story, language: str) -> str:
        """A story's HTML with its styles in it."""
        key = (story, language)
        if key not in self._html:
            plain = article_html(self._templates, story, language)
            inlined = css_inline.inline_fragment(plain, self._css, load_remote_stylesheets=False)
            self._html[key] = inlined.rstrip("\n") + "\n"
        return self._html[key]

    def html_shell(self, digest: Digest) -> str:
        """All of the HTML but the stories, inlined, with marks; the last one is kept, since it is asked for twice."""
        if self._shell is None or self._shell[0] is not digest:
            self._shell = digest, self._html_shell(digest)
        return self._shell[1]

    def _html_shell(self, digest: Digest) -> str:
        why = digest.why.replace("{address}", self.marks.field("html.address")).replace(
            "{since}", self.marks.field("html.since")
        )
        html = self._document(
            digest,
            web=False,
            style_html=f"{_KEPT_STYLE}\n{self._dark_css}</style>",
            article=lambda story: self.marks.slot(f"story-{story.post}"),
            why=why,
            field=self.marks.field,
            cut=self.marks.cut,
        )
        return inlined(html, self._css)

    def web_copy(self, digest: Digest) -> str:
        """The page of an edition: one `<style>` (see `style_source`), no style attribute, nothing personal.

        Where `<!-- dateline:head -->` stands, whoever serves it may put autodiscovery links.
        """
        return self._document(
            digest,
            web=True,
            style_html=f"<style>\n{self._css}{self._dark_css}</style>",
            article=lambda story: Markup(article_html(self._templates, story, digest.language)),
            why="",
            field=self.marks.field,
            cut=lambda: "",
        )

    def text_shell(self, digest: Digest) -> str:
        """All of the text part but the stories, with marks."""
        words = Words(digest.language)
        why = "\n".join(wrapped(digest.why))
        why = why.replace("{address}", self.marks.field("text.address")).replace(
            "{since}", self.marks.field("text.since")
        )
        headlines = []
        if digest.headlines:
            headlines = underlined(words.text("Headlines"), "-")
            headlines += [f"- {one.title} ({one.minutes})" for one in digest.headlines]
        return rendered(
            self._templates,
            f"mail/{self._template}.txt.j2",
            digest=digest,
            language=digest.language,
            headline_lines=headlines,
            days=[
                {"heading": "\n".join(underlined(day.line, "-")), "stories": day.stories}
                for day in digest.days
            ],
            lines=digest.lines,
            why=why,
            article=lambda story: self.marks.slot(f"story-{story.post}"),
            field=self.marks.field,
            cut=self.marks.cut,
            _=words.text,
        )

    def html_size(self, digest: Digest) -> int:
        """Bytes of decoded HTML, the personal pieces counted with room for long ones."""
        shell = self.html_shell(digest)
        size = sum(len(text.encode()) for kind, text in self.marks.split(shell) if kind == "text")
        size += _PERSONAL_BYTES
        return size + sum(
            len(self.inlined_article(story, digest.language).encode()) for story in digest.stories
        )

    def _document(self, digest: Digest, **values: object) -> str:
        lines = digest.web_lines if values["web"] else digest.lines
        return rendered(
            self._templates,
            f"mail/{self._template}.html.j2",
            digest=digest,
            name=digest.name,
            language=digest.language,
            direction=digest.direction,
            lines=lines,
            _=Words(digest.language).text,
            **values,
        )


def inlined_document(
    templates: jinja2.Environment, template: str, /, *, accent: str, **values: object
) -> str:
    """A document for a mail: the template filled in, its styles inlined, one `<style>` left for media queries."""
    css, dark_css = style_sheets(templates, accent)
    html = rendered(
        templates,
        template,
        style_html=f"{_KEPT_STYLE}\n{dark_css}</style>",
        **values,
    )
    return inlined(html, css)


def inlined(html: str, css: str) -> str:
    """A whole document with `css` in its elements; its own `<style>` stays for the media queries in it."""
    return _inliner(css).inline(html).replace(_KEPT_STYLE, "<style>", 1) + "\n"


@lru_cache(maxsize=8)
def _inliner(css: str) -> css_inline.CSSInliner:
    return css_inline.CSSInliner(
        extra_css=css,
        inline_style_tags=False,
        keep_style_tags=True,
        load_remote_stylesheets=False,  # its default reads any address that a post names
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


def style_sheets(templates: jinja2.Environment, accent: str) -> tuple[str, str]:
    """The style sheet that is inlined, and the one that only media queries can say (dark, wide)."""
    colours = colour.accent(accent)
    values: Mapping[str, str] = {
        "paper": colour.LIGHT,
        "ink": "#1c1a17",
        "muted": "#5d5850",
        "rule": "#d8d2c6",
        "underline": "#b0a99c",
        "accent": colours.light,
        "dark_paper": colour.DARK,
        "dark_ink": "#ece8df",
        "dark_muted": "#aea79b",
        "dark_rule": "#45413a",
        "dark_accent": colours.dark,
    }
    fonts = {"serif": Markup(_SERIF), "sans": Markup(_SANS), "mono": Markup(_MONO)}
    return (
        rendered(templates, "mail/mail.css.j2", **values, **fonts),
        rendered(templates, "mail/dark.css.j2", **values, **fonts),
    )


def style_source(web_html: str) -> str:
    """What a Content-Security-Policy must say in `style-src` so that a web copy's own style applies: `'sha256-...'`."""
    return _style_hash(web_html)


@lru_cache(maxsize=256)
def _style_hash(web_html: str) -> str:
    match = re.search(r"<style>(.*?)</style>", web_html, re.DOTALL)
    digest = hashlib.sha256((match[1] if match else "").encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def rendered(templates: jinja2.Environment, name: str, /, **values: object) -> str:
    """A template filled in; raises TemplateError with file and line where it cannot be."""
    try:
        return templates.get_template(name).render(**values)
    except jinja2.TemplateSyntaxError as error:
        where = f"{error.filename or name}:{error.lineno}"
        raise TemplateError(f"a template with an error: {error.message}", where=where) from error
    except jinja2.TemplateNotFound as error:
        raise TemplateError(
            f"there is no template {error}",
            where=name,
            remedy="Name one of those in templates/mail or in the folder of [site] templates.",
        ) from error
    except jinja2.TemplateError as error:
        raise TemplateError(str(error), where=_template_place(error, name)) from error


def _template_place(error: BaseException, name: str) -> str:
    """File and line of the template that failed; Jinja puts its frames into the trace."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename.endswith(".j2")
    ]
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else name
