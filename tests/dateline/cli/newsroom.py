"""A newsroom on disk for the command line's tests: two posts in a folder, one newsletter, mail into a maildir."""

from pathlib import Path

from click.testing import CliRunner, Result

from dateline.cli.main import dateline

CONFIG = """\
[site]
title = "Gazette"
url = "https://gazette.example/"
timezone = "UTC"
templates = "mine"

[mail]
from = "news@gazette.example"

[[sources]]
kind = "folder"
location = "content"

[[newsletters]]
slug = "daily"
title = "Daily"
schedule = "0 18 * * *"
"""


def begin(folder: Path) -> None:
    """Writes it, and reads its posts."""
    (folder / "config.toml").write_text(CONFIG)
    (folder / "content").mkdir()
    (folder / "mine").mkdir()
    write_post(folder, "bridge", "The bridge")
    write_post(folder, "ferry", "The ferry")


def write_post(folder: Path, name: str, title: str, text: str = "Text.") -> None:
    """One Markdown file."""
    path = folder / "content" / f"{name}.md"
    path.write_text(f"---\ntitle: {title}\ndate: 2026-09-15T08:00Z\n---\n{text}\n")


def called(folder: Path, *words: str) -> Result:
    """A verb with this newsroom's configuration, in this process."""
    return CliRunner().invoke(dateline, [*words, "--config", str(folder / "config.toml")])


def done(folder: Path, *words: str) -> str:
    """The same where it must go well; gives what it printed."""
    result = called(folder, *words)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout
