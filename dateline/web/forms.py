"""The form that asks for an address, as values for its template, and what it promises in words."""

from dataclasses import dataclass

from dateline.actions.sign_up import form_stamp
from dateline.web.paper import Paper
from dateline.web.words import LANGUAGES


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A newsletter that one may choose."""

    slug: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """A language that one may choose, by its own name."""

    code: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """The sign-up form. `promise` is the wording that consent refers to, kept as it was shown (mail.md 7.4)."""

    newsletters: tuple[Choice, ...]
    chosen: str
    languages: tuple[Language, ...]
    language: str
    stamp: str
    promise: str


def build_form(paper: Paper, language: str, *, chosen: str | None = None) -> Form | None:
    """The form in `language`, or None where there is no newsletter to subscribe to."""
    newsletters = paper.press.config.newsletters
    if not newsletters:
        return None
    slugs = [newsletter.slug for newsletter in newsletters]
    return Form(
        newsletters=tuple(Choice(slug=n.slug, title=n.title) for n in newsletters),
        chosen=chosen if chosen in slugs else slugs[0],
        languages=language_choices(),
        language=language,
        stamp=form_stamp(paper.press),
        promise=promise(paper, language),
    )


def language_choices() -> tuple[Language, ...]:
    """The languages that mails and pages come in."""
    return tuple(Language(code=code, name=name) for code, name in LANGUAGES.items())


def promise(paper: Paper, language: str) -> str:
    """What the form says will happen with the address."""
    return paper.words(language).gettext(
        "We send one mail to ask whether it was you, and nothing before you say yes. "
        "The address is used for this newsletter alone; every mail ends with a link to leave."
    )


def invitation(paper: Paper, language: str) -> str:
    """The heading over the form."""
    newsletters = paper.press.config.newsletters
    gettext = paper.words(language).gettext
    if len(newsletters) == 1:
        return gettext("{newsletter}, by mail").format(newsletter=newsletters[0].title)
    return gettext("The news by mail")
