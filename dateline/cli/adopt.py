"""`dateline adopt`: what this press has done that its database does not know, and going on all the same."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dateline.cli.frame import (
    config_option,
    confirm_typed,
    json_option,
    local_time,
    opened,
    print_json,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dateline.actions.adopt import Adopted, ReleasedSince, Survey, UnfinishedIssue
    from dateline.press import Press


@click.command()
@click.option(
    "--mail-again/--skip",
    "mail_again",
    default=None,
    help="Mail again what was released since, as the database says, or count it as mailed.",
)
@click.option("--yes", is_flag=True, help="Adopt without asking.")
@config_option
@json_option
def adopt(mail_again: bool | None, yes: bool, config_path: Path, as_json: bool) -> None:
    """Go on after a hold: the database was copied, restored, or moved to another machine.

    Shows first what this press has done that its database does not know. Without --mail-again or --skip that is all.
    Both do again what readers have asked for since, and pause unfinished issues. docs/restoring.md says when to take
    which.
    """
    from dateline.actions.adopt import adopt as adopt_database
    from dateline.actions.adopt import survey

    press = opened(config_path)
    found = survey(press)
    if found is None:
        if as_json:
            print_json({"held": False, "adopted": False})
        else:
            click.echo("Nothing is held: there is nothing to adopt.")
        return
    if not as_json:
        for line in told(press, found):
            click.echo(line)
    if mail_again is None:
        if as_json:
            print_json({"held": True, "adopted": False, **asdict(found)})
        return
    way = "mail-again" if mail_again else "skip"
    _confirm(f"Adopt this database (--{way})?", way, yes=yes)
    done = adopt_database(press, skip=not mail_again)
    if as_json:
        result = asdict(done) if done is not None else {}
        print_json({"held": False, "adopted": done is not None, **asdict(found), **result})
        return
    click.echo()
    for line in _done(press, done):
        click.echo(line)


def told(press: Press, found: Survey) -> Iterator[str]:
    """A survey in words: why, what was done since, what each choice will do."""
    yield f"Nothing is mailed: {found.reason}."
    if found.is_whole:
        yield "Since the database was copied, this press has done what follows."
    else:
        yield (
            "What was done since the copy was made, the counterfoil cannot know"
            + ("; it names what follows." if found.released or _acts(found) else ".")
        )
    for issue in found.released:
        yield f"- {_released(press, issue)}"
    for line in _acts(found):
        yield f"- {line}"
    for unfinished in found.unfinished:
        yield f"- {_unfinished(unfinished)}"
    yield ""
    yield "Both ways do again what readers asked for, and pause unfinished issues. Then mail goes on."
    yield f"  --mail-again  {_again(found)}"
    yield f"  --skip        {_skip(found)}"


def _released(press: Press, issue: ReleasedSince) -> str:
    name = f"{issue.newsletter} No. {issue.number}" if issue.number else issue.newsletter
    what = f"Issue {issue.issue} ({name}) was released {local_time(press, issue.at)} to {_count(issue.recipients, 'recipient')}"
    if issue.was_mailed:
        return f"{what}; how many of them have it, the counterfoil cannot know."
    return f"{what}; sending had not begun, nobody has it."


def _unfinished(issue: UnfinishedIssue) -> str:
    what = f"Issue {issue.issue} ({issue.name}) is {issue.status} in this database: {issue.open} are open"
    if issue.batches is None:
        return f"{what}; how many of them have it by now, nobody can say."
    if issue.batches:
        return f"{what}; {_count(issue.batches, 'batch', 'batches')} of it went on since."
    return f"{what}; nothing of it went on since."


def _acts(found: Survey) -> list[str]:
    """What readers and editors did, a line each."""
    lines = [
        (found.left, "reader left", "readers left"),
        (found.paused, "reader paused", "readers paused"),
        (found.erased, "reader was erased", "readers were erased"),
        (found.suppressed, "address was suppressed", "addresses were suppressed"),
    ]
    said = [f"{_count(count, one, many)}; done again." for count, one, many in lines if count]
    if found.cancelled:
        said.append(
            f"Cancelled: {', '.join(f'issue {one}' for one in found.cancelled)}; done again."
        )
    if found.came_back:
        said.append(
            f"{_count(found.came_back, 'reader', 'readers')} confirmed or came back; whom this database does not "
            "know has to sign up again."
        )
    if found.unsuppressed:
        said.append(
            f"{_count(found.unsuppressed, 'address', 'addresses')} came off the list of the suppressed; not done again."
        )
    return said


def _again(found: Survey) -> str:
    words = ["Mail goes on as the database says."]
    if found.released:
        words.append("What was released since is composed and mailed again: readers get it twice.")
    if found.unfinished:
        words.append(
            "An unfinished issue goes on, once resumed, where this database stands: whoever got it since gets it twice."
        )
    return " ".join(words)


def _skip(found: Survey) -> str:
    words = "What was released since counts as mailed: nobody gets it again."
    if found.unfinished:
        words += (
            " What went on of unfinished issues is held in doubt; `issues report N` names it, "
            "`issues resolve N` settles it."
        )
    return words


def _done(press: Press, done: Adopted | None) -> Iterator[str]:
    if done is None:
        yield "It was adopted already."
        return
    yield "The database is adopted; mail goes on."
    again = done.replayed
    counts = [
        (again.left, "unsubscribed"),
        (again.paused, "paused"),
        (again.erased, "erased"),
        (again.suppressed, "suppressed"),
        (again.cancelled, "issues cancelled"),
    ]
    said = [f"{count} {word}" for count, word in counts if count]
    if said:
        yield f"Done again: {', '.join(said)}."
    for name, end in done.ends.items():
        yield f"{name} counts as mailed up to journal line {end}."
    for issue in done.drafts_taken_back:
        yield f"Draft {issue} is taken back: it was mailed."
    for issue, count in done.doubts.items():
        yield f"{count} of issue {issue} are held in doubt: `{press.program} issues report {issue}`."
    for issue in done.paused_issues:
        yield (
            f"Issue {issue} is paused: `{press.program} issues resume {issue}` goes on with it, "
            f"`{press.program} issues cancel {issue}` ends it."
        )


def _confirm(question: str, word: str, *, yes: bool) -> None:
    """Asks; without a terminal and without --yes it is bad usage, as for a release."""
    from posts.errors import Refused

    try:
        confirm_typed(question, word, yes=yes)
    except Refused as error:
        raise click.UsageError(str(error)) from error


def _count(count: int, one: str, many: str | None = None) -> str:
    return f"{count} {one}" if count == 1 else f"{count} {many or one + 's'}"
