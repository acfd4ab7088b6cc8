"""The command `dateline`: its verbs, each loaded only when called, and the errors that end a run."""

import os
import sys
from importlib import import_module
from typing import Any

import click

from dateline import __version__

VERBS = {
    "init": (
        "dateline.cli.init:init",
        "Write a config.toml and a first post, or begin from a blog.",
    ),
    "demo": ("dateline.cli.demo:demo", "Run a complete sample newsroom in a temporary directory."),
    "run": ("dateline.cli.run:run", "The daemon: clock, web pages and delivery."),
    "status": ("dateline.cli.status:status", "What is due, what waits, what needs a person."),
    "check": (
        "dateline.cli.check:check",
        "Look for faults in config, templates, database and feeds.",
    ),
    "poll": ("dateline.cli.poll:poll", "Read sources now."),
    "build": ("dateline.cli.build:build", "Build the feeds now."),
    "sources": ("dateline.cli.sources:sources", "Where posts come from, and its faults."),
    "posts": ("dateline.cli.posts:posts", "The post store by hand."),
    "feeds": ("dateline.cli.feeds:feeds", "What is published."),
    "subscribers": ("dateline.cli.subscribers:subscribers", "The list of readers by hand."),
    "issues": ("dateline.cli.issues:issues", "Compose, preview, release and report issues."),
    "deliver": ("dateline.cli.deliver:deliver", "Send what is due, and exit."),
    "explain": (
        "dateline.cli.explain:explain",
        "What a reader got, will get, did not get, and why.",
    ),
    "suppress": ("dateline.cli.suppress:suppress", "Who is never mailed."),
    "doctor": ("dateline.cli.doctor:doctor", "Make the keys that sign mail (DKIM)."),
    "adopt": (
        "dateline.cli.adopt:adopt",
        "Go on after a hold: the database was copied, restored or moved.",
    ),
    "migrate": ("dateline.cli.migrate:migrate", "Bring the database to this version."),
}
"""Where each verb lives, and its line in `--help`: importing them all for that would take a second."""


class LazyGroup(click.Group):
    """Loads a verb's module when the verb is called; `--help` needs only `VERBS`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs, in the order of a day's work."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb's command, or None where there is no such verb."""
        if cmd_name not in VERBS:
            return None
        module, _, name = VERBS[cmd_name][0].partition(":")
        command = getattr(import_module(module), name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The verb that was typed; for one that does not exist the nearest is named."""
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            import difflib

            close = difflib.get_close_matches(args[0], VERBS, n=1)
            hint = f" Did you mean {close[0]}?" if close else ""
            raise click.UsageError(f"{args[0]} is not a command.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of verbs in `--help`, from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in VERBS.items()])


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="dateline")
def dateline() -> None:
    """A newsroom's own press: posts in, feeds and email digests out."""


def main() -> None:
    """The entry point: exit 0 done, 1 it failed, 2 bad usage or config, 130 interrupted."""
    sys.exit(run_command(sys.argv[1:]))


def run_command(arguments: list[str]) -> int:
    """Runs one command line and gives its exit code; every error ends here, told in a few words."""
    from posts.errors import DatelineError

    try:
        return _code(dateline.main(arguments, prog_name="dateline", standalone_mode=False))
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("Stopped.", err=True)
        return 130
    except DatelineError as error:
        click.echo(str(error), err=True)
        from dateline.config_faults import ConfigError

        return 2 if isinstance(error, ConfigError) else 1
    except BrokenPipeError:
        # Whoever read our output has gone (`| head`); Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # noqa: BLE001  the outermost place: a fault of the program, told as one
        from dateline.crash import tell_crash

        click.echo(tell_crash(error), err=True)
        return 1


def _code(result: Any) -> int:  # whatever a verb returns; click gives exit codes as numbers
    return result if isinstance(result, int) and not isinstance(result, bool) else 0
