"""A mail as it would be made without segments: the templates filled in with one reader's own values, inlined whole.

The oracle for the compiled message: whoever reads both back must see the same.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from html import escape

import css_inline
import jinja2
from markupsafe import Markup

from newsletter.digest import Digest
from newsletter.layout import article_html
from newsletter.spec import NewsletterSettings
from newsletter.story import Story
from newsletter.stylesheets import KEPT_STYLE, style_sheets
from newsletter.text_part import story_text, underlined, wrapped
from newsletter.words import Words, direction
from posts.settings import Site


@dataclass(frozen=True)
class Values:
    """One reader's own values, in a template's words."""

    address: str
    name: str
    since: str
    unsubscribe_url: str
    preferences_url: str


def full_html(
    templates: jinja2.Environment,
    newsletter: NewsletterSettings,
    site: Site,
    digest: Digest,
    reader: Values,
) -> str:
    """The HTML part."""
    language = digest.language
    css, dark = style_sheets(templates, site.accent)

    def article(story: Story) -> Markup:
        return Markup(article_html(templates, story, language).rstrip("\n") + "\n")

    def piece(name: str, **values: object) -> str:
        return templates.get_template(f"mail/{name}.html.j2").render(**values).strip("\n") + "\n"

    def headline(one: object) -> str:
        values = {"language": language, "direction": direction(language)}
        return "\n" + piece("headline", headline=one, **values)

    html = templates.get_template(f"mail/{newsletter.template}.html.j2").render(
        digest=digest,
        name=digest.name,
        language=language,
        direction=digest.direction,
        lines=digest.lines,
        web=False,
        style_html=f"{KEPT_STYLE}\n{dark}</style>",
        headlines=Markup("".join(map(headline, digest.headlines))),
        days=Markup(
            "".join(
                piece("dateline", line=day.line)
                + "".join(f"{article(story)}\n" for story in day.stories)
                for day in digest.days
            )
        ),
        article=article,
        why=Markup(
            escape(digest.why)
            .replace("{address}", escape(reader.address))
            .replace("{since}", escape(reader.since))
        ),
        reader=reader,
        field=_fields("html.", reader),
        cut=lambda: "",
        _=Words(language).text,
    )
    inliner = css_inline.CSSInliner(
        extra_css=css, inline_style_tags=False, keep_style_tags=True, load_remote_stylesheets=False
    )
    return inliner.inline(html).replace(KEPT_STYLE, "<style>", 1) + "\n"


def full_text(
    templates: jinja2.Environment, newsletter: NewsletterSettings, digest: Digest, reader: Values
) -> str:
    """The text part."""
    words = Words(digest.language)
    headlines = [*underlined(words.text("Headlines"), "-")]
    headlines += [f"- {one.title} ({one.minutes})" for one in digest.headlines]

    def article(story: Story) -> str:
        return story_text(story) + "\n"

    def day_text(line: str, stories: Sequence[Story]) -> str:
        heading = "\n".join(underlined(line, "-"))
        return f"\n{heading}\n\n" + "".join(f"{article(story)}\n" for story in stories)

    return templates.get_template(f"mail/{newsletter.template}.txt.j2").render(
        digest=digest,
        language=digest.language,
        lines=digest.lines,
        headlines="".join(f"{line}\n" for line in headlines),
        days="".join(day_text(day.line, day.stories) for day in digest.days),
        article=article,
        why="\n".join(wrapped(digest.why))
        .replace("{address}", reader.address)
        .replace("{since}", reader.since),
        reader=reader,
        field=_fields("text.", reader),
        cut=lambda: "",
        _=words.text,
    )


def full_message(text: str, html: str) -> EmailMessage:
    """Both parts as the standard library would send them."""
    message = EmailMessage()
    message.set_content(text)
    message.add_alternative(html, subtype="html")
    return message


def _fields(part: str, reader: Values) -> Callable[[str], str]:
    def field(name: str) -> str:
        return str(getattr(reader, name.removeprefix(part)))

    return field
