"""A folder of Markdown and HTML files as a source: what is there, and what changed since the last poll."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from posts.errors import DatelineError, PostError, SourceError
from posts.model import IncomingPost, SourceFault
from posts.settings import Site, SourceSettings
from posts.source_states import SourceState
from posts.sources.file_post import HTML, MARKDOWN, file_post
from posts.sources.reading import Reading, polled

_MAX_FILE = 20_000_000
_SKIPPED_FOLDERS = frozenset(("_site", "_layouts", "_includes", "_data", "_sass", "node_modules"))
_DRAFTS = "_drafts"
_FRESH_NS = 2_000_000_000


@dataclass(frozen=True, slots=True)
class _Found:
    path: str
    file: Path
    size: int
    mtime_ns: int


def read_folder(
    settings: SourceSettings, *, folder: Path, state: SourceState, site: Site, now: datetime
) -> Reading:
    """Reads the files that are new or changed since `state`; raises SourceError when the folder cannot be read.

    A bad file is a fault in the reading and is read again at every poll until it is mended. `folder` is the one that
    holds config.toml.
    """
    root = folder / Path(settings.location).expanduser()
    faults: list[SourceFault] = []
    try:
        found, unread, complete = _listed(root, settings, faults)
    except OSError as error:
        raise SourceError(
            f"the folder cannot be read ({error.strerror or error}).",
            where=settings.location,
            remedy="Is it mounted, and is its name right?",
        ) from error
    rules = _rules(settings, site)
    known = (
        (state.files or {}).get("files", {}) if (state.files or {}).get("rules") == rules else {}
    )
    first_seen = {
        path: entry["seen"] for path, entry in (state.files or {}).get("files", {}).items()
    }
    posts: list[IncomingPost] = []
    entries: dict[str, Any] = {}
    for one in found:
        seen = first_seen.get(one.path, now.isoformat())
        try:
            post, entry = _read(
                one, known.get(one.path), settings, site, datetime.fromisoformat(seen)
            )
        except DatelineError as error:
            faults.append(_fault(settings, error))
            entries[one.path] = {"seen": seen}
            continue
        entries[one.path] = (
            {**entry, "seen": seen}
            if _is_settled(one, now)
            else {"hash": entry["hash"], "seen": seen}
        )
        if post is not None:
            posts.append(post)
    files = {"rules": rules, "files": entries}
    return Reading(
        posts=tuple(posts),
        faults=tuple(faults),
        seen=frozenset(entries) | unread if complete else None,
        state=polled(replace(state, files=files), now=now, wait=settings.every),
    )


def forget_files(state: SourceState, paths: frozenset[str]) -> SourceState:
    """`state` as if these files had not been read: posts that could not be saved come again at the next poll."""
    if not state.files or not paths:
        return state
    entries = {
        path: {"seen": entry["seen"]} if path in paths else entry
        for path, entry in state.files["files"].items()
    }
    return replace(state, files={**state.files, "files": entries})


def _listed(
    root: Path, settings: SourceSettings, faults: list[SourceFault]
) -> tuple[list[_Found], frozenset[str], bool]:
    """The files that may hold posts, in order; those that are there and cannot be read; and whether every folder
    below could be listed."""
    real_root = root.resolve(strict=True)
    os.scandir(real_root).close()  # raises when it cannot be listed; `walk` would say nothing
    unlisted: list[OSError] = []
    found: list[_Found] = []
    unread: set[str] = set()
    for here, folders, names in os.walk(real_root, onerror=unlisted.append):
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and name not in _SKIPPED_FOLDERS
        )
        for file in _candidates(Path(here), names):
            path = file.relative_to(real_root).as_posix()
            try:
                path.encode()
            except UnicodeEncodeError:
                shown = path.encode("utf-8", "replace").decode()
                faults.append(
                    _file_fault(settings, shown, "has a name that is not UTF-8.", "Rename it.")
                )
                continue
            try:
                real = file.resolve(strict=True)
                if not real.is_relative_to(real_root):
                    raise PostError(
                        "is a symbolic link that leads out of the folder.",
                        remedy="Copy the file instead.",
                    )
                if real.is_file():
                    status = real.stat()
                    found.append(_Found(path, real, status.st_size, status.st_mtime_ns))
            except OSError as error:
                unread.add(path)
                faults.append(
                    _file_fault(settings, path, f"cannot be read ({error.strerror or error})")
                )
            except PostError as error:
                unread.add(path)
                faults.append(_file_fault(settings, path, error.what, error.remedy))
    for trouble in unlisted:
        where = Path(str(trouble.filename)).relative_to(real_root).as_posix()
        faults.append(
            _file_fault(settings, where, f"cannot be listed ({trouble.strerror or trouble})")
        )
    return found, frozenset(unread), not unlisted


def _candidates(here: Path, names: list[str]) -> Iterator[Path]:
    for name in sorted(names):
        stem, suffix = os.path.splitext(name)
        if name.startswith((".", "_")) or stem.lower() == "readme":
            continue
        if suffix.lower() in MARKDOWN | HTML:
            yield here / name


def _read(
    one: _Found,
    known: dict[str, Any] | None,
    settings: SourceSettings,
    site: Site,
    first_seen: datetime,
) -> tuple[IncomingPost | None, dict[str, Any]]:
    """The post in a file, None where the file is what it was; and what to remember of it."""
    place = _place(settings, one.path)
    known = known or {}
    if (known.get("size"), known.get("mtime")) == (one.size, one.mtime_ns) and "hash" in known:
        return None, known
    if one.size > _MAX_FILE:
        raise PostError(f"is larger than {_MAX_FILE // 1_000_000} MB", where=place)
    try:
        data = one.file.read_bytes()
    except OSError as error:
        raise PostError(f"cannot be read ({error.strerror or error})", where=place) from error
    entry = {"size": one.size, "mtime": one.mtime_ns, "hash": hashlib.sha256(data).hexdigest()}
    if known.get("hash") == entry["hash"]:
        return None, entry
    post = file_post(
        data,
        one.path,
        source=settings.name,
        place=place,
        site=site,
        first_seen=first_seen,
        link=settings.link,
        is_draft=_DRAFTS in one.path.split("/")[:-1],
    )
    return post, entry


def _is_settled(one: _Found, now: datetime) -> bool:
    """False for a file written so lately that a second write could leave its time as it is: it is hashed again."""
    return one.mtime_ns < int(now.timestamp() * 1_000_000_000) - _FRESH_NS


def _rules(settings: SourceSettings, site: Site) -> str:
    """What of the configuration shapes a post: when it changes, every file is read again."""
    return "\n".join((settings.link or "", site.language, site.timezone))


def _place(settings: SourceSettings, path: str) -> str:
    return f"{settings.location.rstrip('/')}/{path}"


def _fault(settings: SourceSettings, error: DatelineError) -> SourceFault:
    return SourceFault(
        source=settings.name, place=error.where, what=error.what, remedy=error.remedy
    )


def _file_fault(settings: SourceSettings, path: str, what: str, remedy: str = "") -> SourceFault:
    return SourceFault(source=settings.name, place=_place(settings, path), what=what, remedy=remedy)
