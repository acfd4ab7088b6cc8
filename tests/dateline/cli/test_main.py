"""`dateline/cli/main.py`: verbs load only when called, and every error ends in a few words and the right code."""

import io
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from dateline.cli import main
from posts.errors import NotFound


def _run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dateline", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **settings},
        check=False,
    )


def test_the_help_lists_every_verb_and_loads_none_of_them() -> None:
    code = (
        "import sys; from dateline.cli.main import run_command; run_command(['--help']);"
        "heavy = {'pydantic', 'sqlalchemy', 'rich', 'requests', 'lxml', 'jinja2', 'structlog'};"
        "sys.exit(sorted(heavy & set(sys.modules)) or 0)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    for verb in main.VERBS:
        assert f"\n  {verb} " in result.stdout


def test_the_version_is_told() -> None:
    assert _run("--version").stdout == "dateline, version 0.1.0\n"


def test_a_misspelt_verb_names_the_nearest_and_exits_2() -> None:
    result = _run("satus")
    assert result.returncode == 2
    assert "satus is not a command. Did you mean status?" in result.stderr


def test_a_missing_configuration_suggests_init_and_exits_2(tmp_path: Path) -> None:
    result = _run("status", "--config", str(tmp_path / "config.toml"))
    assert result.returncode == 2
    assert "there is no configuration here. `dateline init` writes one" in result.stderr
    assert result.stdout == ""


def test_a_faulty_configuration_exits_2_and_starts_nothing(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[site]\ntitle = "T"\n', "utf-8")
    result = _run("run", DATELINE_CONFIG=str(tmp_path / "config.toml"), DATELINE_MIAL__X="1")
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]


class _Verb:
    """Puts a verb that fails in its own way in the place of a real one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
        @click.command()
        def fails() -> None:
            raise error

        monkeypatch.setattr(main.LazyGroup, "get_command", lambda *_: fails)

    def run(self) -> int:
        return main.run_command(["status"])


def test_an_expected_failure_is_told_as_what_where_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = NotFound("there is no issue 9", where="issues", remedy="`issues list` names all.")
    assert _Verb(monkeypatch, error).run() == 1
    assert capsys.readouterr().err == ("issues: there is no issue 9. `issues list` names all.\n")


def test_a_fault_of_the_program_is_short_and_its_trace_is_in_a_file_without_addresses(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert _Verb(monkeypatch, KeyError("ann@example.org")).run() == 1
    message = capsys.readouterr().err
    [trace] = tmp_path.iterdir()
    assert "KeyError" in message
    assert str(trace) in message
    assert "ann@" not in message + trace.read_text("utf-8")
    assert "Traceback" in trace.read_text("utf-8")
    assert trace.stat().st_mode & 0o077 == 0


def test_an_interrupt_ends_quietly_with_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _Verb(monkeypatch, KeyboardInterrupt()).run() == 130
    assert capsys.readouterr().err.strip() == "Stopped."


def test_a_reader_of_the_output_who_goes_away_is_no_error(tmp_path: Path) -> None:
    code = (
        "import click, sys; from dateline.cli import main\n"
        "@click.command()\n"
        "def talks():\n"
        "    for _ in range(100000): click.echo('x' * 100)\n"
        "main.LazyGroup.get_command = lambda *_: talks\n"
        "sys.exit(main.run_command(['status']))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(30) == 1
    process.stderr.close()


@pytest.mark.parametrize("verb", main.VERBS)
def test_every_verb_has_a_command_with_help(verb: str) -> None:
    command = main.dateline.get_command(click.Context(main.dateline), verb)
    assert command is not None
    assert command.help
    assert io.StringIO(command.help).readline().strip()
