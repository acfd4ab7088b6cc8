"""A feed reader of the tests: it follows a feed into its archive and merges by id, as RFC 5005 4 tells readers to."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lxml import etree

ATOM = "{http://www.w3.org/2005/Atom}"
DELETED = "{http://purl.org/atompub/tombstones/1.0}deleted-entry"


def walk(public: Path, slug: str, format_: str, web_url: str) -> Iterator[bytes]:
    """The documents of a feed, from the one that is subscribed to back to the oldest."""
    path: str | None = f"/feeds/{slug}.{format_}"
    while path is not None:
        body = (public / path[1:]).read_bytes()
        yield body
        older = older_address(body, format_)
        assert older is None or older.startswith(web_url)
        path = older and older.removeprefix(web_url)


def older_address(body: bytes, format_: str) -> str | None:
    """The address of the document before this one."""
    if format_ == "json":
        found: str | None = json.loads(body).get("next_url")
        return found
    links = etree.fromstring(body).iter(f"{ATOM}link")
    return next((link.get("href") for link in links if link.get("rel") == "prev-archive"), None)


def entries(body: bytes, format_: str) -> list[tuple[str, str, str]]:
    """(id, title, time of the last change) of each entry, in order."""
    if format_ == "json":
        items: list[dict[str, Any]] = json.loads(body)["items"]
        return [(item["id"], item["title"], item["date_modified"]) for item in items]
    root = etree.fromstring(body)
    if format_ == "atom":
        return [
            (
                entry.findtext(f"{ATOM}id") or "",
                entry.findtext(f"{ATOM}title") or "",
                entry.findtext(f"{ATOM}updated") or "",
            )
            for entry in root.iter(f"{ATOM}entry")
        ]
    return [
        (
            item.findtext("guid") or "",
            item.findtext("title") or "",
            item.findtext(f"{ATOM}updated") or "",
        )
        for item in root.iter("item")
    ]


def tombstones(body: bytes) -> set[str]:
    """The ids that an Atom document takes back."""
    return {stone.get("ref", "") for stone in etree.fromstring(body).iter(DELETED)}


def read_all(public: Path, slug: str, format_: str, web_url: str) -> dict[str, str]:
    """Every post that a feed and its archive have, id to title, each at its newest revision.

    What comes first in the walk is newer; a tombstone met before an entry takes it back. An id twice in one document,
    or of one time with two titles, is a fault.
    """
    found: dict[str, tuple[str, str]] = {}
    taken_back: set[str] = set()
    for body in walk(public, slug, format_, web_url):
        here = entries(body, format_)
        assert len({id_ for id_, *_ in here}) == len(here)
        if format_ == "atom":
            gone = tombstones(body)
            assert gone.isdisjoint(id_ for id_, *_ in here)
            taken_back |= gone - found.keys()
        for id_, title, time in here:
            known = found.get(id_)
            assert known is None or known == (title, time), "a document shows an old revision"
            if id_ not in taken_back:
                found[id_] = (title, time)
    return {id_: title for id_, (title, _) in found.items()}
