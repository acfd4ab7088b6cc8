"""The linter's rules for Atom: the grammar (`atom.rng`, RFC 4287 with its extensions) and what no grammar says. Pure."""

from __future__ import annotations

import copy
from collections import Counter
from datetime import datetime
from functools import cache
from importlib import resources

from lxml import etree

from feeds.lint_faults import Faults, html_faults, is_absolute, is_web_address, rfc3339_moment
from feeds.lint_xml import Outline, text_of

ATOM = "{http://www.w3.org/2005/Atom}"
_AT = "{http://purl.org/atompub/tombstones/1.0}"
_FH = "{http://purl.org/syndication/history/1.0}"
_LAST = (f"{ATOM}entry", f"{_AT}deleted-entry")


def lint_atom(root: etree._Element, url: str, faults: Faults) -> Outline | None:
    """Notes what the document breaks; gives what it says, None where it is no feed."""
    if root.tag != f"{ATOM}feed":
        faults.add("atom.root", f"its root is {root.tag}, not a feed in the namespace of Atom")
        return None
    entries = root.findall(f"{ATOM}entry")
    _check_grammar(root, entries, faults)
    _check_order(root, faults)
    updated = _moment(root, "updated", faults, None)
    _check_text(root, faults, None)
    links = _links(root, faults, None)
    _check_self(root, url, faults)
    has_author = root.find(f"{ATOM}author") is not None
    ids: list[str] = []
    newest: datetime | None = None
    for entry in entries:
        guid = text_of(entry, f"{ATOM}id")
        ids.append(guid)
        moment = _check_entry(entry, guid or None, has_author, faults)
        newest = moment if newest is None or (moment and moment > newest) else newest
    for guid, count in Counter(ids).items():
        if count > 1:
            faults.add("atom.duplicate", f"{count} entries have one id", guid=guid or None)
    if updated and newest and newest > updated:
        faults.add("atom.feed-updated", f"its entries are newer than its own updated {updated}")
    return Outline(
        format="atom",
        url=url,
        ids=tuple(ids),
        removed=_check_tombstones(root, faults),
        links=links,
        is_archive=root.find(f"{_FH}archive") is not None,
    )


@cache
def _grammar() -> etree.RelaxNG:
    with resources.files("feeds").joinpath("atom.rng").open("rb") as file:
        return etree.RelaxNG(etree.parse(file))


def _check_grammar(root: etree._Element, entries: list[etree._Element], faults: Faults) -> None:
    """Frame and entries apart: a fault then has its entry, and the time grows with the number of entries, not faster
    (libxml2 compares all of an interleave's members with each other)."""
    frame = etree.Element(str(root.tag), {str(name): str(value) for name, value in root.items()})
    for child in root:
        if child.tag not in _LAST:
            frame.append(copy.deepcopy(child))
    _validate(frame, faults, None)
    for entry in entries:
        _validate(entry, faults, text_of(entry, f"{ATOM}id") or None)
    for stone in root.iterfind(f"{_AT}deleted-entry"):
        _validate(stone, faults, stone.get("ref") or None)


def _validate(element: etree._Element, faults: Faults, guid: str | None) -> None:
    if faults.is_full:
        return
    grammar = _grammar()
    # a copy: beside 100,000 others libxml2 takes 40 ms for each
    if not grammar.validate(copy.deepcopy(element)):
        first = grammar.error_log[0].message if len(grammar.error_log) else "it breaks the grammar"
        faults.add("atom.grammar", f"RFC 4287 forbids it: {first}", guid=guid)


def _check_order(root: etree._Element, faults: Faults) -> None:
    """What belongs to the feed stands before the entries, as the RFC's grammar has it; some readers stop there."""
    behind = False
    for child in root:
        if child.tag in _LAST:
            behind = True
        elif behind and isinstance(child.tag, str):
            faults.add("atom.order", f"{child.tag} stands behind an entry")
            return


def _check_entry(
    entry: etree._Element, guid: str | None, has_author: bool, faults: Faults
) -> datetime | None:
    if guid is None or not is_absolute(guid):
        faults.add("atom.id", f'its id "{guid or ""}" is no absolute IRI', guid=guid)
    _check_text(entry, faults, guid)
    if not has_author and entry.find(f"{ATOM}author") is None:
        faults.add("atom.author", "neither it nor the feed names an author", guid=guid)
    updated = _moment(entry, "updated", faults, guid)
    published = _moment(entry, "published", faults, guid)
    if updated and published and updated < published:
        faults.add("atom.updated", "it was updated before it was published", guid=guid)
    links = _links(entry, faults, guid)
    content = entry.find(f"{ATOM}content")
    if content is None and "alternate" not in links:
        faults.add("atom.content", "it has neither content nor an alternate link", guid=guid)
    if content is not None and content.get("type") == "html":
        for rule, what in html_faults(content.text or ""):
            faults.add(rule, what, guid=guid)
    return updated


def _check_text(parent: etree._Element, faults: Faults, guid: str | None) -> None:
    if not text_of(parent, f"{ATOM}title"):
        faults.add("atom.title", "its title is empty", guid=guid)
    for author in parent.iterfind(f"{ATOM}author"):
        if not text_of(author, f"{ATOM}name"):
            faults.add("atom.author", "it has an author without a name", guid=guid)
    for category in parent.iterfind(f"{ATOM}category"):
        scheme = category.get("scheme")
        if not category.get("term") or (scheme is not None and not is_absolute(scheme)):
            faults.add(
                "atom.category",
                f'a category has the term "{category.get("term")}" and the scheme "{scheme}"',
                guid=guid,
            )
    for name in ("icon", "logo"):
        address = text_of(parent, f"{ATOM}{name}")
        if address and not is_web_address(address):
            faults.add("atom.address", f'its {name} "{address}" is no absolute address', guid=guid)


def _moment(parent: etree._Element, name: str, faults: Faults, guid: str | None) -> datetime | None:
    text = text_of(parent, f"{ATOM}{name}")
    if not text and name == "published":
        return None
    moment = rfc3339_moment(text)
    if moment is None:
        faults.add("atom.date", f'its {name} "{text}" is no RFC 3339 date with a zone', guid=guid)
    return moment


def _links(parent: etree._Element, faults: Faults, guid: str | None) -> dict[str, str]:
    """The addresses of its links by relation, the first of each."""
    found: dict[str, str] = {}
    alternates: Counter[tuple[str, str]] = Counter()
    for link in parent.iterfind(f"{ATOM}link"):
        rel, href = link.get("rel") or "alternate", link.get("href") or ""
        found.setdefault(rel, href)
        if not is_absolute(href):
            faults.add("atom.address", f'its link "{href}" ({rel}) is not absolute', guid=guid)
        if rel == "alternate":
            alternates[link.get("type") or "", link.get("hreflang") or ""] += 1
        if rel == "enclosure":
            _check_enclosure(link, href, faults, guid)
    if any(count > 1 for count in alternates.values()):
        faults.add("atom.alternate", "two alternate links have one type and language", guid=guid)
    return found


def _check_enclosure(link: etree._Element, href: str, faults: Faults, guid: str | None) -> None:
    length = link.get("length")
    if "/" not in (link.get("type") or ""):
        faults.add("atom.enclosure", f'the enclosure "{href}" has no media type', guid=guid)
    if length is not None and not (length.isascii() and length.isdigit()):
        faults.add("atom.enclosure", f'an enclosure has the length "{length}"', guid=guid)


def _check_self(root: etree._Element, url: str, faults: Faults) -> None:
    own = [link for link in root.iterfind(f"{ATOM}link") if link.get("rel") == "self"]
    if len(own) != 1 or own[0].get("href") != url:
        said = ", ".join(link.get("href") or "" for link in own) or "nothing"
        faults.add("atom.self", f"its self link says {said}, its address is {url}")
    feed_id = text_of(root, f"{ATOM}id")
    if not is_absolute(feed_id):
        faults.add("atom.id", f'the feed\'s id "{feed_id}" is no absolute IRI')


def _check_tombstones(root: etree._Element, faults: Faults) -> tuple[str, ...]:
    """The ids of tombstones; no two say the same id and time (RFC 6721 3)."""
    seen: set[tuple[str, str]] = set()
    for stone in root.iterfind(f"{_AT}deleted-entry"):
        ref, when = stone.get("ref") or "", stone.get("when") or ""
        if not is_absolute(ref) or rfc3339_moment(when) is None:
            faults.add(
                "atom.tombstone", f'a tombstone says ref="{ref}" when="{when}"', guid=ref or None
            )
        if (ref, when) in seen:
            faults.add("atom.tombstone", "two tombstones say the same", guid=ref or None)
        seen.add((ref, when))
    return tuple(dict.fromkeys(ref for ref, _ in sorted(seen)))
