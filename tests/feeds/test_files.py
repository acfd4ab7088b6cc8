"""Documents on disk: bytes, encodings, time and what is left after a write."""

import gzip
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import brotli
import pytest

from feeds.files import Draft, is_written, remove_document, write_documents
from tests.feeds.arrange import NOON


def write(path: Path, body: bytes, changed: datetime = NOON) -> None:
    """Writes one document."""
    with ThreadPoolExecutor(2) as pool:
        write_documents([Draft(path=path, body=body, changed=changed)], pool)


def lies_there(path: Path, body: bytes) -> bool:
    """True when the document and its encodings are these bytes."""
    return is_written(Draft(path=path, body=body, changed=NOON))


def test_a_document_lies_beside_its_gzip_and_brotli_of_one_time(tmp_path: Path) -> None:
    path = tmp_path / "feeds" / "all.atom"
    write(path, b"one" * 100)
    assert lies_there(path, b"one" * 100)
    assert gzip.decompress(Path(f"{path}.gz").read_bytes()) == b"one" * 100
    assert brotli.decompress(Path(f"{path}.br").read_bytes()) == b"one" * 100
    assert {file.stat().st_mtime for file in path.parent.iterdir()} == {NOON.timestamp()}


def test_the_same_bytes_compress_to_the_same_bytes(tmp_path: Path) -> None:
    write(tmp_path / "a.atom", b"one" * 100)
    write(tmp_path / "b.atom", b"one" * 100)
    for ending in (".gz", ".br"):
        first = (tmp_path / f"a.atom{ending}").read_bytes()
        assert first == (tmp_path / f"b.atom{ending}").read_bytes()


def test_other_bytes_always_get_a_later_time(tmp_path: Path) -> None:
    path = tmp_path / "all.atom"
    write(path, b"one")
    write(path, b"two")
    assert path.stat().st_mtime == NOON.timestamp() + 1
    write(path, b"three", NOON + timedelta(hours=1))
    assert path.stat().st_mtime == (NOON + timedelta(hours=1)).timestamp()


def test_a_write_leaves_nothing_beside_the_files(tmp_path: Path) -> None:
    write(tmp_path / "all.atom", b"one")
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["all.atom", "all.atom.br", "all.atom.gz"]


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda path: path.write_bytes(b"two"), id="other bytes of the same length"),
        pytest.param(lambda path: path.unlink(), id="lost"),
        pytest.param(lambda path: Path(f"{path}.gz").unlink(), id="gzip lost"),
        pytest.param(lambda path: Path(f"{path}.br").write_bytes(b"?"), id="brotli broken"),
        pytest.param(lambda path: Path(f"{path}.gz").write_bytes(b"?"), id="gzip broken"),
    ],
)
def test_a_document_that_is_not_whole_is_not_written(
    tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    path = tmp_path / "all.atom"
    write(path, b"one")
    damage(path)
    assert not lies_there(path, b"one")


def test_a_removed_document_leaves_no_encoding(tmp_path: Path) -> None:
    write(tmp_path / "all.atom", b"one")
    remove_document(tmp_path / "all.atom")
    assert list(tmp_path.iterdir()) == []
