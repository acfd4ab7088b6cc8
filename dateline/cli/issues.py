"""`dateline issues`: composing, looking at, releasing and stopping issues."""

from collections.abc import Iterable
from dataclasses import asdict, fields
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dateline.cli.frame import (
    config_option,
    confirm_typed,
    json_option,
    json_text,
    local_time,
    maildir_hint,
    opened,
    print_json,
    print_record,
    print_table,
    who_sends,
)
from dateline.press import Press

if TYPE_CHECKING:
    from dateline.actions.books import Report
    from newsletter.books import Doubt

_NAMED = 100
"""So many who were in doubt a report names unasked."""

number = click.argument("issue_id", metavar="N", type=int)


@click.group()
def issues() -> None:
    """Issues by hand: list, compose, preview, release, stop."""


@issues.command("list")
@click.option("--newsletter", help="Only those of this newsletter.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=30,
    show_default=True,
    help="At most so many: the newest.",
)
@config_option
@json_option
def list_(newsletter: str | None, limit: int, config_path: Path, as_json: bool) -> None:
    """The newest issues with their books, newest first."""
    from dateline.actions.issues import count_issues, list_records

    press = opened(config_path)
    records = list_records(press, newsletter=newsletter, limit=limit)
    more = count_issues(press, newsletter=newsletter) - len(records)
    if as_json:
        print_json(records)
        _tell_more(more, "issues list")
        return
    if not records:
        click.echo(f"No issues yet. `{press.program} issues compose NEWSLETTER` makes one now.")
        return
    print_table(
        (
            "Id",
            "Newsletter",
            "No.",
            "Status",
            "Posts",
            "To",
            "Sent",
            "Waiting",
            "Not sent",
            "Date",
        ),
        [
            (
                record["id"],
                record["newsletter"],
                record["number"],
                record["status"],
                record["posts"],
                record["recipients"],
                record["sent"],
                record["waiting"],
                record["not_sent"],
                local_time(press, record["date"]),
            )
            for record in records
        ],
    )
    _tell_more(more, "issues list")


@issues.command()
@number
@config_option
@json_option
def show(issue_id: int, config_path: Path, as_json: bool) -> None:
    """One issue: its posts, its range, its books."""
    from dateline.actions.issues import get_record, list_titles

    press = opened(config_path)
    record = {**get_record(press, issue_id), "titles": list_titles(press, issue_id)}
    if as_json:
        print_json(record)
        return
    titles = record.pop("titles")
    record["date"] = local_time(press, record["date"])
    record["released"] = local_time(press, record["released"])
    record["finished"] = local_time(press, record["finished"])
    for reason, count in record.pop("excluded_by").items():
        record[f"excluded ({reason})"] = count
    record["deliveries"] = "only totals are kept" if record.pop("only_totals") else ""
    print_record({key: value for key, value in record.items() if value not in (None, "")})
    for title in titles:
        click.echo(f"  {title}")


@issues.command()
@click.argument("newsletter")
@click.option("--frequency", help="Whose next issue, where the newsletter has several.")
@click.option(
    "--latest",
    type=click.IntRange(min=1),
    metavar="K",
    help="A special issue of the newest K posts.",
)
@click.option(
    "--since", metavar="DATE", help="A special issue of the posts from this day (or moment) on."
)
@click.option(
    "--until", metavar="DATE", help="... and up to the end of this day (or before this moment)."
)
@click.option(
    "--posts",
    "guids",
    multiple=True,
    metavar="GUID",
    help="A special issue of chosen posts; may be repeated.",
)
@click.argument("more", nargs=-1, metavar="")
@config_option
@json_option
def compose(
    newsletter: str,
    frequency: str | None,
    latest: int | None,
    since: str | None,
    until: str | None,
    guids: tuple[str, ...],
    more: tuple[str, ...],
    config_path: Path,
    as_json: bool,
) -> None:
    """Make the next issue of NEWSLETTER now, as a draft; with options a special one."""
    from dateline.actions.compose import compose as compose_issue

    if more and not guids:
        raise click.UsageError(f"Got an unexpected argument: {more[0]}")
    ways = [latest is not None, since is not None or until is not None, bool(guids)]
    if sum(ways) > 1:
        raise click.UsageError("Give one of --latest, --since/--until and --posts.")
    if any(ways) and frequency is not None:
        raise click.UsageError(
            "A special issue goes to all active subscribers: leave --frequency out."
        )
    press = opened(config_path)
    start, end = _moment(press, since, end=False), _moment(press, until, end=True)
    if start is not None and end is not None and start >= end:
        raise click.UsageError(f"--since {since} is not before --until {until}.")
    made = compose_issue(
        press,
        newsletter,
        frequency=frequency,
        latest=latest,
        since=start,
        until=end,
        posts=[*guids, *more] or None,
    )
    if as_json:
        print_json(
            {
                "issue": made.issue.id if made.issue else None,
                "number": made.issue.number if made.issue else None,
                "posts": [post.guid for post in made.posts],
                "left_out": [{"post": one.post.guid, "why": one.why} for one in made.left_out],
                "shortened": list(made.shortened),
            }
        )
        return
    if made.issue is None:
        click.echo("No issue made: nothing is left to print.")
    else:
        click.echo(
            f"Issue {made.issue.id} ({made.issue.name}) is a draft of {_count(len(made.posts), 'post')}:"
        )
        for post in made.posts:
            click.echo(f"  {post.content.title}")
    for line in made.shortened:
        click.echo(f"Shortened: {line}")
    if made.left_out:
        click.echo("Left out:")
        for one in made.left_out[:50]:
            click.echo(f"  {one.post.content.title}: {one.why}.")
        if len(made.left_out) > 50:
            click.echo(f"  and {len(made.left_out) - 50} more.")
    if made.remedy:
        click.echo(made.remedy)
    if made.issue is not None:
        program = press.program
        click.echo(f"Look at it: {program} issues preview {made.issue.id}")
        click.echo(f"Send it: {program} issues release {made.issue.id}")


@issues.command()
@number
@config_option
@json_option
def preview(issue_id: int, config_path: Path, as_json: bool) -> None:
    """Write the issue as readers will see it into var/preview/."""
    from dateline.actions.release import preview as preview_issue

    made = preview_issue(opened(config_path), issue_id)
    if as_json:
        print_json({"issue": made.issue.id, "files": [str(path) for path in made.files]})
        return
    for path in made.files:
        click.echo(str(path))


@issues.command()
@number
@click.argument("address")
@config_option
def test(issue_id: int, address: str, config_path: Path) -> None:
    """Send the issue to one address as a test."""
    from dateline.actions.deliver import deliver_notices
    from dateline.actions.release import send_test
    from newsletter.notices import get_fate
    from posts.database import reading

    press = opened(config_path)
    notice = send_test(press, issue_id, address)
    result = deliver_notices(press)
    with reading(press.engine) as conn:
        state, reply = get_fate(conn, notice)
    because = f": {reply or result.trouble}" if reply or result.trouble else ""
    if state == "sent":
        click.echo("The test mail is sent.")
    elif state in ("failed", "excluded"):
        click.echo(f"The test mail was not sent{because}.", err=True)
    elif result.by is not None:
        click.echo("The test mail is queued. The running daemon sends it.")
    else:
        click.echo(f"The test mail is queued, but not sent yet{because}. {who_sends(press)}")
    maildir_hint(press)
    if state in ("failed", "excluded"):
        raise click.exceptions.Exit(1)


@issues.command()
@number
@click.option("--yes", is_flag=True, help="Release without asking.")
@config_option
@json_option
def release(issue_id: int, yes: bool, config_path: Path, as_json: bool) -> None:
    """Release a draft to its readers."""
    from dateline.actions.issues import count_readers, get_record
    from dateline.actions.release import release as release_issue

    press = opened(config_path)
    record = get_record(press, issue_id)
    if record["status"] == "draft":
        readers = count_readers(press, issue_id)
        people = "1 reader" if readers == 1 else f"{readers} readers"
        question = (
            f"Release issue {issue_id} ({record['newsletter']} No. {record['number']}) to {people}?"
        )
        _confirm(question, str(issue_id), yes=yes)
    made = release_issue(press, issue_id)
    if as_json:
        print_json(get_record(press, issue_id))
    else:
        out = f", {made.excluded} of them excluded" if made.excluded else ""
        click.echo(
            f"Issue {issue_id} ({made.issue.name}) is released: {_count(made.recipients, 'recipient')}{out}, {_count(made.editions, 'edition')}."
        )
        if made.recipients == made.excluded:
            click.echo("Nobody is to be mailed: the issue is done.")
            return
        click.echo(who_sends(press))
    maildir_hint(press)


@issues.command()
@number
@config_option
def pause(issue_id: int, config_path: Path) -> None:
    """Stop sending an issue for now."""
    from dateline.actions.release import pause as pause_issue

    pause_issue(opened(config_path), issue_id)
    click.echo(f"Issue {issue_id} is paused; `issues resume {issue_id}` goes on.")


@issues.command()
@number
@config_option
def resume(issue_id: int, config_path: Path) -> None:
    """Go on with a paused issue."""
    from dateline.actions.release import resume as resume_issue

    press = opened(config_path)
    resume_issue(press, issue_id)
    click.echo(f"Issue {issue_id} goes on. {who_sends(press)}")
    maildir_hint(press)


@issues.command()
@number
@click.option("--yes", is_flag=True, help="Cancel without asking.")
@config_option
def cancel(issue_id: int, yes: bool, config_path: Path) -> None:
    """End an issue: a draft was never there, of a released one the rest is not sent."""
    from dateline.actions.issues import get_record
    from dateline.actions.release import cancel as cancel_issue

    press = opened(config_path)
    if get_record(press, issue_id)["status"] != "draft":
        question = f"Cancel issue {issue_id}? Whoever has not got it yet never will."
        _confirm(question, str(issue_id), yes=yes)
    cancel_issue(press, issue_id)
    click.echo(f"Issue {issue_id} is cancelled.")


@issues.command()
@number
@click.option("--failed", is_flag=True, required=True, help="Offer those that failed once more.")
@config_option
def retry(issue_id: int, failed: bool, config_path: Path) -> None:
    """Offer failed deliveries once more."""
    from dateline.actions.books import retry_failed

    press = opened(config_path)
    count = retry_failed(press, issue_id) if failed else 0
    if not count:
        click.echo(f"Nothing of issue {issue_id} has failed; `issues report {issue_id}` tells all.")
        return
    what = "1 delivery is" if count == 1 else f"{count} deliveries are"
    click.echo(f"{what} offered again. {who_sends(press)}")
    maildir_hint(press)


@issues.command()
@number
@click.argument("addresses", nargs=-1, metavar="[ADDRESS]...")
@click.option("--resend", "how", flag_value="resend", help="Send them again.")
@click.option("--sent", "how", flag_value="sent", help="Take them as sent.")
@config_option
def resolve(issue_id: int, addresses: tuple[str, ...], how: str | None, config_path: Path) -> None:
    """Settle deliveries in doubt, all of the issue or those to ADDRESS: send them again, or take them as sent."""
    from dateline.actions.books import resolve as resolve_doubts

    if how is None:
        raise click.UsageError("Say what becomes of them: --resend or --sent.")
    press = opened(config_path)
    count = resolve_doubts(press, issue_id, how == "resend", addresses)
    if not count:
        click.echo(f"Nothing of issue {issue_id} is in doubt; nothing changed.")
        return
    what = "1 delivery in doubt is" if count == 1 else f"{count} deliveries in doubt are"
    if how == "sent":
        click.echo(f"{what} taken as sent.")
        return
    click.echo(f"{what} offered again. {who_sends(press)}")
    maildir_hint(press)


@issues.command()
@number
@click.option("--all", "every", is_flag=True, help="Name all that were in doubt, however many.")
@config_option
@json_option
def report(issue_id: int, every: bool, config_path: Path, as_json: bool) -> None:
    """What became of an issue: its books, refusals by code, deliveries in doubt."""
    from dateline.actions.books import list_all_doubts
    from dateline.actions.books import report as report_issue

    press = opened(config_path)
    made = report_issue(press, issue_id, limit=_NAMED)
    if as_json:
        _print_report_json(made, list_all_doubts(press, issue_id) if every else made.doubts)
        return
    books = made.books
    print_record(
        {
            "recipients": books.recipients,
            "sent": books.sent,
            "queued": books.queued,
            "leased": books.leased,
            "deferred": books.deferred,
            "failed": books.failed,
            "in doubt": books.in_doubt,
            **{f"excluded ({reason})": count for reason, count in books.excluded.items()},
        }
    )
    if made.only_totals:
        click.echo("Only totals are kept of this issue; [privacy] keep_deliveries says how long.")
    if made.errors:
        print_table(
            ("Code", "State", "How many", "Example", "What to do"),
            [(e.code, e.state, e.amount, e.example, e.advice) for e in made.errors],
        )
    for doubt in list_all_doubts(press, issue_id) if every else made.doubts:
        who = doubt.address or f"subscriber {doubt.subscriber} (erased)"
        when = local_time(press, doubt.at)
        became = f"was in doubt, then {doubt.settled}" if doubt.settled else "is in doubt"
        click.echo(f"{who} {became} ({doubt.why}, {when}).")
    left = made.doubts_total - len(made.doubts)
    if left and not every:
        click.echo(f"And {left} more in doubt: `issues report {issue_id} --all` names each.")
    for before, line, after in made.sealed_anew:
        click.echo(
            f"Sealed anew for the withdrawal in journal line {line}: {before[:12]} became {after[:12]}."
        )


def _print_report_json(made: "Report", doubts: Iterable["Doubt"]) -> None:
    """The report as one JSON object; its doubts come one by one, since they may be many."""
    head = {
        field.name: getattr(made, field.name) for field in fields(made) if field.name != "doubts"
    }
    click.echo(json_text({**head, "books": asdict(made.books)})[:-2] + ',\n  "doubts": [', nl=False)
    between = "\n    "
    for doubt in doubts:
        click.echo(between + json_text(asdict(doubt)).replace("\n", "\n    "), nl=False)
        between = ",\n    "
    click.echo("\n  ]\n}")


def _tell_more(more: int, command: str) -> None:
    """On standard error: that a list was cut, and how to get the rest."""
    if more > 0:
        click.echo(f"And {more} older: `{command} --limit N` shows more.", err=True)


def _confirm(question: str, word: str, *, yes: bool) -> None:
    """Asks; without a terminal and without --yes it is bad usage (exit 2, DESIGN.md 6)."""
    from posts.errors import Refused

    try:
        confirm_typed(question, word, yes=yes)
    except Refused as error:
        raise click.UsageError(str(error)) from error


def _count(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def _moment(press: Press, text: str | None, *, end: bool) -> datetime | None:
    """A day or a moment in the site's zone; as an end, a day counts whole."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.UsageError(
            f'"{text}" is not a date; write it as 2009-09-15 or 2009-09-15T08:00.'
        ) from error
    if end and moment.time() == time(0) and len(text) <= 10:
        moment += timedelta(days=1)
    return moment if moment.tzinfo else moment.replace(tzinfo=press.config.site.zone)
