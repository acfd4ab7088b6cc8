"""`dateline feeds check`: the linter reads every published document back, by command line."""

import gzip
import json
from pathlib import Path

import pytest

from posts.errors import NotFound
from tests.dateline.cli.newsroom import begin, called, done, write_post


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A newsroom whose feeds have two archive documents."""
    begin(tmp_path)
    for number in range(104):
        write_post(tmp_path, f"post-{number:03}", f"Post {number}")
    done(tmp_path, "poll")
    done(tmp_path, "build")
    return tmp_path


def _document(folder: Path, name: str) -> Path:
    return folder / "public" / "feeds" / name


def _faults(folder: Path, *words: str) -> list[dict[str, str]]:
    result = called(folder, "feeds", "check", *words, "--json")
    assert result.exit_code == 1
    return list(json.loads(result.stdout)["faults"])


def test_what_a_build_publishes_has_no_fault(folder: Path) -> None:
    done(folder, "posts", "correct", "post-001", "--note", "It was <Laredo> & not ]]>.")
    done(folder, "posts", "withdraw", "post-002", "--reason", "A source lied.")
    done(folder, "posts", "withdraw", "post-103")
    done(folder, "build")
    told = done(folder, "feeds", "check")
    assert told.endswith("documents read, no fault.\n")
    assert json.loads(done(folder, "feeds", "check", "--json"))["faults"] == []


def test_a_broken_document_is_told_with_its_rule_post_and_what_to_do(folder: Path) -> None:
    path = _document(folder, "all.rss")
    guid = json.loads(done(folder, "posts", "show", "post-103", "--json"))["guid"]
    body = path.read_text()
    assert guid in body
    path.write_text(body.replace("<title>Post 103</title>", "<title>Post 103</title><title/>"))
    result = called(folder, "feeds", "check")
    assert result.exit_code == 1
    assert "[rss.once]" in result.output
    assert f"/feeds/all.rss ({guid}):" in result.output
    assert "Mend the post" in result.output


def test_a_document_that_is_gone_is_told(folder: Path) -> None:
    _document(folder, "all.json").unlink()
    told = {(fault["rule"], fault["document"]) for fault in _faults(folder)}
    assert ("set.missing", "http://127.0.0.1:8300/feeds/all.json") in told


def test_formats_that_hold_other_posts_are_told(folder: Path) -> None:
    path = _document(folder, "all.json")
    document = json.loads(path.read_bytes())
    gone = document["items"].pop()
    path.write_text(json.dumps(document))
    (fault,) = [fault for fault in _faults(folder, "all") if fault["rule"] == "set.same-ids"]
    assert fault["guid"] == gone["id"]


def test_an_archive_with_a_hole_is_told(folder: Path) -> None:
    for format_ in ("atom", "rss", "json"):
        _document(folder, f"all/archive/00001.{format_}").unlink()
    told = [fault["rule"] for fault in _faults(folder, "all")]
    assert told == ["archive.missing"] * 3


def test_a_compressed_file_with_other_bytes_is_told(folder: Path) -> None:
    _document(folder, "all.atom.gz").write_bytes(gzip.compress(b"another feed"))
    _document(folder, "all.atom.br").write_bytes(b"no brotli")
    told = [fault["rule"] for fault in _faults(folder, "all")]
    assert told == ["set.encoding"] * 2


@pytest.mark.parametrize("body", [b"", b"\x00" * 100, b"<feed", b"[" * 100_000])
def test_whatever_lies_there_is_told_and_never_a_crash(folder: Path, body: bytes) -> None:
    for format_ in ("atom", "rss", "json"):
        _document(folder, f"all.{format_}").write_bytes(body)
    assert len(_faults(folder, "all")) >= 3


def test_a_feed_that_is_not_there_is_told(folder: Path) -> None:
    refused = called(folder, "feeds", "check", "al").exception
    assert isinstance(refused, NotFound)
    assert str(refused) == 'There is no feed "al". `dateline feeds list` shows them.'
