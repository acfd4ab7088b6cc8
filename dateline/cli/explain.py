"""`dateline explain`: of any reader and any post, what was sent and why."""

from pathlib import Path

import click

from dateline.cli.frame import config_option, json_option, opened, print_json


@click.command()
@click.argument("address")
@click.argument("post", required=False)
@config_option
@json_option
def explain(address: str, post: str | None, config_path: Path, as_json: bool) -> None:
    """What a reader got, will get, did not get, and why; of POST alone where it is named."""
    from dateline.actions.explain import explain as explain_reader

    lines = explain_reader(opened(config_path), address, post)
    if as_json:
        print_json(lines)
        return
    for line in lines:
        click.echo(line)
