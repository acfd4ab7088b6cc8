"""Files of published documents: written in one step, only when their bytes differ, with their time as Last-Modified."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import brotli

_GZIP_LEVEL = 6
_BROTLI_QUALITY = 5
"""300 kB of text in 8 ms, and smaller than gzip's best; 11 takes a second for a tenth less."""


def gzip_bytes(body: bytes) -> bytes:
    """`body` compressed; the same bytes for the same bytes, so without a time."""
    return gzip.compress(body, _GZIP_LEVEL, mtime=0)


def brotli_bytes(body: bytes) -> bytes:
    """`body` compressed."""
    found: bytes = brotli.compress(body, quality=_BROTLI_QUALITY)
    return found


ENCODINGS: dict[str, Callable[[bytes], bytes]] = {".gz": gzip_bytes, ".br": brotli_bytes}
"""What lies beside each document, by the ending of its name; in this order written, the document itself last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A document to be written: its bytes, and when what it shows last changed."""

    path: Path
    body: bytes
    changed: datetime


def is_written(draft: Draft) -> bool:
    """True when these bytes lie there already, in every encoding."""
    try:
        if draft.path.stat().st_size != len(draft.body) or draft.path.read_bytes() != draft.body:
            return False
        packed = [Path(f"{draft.path}{ending}").read_bytes() for ending in ENCODINGS]
        return (
            gzip.decompress(packed[0]) == draft.body and brotli.decompress(packed[1]) == draft.body
        )
    except (FileNotFoundError, EOFError, zlib.error, gzip.BadGzipFile, brotli.error):
        return False


def write_documents(drafts: Sequence[Draft], pool: Executor) -> None:
    """Writes documents that differ from what lies there, with their encodings.

    All is compressed, written and synced before the first name changes; then each document comes last of its files,
    so that whoever sees it finds its encodings. The files' time becomes `changed`, so that any web server sends the
    same Last-Modified; bytes that differ always get a later time than those before them, also where no post says when
    (a title in config, a comment count). The folder is not synced: after a power cut the old file may be back, and
    the next build sees that by its mark.
    """
    writing = Writing(pool)
    for draft in drafts:
        writing.begin(draft)
    writing.finish()


class Writing:
    """The same for documents that come one after the other: what is begun is compressed and synced meanwhile."""

    def __init__(self, pool: Executor) -> None:
        self._pool = pool
        self._jobs: list[Future[tuple[Path, Path]]] = []

    def begin(self, draft: Draft) -> None:
        """Begins to write a document; nobody sees it before `finish`."""
        draft.path.parent.mkdir(parents=True, exist_ok=True)
        moment = _file_time(draft)
        for ending in (*ENCODINGS, ""):
            self._jobs.append(self._pool.submit(_prepare, draft, ending, moment))

    def finish(self) -> None:
        """Waits until all is on the disk and gives the files their names, in order."""
        ready = [job.result() for job in self._jobs]
        self._jobs = []
        for temporary, place in ready:
            temporary.replace(place)


def _prepare(draft: Draft, ending: str, moment: datetime) -> tuple[Path, Path]:
    body = ENCODINGS[ending](draft.body) if ending else draft.body
    place = Path(f"{draft.path}{ending}")
    return _write_temporary(place, body, moment), place


def _file_time(draft: Draft) -> datetime:
    moment = draft.changed.replace(microsecond=0)
    try:
        before = datetime.fromtimestamp(int(draft.path.stat().st_mtime), UTC)
    except FileNotFoundError:
        return moment
    return max(moment, before + timedelta(seconds=1))


def remove_document(path: Path) -> None:
    """Takes a document away with its encodings, itself first."""
    for ending in ("", *ENCODINGS):
        Path(f"{path}{ending}").unlink(missing_ok=True)


def write_atomically(path: Path, body: bytes, *, time: datetime | None = None) -> None:
    """Replaces the file: a reader sees the old bytes or the new ones, and a crash or a power cut leaves one of the two."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _write_temporary(path, body, time).replace(path)


def _write_temporary(path: Path, body: bytes, time: datetime | None) -> Path:
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    if time is not None:
        os.utime(temporary, (time.timestamp(), time.timestamp()))
    return temporary


def file_marks(path: Path) -> str:
    """Sizes and times of a document's files, to notice that somebody touched one; empty where one is missing."""
    try:
        found = [Path(f"{path}{ending}").stat() for ending in ("", *ENCODINGS)]
    except FileNotFoundError:
        return ""
    return _marks_text((stat.st_size, int(stat.st_mtime)) for stat in found)


def _marks_text(marks: Iterable[tuple[int, int]]) -> str:
    return " ".join(f"{size}:{time}" for size, time in marks)
