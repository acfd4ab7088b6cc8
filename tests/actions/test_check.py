"""An operator looks for faults: `dateline check` names every one with its place."""

import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dateline.cli.main import dateline

CONFIG = """\
[site]
title = "Gazette"
url = "https://example.org"
templates = "mine"

[[sources]]
kind = "folder"
location = "content"

[[newsletters]]
slug = "daily"
title = "Daily"
schedule = "0 18 * * *"

[mail]
from = "news@example.org"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A newsroom's folder with nothing wrong in it."""
    (tmp_path / "config.toml").write_text(CONFIG, "utf-8")
    (tmp_path / "content").mkdir()
    (tmp_path / "mine/mail").mkdir(parents=True)
    return tmp_path


def _checked(folder: Path) -> Result:
    return CliRunner().invoke(dateline, ["check", "--config", str(folder / "config.toml")])


def _faults(folder: Path) -> list[str]:
    result = _checked(folder)
    assert result.exit_code == 1, result.output
    return [line.strip() for line in result.output.splitlines() if line.startswith("  ")]


def test_a_sound_newsroom_has_no_faults(folder: Path) -> None:
    result = _checked(folder)
    assert result.exit_code == 0, result.output
    assert result.output.count("fine") == 6


def test_a_template_with_an_error_is_named_with_file_and_line(folder: Path) -> None:
    (folder / "mine/mail/digest.html.j2").write_text("<p>\n{% if %}\n", "utf-8")
    [fault] = _faults(folder)
    assert fault.startswith(f"{folder}/mine/mail/digest.html.j2:2: ")
    assert "templates: 1 fault\n" in _checked(folder).output


def test_a_feed_on_disk_that_does_not_parse_is_named(folder: Path) -> None:
    (folder / "public/feeds").mkdir(parents=True)
    (folder / "public/feeds/all.atom").write_bytes(b"<feed><title>cut off")
    (folder / "public/feeds/all.json").write_bytes(b'{"version": "2"}')
    broken, strange = _faults(folder)
    assert broken.startswith(f"{folder}/public/feeds/all.atom: is not well formed")
    assert strange == f"{folder}/public/feeds/all.json: is no JSON Feed."


def test_what_settings_name_and_is_not_there_is_told_with_the_line(folder: Path) -> None:
    config = folder / "config.toml"
    text = CONFIG.replace('"content"', '"contents"').replace(
        'title = "Daily"', 'title = "Daily"\nsubject = "{{ lead"\ntemplate = "nobodys"'
    )
    config.write_text(text + 'password_file = "nowhere"\nusername = "u"\n', "utf-8")
    places = [fault.split(" ")[0] + fault.split(" ")[1] for fault in _faults(folder)]
    assert places == [
        f"{config}:19:mail.password_file",
        f"{config}:8:sources.location",
        f"{config}:13:newsletters.subject",
        f"{config}:14:newsletters.template",
    ]


def test_a_newer_database_is_told_and_the_rest_is_checked_all_the_same(folder: Path) -> None:
    assert _checked(folder).exit_code == 0
    with sqlite3.connect(folder / "var/dateline.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    (folder / "mine/mail/digest.html.j2").write_text("{{", "utf-8")
    template, database_fault = _faults(folder)
    assert "digest.html.j2:1" in template
    assert "version 9999" in database_fault


def test_a_damaged_database_is_told(folder: Path) -> None:
    assert _checked(folder).exit_code == 0
    path = folder / "var/dateline.db"
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA foreign_keys = OFF")
        database.execute("INSERT INTO post_labels (post, kind, name) VALUES (99, 'tag', 'x')")
    [fault] = _faults(folder)
    assert fault == f"sqlite:///{path}: a row of post_labels points at no row of posts"


def test_a_sources_fault_is_told_with_file_and_line(folder: Path) -> None:
    (folder / "content/bad.md").write_text("---\ntitle: [\n---\nText.", "utf-8")
    (folder / "content/good.md").write_text("---\ntitle: Good\n---\nText.", "utf-8")
    CliRunner().invoke(dateline, ["poll", "--config", str(folder / "config.toml")])
    [fault] = _faults(folder)
    assert "bad.md" in fault
