"""An editor corrects, withdraws and restores by command line, and feeds say so (issue 5, 3)."""

import json
from pathlib import Path

import pytest
from lxml import etree

from posts.notes import GONE_AT_SOURCE
from tests.dateline.cli.newsroom import begin, done, write_post

NS = {"a": "http://www.w3.org/2005/Atom", "at": "http://purl.org/atompub/tombstones/1.0"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A newsroom whose feeds are built."""
    begin(tmp_path)
    for number in range(10):
        write_post(tmp_path, f"post-{number}", f"Post {number}")
    done(tmp_path, "poll")
    done(tmp_path, "build")
    return tmp_path


def body(folder: Path, name: str) -> str:
    return (folder / "public" / "feeds" / name).read_text()


def guid(folder: Path, post: str) -> str:
    return str(json.loads(done(folder, "posts", "show", post, "--json"))["guid"])


def tombstones(folder: Path, name: str = "all.atom") -> dict[str, str | None]:
    root = etree.fromstring(body(folder, name).encode())
    return {
        str(stone.get("ref")): stone.findtext("at:comment", namespaces=NS)
        for stone in root.iterfind("at:deleted-entry", NS)
    }


@pytest.mark.parametrize("name", ["all", "updates", "language-en"])
@pytest.mark.parametrize("format_", ["atom", "rss", "json"])
def test_a_correction_stands_in_every_feed_of_its_post(
    folder: Path, name: str, format_: str
) -> None:
    done(folder, "posts", "correct", "post-1", "--note", "It is in Laredo.")
    done(folder, "build")
    assert "It is in Laredo." in body(folder, f"{name}.{format_}")


def test_a_correction_moves_the_time_of_its_entry_alone(folder: Path) -> None:
    before = {item["id"]: item for item in json.loads(body(folder, "all.json"))["items"]}
    done(folder, "posts", "correct", "post-1", "--note", "It is in Laredo.")
    done(folder, "build")
    after = {item["id"]: item for item in json.loads(body(folder, "all.json"))["items"]}
    own = guid(folder, "post-1")
    assert [key for key in after if after[key] != before[key]] == [own]
    assert after[own]["date_modified"] > before[own]["date_modified"]
    assert after[own]["date_published"] == before[own]["date_published"]


def test_a_later_text_from_the_source_keeps_the_note(folder: Path) -> None:
    done(folder, "posts", "correct", "post-1", "--note", "It is in Laredo.")
    write_post(folder, "post-1", "Post 1", "Another text.")
    done(folder, "poll")
    done(folder, "build")
    (item,) = [
        item
        for item in json.loads(body(folder, "all.json"))["items"]
        if item["id"] == guid(folder, "post-1")
    ]
    assert "It is in Laredo." in item["content_html"]
    assert "Another text." in item["content_html"]


def test_a_withdrawn_post_leaves_a_tombstone_with_its_reason_and_restoring_undoes_it(
    folder: Path,
) -> None:
    own = guid(folder, "post-1")
    done(folder, "posts", "withdraw", "post-1", "--reason", "A source lied.")
    done(folder, "build")
    assert tombstones(folder) == {own: "A source lied."}
    for format_ in ("rss", "json"):
        assert own not in body(folder, f"all.{format_}")
        assert "A source lied." in body(folder, f"updates.{format_}")
    assert "Post 1<" not in body(folder, "updates.atom")
    done(folder, "feeds", "check")
    done(folder, "posts", "restore", "post-1")
    done(folder, "build")
    assert tombstones(folder) == {}
    for format_ in ("atom", "rss", "json"):
        assert own in body(folder, f"all.{format_}")
        assert own not in body(folder, f"updates.{format_}")


def test_another_reason_changes_the_tombstone(folder: Path) -> None:
    own = guid(folder, "post-1")
    for reason in ("One.", "Two."):
        done(folder, "posts", "withdraw", "post-1", "--reason", reason)
        done(folder, "build")
        assert tombstones(folder) == {own: reason}


def test_a_file_gone_twice_leaves_a_tombstone_with_a_neutral_reason(folder: Path) -> None:
    own = guid(folder, "post-1")
    (folder / "content" / "post-1.md").unlink()
    done(folder, "poll")
    done(folder, "poll")
    done(folder, "build")
    assert tombstones(folder) == {own: GONE_AT_SOURCE}
    assert "file" not in str(tombstones(folder).values())


def test_a_post_taken_back_while_its_issue_is_queued_leaves_what_is_not_yet_sent(
    folder: Path,
) -> None:
    done(
        folder, "subscribers", "add", "ana@example.org", "--newsletter", "daily",
        "--consent", "in person",
    )  # fmt: skip
    done(folder, "issues", "compose", "daily", "--latest", "3")
    (issue,) = json.loads(done(folder, "issues", "list", "--json"))
    done(folder, "issues", "release", str(issue["id"]), "--yes")
    done(folder, "posts", "withdraw", "post-9", "--reason", "A source lied.")
    done(folder, "deliver", "--until-done")
    (mail,) = (folder / "var" / "outbox" / "new").iterdir()
    text = mail.read_text()
    assert "Post 8" in text
    assert "Post 9" not in text
