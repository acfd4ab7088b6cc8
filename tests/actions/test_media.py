"""Pictures beside folder posts: from the folder to the page, the feed and no further."""

import os
import shutil
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from dateline.actions.media import copy_media, media_base_url
from dateline.actions.poll import poll
from dateline.press import Press
from dateline.web.app import build_app
from posts import store
from posts.database import reading
from tests.actions.test_poll import Clock, a_press
from tests.posts.test_pictures import a_jpeg, a_png, exif

PICTURE = a_png()


@pytest.fixture
def press(tmp_path: Path) -> Press:
    folder = tmp_path / "content" / "2009"
    folder.mkdir(parents=True)
    (folder / "mi foto.png").write_bytes(PICTURE)
    (folder / "juarez.md").write_text(
        "---\ntitle: T\ndate: 2029-12-31\n---\n"
        "![Bridge](<mi foto.png>) [sheet](facts.pdf) [About](/about) ![Up](../../../../etc/passwd.png)\n"
    )
    press = a_press(tmp_path, Clock())
    poll(press)
    return press


def the_html(press: Press) -> str:
    with reading(press.engine) as conn:
        (post,) = store.list_posts(conn)
    return post.content.html


def test_a_picture_beside_its_post_is_shown_on_its_page(press: Press) -> None:
    visitor = TestClient(build_app(press), base_url="https://press.example")
    with reading(press.engine) as conn:
        (post,) = store.list_posts(conn)
    assert 'src="/media/content/2009/mi%20foto.png"' in visitor.get(post.path).text
    answer = visitor.get("/media/content/2009/mi%20foto.png")
    assert (answer.content, answer.headers["content-type"]) == (PICTURE, "image/png")


def test_relative_addresses_of_a_folder_post_are_absolute_for_feeds_and_mails(press: Press) -> None:
    html = the_html(press)
    assert 'src="https://press.example/media/content/2009/mi%20foto.png"' in html
    assert 'href="https://press.example/media/content/2009/facts.pdf"' in html
    assert 'href="https://press.example/about"' in html


def test_an_address_cannot_climb_out_of_the_server(press: Press) -> None:
    visitor = TestClient(build_app(press), base_url="https://press.example")
    assert 'src="https://press.example/etc/passwd.png"' in the_html(press)
    assert visitor.get("/media/content/../../content/2009/juarez.md").status_code == 404
    assert visitor.get("/media/content/%2e%2e/%2e%2e/content/2009/juarez.md").status_code == 404


def test_only_media_leave_the_folder(tmp_path: Path) -> None:
    content, media = tmp_path / "content", tmp_path / "media"
    (content / "_drafts").mkdir(parents=True)
    for name in ("a.png", "draft.md", "notes.txt", ".hidden.png", "_drafts/b.png", "key.pem"):
        (content / name).write_bytes(PICTURE)
    assert copy_media(content, media, source="content") == []
    assert [path.name for path in media.rglob("*") if path.is_file()] == ["a.png"]


def test_a_link_out_of_the_folder_is_a_fault_and_not_followed(tmp_path: Path) -> None:
    content, media = tmp_path / "content", tmp_path / "media"
    content.mkdir()
    (tmp_path / "secret").write_bytes(b"s")
    os.symlink(tmp_path / "secret", content / "a.png")
    (content / "b.png").write_bytes(PICTURE)
    (fault,) = copy_media(content, media, source="content")
    assert (fault.place, "leads out" in fault.what) == ("content/a.png", True)
    assert [path.name for path in media.rglob("*") if path.is_file()] == ["b.png"]


def test_a_changed_picture_is_copied_anew_and_an_unchanged_one_is_not(tmp_path: Path) -> None:
    content, media = tmp_path / "content", tmp_path / "media"
    content.mkdir()
    (content / "a.png").write_bytes(PICTURE)
    copy = media / "content" / "a.png"
    copy_media(content, media, source="content")
    first = copy.stat().st_ino
    copy_media(content, media, source="content")
    assert copy.stat().st_ino == first
    another = a_png((b"gAMA", b"1234"))
    (content / "a.png").write_bytes(another)
    copy_media(content, media, source="content")
    assert copy.read_bytes() == another


def test_a_media_folder_inside_the_content_is_not_copied_into_itself(tmp_path: Path) -> None:
    media = tmp_path / "media"
    media.mkdir()
    (media / "a.png").write_bytes(PICTURE)
    copy_media(tmp_path, media, source=".")
    assert [path.relative_to(media).as_posix() for path in media.rglob("*")] == ["a.png"]


def test_two_posts_of_one_name_in_two_folders_have_neighbours_of_their_own() -> None:
    assert media_base_url("https://p.example/", "content", "a/x.md") == (
        "https://p.example/media/content/a/"
    )
    assert media_base_url("https://p.example", "../Other blog", "x.md") == (
        "https://p.example/media/other-blog/"
    )


def test_a_picture_is_published_without_where_it_was_taken_even_over_an_older_copy(
    tmp_path: Path,
) -> None:
    content, media = tmp_path / "content", tmp_path / "media"
    content.mkdir()
    picture, copy = content / "a.jpg", media / "content" / "a.jpg"
    picture.write_bytes(a_jpeg((0xE1, exif(6) + b"GPS 31.7 -106.4")))
    copy.parent.mkdir(parents=True)
    shutil.copy2(picture, copy)
    assert copy_media(content, media, source="content") == []
    assert b"GPS" in picture.read_bytes()
    assert b"GPS" not in copy.read_bytes()


def test_a_picture_that_cannot_be_cleaned_is_a_fault_and_not_published(tmp_path: Path) -> None:
    content, media = tmp_path / "content", tmp_path / "media"
    content.mkdir()
    (content / "a.jpg").write_bytes(a_jpeg((0xE1, exif(6)))[:-20])
    (content / "b.avif").write_bytes(b"\0\0\0 ftypavif")
    (content / "c.png").write_bytes(PICTURE)
    faults = copy_media(content, media, source="content")
    assert [fault.place for fault in faults] == ["content/a.jpg", "content/b.avif"]
    assert [path.name for path in media.rglob("*") if path.is_file()] == ["c.png"]
