"""Documents on disk: bytes, time and what is left after a write."""

from datetime import timedelta
from pathlib import Path

from feeds.files import write_document
from tests.feeds.arrange import NOON


def test_the_same_bytes_are_not_written_again_and_keep_their_time(tmp_path: Path) -> None:
    path = tmp_path / "feeds" / "all.atom"
    assert write_document(path, b"one", NOON)
    before = path.stat()
    assert not write_document(path, b"one", NOON + timedelta(hours=1))
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert path.stat().st_mtime == NOON.timestamp()


def test_other_bytes_always_get_a_later_time(tmp_path: Path) -> None:
    path = tmp_path / "all.atom"
    write_document(path, b"one", NOON)
    write_document(path, b"two", NOON)
    assert path.stat().st_mtime == NOON.timestamp() + 1
    write_document(path, b"three", NOON + timedelta(hours=1))
    assert path.stat().st_mtime == (NOON + timedelta(hours=1)).timestamp()


def test_a_write_leaves_nothing_beside_the_file(tmp_path: Path) -> None:
    write_document(tmp_path / "all.atom", b"one", NOON)
    assert [path.name for path in tmp_path.iterdir()] == ["all.atom"]


def test_a_file_of_the_same_length_is_compared(tmp_path: Path) -> None:
    path = tmp_path / "all.atom"
    write_document(path, b"one", NOON)
    assert write_document(path, b"two", NOON)
    assert path.read_bytes() == b"two"
