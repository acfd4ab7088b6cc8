"""`dateline build`: the feeds, now."""

from dataclasses import asdict
from pathlib import Path

import click

from dateline.cli.frame import config_option, json_option, opened, print_json


@click.command()
@click.argument("feed", required=False)
@config_option
@json_option
def build(feed: str | None, config_path: Path, *, as_json: bool) -> None:
    """Build the feeds now, all or one FEED; only documents that changed are written."""
    from dateline.actions.build import build as build_feeds

    result = build_feeds(opened(config_path), feed=feed)
    if as_json:
        print_json(asdict(result))
        return
    for path in result.written:
        click.echo(f"wrote    {path}")
    for path in result.removed:
        click.echo(f"removed  {path}")
    for fault in result.quarantined:
        click.echo(f"quarantined  {fault}", err=True)
    for fault in result.faults:
        click.echo(f"kept back  {fault}", err=True)
    click.echo(
        f"{len(result.written)} written, {result.unchanged} unchanged,"
        f" {result.entries_rendered} entries rendered in {result.took_s:.2f} s."
    )
