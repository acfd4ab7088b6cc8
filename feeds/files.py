"""Files of published documents: written in one step, only when their bytes differ, with their time as Last-Modified."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path


def write_document(path: Path, body: bytes, changed: datetime) -> bool:
    """True when the file was written, False when these bytes lay there already.

    The file's time becomes `changed`, so that any web server sends the same Last-Modified; bytes that differ always
    get a later time than those before them, also where no post says when (a title in config, a comment count).
    """
    before: datetime | None = None
    try:
        if path.stat().st_size == len(body) and path.read_bytes() == body:
            return False
        before = datetime.fromtimestamp(int(path.stat().st_mtime), UTC)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    moment = changed.replace(microsecond=0)
    if before is not None:
        moment = max(moment, before + timedelta(seconds=1))
    write_atomically(path, body, time=moment)
    return True


def write_atomically(path: Path, body: bytes, *, time: datetime | None = None) -> None:
    """Replaces the file: a reader sees the old bytes or the new ones, and a crash or a power cut leaves one of the two.

    The folder is not synced: after a power cut the old file may be back, and the next build sees that by its mark.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    if time is not None:
        os.utime(temporary, (time.timestamp(), time.timestamp()))
    temporary.replace(path)


def file_mark(path: Path) -> tuple[int, int] | None:
    """Size and time of a file, to notice that somebody touched it; None where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return (found.st_size, int(found.st_mtime))
