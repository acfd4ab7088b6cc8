"""Where the pings stand, beside the built files: the cursor of each hub, and what lies under `public/` now.

The file `var/built/websub.json` is written after a hub has answered, so a crash loses nothing: the hub is told once
more. Lost or unreadable it is empty, and every topic is told once.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from feeds.spec import MEDIA_TYPES
from feeds.websub import HubState, Refused

WEBSUB_FILE = "websub.json"

_VERSION = 1
_FORMATS = frozenset(f".{format_}" for format_ in MEDIA_TYPES)


@dataclass(frozen=True, slots=True)
class LiveTopic:
    """A document as it lies under `public/`: what tells without reading that it is the same file, and its ETag."""

    mark: tuple[int, int, int]
    etag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WebsubState:
    """All hubs, by address, and the topics as they were last looked at, by path."""

    hubs: Mapping[str, HubState] = field(default_factory=dict)
    topics: Mapping[str, LiveTopic] = field(default_factory=dict)


def list_topics(public: Path, known: Mapping[str, LiveTopic]) -> dict[str, LiveTopic]:
    """The subscription documents that are live now, by path; those that are the same files as in `known` are not read."""
    found: dict[str, LiveTopic] = {}
    try:
        entries = list(os.scandir(public / "feeds"))
    except FileNotFoundError:
        return found
    for entry in entries:
        # What begins with a dot is still being written.
        if entry.name.startswith(".") or Path(entry.name).suffix not in _FORMATS:
            continue
        path = f"/feeds/{entry.name}"
        topic = _topic(Path(entry.path), known.get(path))
        if topic is not None:
            found[path] = topic
    return found


def _topic(file: Path, known: LiveTopic | None) -> LiveTopic | None:
    try:
        if known is not None and known.mark == _mark(file.stat()):
            return known
        with file.open("rb") as opened:
            # Of the open file, not of the name: a build may replace it in between.
            mark = _mark(os.fstat(opened.fileno()))
            etag = hashlib.file_digest(opened, "sha256").hexdigest()[:32]
    except (FileNotFoundError, IsADirectoryError):
        return None
    return LiveTopic(mark, etag)


def _mark(found: os.stat_result) -> tuple[int, int, int]:
    return (found.st_ino, found.st_size, found.st_mtime_ns)


def read_websub_state(path: Path) -> WebsubState:
    """The state at `path`, or an empty one where there is none that can be used."""
    try:
        stored = json.loads(path.read_bytes())
        if stored["version"] != _VERSION:
            return WebsubState()
        return WebsubState(
            hubs={url: _hub(hub) for url, hub in stored["hubs"].items()},
            topics={
                name: LiveTopic((int(inode), int(size), int(time)), str(etag))
                for name, (inode, size, time, etag) in stored["topics"].items()
            },
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return WebsubState()


def write_websub_state(path: Path, state: WebsubState) -> None:
    """Writes the state in one step. Not synced: what a power cut leaves is this, the one before, or none."""
    stored = {
        "version": _VERSION,
        "hubs": {url: _plain_hub(hub) for url, hub in state.hubs.items()},
        "topics": {name: [*topic.mark, topic.etag] for name, topic in state.topics.items()},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(json.dumps(stored, ensure_ascii=False), encoding="utf-8")
    temporary.replace(path)


def _hub(stored: Mapping[str, Any]) -> HubState:  # what JSON gives
    return HubState(
        announced={str(path): str(etag) for path, etag in stored["announced"].items()},
        refused={
            str(path): Refused(etag=str(etag), times=int(times), next_try=_moment(next_try))
            for path, (etag, times, next_try) in stored["refused"].items()
        },
        failures=int(stored["failures"]),
        next_try=_moment(stored["next_try"]),
        refused_in_a_row=int(stored["refused_in_a_row"]),
        answered=_moment(stored["answered"]),
        said=str(stored["said"]),
    )


def _plain_hub(hub: HubState) -> dict[str, object]:
    return {
        "announced": dict(hub.announced),
        "refused": {
            path: [one.etag, one.times, _text(one.next_try)] for path, one in hub.refused.items()
        },
        "failures": hub.failures,
        "next_try": _text(hub.next_try),
        "refused_in_a_row": hub.refused_in_a_row,
        "answered": _text(hub.answered),
        "said": hub.said,
    }


def _moment(stored: str | None) -> datetime | None:
    if stored is None:
        return None
    moment = datetime.fromisoformat(stored)
    if moment.tzinfo is None:
        raise ValueError(f"naive datetime {stored!r}")
    return moment


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None
