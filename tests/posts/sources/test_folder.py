import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from posts.errors import SourceError
from posts.settings import Site, SourceSettings
from posts.source_states import SourceState
from posts.sources.deletions import deletions_held
from posts.sources.folder import forget_files, read_folder

SITE = Site(title="Frontera", url="https://frontera.example")
NOW = datetime(2030, 1, 1, tzinfo=UTC)
SETTINGS = SourceSettings(kind="folder", location="content")


@pytest.fixture
def content(tmp_path: Path) -> Path:
    folder = tmp_path / "content"
    folder.mkdir()
    return folder


def read(content: Path, state: SourceState | None = None, *, settings=SETTINGS, now=NOW):
    return read_folder(
        settings,
        folder=content.parent,
        state=state or SourceState(source="content"),
        site=SITE,
        now=now,
    )


def test_markdown_and_html_below_the_folder_are_posts(content):
    (content / "2009").mkdir()
    (content / "2009/a.md").write_text("A")
    (content / "b.html").write_text("<p>B")
    (content / "c.jpg").write_bytes(b"x")
    reading = read(content)
    assert [post.external_id for post in reading.posts] == ["b.html", "2009/a.md"]
    assert reading.seen == {"2009/a.md", "b.html"}
    assert reading.posts[1].place == "content/2009/a.md"


def test_hidden_files_and_those_of_other_programs_are_no_posts(content):
    for path in (
        ".a.md",
        ".git/b.md",
        "_layouts/c.html",
        "README.md",
        "_index.md",
        "node_modules/d.md",
        "_posts/e.md",
    ):
        (content / path).parent.mkdir(exist_ok=True)
        (content / path).write_text("x")
    assert [post.external_id for post in read(content).posts] == ["_posts/e.md"]


def test_what_lies_under_drafts_is_a_draft(content):
    (content / "_drafts").mkdir()
    (content / "_drafts/a.md").write_text("x")
    assert read(content).posts[0].draft


def test_only_changed_files_are_read_again(content):
    (content / "a.md").write_text("A")
    (content / "b.md").write_text("B")
    first = read(content)
    assert read(content, first.state).posts == ()
    (content / "b.md").write_text("B2")
    second = read(content, first.state)
    assert [post.external_id for post in second.posts] == ["b.md"]
    assert second.seen == {"a.md", "b.md"}


def test_a_file_that_was_only_touched_is_no_change(content):
    (content / "a.md").write_text("A")
    first = read(content)
    os.utime(content / "a.md", (1, 1))
    assert read(content, first.state).posts == ()


def test_a_second_write_within_the_clocks_grain_is_seen(content):
    file = content / "a.md"
    file.write_text("A")
    when = file.stat().st_mtime_ns
    first = read(content, now=datetime.fromtimestamp(when / 1e9, UTC) + timedelta(milliseconds=5))
    file.write_text("B")
    os.utime(file, ns=(when, when))
    assert [post.markdown for post in read(content, first.state).posts] == ["B"]


def test_a_changed_link_pattern_reads_every_file_again(content):
    (content / "a.md").write_text("A")
    first = read(content)
    elsewhere = SourceSettings(kind="folder", location="content", link="https://x.example/{slug}")
    assert [post.link for post in read(content, first.state, settings=elsewhere).posts] == [
        "https://x.example/a"
    ]


def test_the_time_first_seen_is_kept_for_a_link(content):
    (content / "a.md").write_text("A")
    elsewhere = SourceSettings(
        kind="folder", location="content", link="https://x.example/{year}/{slug}"
    )
    first = read(content, settings=elsewhere)
    (content / "a.md").write_text("B")
    later = read(content, first.state, settings=elsewhere, now=NOW + timedelta(days=800))
    assert later.posts[0].link == first.posts[0].link == "https://x.example/2030/a"


def test_a_bad_file_is_a_fault_until_it_is_mended_and_the_others_come(content):
    (content / "a.md").write_text("---\ndate: 15/9\n---\nA")
    (content / "b.md").write_text("B")
    first = read(content)
    assert [post.external_id for post in first.posts] == ["b.md"]
    assert [str(fault) for fault in first.faults] == [
        'content/a.md:2: "date" is not a date: "15/9". Write it as 2009-09-15 or 2009-09-15T08:00-06:00.'
    ]
    assert "a.md" in first.seen
    second = read(content, first.state)
    assert second.faults == first.faults
    (content / "a.md").write_text("A")
    third = read(content, second.state)
    assert third.faults == ()
    assert [post.external_id for post in third.posts] == ["a.md"]


def test_a_post_that_could_not_be_saved_comes_again(content):
    (content / "a.md").write_text("A")
    state = forget_files(read(content).state, frozenset(["a.md"]))
    assert [post.external_id for post in read(content, state).posts] == ["a.md"]


def test_a_link_out_of_the_folder_is_refused_and_named(content, tmp_path):
    (tmp_path / "secret.md").write_text("secret")
    (content / "a.md").symlink_to(tmp_path / "secret.md")
    (content / "out").symlink_to(tmp_path)
    (content / "real.md").write_text("x")
    (content / "inside.md").symlink_to(content / "real.md")
    reading = read(content)
    assert {post.external_id for post in reading.posts} == {"inside.md", "real.md"}
    assert [fault.place for fault in reading.faults] == ["content/a.md"]
    assert "symbolic link" in reading.faults[0].what
    assert "a.md" in reading.seen


def test_a_link_to_nothing_and_a_pipe_are_not_read(content):
    (content / "a.md").symlink_to(content / "gone.md")
    os.mkfifo(content / "pipe.md")
    reading = read(content)
    assert reading.posts == ()
    assert [fault.place for fault in reading.faults] == ["content/a.md"]


def test_a_name_that_is_not_utf_8_is_a_fault(content):
    Path(os.fsdecode(os.fsencode(content) + b"/\xff.md")).write_text("x")
    reading = read(content)
    assert reading.posts == ()
    assert reading.faults[0].what == "has a name that is not UTF-8."


@pytest.mark.parametrize("location", ["missing", "content/a.md"])
def test_a_folder_that_cannot_be_read_is_told(content, location):
    (content / "a.md").write_text("x")
    with pytest.raises(SourceError, match="the folder cannot be read"):
        read(content, settings=SourceSettings(kind="folder", location=location))


def test_a_folder_of_which_a_part_cannot_be_listed_says_nothing_of_what_is_gone(
    content, monkeypatch
):
    (content / "sub").mkdir()
    listed = os.scandir

    def refusing(path):
        if str(path).endswith("sub"):
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(os, "scandir", refusing)  # root, whom tests may run as, may list everything
    reading = read(content)
    assert reading.seen is None
    assert [str(fault) for fault in reading.faults] == [
        "content/sub: cannot be listed (Permission denied)"
    ]


def test_the_next_poll_is_due_after_every(content):
    state = read(content).state
    assert state.next_poll == NOW + SETTINGS.every
    assert state.first_polled == NOW
    later = read(content, replace(state, failures=3), now=NOW + timedelta(hours=1)).state
    assert (later.first_polled, later.failures) == (NOW, 0)


@pytest.mark.parametrize(
    ("known", "missing", "is_empty", "held"),
    [
        pytest.param(10, 0, False, False, id="nothing gone"),
        pytest.param(10, 5, False, False, id="five are few"),
        pytest.param(10, 6, False, True, id="six of ten"),
        pytest.param(30, 6, False, True, id="a fifth"),
        pytest.param(31, 6, False, False, id="less than a fifth"),
        pytest.param(1, 1, True, True, id="an empty folder"),
        pytest.param(0, 0, True, False, id="a folder that never held any"),
    ],
)
def test_8_10_many_gone_together_are_held(known, missing, is_empty, held):
    assert (deletions_held(known=known, missing=missing, is_empty=is_empty) is not None) == held
