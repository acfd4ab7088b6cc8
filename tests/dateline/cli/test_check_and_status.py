"""`dateline check` and `dateline status` on a whole newsroom."""

import json
from pathlib import Path

import pytest

from posts.errors import TemplateError
from tests.dateline.cli.newsroom import begin, called, done, write_post


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A newsroom with one reader, whose first issue is composed."""
    begin(tmp_path)
    done(tmp_path, "poll")
    done(tmp_path, "build")
    done(
        tmp_path,
        "subscribers",
        "add",
        "ann@example.net",
        "--newsletter",
        "daily",
        "--consent",
        "test",
    )
    done(tmp_path, "issues", "compose", "daily", "--latest", "2")
    return tmp_path


def test_a_template_with_an_error_is_named_by_file_and_line(folder: Path) -> None:
    (folder / "mine/mail").mkdir()
    (folder / "mine/mail/digest.html.j2").write_text("<p>\n\n{{ no end\n")
    result = called(folder, "check")
    assert result.exit_code == 1
    assert f"{folder}/mine/mail/digest.html.j2:3: " in result.output


def test_with_a_broken_template_no_issue_goes_out_and_the_last_output_stays(folder: Path) -> None:
    done(folder, "issues", "preview", "1")
    kept = {path: path.read_bytes() for path in (folder / "var/preview").iterdir()}
    (folder / "mine/mail").mkdir()
    (folder / "mine/mail/digest.html.j2").write_text("{{ nobody.knows }}\n")
    for verb in (["issues", "preview", "1"], ["issues", "release", "1", "--yes"]):
        result = called(folder, *verb)
        assert isinstance(result.exception, TemplateError)
        assert f"{folder}/mine/mail/digest.html.j2:1" in str(result.exception)
    assert {path: path.read_bytes() for path in (folder / "var/preview").iterdir()} == kept
    [issue] = json.loads(done(folder, "issues", "list", "--json"))
    assert issue["status"] == "draft"
    (folder / "mine/mail/digest.html.j2").unlink()
    done(folder, "issues", "release", "1", "--yes")


def test_a_broken_post_leaves_the_feeds_as_they_were(folder: Path) -> None:
    before = (folder / "public/feeds/all.atom").read_bytes()
    write_post(folder, "bridge", "[", "New text.")
    done(folder, "poll")
    done(folder, "build")
    assert (folder / "public/feeds/all.atom").read_bytes() == before


def test_status_names_posts_sources_newsletters_and_what_needs_a_person(folder: Path) -> None:
    found = json.loads(done(folder, "status", "--json"))
    assert (found["posts"], found["is_delivering"]) == (2, False)
    assert [source["source"] for source in found["sources"]] == ["content"]
    assert [newsletter["newsletter"] for newsletter in found["newsletters"]] == ["daily"]
    assert any("Issue 1" in need and "is a draft" in need for need in found["needs"])
    text = done(folder, "status")
    assert "2 posts are public" in text
    assert "Needs a person:" in text


def test_after_sending_status_shows_the_last_issues_books(folder: Path) -> None:
    done(folder, "issues", "release", "1", "--yes")
    done(folder, "deliver")
    [newsletter] = json.loads(done(folder, "status", "--json"))["newsletters"]
    assert (newsletter["books"]["recipients"], newsletter["books"]["sent"]) == (1, 1)
