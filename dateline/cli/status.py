"""`dateline status`: how things stand, and what needs a person."""

from __future__ import annotations

from dataclasses import asdict
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dateline.cli.frame import (
    config_option,
    json_option,
    local_time,
    opened,
    print_json,
    print_table,
)

if TYPE_CHECKING:
    from dateline.actions.progress import Figures, IssueFigures
    from dateline.actions.status import NewsletterStatus, Status
    from dateline.press import Press


@click.command()
@config_option
@json_option
def status(config_path: Path, *, as_json: bool) -> None:
    """What is due, what waits, what needs a person."""
    from dateline.actions.status import status as read_status

    press = opened(config_path)
    found = read_status(press)
    if as_json:
        print_json(as_plain(found))
    else:
        _print(press, found)


def as_plain(found: Status) -> dict[str, object]:
    """The status as JSON says it: quarantined posts by guid, books as counts."""
    from dateline.actions.progress import as_plain as figures_as_plain

    plain = asdict(found)
    plain["sending"] = figures_as_plain(found.sending)
    plain["quarantined"] = [
        {"guid": post.guid, "title": post.content.title, "fault": post.fault}
        for post in found.quarantined
    ]
    return plain


def _print(press: Press, found: Status) -> None:
    print_table(
        ("source", "read", "next", "faults"),
        [
            (
                source.source + (" (summaries only)" if source.summaries_only else ""),
                local_time(press, source.polled) or "never",
                local_time(press, source.next_poll),
                len(source.faults) or "",
            )
            for source in found.sources
        ],
    )
    for source in found.sources:
        for fault in source.faults:
            click.echo(f"  {fault}")
    click.echo()
    print_table(
        ("newsletter", "next due", "posts waiting", "last issue", "books"),
        [_row(press, one) for one in found.newsletters],
    )
    click.echo()
    if found.hubs:
        print_table(
            ("hub", "last asked", "said", "to be told", "next try"),
            [
                (
                    one.hub,
                    local_time(press, one.answered) or "never",
                    one.said,
                    one.waiting or "",
                    local_time(press, one.next_try),
                )
                for one in found.hubs
            ],
        )
        click.echo()
    click.echo(
        f"{found.posts} {'post is' if found.posts == 1 else 'posts are'} public."
        + _scheduled(press, found)
    )
    if found.open_notices:
        many = found.open_notices > 1
        click.echo(
            f"{found.open_notices:,} mails outside issues wait to be sent."
            if many
            else "1 mail outside issues waits to be sent."
        )
    click.echo("Delivery is running." if found.is_delivering else "Delivery is not running.")
    for line in sending_lines(found.sending, press.config.site.zone):
        click.echo(line)
    if found.needs:
        click.echo("\nNeeds a person:")
        for need in found.needs:
            click.echo(f"- {need}")
    else:
        click.echo("Nothing needs a person.")


def _row(press: Press, one: NewsletterStatus) -> tuple[object, ...]:
    due = local_time(press, one.next_due)
    if one.settling:
        due += " (one settles now)"
    last = f"{one.last.id} ({one.last.name}, {one.last.status})" if one.last else "none yet"
    return (one.newsletter, due, one.waiting, last, books_line(one))


def books_line(one: NewsletterStatus) -> str:
    """The books of the last issue in a line, without the states that nobody is in."""
    books = one.books
    if books is None:
        return ""
    counts = {
        "sent": books.sent,
        "queued": books.queued,
        "leased": books.leased,
        "deferred": books.deferred,
        "failed": books.failed,
        "excluded": books.excluded_total,
        "in doubt": books.in_doubt,
    }
    named = [f"{count} {name}" for name, count in counts.items() if count]
    return f"{books.recipients} = " + " + ".join(named) if named else "no recipients"


def sending_lines(figures: Figures, zone: tzinfo) -> list[str]:
    """What is being sent: the whole in a sentence, then a line an issue, then what holds it up or back."""
    from dateline.cli.sending import found_in_words, rate_in_words, time_in_words

    pulse = figures.pulse
    lines = []
    if figures.is_sending and pulse.workers:
        left = time_in_words(figures.time_left_s)
        workers = f"{pulse.workers} {'worker' if pulse.workers == 1 else 'workers'}"
        parts = [rate_in_words(pulse.rate_per_s), left and f"about {left} left", workers]
        lines.append(f"Sending: {', '.join(filter(None, parts))}.")
    lines += [f"  {_issue_line(one, zone)}" for one in figures.issues]
    if pulse.trouble:
        lines.append(f"Held up: {pulse.trouble}")
    return lines + [f"Found rate: {words}." for words in found_in_words(pulse.found_rates)]


def _issue_line(one: IssueFigures, zone: tzinfo) -> str:
    from dateline.cli.sending import clock_in_words, rate_in_words, time_in_words

    parts = [f"{one.done:,} of {one.books.recipients:,} done"]
    if one.books.deferred:
        retry = f" (next try {clock_in_words(one.next_retry, zone)})" if one.next_retry else ""
        parts.append(f"{one.books.deferred:,} deferred{retry}")
    if one.status == "paused":
        parts.append("paused")
    left = time_in_words(one.time_left_s)
    parts += filter(None, [rate_in_words(one.rate_per_s), left and f"about {left} left"])
    return f"Issue {one.issue} ({one.name}): {', '.join(parts)}"


def _scheduled(press: Press, found: Status) -> str:
    if found.next_scheduled is None:
        return ""
    return f" The next scheduled one is due {local_time(press, found.next_scheduled)}."
