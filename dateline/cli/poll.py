"""`dateline poll`: reads the sources now."""

import sys
from dataclasses import asdict
from pathlib import Path

import click

from dateline.actions.poll import PollResult, Progress
from dateline.actions.poll import poll as poll_sources
from dateline.cli.frame import config_option, json_option, opened, print_json, print_table
from posts.fetch import shown_url


@click.command()
@click.argument("source", required=False)
@click.option(
    "--accept-deletions",
    is_flag=True,
    help="Withdraw the posts whose files are gone, however many they are.",
)
@config_option
@json_option
def poll(source: str | None, accept_deletions: bool, config_path: Path, as_json: bool) -> None:
    """Read all sources now, or SOURCE (its location).

    Exit 1 when a source could not be read.
    """
    press = opened(config_path)
    if not press.config.sources:
        click.echo("No source is configured: add [[sources]] to the configuration.", err=True)
        return
    with _Bar(quiet=as_json or not sys.stderr.isatty()) as bar:
        results = poll_sources(
            press, source=source, accept_deletions=accept_deletions, progress=bar.progress
        )
    if as_json:
        print_json([asdict(result) for result in results])
    else:
        _print(results)
    if any(result.failed for result in results):
        sys.exit(1)


def _print(results: list[PollResult]) -> None:
    print_table(
        ("source", "new", "revised", "unchanged", "withdrawn", "faults"),
        (
            (
                shown_url(result.source),
                result.new,
                result.revised,
                result.unchanged,
                result.withdrawn,
                len(result.faults) or "",
            )
            for result in results
        ),
    )
    for result in results:
        name = shown_url(result.source)
        if result.chosen_feed:
            click.echo(f"{name} is a page; its feed {result.chosen_feed} is read.")
        if result.summaries_only:
            click.echo(
                f"{name} carries summaries only: feeds and mails hold no more than it does."
                " Set the blog to publish full text."
            )
        for fault in result.faults:
            click.echo(str(fault), err=True)


class _Bar:
    """A Rich progress bar on standard error, a line a source; it draws nothing when `quiet`."""

    def __init__(self, *, quiet: bool) -> None:
        from rich.console import Console
        from rich.progress import Progress as RichProgress

        self._bar = RichProgress(console=Console(stderr=True), disable=quiet, transient=True)
        self._tasks: dict[str, int] = {}

    def __enter__(self) -> "_Bar":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    @property
    def progress(self) -> Progress:
        """What `poll` tells of each source."""
        return self._told

    def _told(self, source: str, done: int, total: int) -> None:
        from rich.progress import TaskID

        if source not in self._tasks:
            self._tasks[source] = self._bar.add_task(shown_url(source), total=total)
        self._bar.update(TaskID(self._tasks[source]), completed=done, total=total)
