"""`dateline subscribers`: the list by hand, in and out."""

from dataclasses import asdict
from pathlib import Path

import click

from dateline.cli.frame import (
    config_option,
    confirm_typed,
    json_option,
    local_time,
    maildir_hint,
    opened,
    print_json,
    print_table,
    progress_bar,
    who_sends,
)

newsletter_option = click.option(
    "--newsletter", required=True, metavar="SLUG", help="Which newsletter."
)
consent_option = click.option(
    "--consent", metavar="TEXT", help="How and when these readers gave their consent."
)
status_option = click.option(
    "--status",
    type=click.Choice(["pending", "active", "paused", "unsubscribed"]),
    help="Only those in this state.",
)
ask_option = click.option("--ask", is_flag=True, help="Ask each by a confirmation mail.")
frequency_option = click.option("--frequency", help="How often, where the newsletter has several.")


@click.group()
def subscribers() -> None:
    """The list by hand: add, import, export, end, erase."""


@subscribers.command("list")
@click.option("--newsletter", metavar="SLUG", help="Only this newsletter.")
@status_option
@click.option("--limit", default=100, show_default=True, help="At most so many.")
@config_option
@json_option
def list_(
    newsletter: str | None, status: str | None, limit: int, config_path: Path, as_json: bool
) -> None:
    """Who subscribes to what."""
    from newsletter.subscriptions import list_members
    from posts.database import reading

    press = opened(config_path)
    with reading(press.engine) as conn:
        rows = list_members(conn, newsletter=newsletter, status=status, limit=limit)
    if as_json:
        print_json([dict(row) for row in rows])
        return
    print_table(
        ("Address", "Name", "Language", "Newsletter", "Frequency", "Status", "Since"),
        [
            (
                row["address"],
                row["name"],
                row["language"],
                row["newsletter"],
                row["frequency"],
                row["status"],
                local_time(press, row["since"]),
            )
            for row in rows
        ],
    )


@subscribers.command()
@click.argument("address")
@newsletter_option
@consent_option
@ask_option
@click.option("--name", help="The reader's name.")
@click.option("--language", help="The reader's language.")
@frequency_option
@config_option
def add(
    address: str,
    newsletter: str,
    consent: str | None,
    ask: bool,
    name: str | None,
    language: str | None,
    frequency: str | None,
    config_path: Path,
) -> None:
    """Add one reader, with consent or by asking."""
    from dateline.actions.subscribers import add as add_reader

    press = opened(config_path)
    done = add_reader(
        press,
        address,
        newsletter,
        consent=consent,
        ask=ask,
        name=name,
        language=language,
        frequency=frequency,
    )
    said = {
        "added": "Added: the next issue goes there too.",
        "asked": "A confirmation mail is queued; the reader is active once it is answered. "
        + who_sends(press),
        "already": "That address subscribes already; nothing changed.",
    }
    click.echo(said[done])
    if done == "asked":
        maildir_hint(press)


@subscribers.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@newsletter_option
@consent_option
@ask_option
@frequency_option
@click.option("--dry-run", is_flag=True, help="Only say what would happen.")
@config_option
@json_option
def import_(
    file: Path,
    newsletter: str,
    consent: str | None,
    ask: bool,
    frequency: str | None,
    dry_run: bool,
    config_path: Path,
    as_json: bool,
) -> None:
    """Import a CSV or a plain list of readers."""
    from dateline.actions.subscribers import import_file

    press = opened(config_path)
    with progress_bar(f"Reading {file.name}") as progress:
        result = import_file(
            press,
            file,
            newsletter,
            consent=consent,
            ask=ask,
            dry_run=dry_run,
            frequency=frequency,
            progress=progress,
        )
    if as_json:
        print_json(asdict(result))
        return
    for refused in result.refused:
        click.echo(f"{file.name}:{refused.line}: {refused.why}", err=True)
    taken = f"{result.added} added" if consent else f"{result.asked} asked by mail"
    would = "Would be: " if dry_run else ""
    click.echo(
        f"{would}{result.rows} rows: {taken}, {result.already} already there, {len(result.refused)} refused."
    )
    if result.asked and not dry_run:
        click.echo(who_sends(press))
        maildir_hint(press)


@subscribers.command()
@click.option("--newsletter", metavar="SLUG", help="Only this newsletter.")
@status_option
@config_option
def export(newsletter: str | None, status: str | None, config_path: Path) -> None:
    """Print the list as CSV."""
    from dateline.actions.subscribers import export as export_lines

    for line in export_lines(opened(config_path), newsletter=newsletter, status=status):
        click.echo(line, nl=False)


@subscribers.command()
@click.argument("newsletter", metavar="SLUG")
@config_option
def form(newsletter: str, config_path: Path) -> None:
    """Print plain HTML to paste into a site."""
    from dateline.actions.subscribers import build_form

    click.echo(build_form(opened(config_path), newsletter), nl=False)


@subscribers.command()
@click.argument("address")
@click.option("--newsletter", metavar="SLUG", help="Only this newsletter; without it all.")
@config_option
def unsubscribe(address: str, newsletter: str | None, config_path: Path) -> None:
    """End a reader's subscriptions."""
    from dateline.actions.subscribers import unsubscribe as end

    count = end(opened(config_path), address, newsletter)
    click.echo(f"{count} subscriptions ended." if count != 1 else "1 subscription ended.")


@subscribers.command()
@click.argument("address")
@click.option(
    "--suppress", is_flag=True, help="Keep a keyed hash, so that the address is never mailed again."
)
@click.option("--yes", is_flag=True, help="Erase without asking.")
@config_option
def erase(address: str, suppress: bool, yes: bool, config_path: Path) -> None:
    """Erase an address everywhere; there is no way back."""
    from dateline.actions.subscribers import erase as erase_reader
    from posts.errors import Refused

    try:
        confirm_typed("Erase this address everywhere?", "erase", yes=yes)
    except Refused as error:
        raise click.UsageError(str(error)) from error
    was_there = erase_reader(opened(config_path), address, suppress=suppress)
    click.echo("Erased." if was_there else "Nobody subscribes with that address.")
    if suppress:
        click.echo("It is on the suppression list: never to be mailed again.")


@subscribers.command()
@config_option
@json_option
def stats(config_path: Path, as_json: bool) -> None:
    """How many readers are where."""
    from dateline.actions.subscribers import list_stats

    rows = list_stats(opened(config_path))
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    print_table(
        ("Newsletter", "Frequency", "Status", "Subscribers"),
        [(row.newsletter, row.frequency, row.status, row.subscribers) for row in rows],
    )
