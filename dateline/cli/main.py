"""The command `dateline`: its verbs, each loaded only when called, and the errors that end a run."""

import sys
from importlib import import_module

import click

VERBS = {
    "init": "dateline.cli.init:init",
    "demo": "dateline.cli.demo:demo",
    "run": "dateline.cli.run:run",
    "status": "dateline.cli.status:status",
    "check": "dateline.cli.check:check",
    "poll": "dateline.cli.poll:poll",
    "build": "dateline.cli.build:build",
    "sources": "dateline.cli.sources:sources",
    "posts": "dateline.cli.posts:posts",
    "feeds": "dateline.cli.feeds:feeds",
    "subscribers": "dateline.cli.subscribers:subscribers",
    "issues": "dateline.cli.issues:issues",
    "deliver": "dateline.cli.deliver:deliver",
    "explain": "dateline.cli.explain:explain",
    "suppress": "dateline.cli.suppress:suppress",
    "migrate": "dateline.cli.migrate:migrate",
}


class LazyGroup(click.Group):
    """Loads a verb's module when the verb is called; `--help` needs only `SUMMARIES`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs, in the order of a day's work."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb's command, or None where there is no such verb."""
        target = VERBS.get(cmd_name)
        if target is None:
            return None
        module, name = target.split(":")
        command = getattr(import_module(module), name)
        assert isinstance(command, click.Command)
        return command


@click.command(cls=LazyGroup)
def dateline() -> None:
    """A newsroom's own press: posts in, feeds and email digests out."""


def main() -> None:
    """The entry point: exit 0 done, 1 it failed, 2 bad usage or config."""
    from dateline.config import ConfigError
    from posts.errors import DatelineError

    try:
        dateline(standalone_mode=True)
    except ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(2)
    except DatelineError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
