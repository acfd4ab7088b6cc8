"""`dateline sources`: where posts come from, and what is wrong there."""

from dataclasses import asdict
from pathlib import Path

import click

from dateline.actions.sources import list_sources
from dateline.cli.frame import config_option, json_option, opened, print_json, print_table
from posts.fetch import shown_url


@click.group()
def sources() -> None:
    """Where posts come from, and its faults."""


@sources.command("list")
@config_option
@json_option
def list_command(config_path: Path, as_json: bool) -> None:
    """List the sources with their posts, their polls and their faults."""
    found = list_sources(opened(config_path))
    if as_json:
        print_json([asdict(source) for source in found])
        return
    print_table(
        ("source", "kind", "posts", "last read", "next", "failures", "faults"),
        (
            (
                shown_url(source.source),
                source.kind,
                source.posts,
                f"{source.polled:%Y-%m-%d %H:%M} UTC" if source.polled else "never",
                f"{source.next_poll:%H:%M} UTC" if source.next_poll else "now",
                source.failures or "",
                len(source.faults) or "",
            )
            for source in found
        ),
    )
    for source in found:
        if source.feed_url:
            click.echo(f"{shown_url(source.source)} is a page; its feed {source.feed_url} is read.")
        if source.summaries_only:
            click.echo(f"{shown_url(source.source)} carries summaries only.")
        for fault in source.faults:
            click.echo(str(fault))
