"""The linter: what is wrong with a document that we publish, by rule and post. It runs before a document goes live. Pure."""

from __future__ import annotations

from feeds.lint_atom import lint_atom
from feeds.lint_faults import Faults, LintFault
from feeds.lint_json import lint_json
from feeds.lint_rss import lint_rss
from feeds.lint_xml import Outline, parse_xml


def lint_document(body: bytes, format_: str, url: str) -> list[LintFault]:
    """The faults of one document ("atom", "rss" or "json") whose address is `url`; none where it may go live.

    A fault with a `guid` is one entry's: without that post the document may be good. `guid` is the id that the entry
    carries (`fields.entry_id` of the post's guid). Whatever the bytes are, this ends soon and raises nothing.
    """
    return read_document(body, format_, url)[1]


def read_document(body: bytes, format_: str, url: str) -> tuple[Outline | None, list[LintFault]]:
    """What the document says in outline, None where it cannot be read at all; and its faults."""
    faults = Faults(url)
    if format_ == "json":
        outline = lint_json(body, url, faults)
    else:
        root = parse_xml(body, faults)
        if root is None:
            return None, faults.found
        outline = (lint_atom if format_ == "atom" else lint_rss)(root, url, faults)
    return outline, faults.found
