"""`dateline deliver`: send what is due, with a progress bar; hidden, `--daemon` is the delivery program."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from dateline.cli.frame import config_option, json_option, maildir_hint, opened, print_json

if TYPE_CHECKING:
    from dateline.actions.deliver import DeliverResult


@click.command()
@config_option
@json_option
@click.option("--issue", type=int, help="Send this issue only (and notices).")
@click.option("--until-done", is_flag=True, help="Wait for retries until all is done.")
@click.option("--daemon", is_flag=True, hidden=True, help="Send until standard input closes.")
def deliver(
    config_path: Path, as_json: bool, issue: int | None, until_done: bool, daemon: bool
) -> None:
    """Send what is due, and exit; beside a running daemon, show its progress."""
    if daemon:
        _run_daemon(config_path)
        return
    from dataclasses import asdict

    from dateline.actions.deliver import deliver as send
    from dateline.cli.sending import showing

    press = opened(config_path)
    with _stopping() as stop, showing(press.config.site.zone) as show:
        result = send(press, issue=issue, until_done=until_done, stop=stop, progress=show)
    if as_json:
        print_json(asdict(result))
    else:
        _tell(result)
    maildir_hint(press)
    if result.trouble is not None:
        sys.exit(1)


def _run_daemon(config_path: Path) -> None:
    from dateline.actions.deliver import run_daemon
    from dateline.actions.migrate import migrate_database
    from dateline.config import load_config
    from dateline.logs import configure_logs
    from dateline.press import open_press

    configure_logs()
    config = load_config(config_path, os.environ)
    press = open_press(config, config_path.resolve().parent)
    migrate_database(press)
    run_daemon(press)


def _tell(result: DeliverResult) -> None:
    if result.by is not None:
        click.echo(f"Mail is sent by {result.by}.")
    counts = {
        "deferred": result.deferred,
        "failed": result.failed,
        "excluded": result.excluded,
        "in doubt": result.in_doubt,
    }
    parts = [f"{result.sent:,} sent", *(f"{n:,} {state}" for state, n in counts.items() if n)]
    if result.notices:
        parts.append(
            f"{result.notices:,} {'mail' if result.notices == 1 else 'mails'} outside issues"
        )
    click.echo(", ".join(parts) + ".")
    if result.trouble is not None:
        click.echo(f"Stopped: {result.trouble}", err=True)
    if result.waiting:
        hint = "; `--until-done` waits for them" if result.trouble is None else ""
        readers = "1 reader is" if result.waiting == 1 else f"{result.waiting:,} readers are"
        click.echo(f"{readers} still to be sent to{hint}.", err=True)


@contextmanager
def _stopping() -> Iterator[Callable[[], bool]]:
    """Ctrl-C or SIGTERM ends in good order; a second one ends at once."""
    asked: list[int] = []

    def ask(number: int, frame: FrameType | None) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
