"""`dateline check`: every fault with its place; exit 1 where there is one, 2 where it is in the configuration."""

import os
import sys
from dataclasses import asdict
from pathlib import Path

import click

from dateline.cli.frame import config_option, json_option, print_json, program


@click.command()
@config_option
@json_option
def check(config_path: Path, *, as_json: bool) -> None:
    """Look for faults in config, templates, database, built feeds and sources.

    Every fault is named with its place. Exit code 1 where there is one, 2 where config.toml is wrong.
    """
    from dateline.actions.check import PARTS
    from dateline.actions.check import check as list_found
    from dateline.config import read_config
    from dateline.logs import configure_logs
    from dateline.press import open_press

    configure_logs(level="warning")
    loaded = read_config(config_path, os.environ)
    press = open_press(loaded.config, config_path.resolve().parent, program=program())
    found = list_found(press, loaded)
    if as_json:
        print_json([asdict(fault) for fault in found])
    else:
        for part in PARTS:
            faults = [fault for fault in found if fault.part == part]
            plural = "s" * (len(faults) != 1)
            click.echo(f"{part}: " + (f"{len(faults)} fault{plural}" if faults else "fine"))
            for fault in faults:
                click.echo(f"  {fault}")
    if found:
        sys.exit(1)
