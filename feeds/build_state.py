"""What a build remembers beside the files it wrote: where each feed stood in the journal, and what it held.

It lies under `var/built/`, not in the database: each host builds its own `public/` (DESIGN.md 3). Lost or unreadable
it is simply empty, and everything is built again to the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from posts.model import Change

_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedState:
    """One feed as last built: `cursor` is the last journal number dealt with; `members` maps the posts' row ids to
    their marks (`posts/marks.py`); `files` maps each document's path to its size and time, to notice a file that was lost."""

    stamp: str
    cursor: int
    members: Mapping[int, str]
    files: Mapping[str, tuple[int, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildState:
    """All feeds of this host. `line` is the journal's line at the newest cursor: another one there means another
    database, of which these cursors know nothing."""

    line: str = ""
    newest: int = 0
    feeds: Mapping[str, FeedState] = field(default_factory=dict)


def line_text(change: Change | None) -> str:
    """A journal line as it is compared."""
    if change is None:
        return ""
    return f"{change.number} {change.post} {change.revision} {change.kind} {change.at.isoformat()}"


def read_build_state(path: Path) -> BuildState:
    """The state at `path`, or an empty one where there is none that can be used."""
    try:
        stored = json.loads(path.read_bytes())
        if stored["version"] != _VERSION:
            return BuildState()
        return BuildState(
            line=stored["line"],
            newest=stored["newest"],
            feeds={
                slug: FeedState(
                    stamp=feed["stamp"],
                    cursor=feed["cursor"],
                    members={int(id_): mark for id_, mark in feed["members"].items()},
                    files={name: (size, time) for name, (size, time) in feed["files"].items()},
                )
                for slug, feed in stored["feeds"].items()
            },
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return BuildState()


def write_build_state(path: Path, state: BuildState) -> None:
    """Writes the state in one step. Not synced: what a power cut leaves is this, the one before, or none."""
    stored = {
        "version": _VERSION,
        "line": state.line,
        "newest": state.newest,
        "feeds": {
            slug: {
                "stamp": feed.stamp,
                "cursor": feed.cursor,
                "members": dict(feed.members),
                "files": dict(feed.files),
            }
            for slug, feed in state.feeds.items()
        },
    }
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(json.dumps(stored, ensure_ascii=False), encoding="utf-8")
    temporary.replace(path)
