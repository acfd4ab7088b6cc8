"""What stands where a withdrawn post stood: a tombstone (RFC 6721) in Atom, and in the feed of updates an entry for all."""

from __future__ import annotations

from datetime import UTC, datetime
from types import MappingProxyType

from lxml import etree

from feeds.entry import cut_out_of_atom, render_fields
from feeds.feedgen_ext import NAMESPACES, atom_date
from feeds.fields import EntryFields, entry_id, plain_address, text_html
from posts.catalogue import primary_language
from posts.dates import short_date
from posts.model import Post, post_url
from posts.notes import GONE_AT_SOURCE
from posts.settings import Site
from posts.text import one_line

_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_TITLES = MappingProxyType(
    {"en": "Withdrawn: a post of {date}", "es": "Retirada: una nota del {date}"}
)
_OURS = MappingProxyType(
    {
        "This post was withdrawn.": "Esta nota fue retirada.",
        GONE_AT_SOURCE: "Ya no está en su origen.",
    }
)
"""What we say ourselves of a withdrawal, and that in Spanish; a person's reason stays as it was written."""


def render_tombstone(
    guid: str,
    *,
    when: datetime,
    reason: str | None = None,
    by: str | None = None,
    language: str | None = None,
) -> dict[str, bytes]:
    """A tombstone's bytes, to stand among the entries of an Atom document; RSS and JSON Feed know none.

    `when` is the withdrawal's time, `reason` the public one, in `language`; `by` is a name (RFC 6721 3).
    """
    name = f"{{{NAMESPACES['at']}}}"
    moment = when.astimezone(UTC).replace(microsecond=0)
    stone = etree.Element(f"{name}deleted-entry", ref=entry_id(guid), when=atom_date(moment))
    if by and one_line(by):
        etree.SubElement(etree.SubElement(stone, f"{name}by"), "name").text = one_line(by)
    if reason and one_line(reason):
        comment = etree.SubElement(stone, f"{name}comment")
        comment.text = _said(reason, language or "en")
        if language:
            comment.set(_LANG, language)
    return {"atom": cut_out_of_atom(stone)}


def render_withdrawal(
    post: Post, *, site: Site, web_url: str, when: datetime, reason: str | None = None
) -> dict[str, bytes]:
    """The entry of a withdrawn post in the feed of updates, in every format, under the post's own id.

    It repeats no word of the post, its title included: that may be what had to go. `reason` says what there is to say.
    """
    language = "es" if primary_language(site.language) == "es" else "en"
    said = _said(reason or "This post was withdrawn.", language)
    moment = when.astimezone(UTC).replace(microsecond=0)
    return render_fields(
        EntryFields(
            id=entry_id(post.guid),
            title=_TITLES[language].format(date=short_date(post.published, site.zone, language)),
            url=plain_address(post_url(post, web_url)),
            summary=said,
            html=f"<p>{text_html(said)}</p>",
            language=site.language,
            published=moment,
            updated=moment,
        )
    )


def _said(reason: str, language: str) -> str:
    said = one_line(reason)
    return _OURS.get(said, said) if primary_language(language) == "es" else said
