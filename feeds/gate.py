"""The gate before publication: no entry and no frame goes out that our own linter finds fault with. Pure.

An entry is looked at once, when it is rendered, and a frame each time: together they are all that a document is made of,
and reading a whole document back for one new entry took longer than all else that a build does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from feeds.document import lay_out
from feeds.lint import lint_document
from feeds.lint_faults import LintFault

Frame = tuple[bytes, bytes]
"""What stands before and after the entries of a document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One post's entry that wants out; `id` is what it carries in every format."""

    id: str
    bytes_by_format: Mapping[str, bytes]


def entry_faults(
    candidates: Sequence[Candidate], frames: Mapping[str, tuple[Frame, str]]
) -> dict[str, LintFault]:
    """The first fault of each entry that has one, by id; `frames` are good ones by format, each with its address."""
    found: dict[str, LintFault] = {}
    for format_, (frame, url) in frames.items():
        faults = _faults(candidates, format_, frame, url)
        if any(fault.guid is None for fault in faults) and not document_faults(
            frame, [], format_, url
        ):
            # An entry broke the document around it: only alone can it be found.
            faults = [
                fault
                for candidate in candidates
                for fault in _faults([candidate], format_, frame, url, blame=candidate.id)
            ]
        for fault in faults:
            if fault.guid is not None:
                found.setdefault(fault.guid, fault)
    return found


def document_faults(
    frame: Frame, entries: Sequence[bytes], format_: str, url: str
) -> list[LintFault]:
    """The faults of a document's frame, and of entries that were not looked at before."""
    return lint_document(lay_out(frame[0], entries, frame[1], format_).body, format_, url)


def _faults(
    candidates: Sequence[Candidate],
    format_: str,
    frame: Frame,
    url: str,
    *,
    blame: str | None = None,
) -> list[LintFault]:
    entries = [candidate.bytes_by_format.get(format_, b"") for candidate in candidates]
    faults = document_faults(frame, entries, format_, url)
    if blame is None:
        return faults
    return [
        LintFault(
            rule=fault.rule,
            document=fault.document,
            guid=blame,
            what=fault.what,
            remedy=fault.remedy,
        )
        for fault in faults
    ]
