"""`dateline migrate`: brings the database to this program's version."""

from pathlib import Path

import click

from dateline.cli.frame import config_option, opened


@click.command()
@config_option
def migrate(config_path: Path) -> None:
    """Bring the database up to date (every start does so too)."""
    from dateline.actions.migrate import migrate_database

    applied = migrate_database(opened(config_path, migrate=False))
    for version in applied:
        click.echo(f"Applied {version}.")
    if not applied:
        click.echo("The database is up to date.")
