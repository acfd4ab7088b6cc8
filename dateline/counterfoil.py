"""The file `var/counterfoil`: appended to and synced, read, told from a copy of itself; never rewritten."""

import fcntl
import hashlib
import os
import secrets
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from newsletter.counterfoil import (
    Entry,
    Line,
    Place,
    What,
    format_lines,
    parse_last_line,
    parse_lines,
)

FILE_NAME = "counterfoil"
_LAST_BYTES = 65_536
_GET_GENERATION = 0x80087601
"""FS_IOC_GETVERSION: the number that a file system gives an inode each time it is used anew."""

Signature = tuple[int, int, int]


class Counterfoil:
    """A counterfoil by its path; the file is opened for each use, since somebody may put another in its place."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE_NAME

    def signature(self) -> Signature | None:
        """What changes whenever the file does, for next to nothing; None where there is no file."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns

    def size(self) -> int | None:
        """How many bytes it holds; None where there is no file, or an empty one."""
        signature = self.signature()
        return signature[1] if signature is not None and signature[1] else None

    def place(self) -> Place:
        """Where the file lies now."""
        with self.path.open("rb") as file:
            return _place_of(file.fileno())

    def read(self, after: int = 0) -> bytes:
        """Everything behind the first `after` bytes."""
        with self.path.open("rb") as file:
            file.seek(after)
            return file.read()

    def last_line(self, upto: int | None = None) -> Line | None:
        """The last line that can be read (of the first `upto` bytes); reads only the end of the file."""
        with self.path.open("rb") as file:
            end = file.seek(0, os.SEEK_END) if upto is None else upto
            start = max(0, end - _LAST_BYTES)
            file.seek(start)
            return parse_last_line(file.read(end - start))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else appends meanwhile; the file is made, empty, where there is none."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def append(
        self, entries: Sequence[Entry], at: datetime, *, anew: bool = False
    ) -> tuple[Line, int]:
        """Writes these entries as one write and syncs them; gives the last line and the file's size behind it.

        Call it under `locked`. An empty file gets its first line; with `anew` the file gets another name from here on.
        Raises OSError where not all of it could be written: then none of it counts.
        """
        handle = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            size = os.fstat(handle).st_size
            last = self.last_line() if size else None
            here = _place_of(handle)
            noted = [
                replace(entry, place=here) if entry.what is What.ADOPTED else entry
                for entry in entries
            ]
            if last is None:
                noted.insert(0, Entry(what=What.MADE, place=here))
            file = secrets.token_hex(6) if last is None or anew else last.file
            n = 1 if last is None else last.n + 1
            body = format_lines(noted, n=n, file=file, at=at)
            if size and os.pread(handle, 1, size - 1) != b"\n":
                body = b"\n" + body  # what a write that was cut short has left ends here
            written = os.write(handle, body)
            if written != len(body):
                raise OSError(f"only {written} of {len(body)} bytes could be written")
            os.fsync(handle)
            if not size:
                _sync_folder(self.path.parent)
            return parse_lines(body)[-1], size + len(body)
        finally:
            os.close(handle)


def _place_of(handle: int) -> Place:
    """Inode and generation, which no two files of a file system share and which moving, mounting anew and a restart
    leave alone; the number of the device is left out, since a restart may change it.

    The machine's id tells a cloned machine; inside a container it is the image's or made anew each time, and left out.
    """
    return Place(
        inode=os.fstat(handle).st_ino, generation=_generation(handle), machine=_machine_hash()
    )


def _generation(handle: int) -> int:
    try:
        answer = fcntl.ioctl(handle, _GET_GENERATION, b"\0" * 8)
    except OSError:
        return 0  # a file system without such a number
    number: int = struct.unpack("=I", answer[:4])[0]
    return number


def _machine_hash() -> str:
    if Path("/.dockerenv").exists() or Path("/run/.containerenv").exists():
        return ""
    try:
        named = Path("/etc/machine-id").read_text("ascii").strip()
    except (OSError, ValueError):
        return ""
    # machine-id(5): the id itself is not to be shown around
    return (
        hashlib.sha256(b"dateline counterfoil " + named.encode()).hexdigest()[:16] if named else ""
    )


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
