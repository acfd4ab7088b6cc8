"""`dateline sources list`: where posts come from, and what is wrong there."""

import json
from pathlib import Path

import pytest

from tests.dateline.cli.newsroom import begin, called, done


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A newsroom with a second source that is no feed and one broken file."""
    begin(tmp_path)
    with (tmp_path / "config.toml").open("a") as config:
        config.write('[[sources]]\nkind = "feed"\nlocation = "http://127.0.0.1:9/feed"\n')
    (tmp_path / "content/bad.md").write_text("---\ntitle: [\n---\nText.\n")
    return tmp_path


def test_a_source_that_was_never_read_says_so(folder: Path) -> None:
    first, second = json.loads(done(folder, "sources", "list", "--json"))
    assert (first["source"], first["polled"], first["posts"]) == ("content", None, 0)
    assert (second["kind"], second["faults"]) == ("feed", [])
    assert "never" in done(folder, "sources", "list")


def test_faults_are_listed_with_source_place_cause_and_remedy(folder: Path) -> None:
    assert called(folder, "poll").exit_code == 1
    first, second = json.loads(done(folder, "sources", "list", "--json"))
    [bad_file] = first["faults"]
    assert (bad_file["source"], bad_file["place"]) == ("content", "content/bad.md:3")
    assert "the front matter is not YAML" in bad_file["what"]
    assert bad_file["remedy"]
    assert first["posts"] == 2
    [bad_feed] = second["faults"]
    assert bad_feed["place"] == "http://127.0.0.1:9/feed"
    assert "private address" in bad_feed["what"]
    assert "allow_private" in bad_feed["remedy"]
    assert second["failures"] == 1


def test_a_mended_file_is_no_fault_any_more(folder: Path) -> None:
    called(folder, "poll")
    (folder / "content/bad.md").write_text("---\ntitle: Good\n---\nText.\n")
    called(folder, "poll", "content")
    first, _ = json.loads(done(folder, "sources", "list", "--json"))
    assert (first["posts"], first["faults"]) == (3, [])
