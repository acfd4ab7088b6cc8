"""`dateline run`: the daemon, or with `--once` everything that is due now."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dateline.cli.frame import (
    config_option,
    local_time,
    maildir_hint,
    opened,
    print_table,
    progress_bar,
)

if TYPE_CHECKING:
    from datetime import datetime

    from dateline.actions.rounds import Round
    from dateline.press import Press


@click.command()
@config_option
@click.option("--once", is_flag=True, help="Do all that is due now, and exit.")
def run(config_path: Path, *, once: bool) -> None:
    """The daemon: clock, web pages and delivery.

    It reads sources, publishes, builds feeds, composes, releases and sends when each is due. SIGTERM or Ctrl-C
    ends it within seconds, with everything recorded.
    """
    if once:
        _run_once(config_path)
        return
    from dateline.actions.status import next_due
    from dateline.daemon import run_daemon
    from dateline.logs import configure_logs

    press = opened(config_path)
    configure_logs(level="info")
    due = next_due(press)
    run_daemon(press, config_path.resolve(), on_start=lambda listens: _greet(press, listens, due))


def _greet(press: Press, listens: str, due: list[tuple[str, datetime]]) -> None:
    """Where everything is and what comes next, for a person; the log says it to the others."""
    import structlog

    if not sys.stdout.isatty():
        times = {name: moment.isoformat() for name, moment in due}
        structlog.get_logger().info("next issues looked up", due=times)
        return
    click.echo(f"Pages:  {listens}/")
    click.echo(f"Feeds:  {listens}/feeds/")
    if press.config.web.url.rstrip("/") != listens:
        click.echo(f"Public: {press.config.web.url}")
    for name, moment in due:
        click.echo(f"Next {name}: {local_time(press, moment)} ({press.config.site.timezone})")
    maildir_hint(press)
    click.echo("Ctrl-C ends it.")


def _run_once(config_path: Path) -> None:
    from dateline.actions.rounds import do_what_is_due

    press = opened(config_path)
    with progress_bar("Working"):
        done = do_what_is_due(press)
    print_table(("step", "what it did"), summary(done))
    if done.delivered is not None and done.delivered.sent:
        maildir_hint(press)
    if done.errors:
        sys.exit(1)


def summary(done: Round) -> list[tuple[str, str]]:
    """A line for each step of a round."""
    rows: list[tuple[str, str]] = []
    for poll in done.polls:
        counts = f"{poll.new} new, {poll.revised} revised, {poll.withdrawn} withdrawn"
        rows.append((f"poll {poll.source}", counts))
        rows += [("", str(fault)) for fault in poll.faults]
    if not done.polls and "poll" not in done.errors:
        rows.append(("poll", "no source is due"))
    for tick in done.ticks:
        issue = f", issue {tick.issue} of {tick.posts} posts" if tick.issue else ""
        text = tick.error or f"{tick.outcome}{issue}, {tick.recipients} recipients"
        rows.append((f"{tick.newsletter}, due {tick.due:%Y-%m-%d %H:%M}", text))
    if not done.ticks and "tick" not in done.errors:
        rows.append(("newsletters", "none is due"))
    if done.built is not None:
        counts = f"{len(done.built.written)} documents written, {done.built.unchanged} unchanged"
        rows.append(("build", counts))
    if done.delivered is not None:
        sent = done.delivered
        text = f"{sent.sent} sent, {sent.deferred} deferred, {sent.failed} failed"
        rows.append(("deliver", f"by {sent.by}" if sent.by else text))
        if sent.trouble:
            rows.append(("", sent.trouble))
    rows += [(name, f"FAILED: {message}") for name, message in done.errors.items()]
    return rows
