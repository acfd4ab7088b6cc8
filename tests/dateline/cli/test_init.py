"""`dateline init` at a terminal: it asks for what is missing, and for nothing that was given."""

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

from dateline.config import load_config


def _typed(folder: Path, answers: list[str], *words: str) -> str:
    """Runs init at a terminal of its own and types an answer a question; gives all that stood on the screen."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "dateline", "init", str(folder), *words],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TZ": "America/Chicago"},
    )
    os.close(theirs)
    screen, waiting, deadline = "", list(answers), time.monotonic() + 60
    try:
        while time.monotonic() < deadline:
            if not select.select([ours], [], [], 0.05)[0]:
                continue
            try:
                new = os.read(ours, 4096).decode()
            except OSError:  # the terminal's other end is closed: it has ended
                break
            if not new:
                break
            screen += new
            if screen.endswith("]: ") and waiting:
                os.write(ours, (waiting.pop(0) + "\n").encode())
    finally:
        if time.monotonic() >= deadline:
            process.kill()
        code = process.wait(10)
        os.close(ours)
    assert code == 0, screen
    assert waiting == [], screen
    return screen


def test_it_asks_for_name_zone_address_and_sender(tmp_path: Path) -> None:
    answers = ["The Plaza", "Europe/Madrid", "https://plaza.example", "desk@plaza.example"]
    screen = _typed(tmp_path / "new", answers)
    assert "Time zone in which schedules count [America/Chicago]" in screen
    config = load_config(tmp_path / "new/config.toml", {})
    assert (config.site.title, config.site.timezone) == ("The Plaza", "Europe/Madrid")
    assert (config.web.url, config.mail.from_) == ("https://plaza.example", "desk@plaza.example")


def test_return_takes_the_default_that_is_shown(tmp_path: Path) -> None:
    _typed(tmp_path / "new", ["", "", "", ""])
    config = load_config(tmp_path / "new/config.toml", {})
    assert config.site.timezone == "America/Chicago"
    assert config.web.url == "http://127.0.0.1:8300"


def test_what_was_given_is_not_asked(tmp_path: Path) -> None:
    words = ["--title", "T", "--timezone", "UTC", "--url", "https://t.example"]
    screen = _typed(tmp_path / "new", ["desk@t.example"], *words)
    assert "newsroom's name" not in screen
    assert load_config(tmp_path / "new/config.toml", {}).mail.from_ == "desk@t.example"
