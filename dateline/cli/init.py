"""`dateline init`: begins a newsroom in a folder."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dateline.cli.frame import program

if TYPE_CHECKING:
    from dateline.actions.init import Answers, Begun


@click.command()
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path))
@click.option("--from", "blog", metavar="URL", help="A living blog to take title and posts from.")
@click.option("--title", help="The newsroom's name.")
@click.option("--url", help="This server's public address.  [default: http://127.0.0.1:8300]")
@click.option("--timezone", help="Zone in which schedules count.  [default: this machine's]")
@click.option("--content", metavar="DIR", help="Folder of posts.  [default: content]")
def init(
    folder: Path,
    blog: str | None,
    title: str | None,
    url: str | None,
    timezone: str | None,
    content: str | None,
) -> None:
    """Write a config.toml and a first post, or begin from a blog.

    Asks for what is missing at a terminal and takes defaults elsewhere. Nothing that exists is overwritten.
    """
    from dateline.actions.init import Answers, write_beginning
    from dateline.press import utc_now

    answers = Answers(title=title, web_url=url, timezone=timezone, content=_from(folder, content))
    if not (folder / "config.toml").exists():
        if blog:
            answers = _with_blog(answers, blog)
        answers = _asked(answers)
    elif blog:
        answers = replace(
            answers, feed_url=blog
        )  # nothing is written from it: config.toml is there
    begun = write_beginning(folder, answers, now=utc_now())
    for name in begun.written:
        click.echo(f"Wrote {folder / name}")
    for name in begun.kept:
        click.echo(f"Left as it is: {folder / name}")
    click.echo()
    click.echo("\n".join(next_steps(begun, is_blog=answers.feed_url is not None)))


def _from(folder: Path, content: str | None) -> str | None:
    """The folder of posts as config.toml names it: counted from there where it lies inside."""
    if content is None:
        return None
    target = Path(content).expanduser()
    inside, root = target.resolve(), folder.resolve()
    return str(inside.relative_to(root)) if inside.is_relative_to(root) else str(inside)


def _with_blog(answers: Answers, url: str) -> Answers:
    from dateline.actions.begin_from_blog import described_blog

    blog, is_private = described_blog(url)
    click.echo(f"Found: {blog.title}")
    click.echo(f"Its feed: {blog.feed_url}")
    return replace(
        answers,
        title=answers.title or blog.title,
        tagline=blog.tagline,
        language=blog.language,
        blog_url=blog.home_url,
        feed_url=blog.feed_url,
        allow_private=is_private,
    )


def _asked(answers: Answers) -> Answers:
    """The answers, completed at a terminal; elsewhere the defaults are taken."""
    from dateline.actions.init import build_beginning, local_timezone

    zone = answers.timezone or local_timezone(os.environ)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return replace(answers, timezone=zone)
    default = build_beginning(answers)
    title = answers.title or click.prompt("The newsroom's name", default=default.title)
    zone = answers.timezone or click.prompt("Time zone in which schedules count", default=zone)
    web_url = answers.web_url or click.prompt("This server's address", default=default.web_url)
    answers = replace(answers, title=title, timezone=zone, web_url=web_url)
    default = build_beginning(answers)
    sender = click.prompt("The address that mails come from", default=default.mail_from)
    return replace(answers, mail_from=sender)


def next_steps(begun: Begun, *, is_blog: bool) -> list[str]:
    """What to do next, with the command as it was called."""
    called = program()
    away = begun.folder.resolve() != Path.cwd()
    if away and "/" in called and " " not in called:
        called = str(Path(called).absolute())  # still right after the cd
    steps = [f"cd {shlex.quote(str(begun.folder))}"] if away else []
    steps += [
        f"{called} poll",
        f'{called} subscribers import READERS.csv --newsletter daily --consent "HOW AND WHEN"',
        f"{called} issues compose daily" + (" --latest 5" if is_blog else ""),
        f"{called} issues preview 1",
        f"{called} run",
    ]
    notes = [
        "the posts that are there",
        "your readers",
        "a first issue",
        "look at it",
        "the daemon",
    ]
    width = max(len(step) for step in steps)
    offset = len(steps) - len(notes)
    lines = [
        f"  {step:<{width}}  # {notes[index - offset]}" if index >= offset else f"  {step}"
        for index, step in enumerate(steps)
    ]
    return [
        "Next:",
        *lines,
        "",
        "Then set [mail] in config.toml: until then nobody is really mailed.",
    ]
