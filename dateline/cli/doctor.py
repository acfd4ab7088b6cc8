"""`dateline doctor`: makes keys that sign mail; looking at the set-up from outside is still to come."""

import os
import re
from pathlib import Path

import click

from dateline.cli.frame import config_option, json_option, print_json

_SELECTOR = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


@click.group(invoke_without_command=True)
@click.pass_context
def doctor(context: click.Context) -> None:
    """What receivers of mail want to see. So far: keys that sign mail (`keygen`)."""
    if context.invoked_subcommand is None:
        click.echo("So far there is `doctor keygen` only: it makes a key that signs mail (DKIM).")
        click.echo("`dateline check` looks for faults in what is on this machine.")


def _selector(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and not _SELECTOR.fullmatch(value):
        raise click.BadParameter("letters, digits and hyphens make a selector, such as s1.")
    return value


@doctor.command()
@config_option
@json_option
@click.option(
    "--selector",
    callback=_selector,
    help="The key's name in the DNS; default s1, and s2 for Ed25519.",
)
@click.option("--domain", help="The domain to sign for; default that of [mail] from.")
@click.option("--ed25519", is_flag=True, help="An Ed25519 key, to stand beside an RSA key.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write; default dkim-SELECTOR.pem under [paths] var.",
)
def keygen(
    config_path: Path,
    as_json: bool,
    selector: str | None,
    domain: str | None,
    ed25519: bool,
    output: Path | None,
) -> None:
    """Make a key that signs mail (DKIM), and print what to publish and to configure.

    The file can be read by its owner alone, and one that exists is never overwritten. Mail is signed once the lines
    that are printed stand in config.toml; publish the record first. Without a configuration, give --domain and
    --output.
    """
    from dateline.actions.doctor import make_signing_key
    from dateline.config import load_config
    from newsletter.headers import domain_of

    selector = selector or ("s2" if ed25519 else "s1")
    named: str | None = None
    if domain is None or output is None:
        config = load_config(config_path, os.environ)
        domain = domain or domain_of(config.mail.from_)
        if output is None:
            folder = Path(config.paths.var).expanduser()
            named = str(folder / f"dkim-{selector}.pem")
            output = config_path.resolve().parent / named
    made = make_signing_key(
        output.absolute(), domain=domain, selector=selector, ed25519=ed25519, named=named
    )
    if as_json:
        record = {"name": made.record.name, "type": "TXT", "value": made.record.value}
        print_json(
            {
                "file": made.file,
                "domain": made.domain,
                "selector": made.selector,
                "algorithm": made.algorithm,
                "record": {**record, "strings": list(made.record.strings)},
                "config": made.config,
            }
        )
        return
    click.echo(f"The key is in {made.file}. Keep it to yourself, and in your backups.\n")
    click.echo("1. Publish this record in the DNS, as a line of a zone file:\n")
    click.echo(f"{made.record}\n")
    click.echo("   or in a control panel: type TXT, name and value\n")
    click.echo(f"{made.record.name}\n{made.record.value}\n")
    click.echo("2. When it can be looked up, add this to config.toml, and restart:\n")
    click.echo(made.config.rstrip())
    if ed25519:
        click.echo(
            "\nKeep an RSA key beside it: not all receivers verify Ed25519.",
            err=True,
        )
