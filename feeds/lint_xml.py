"""Bytes to an XML tree that is safe to look at, and what a document says in outline. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from lxml import etree

from feeds.lint_faults import Faults

_IN_ARCHIVE = re.compile(r"/archive/\d+(?=\.[a-z]+\Z)")

DEEPEST = 50
"""A feed is five elements deep; libxml2's validation calls itself for each level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """What a document says of itself, as far as other documents must agree: the ids of its entries in order, those of
    its tombstones, and its links by relation."""

    format: str
    url: str
    ids: tuple[str, ...]
    removed: tuple[str, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    is_archive: bool = False


def subscription_url(url: str) -> str:
    """The address that readers of a document subscribe to: its own, or that of the feed whose archive it is part of."""
    return _IN_ARCHIVE.sub("", url)


def parse_xml(body: bytes, faults: Faults) -> etree._Element | None:
    """The document's root, or None where it is no XML of ours. Nothing is fetched, no entity means anything."""
    if b"<!DOCTYPE" in body[:2000] or b"<!ENTITY" in body[:2000]:
        faults.add("xml.doctype", "it has a DOCTYPE, which can define entities")
        return None
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True, encoding="utf-8"
    )
    try:
        body.decode("utf-8")
        root = etree.fromstring(body, parser)
    except UnicodeDecodeError as error:
        faults.add("xml.encoding", f"it is not UTF-8: {error.reason} at byte {error.start}")
        return None
    except (etree.XMLSyntaxError, ValueError) as error:
        faults.add("xml.well-formed", f"it is not well-formed XML: {error}")
        return None
    if root.getroottree().docinfo.internalDTD is not None:
        faults.add("xml.doctype", "it has a DOCTYPE, which can define entities")
        return None
    if _depth_beyond(root, DEEPEST):
        faults.add("xml.depth", f"its elements are nested more than {DEEPEST} deep")
        return None
    return root


def text_of(parent: etree._Element, name: str) -> str:
    """The text of the first child of that name without space around it, "" where there is none."""
    return (parent.findtext(name) or "").strip()


def _depth_beyond(root: etree._Element, most: int) -> bool:
    depth = 0
    for event, _ in etree.iterwalk(root, events=("start", "end")):
        depth += 1 if event == "start" else -1
        if depth > most:
            return True
    return False
