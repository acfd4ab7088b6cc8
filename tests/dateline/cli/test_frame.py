"""`dateline/cli/frame.py`: what every verb shares."""

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pytest

from dateline.cli.frame import confirm_typed, maildir_hint, print_json, program, progress_bar
from dateline.config import Config
from dateline.press import Press, open_press
from posts.errors import Refused


def _press(folder: Path, **mail: str) -> Press:
    config = Config.model_validate(
        {
            "site": {"title": "G", "url": "https://g.example"},
            "mail": {"from": "n@g.example", **mail},
        }
    )
    return open_press(config, folder)


def test_after_mailing_into_a_maildir_a_person_is_told_what_changes_that(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    maildir_hint(_press(tmp_path))
    said = capsys.readouterr()
    assert said.out == ""
    assert f"Nobody was really mailed: the messages are files in {tmp_path}/var/outbox." in said.err
    assert 'transport = "smtp"' in said.err


def test_after_mailing_to_a_relay_nothing_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    maildir_hint(_press(tmp_path, transport="smtp"))
    assert capsys.readouterr() == ("", "")


def test_json_says_times_and_lengths_and_refuses_what_it_does_not_know(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_json({"at": datetime(2026, 1, 2, tzinfo=UTC), "for": timedelta(hours=1), "ñ": Path("x")})
    out = capsys.readouterr().out
    assert json.loads(out) == {"at": "2026-01-02T00:00:00+00:00", "for": 3600.0, "ñ": "x"}
    assert "ñ" in out
    with pytest.raises(TypeError):
        print_json(object())


def test_a_dangerous_act_is_not_done_unasked_where_nobody_can_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("erase\n"))
    with pytest.raises(Refused, match="--yes"):
        confirm_typed("This erases a reader.", "erase")
    confirm_typed("This erases a reader.", "erase", yes=True)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_at_a_terminal_the_word_must_be_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", _Terminal("erase\nno\n"))
    confirm_typed("This erases a reader.", "erase")
    with pytest.raises(click.Abort):
        confirm_typed("This erases a reader.", "erase")


def test_off_a_terminal_there_is_no_progress_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("Sending") as show:
        show(1, 10, "now")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("called", "path", "hint"),
    [
        pytest.param("/usr/bin/dateline", "/usr/bin:/bin", "dateline", id="found by the shell"),
        pytest.param(".venv/bin/dateline", "/usr/bin", ".venv/bin/dateline", id="by its path"),
        pytest.param("/x y/dateline", "/bin", "'/x y/dateline'", id="a path with a space"),
        pytest.param("/x/dateline/__main__.py", "/bin", "python -m dateline", id="as a module"),
    ],
)
def test_hints_name_the_program_as_it_was_called(
    monkeypatch: pytest.MonkeyPatch, called: str, path: str, hint: str
) -> None:
    monkeypatch.setattr("sys.argv", [called])
    monkeypatch.setenv("PATH", path)
    assert program() == hint
