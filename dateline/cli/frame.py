"""What every verb shares: `--config`, `--json`, opening the press, tables, progress, questions and hints."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click

from posts.errors import Refused

if TYPE_CHECKING:
    from dateline.press import Press

config_option: Callable[..., Any] = click.option(
    "--config",
    "config_path",
    type=click.Path(dir_okay=False, path_type=Path),
    default=lambda: Path(os.environ.get("DATELINE_CONFIG", "config.toml")),
    show_default="config.toml, or DATELINE_CONFIG",
    help="The configuration to use.",
)
json_option: Callable[..., Any] = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON."
)


def program() -> str:
    """The command as it was called, for hints."""
    called = sys.argv[0]
    if Path(called).name == "__main__.py":
        return "python -m dateline"
    folders = os.environ.get("PATH", "").split(os.pathsep)
    return Path(called).name if str(Path(called).parent) in folders else shlex.quote(called)


def opened(config_path: Path, *, migrate: bool = True) -> Press:
    """The press of `config_path`, its database migrated (a newer database is refused)."""
    from dateline.actions.migrate import migrate_database
    from dateline.config import load_config
    from dateline.logs import configure_logs
    from dateline.press import open_press

    configure_logs(level="warning")
    config = load_config(config_path, os.environ)
    press = open_press(config, config_path.resolve().parent, program=program())
    if migrate:
        migrate_database(press)
    return press


def print_json(value: object) -> None:
    """JSON on standard output; datetimes as ISO 8601, lengths of time in seconds."""
    click.echo(json_text(value))


def json_text(value: object) -> str:
    """A value as `print_json` prints it."""

    def plain(item: object) -> object:
        if isinstance(item, datetime):
            return item.isoformat()
        if isinstance(item, timedelta):
            return item.total_seconds()
        if isinstance(item, Path):
            return str(item)
        if isinstance(item, Enum):
            return item.value
        if isinstance(item, set | frozenset):
            return sorted(item)
        if is_dataclass(item) and not isinstance(item, type):
            return asdict(item)
        raise TypeError(f"{type(item).__name__} is not JSON")

    return json.dumps(value, default=plain, ensure_ascii=False, indent=2)


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None
) -> None:
    """A Rich table on standard output; empty cells for None."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", header_style="bold", pad_edge=False, box=None)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*("" if cell is None else Text(str(cell)) for cell in row))
    Console().print(table)


def print_record(record: Mapping[str, object]) -> None:
    """One thing, a line a field."""
    print_table(("", ""), record.items())


def maildir_hint(press: Press) -> None:
    """On standard error, where mail goes into a maildir: that nobody was really mailed, and what changes that."""
    mail = press.config.mail
    if mail.transport != "maildir":
        return
    outbox = press.path(mail.maildir) if mail.maildir else press.var / "outbox"
    click.echo(
        f"Nobody was really mailed: the messages are files in {outbox}. "
        'To mail, set transport = "smtp" and host under [mail] in config.toml.',
        err=True,
    )


def who_sends(press: Press) -> str:
    """Who sends what is queued now: the running daemon, or nobody until somebody starts it."""
    from dateline.actions.holding import find_hold, remedy
    from dateline.deliver_lock import is_held

    hold = find_hold(press)
    if hold is not None:
        return f"Nothing is mailed: {hold}. {remedy(press)}"
    if is_held(press.var):
        return "The running daemon sends it."
    return f"Nobody sends it yet: `{press.program} deliver --until-done` does, or `{press.program} run`."


class Progress(Protocol):
    """What a long action calls as it goes on."""

    def __call__(self, done: int, total: int | None = None, note: str = "") -> None:
        """So many are done, of so many where that is known."""


@contextmanager
def progress_bar(title: str) -> Iterator[Progress]:
    """A progress bar on standard error; nothing at all where that is no terminal."""
    if not sys.stderr.isatty():
        yield lambda done, total=None, note="": None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None, note="")

        def show(done: int, total: int | None = None, note: str = "") -> None:
            bar.update(task, completed=done, total=total, note=note)

        yield show


def confirm_typed(question: str, word: str, *, yes: bool = False) -> None:
    """Goes on only when the person types `word`; `yes` (an option `--yes`) answers for scripts.

    Raises Refused where there is no terminal to ask at, Abort where something else was typed.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise Refused(
            f"{question.rstrip('.?')}: this needs an answer", remedy="Add --yes to do it unasked."
        )
    if click.prompt(f"{question} Type {word} to go on", default="", show_default=False) != word:
        raise click.Abort


def local_time(press: Press, moment: datetime | None) -> str:
    """A time as tables show it: in the site's zone, to the minute; empty for None."""
    if moment is None:
        return ""
    return moment.astimezone(press.config.site.zone).strftime("%Y-%m-%d %H:%M")
