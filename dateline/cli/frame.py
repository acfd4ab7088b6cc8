"""What every verb shares: `--config`, `--json`, tables, and opening the press."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

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
    return sys.argv[0] if "/" in sys.argv[0] else Path(sys.argv[0]).name


def opened(config_path: Path, *, migrate: bool = True) -> Press:
    """The press of `config_path`, its database migrated (a newer database is refused)."""
    from dateline.actions.migrate import migrate_database
    from dateline.config import load_config
    from dateline.press import open_press

    config = load_config(config_path, os.environ)
    press = open_press(config, config_path.resolve().parent, program=program())
    if migrate:
        migrate_database(press)
    return press


def print_json(value: object) -> None:
    """JSON on standard output; datetimes as ISO 8601."""

    def plain(item: object) -> object:
        if isinstance(item, datetime):
            return item.isoformat()
        raise TypeError(f"{type(item).__name__} is not JSON")

    click.echo(json.dumps(value, default=plain, ensure_ascii=False, indent=2))


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
