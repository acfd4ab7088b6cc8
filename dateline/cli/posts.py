"""`dateline posts`: the store by hand."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dateline.cli.frame import (
    config_option,
    json_option,
    opened,
    print_json,
    print_record,
    print_table,
)

if TYPE_CHECKING:
    from dateline.actions.posts import PostStory
    from posts.model import Post

STATUSES = ("draft", "scheduled", "published", "withdrawn")


@click.group()
def posts() -> None:
    """Look at posts, correct one, withdraw one, restore it."""


@posts.command("list")
@config_option
@click.option("--status", type=click.Choice(STATUSES), help="Only posts of this status.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many, the newest.")
@json_option
def list_posts(config_path: Path, status: str | None, limit: int | None, as_json: bool) -> None:
    """List the posts of any status, newest first."""
    from dateline.actions.posts import list_all
    from posts.dates import short_date
    from posts.model import Status

    press = opened(config_path)
    found = list_all(press, status=Status(status) if status else None, limit=limit)
    if as_json:
        print_json([_summary(post) for post in found])
        return
    zone = press.config.site.zone
    print_table(
        ("Date", "Status", "Title", "Slug", "Source"),
        (
            (
                short_date(post.published, zone, "en"),
                "quarantined" if post.fault else post.status.value,
                post.content.title,
                post.slug,
                post.source,
            )
            for post in found
        ),
    )


@posts.command()
@config_option
@click.argument("post")
@json_option
def show(config_path: Path, post: str, as_json: bool) -> None:
    """Show one post (by its guid or slug) and all that happened to it."""
    from dateline.actions.posts import show as find

    story = find(opened(config_path), post)
    if as_json:
        print_json(_story(story))
        return
    print_record({key: _shown(value) for key, value in _details(story.post).items()})
    print_table(
        ("No.", "What", "Revision", "When"),
        ((line.number, line.kind.value, line.revision, line.at) for line in story.changes),
        title="\nJournal",
    )


@posts.command()
@config_option
@click.argument("post")
@click.option(
    "--note",
    required=True,
    help="What was wrong, in plain text. Readers see it: in feeds, on the post's page and in the next issue.",
)
def correct(config_path: Path, post: str, note: str) -> None:
    """Add a correction to a public post (by its guid or slug), for its readers to see.

    The text itself is mended at its source; the note stays with the post whatever its source brings later.
    """
    from dateline.actions.posts import correct as add_note

    result = add_note(opened(config_path), post, note=note)
    title = result.post.content.title
    if result.change is None:
        click.echo(f'"{title}" carries this correction already; nothing changes.')
        return
    click.echo(f'Corrected "{title}". Feeds and its page show the note with the next build.')


@posts.command()
@config_option
@click.argument("post")
@click.option(
    "--reason",
    help="Why, in plain text. Readers see it: in the feeds' tombstone and on the page at the post's address.",
)
def withdraw(config_path: Path, post: str, reason: str | None) -> None:
    """Take a post back (by its guid or slug): out of feeds, pages and issues to come.

    Its address then answers 410 with a short page, and Atom feeds carry a tombstone, so that reader programs can
    remove it too. Say another --reason to change the public one.
    """
    from dateline.actions.posts import withdraw as take_back

    press = opened(config_path)
    result = take_back(press, post, reason=reason)
    title = result.post.content.title
    if result.change is None:
        click.echo(f'"{title}" is withdrawn; nothing changes for readers.')
        return
    click.echo(f'Withdrew "{title}". `{press.program} posts restore {result.post.slug}` undoes it.')


@posts.command()
@config_option
@click.argument("post")
def restore(config_path: Path, post: str) -> None:
    """Make a withdrawn post (by its guid or slug) public again."""
    from dateline.actions.posts import restore as bring_back

    result = bring_back(opened(config_path), post)
    title, status = result.post.content.title, result.post.status.value
    if result.change is None:
        click.echo(f'"{title}" is {status}; nothing to restore.')
        return
    click.echo(f'Restored "{title}". Readers who were mailed it are not mailed it again.')


def _summary(post: "Post") -> dict[str, object]:
    return {
        "guid": post.guid,
        "slug": post.slug,
        "title": post.content.title,
        "status": post.status,
        "published": post.published,
        "updated": post.updated,
        "revision": post.revision,
        "language": post.content.language,
        "tags": post.content.tags,
        "authors": post.content.authors,
        "link": post.content.link,
        "path": post.path,
        "source": post.source,
        "history": post.history,
        "fault": post.fault,
    }


def _details(post: "Post") -> dict[str, object]:
    return {
        **_summary(post),
        "external_id": post.external_id,
        "first_seen": post.first_seen,
        "summary": post.content.summary,
        "comments": post.content.comment_count,
        "enclosures": tuple(enclosure.url for enclosure in post.content.enclosures),
        "withdrawn_by": post.withdrawn_by,
        "withdrawal_reason": post.withdrawal_reason,
        "corrections": tuple(correction.note for correction in post.corrections),
    }


def _story(story: "PostStory") -> dict[str, object]:
    return {
        **_details(story.post),
        "html": story.post.content.html,
        "corrections": [
            {"at": correction.at, "note": correction.note, "revision": correction.revision}
            for correction in story.post.corrections
        ],
        "changes": [
            {"number": line.number, "kind": line.kind, "revision": line.revision, "at": line.at}
            for line in story.changes
        ],
    }


def _shown(value: object) -> object:
    return ", ".join(value) or None if isinstance(value, tuple) else value
