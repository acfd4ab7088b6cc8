"""`dateline suppress`: who is never mailed."""

from pathlib import Path

import click

from dateline.cli.frame import (
    config_option,
    json_option,
    local_time,
    opened,
    print_json,
    print_table,
)


@click.group()
def suppress() -> None:
    """Who is never mailed again."""


@suppress.command("list")
@config_option
@json_option
def list_them(config_path: Path, as_json: bool) -> None:
    """Why and since when; the addresses themselves are not kept, only keyed hashes of them."""
    from dateline.actions.suppress import list_suppressed

    press = opened(config_path)
    found = list_suppressed(press)
    if as_json:
        print_json(
            [
                {"hash": one.address_hash, "reason": one.reason, "detail": one.detail, "at": one.at}
                for one in found
            ]
        )
        return
    if not found:
        click.echo("Nobody is suppressed.")
        return
    print_table(
        ("since", "reason", "detail", "hash"),
        ((local_time(press, s.at), s.reason, s.detail, s.address_hash[:12]) for s in found),
    )


@suppress.command()
@config_option
@click.option("--note", default="", help="Why, for whoever reads the list later.")
@click.argument("addresses", nargs=-1, required=True)
def add(config_path: Path, note: str, addresses: tuple[str, ...]) -> None:
    """Never mail ADDRESSES again, whatever anybody imports."""
    from dateline.actions.suppress import suppress_address

    press = opened(config_path)
    for address in addresses:
        added = suppress_address(press, address, note)
        click.echo(f"{address}: {'suppressed' if added else 'was suppressed before'}.")


@suppress.command()
@config_option
@click.argument("addresses", nargs=-1, required=True)
def remove(config_path: Path, addresses: tuple[str, ...]) -> None:
    """Take ADDRESSES off the list; subscriptions are not made anew by it."""
    from dateline.actions.suppress import unsuppress_address

    press = opened(config_path)
    for address in addresses:
        unsuppress_address(press, address)
        click.echo(f"{address}: not suppressed any more.")
