"""`dateline demo`: a complete sample newsroom in a temporary directory."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dateline.cli.frame import print_record, print_table, program

if TYPE_CHECKING:
    from dateline.press import Press

_PORT = 8300
_LATER_S = 8.0
_LOOK_S = 1.0


@click.command()
@click.option("--once", is_flag=True, help="Do it all without waiting, say what was made, exit.")
@click.option(
    "--port", type=click.IntRange(1, 65535), help="Port of the pages. [default: a free one]"
)
@click.option("--keep", is_flag=True, help="Keep the directory afterwards.")
def demo(*, once: bool, port: int | None, keep: bool) -> None:
    """A sample newsroom: posts, feeds, pages, readers, and a digest in the mailbox.

    Everything is invented and nobody is mailed. It ignores every DATELINE_ setting. Ctrl-C ends it.
    """
    _forget_settings()
    folder = Path(tempfile.mkdtemp(prefix="dateline-demo-"))
    try:
        if once:
            _show_once(folder, port or free_port(), keep=keep)
        else:
            _show(folder, port or free_port(), keep=keep)
    finally:
        if keep:
            click.echo(f"Kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _forget_settings() -> None:
    """Takes this program's settings out of the environment, for the delivery program too that it starts."""
    for name in list(os.environ):
        if name.startswith("DATELINE_") or name == "CREDENTIALS_DIRECTORY":
            del os.environ[name]


def free_port() -> int:
    """The usual port where it is free, else any free one."""
    import socket

    for port in (_PORT, 0):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(tried.getsockname()[1])
    raise click.ClickException("no port is free on 127.0.0.1; name one with --port")


def _prepared(folder: Path, port: int) -> tuple[Press, Path]:
    from dateline.demo.show import open_newsroom, show_first_digest
    from dateline.logs import configure_logs

    configure_logs(level="error")
    press, config_path = open_newsroom(folder, port=port, program=program())
    show_first_digest(press, _step)
    return press, config_path


def _step(text: str) -> None:
    click.echo(f"{text} ...", err=True)


def _show_once(folder: Path, port: int, *, keep: bool) -> None:
    from dateline.demo.show import show_second_digest

    press, _ = _prepared(folder, port)
    show_second_digest(press, _step)
    _print_made(press, folder)
    press.engine.dispose()
    if not keep:
        click.echo(
            "The directory is removed now; --keep keeps it, and without --once it is served."
        )


def _print_made(press: Press, folder: Path) -> None:
    from dateline.demo.show import made

    there = made(press)
    rows = [
        ("posts", f"{there.posts} in {there.languages} languages", "content/"),
        ("feeds", f"{there.documents} files", "public/"),
        ("readers", f"{there.subscribers}, consent on record", "var/dateline.db"),
    ]
    for issue, posts in there.issues:
        stories = "1 story" if posts == 1 else f"{posts} stories"
        rows.append((f"digest No. {issue.number}", stories, f"/{issue.newsletter}/{issue.number}/"))
    rows.append(("mails", f"{there.mails}; nobody was really mailed", "var/outbox/"))
    click.echo(f"\nIn {folder}:\n")
    print_table(("made", "how many", "where"), rows)


def _show(folder: Path, port: int, *, keep: bool) -> None:
    from dateline.daemon import run_daemon
    from dateline.demo.show import outbox

    press, config_path = _prepared(folder, port)
    _print_made(press, folder)
    stopped = threading.Event()
    watcher = threading.Thread(target=_watch, args=(press, stopped), name="demo", daemon=True)

    def greet(listens: str) -> None:
        click.echo()
        print_record(
            {
                "Pages": f"{listens}/",
                "Feeds": f"{listens}/feeds/",
                "The digest": f"{listens}/daily/1/",
                "Mailbox": f"{listens}/mailbox/",
                "Your posts": f"Markdown files in {folder / 'content'} go out with the next minute",
            }
        )
        click.echo(
            "A further post comes in now, and within a minute the clock sends it. Ctrl-C ends it."
        )
        watcher.start()

    try:
        run_daemon(press, config_path, mailbox=outbox(press), port=port, on_start=greet)
    finally:
        stopped.set()
        if watcher.is_alive():
            watcher.join(timeout=5)


def _watch(press: Press, stopped: threading.Event) -> None:
    """Lets the further post come in, and says so when the digest with it has gone out."""
    from dateline.demo.show import find_second_digest, publish_later_post

    if stopped.wait(_LATER_S):
        return
    click.echo(f"New post: {publish_later_post(press)}")
    while not stopped.wait(_LOOK_S):
        issue = find_second_digest(press)
        if issue is not None:
            click.echo(
                f"The second digest went out to {issue.recipients} readers: "
                f"{press.config.web.url}/{issue.newsletter}/{issue.number}/"
            )
            return
