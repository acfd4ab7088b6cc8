"""The linter's rules over documents: the formats of a feed agree, and its archive is whole and linked (RFC 5005 4). Pure."""

from __future__ import annotations

from collections.abc import Mapping

from feeds.lint_faults import LintFault
from feeds.lint_xml import Outline, subscription_url

_REMEDY = "Build again (`dateline build`); where that changes nothing, it is a mistake of ours."


def lint_set(outlines: Mapping[str, Outline]) -> list[LintFault]:
    """The faults between documents; `outlines` are all that are published, by address."""
    return [*_formats_differ(outlines), *_broken_chains(outlines)]


def _fault(rule: str, document: str, what: str, guid: str | None = None) -> LintFault:
    return LintFault(rule=rule, document=document, guid=guid, what=what, remedy=_REMEDY)


def _formats_differ(outlines: Mapping[str, Outline]) -> list[LintFault]:
    """Atom leads: what it holds, RSS and JSON Feed hold, under the same ids and in the same order."""
    faults = []
    for url, atom in outlines.items():
        if atom.format != "atom":
            continue
        for format_ in ("rss", "json"):
            other = outlines.get(url.removesuffix("atom") + format_)
            if other is None:
                faults.append(_fault("set.formats", url, f"there is no {format_} of it"))
            elif other.ids != atom.ids:
                strange = sorted(set(other.ids) ^ set(atom.ids))
                what = f"{len(strange)} entries are not in both it and {url}"
                if not strange:
                    what = f"its entries are not in the order of {url}"
                faults.append(
                    _fault("set.same-ids", other.url, what, strange[0] if strange else None)
                )
    return faults


def _broken_chains(outlines: Mapping[str, Outline]) -> list[LintFault]:
    faults: list[LintFault] = []
    unseen = {url for url in outlines if subscription_url(url) != url}
    for url, outline in outlines.items():
        if subscription_url(url) == url:
            faults += _chain_faults(outline, outlines, unseen)
    faults += [_fault("archive.lost", url, "no document leads to it") for url in sorted(unseen)]
    return faults


def _chain_faults(
    subscription: Outline, outlines: Mapping[str, Outline], unseen: set[str]
) -> list[LintFault]:
    """Follows the archive of one document from the newest to the oldest; takes what it meets out of `unseen`."""
    faults: list[LintFault] = []
    held: set[str] = set()
    newer: Outline = subscription
    while address := _older(newer):
        older = outlines.get(address)
        if older is None or address not in unseen:
            what = "leads in a circle to" if older else "leads to what is not there:"
            faults.append(_fault("archive.missing", newer.url, f"it {what} {address}"))
            return faults
        unseen.discard(address)
        faults += _link_faults(older, newer, subscription)
        for guid in held.intersection(older.ids):
            faults.append(_fault("archive.once", older.url, "a newer document holds it too", guid))
        held.update(older.ids)
        newer = older
    return faults


def _link_faults(older: Outline, newer: Outline, subscription: Outline) -> list[LintFault]:
    """What RFC 5005 wants of an archive document; JSON Feed knows only the way to what is older."""
    if older.format == "json":
        return []
    faults = []
    if not older.is_archive:
        faults.append(_fault("archive.mark", older.url, "it does not say that it is an archive"))
    current = older.links.get("current")
    if current != subscription.url:
        what = f"its current document is {current}, not {subscription.url}"
        faults.append(_fault("archive.current", older.url, what))
    following = older.links.get("next-archive")
    if following != (None if newer is subscription else newer.url):
        what = f"its next document is {following}; {newer.url} leads to it"
        faults.append(_fault("archive.next", older.url, what))
    return faults


def _older(outline: Outline) -> str | None:
    return outline.links.get("next" if outline.format == "json" else "prev-archive")
