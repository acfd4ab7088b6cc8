"""The subject of a digest: its lead's headline, and never the same twice running (digest.md)."""

from functools import lru_cache

import jinja2

from newsletter.environment import build_environment
from newsletter.headers import header_text
from newsletter.rendering import bounded
from newsletter.spec import NewsletterSettings
from newsletter.words import Words
from posts.errors import TemplateError

HEADLINE_LENGTH = 70
_LENGTH = 150


def subject_line(
    newsletter: NewsletterSettings,
    *,
    lead: str,
    others: int,
    words: Words,
    date: str,
    number: int | None,
    previous: str | None,
) -> str:
    """The subject; one that equals `previous` gets the issue's number, else its date: mail programs thread equal ones."""
    headline = cut_at_word(lead or newsletter.title, HEADLINE_LENGTH)
    if newsletter.subject is None:
        subject = words.and_more(headline, others)
    else:
        subject = _from_template(
            newsletter, lead=headline, more=others, date=date, number=number or "", words=words
        )
    subject = cut_at_word(header_text(subject) or newsletter.title, _LENGTH)
    if subject != previous:
        return subject
    if number is not None:
        return f"{subject} · {words.text('No. {number}', number=number)}"
    return f"{subject} · {date}"


def cut_at_word(text: str, length: int) -> str:
    """`text` in at most `length` characters, cut between words and marked with "…" where it was cut."""
    if len(text) <= length:
        return text
    cut = text[:length].rpartition(" ")[0] if text[length - 1] != " " else text[: length - 1]
    cut = cut or text[: length - 1]
    return cut.rstrip(" ,;:.–—-") + "…"


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    return build_environment(autoescape=False, undefined=jinja2.StrictUndefined)


@lru_cache(maxsize=64)
def _template(source: str) -> jinja2.Template:
    return _environment().from_string(source)


def _from_template(
    newsletter: NewsletterSettings,
    *,
    lead: str,
    more: int,
    date: str,
    number: int | str,
    words: Words,
) -> str:
    try:
        return bounded(
            lambda: _template(newsletter.subject or ""),
            lead=lead,
            more=more,
            date=date,
            number=number,
            newsletter=newsletter.title,
        )
    except Exception as error:  # whatever an operator's template can raise
        reason = str(error) or type(error).__name__
        raise TemplateError(
            f"the subject template cannot be used: {reason}",
            where=f"newsletters.{newsletter.slug}.subject",
            remedy="It may use lead, more, date, number and newsletter.",
        ) from error
