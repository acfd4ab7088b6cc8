"""Where a template has put the personal fields, and whether it made a mail at all; what does not hold is refused.

A value is escaped for text and for quoted attributes. In a script, a style, a comment or a piece of an address it
would need other rules, and a reader could choose his name to break out.
"""

import re
from collections.abc import Iterator

import jinja2
from lxml import html as lxml_html
from lxml.html import HtmlElement

from newsletter.digest import Digest
from newsletter.marks import Marks
from posts.errors import TemplateError

_ADDRESSES = frozenset(
    ["href", "src", "action", "formaction", "background", "cite", "poster", "data", "srcset"]
)
_CODE = frozenset(["script", "style", "template", "noscript", "xmp", "iframe", "noembed"])
_BLANK = re.compile("[\\s\u00ad\u034f\u200b-\u200f\u2060\ufeff]+")


def check_html(
    html: str, marks: Marks, digest: Digest, templates: jinja2.Environment, name: str
) -> set[str]:
    """The names of the slots that stand in text and nowhere else; raises TemplateError for a shell that cannot be
    sent. `html` is a whole document as the inliner writes it."""
    tree = lxml_html.document_fromstring(html)
    leave = marks.field("html.unsubscribe_url")
    for mark, place in _placed(tree, marks):
        if place is not None:
            raise TemplateError(
                f"the personal field {mark} stands in {place}, where its value cannot be escaped",
                where=_line(templates, name, mark),
                remedy="Print it between tags; a link is the whole of an href.",
            )
    _check_altered(html, marks, name)
    body = tree.find("body")
    shown = body.text_content() if isinstance(body, HtmlElement) else ""
    _check_content(shown, html, marks, digest, name)
    if not any(link.get("href") == leave for link in tree.iter("a")):
        raise TemplateError(
            "a template without a link to unsubscribe",
            where=name,
            remedy='Every mail needs <a href="{{ reader.unsubscribe_url }}">.',
        )
    return slots_of(html, marks) - slots_of("".join(_out_of_text(tree)), marks)


def _out_of_text(tree: HtmlElement) -> Iterator[str]:
    for element in tree.iter():
        if not isinstance(element.tag, str):
            yield str(element.text)
            continue
        if element.tag in _CODE:
            yield element.text_content()
        yield from map(str, element.attrib.values())


def check_text(
    text: str, marks: Marks, digest: Digest, templates: jinja2.Environment, name: str
) -> set[str]:
    """The names of the slots; raises TemplateError for a shell of the text part that cannot be sent."""
    _check_altered(text, marks, name)
    _check_content(text, text, marks, digest, name)
    if marks.field("text.unsubscribe_url") not in text:
        raise TemplateError(
            "a template without a link to unsubscribe",
            where=name,
            remedy="Every mail needs {{ reader.unsubscribe_url }}.",
        )
    return slots_of(text, marks)


def slots_of(text: str, marks: Marks) -> set[str]:
    """The names of the slots in a text."""
    return {value for kind, value in marks.split(text) if kind == "slot"}


def _placed(tree: HtmlElement, marks: Marks) -> Iterator[tuple[str, str | None]]:
    """Each personal field outside plain text with the place where it must not stand, None where it may."""

    def held(text: object) -> list[str]:
        return [value for kind, value in marks.split(str(text or "")) if kind == "field"]

    for element in tree.iter():
        if not isinstance(element.tag, str):
            yield from ((mark, "a comment") for mark in held(element.text))
            continue
        if element.tag in _CODE:
            yield from ((mark, f"a <{element.tag}>") for mark in held(element.text_content()))
        yield from ((mark, "the name of a tag") for mark in held(element.tag))
        for attribute, value in element.attrib.items():
            key = str(attribute).lower()
            yield from ((mark, "the name of an attribute") for mark in held(key))
            for mark in held(value):
                yield mark, _bad_attribute(key, str(value), mark, marks)


def _bad_attribute(key: str, value: str, mark: str, marks: Marks) -> str | None:
    if key.startswith("on") or key in ("style", "srcdoc"):
        return f'the attribute "{key}"'
    if key in _ADDRESSES or key.endswith((":href", "url", "src")):
        is_link = mark.endswith("_url") and value == marks.field(mark) and key == "href"
        return None if is_link else f'a part of the address in "{key}"'
    return None


def _check_altered(text: str, marks: Marks, name: str) -> None:
    rest = "".join(value for kind, value in marks.split(text) if kind == "text").lower()
    if marks.salt.lower() in rest:
        raise TemplateError(
            "a template that changes a personal field",
            where=name,
            remedy="It can be printed and nothing else.",
        )


def _check_content(shown: str, whole: str, marks: Marks, digest: Digest, name: str) -> None:
    pieces = marks.split(shown)
    slots = {value for kind, value in pieces if kind == "slot"}
    text = "".join(value for kind, value in pieces if kind == "text")
    posts = bool(slots & {"days", "headlines"}) or any(one.startswith("story-") for one in slots)
    if not posts and not _BLANK.sub("", text) and not any(kind == "field" for kind, _ in pieces):
        raise TemplateError(
            "a template that renders nothing",
            where=name,
            remedy="Nobody is sent an empty mail. Start from the one in templates/mail.",
        )
    if not posts and not any(
        story.title in shown or story.url in whole for story in digest.stories
    ):
        raise TemplateError(
            "a template that shows none of the posts",
            where=name,
            remedy="{{ days }} prints them all, {{ headlines }} their list.",
        )


def _line(templates: jinja2.Environment, name: str, mark: str) -> str:
    """The template's line where a field is printed, as far as it can be found; else the template."""
    if templates.loader is None:
        return name
    field = mark.partition(".")[2]
    try:
        source, filename, _ = templates.loader.get_source(templates, name)
    except (jinja2.TemplateNotFound, OSError, UnicodeDecodeError):
        return name
    for number, line in enumerate(source.splitlines(), 1):
        if f"reader.{field}" in line or mark in line:
            return f"{filename or name}:{number}"
    return filename or name
