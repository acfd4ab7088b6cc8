"""docs/cli.md, generated from the commands themselves: `python -m dateline.cli_reference`."""

import inspect
import sys
from pathlib import Path

import click

from dateline.cli.main import VERBS
from dateline.cli.main import dateline as top

_FILE = Path(__file__).parent.parent / "docs" / "cli.md"

_HEAD = """\
# The command line: every verb and option

This page is generated from the commands by `python -m dateline.cli_reference`.

Every verb that needs a newsroom reads `config.toml` in the current folder, or the file that `--config` or the
variable `DATELINE_CONFIG` names. Exit codes: 0 done, 1 it failed (standard error says what, where, and what to do),
2 wrong usage or a fault in the configuration, 130 interrupted. `--json` prints one JSON value on standard output,
and nothing else; hints and progress go to standard error.
"""


def reference_text() -> str:
    """The whole of docs/cli.md."""
    context = click.Context(top, info_name="dateline")
    parts = [_HEAD]
    for name in VERBS:
        command = top.get_command(context, name)
        assert command is not None
        parts += _sections(command, f"dateline {name}", 2)
    return "\n".join(parts)


def _sections(command: click.Command, called: str, level: int) -> list[str]:
    context = click.Context(command, info_name=called)
    usage = " ".join([called, *command.collect_usage_pieces(context)])
    about = inspect.cleandoc((command.help or "").replace("\b", ""))
    lines = ["#" * level + f" `{called}`", "", about, "", f"    {usage}", ""]
    records = [
        (name, " ".join(text.split()))
        for param in command.params
        if (record := param.get_help_record(context)) is not None
        for name, text in [record]
    ]
    lines += [f"- `{name}`: {text}" if text else f"- `{name}`" for name, text in records]
    parts = ["\n".join(lines).rstrip() + "\n"]
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            parts += _sections(inner, f"{called} {name}", level + 1)
    return parts


def write_reference(path: Path = _FILE) -> Path:
    """Writes docs/cli.md and gives its path."""
    path.write_text(reference_text(), "utf-8")
    return path


if __name__ == "__main__":
    sys.stdout.write(f"wrote {write_reference()}\n")
