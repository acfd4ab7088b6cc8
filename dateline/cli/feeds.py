"""`dateline feeds`: what is published."""

import sys
from dataclasses import asdict
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
def feeds() -> None:
    """What is published: the feeds, their addresses, and our linter over them."""


@feeds.command(name="list")
@config_option
@json_option
def list_command(config_path: Path, *, as_json: bool) -> None:
    """List all feeds with their addresses, how many posts each has, and who asked for it in the last seven days.

    "Readers" is what services such as Feedly say of themselves; who reads with a program of his own is not in it.
    """
    from dateline.actions.audience import audience_of_feeds
    from dateline.actions.build import listed_feeds
    from dateline.cli.audience import audience_as_plain, audience_cells, audience_lines
    from feeds.audience_report import NOBODY

    press = opened(config_path)
    listed, audiences = listed_feeds(press), audience_of_feeds(press)
    if as_json:
        print_json(
            [
                {
                    "slug": one.feed.slug,
                    "title": one.feed.title,
                    "language": one.feed.language,
                    "posts": one.posts,
                    "size": one.feed.size,
                    "url": one.url,
                    "paths": one.paths,
                    "audience": audience_as_plain(audiences.get(one.feed.slug, NOBODY)),
                }
                for one in listed
            ]
        )
        return
    print_table(
        ("feed", "title", "posts", "readers", "304"),
        (
            (
                one.feed.slug,
                one.feed.title,
                one.posts,
                *audience_cells(audiences.get(one.feed.slug, NOBODY)),
            )
            for one in listed
        ),
    )
    web_url = press.config.web.url.rstrip("/")
    # In a column of their own, addresses were cut in two on 80 columns, and said the same each time.
    click.echo(
        f"Each at {web_url}/feeds/FEED.atom, .rss and .json; its page at {web_url}/feeds/FEED/."
    )
    for line in audience_lines(audiences):
        click.echo(line)


@feeds.command(name="check")
@config_option
@click.argument("feed", required=False)
@json_option
def check_command(config_path: Path, feed: str | None, *, as_json: bool) -> None:
    """Read every published document back (or those of FEED), and name each rule that is broken.

    The rules are those of Atom, RSS and JSON Feed, and between documents: one id in all formats, an archive that is
    whole. A build asks the same linter before a document goes live. Exit code 1 where there is a fault.
    """
    from dateline.actions.feeds import check_feeds

    result = check_feeds(opened(config_path), feed=feed)
    if as_json:
        print_json(
            {"documents": result.documents, "faults": [asdict(fault) for fault in result.faults]}
        )
    else:
        for fault in result.faults:
            click.echo(str(fault))
        faults = len(result.faults)
        told = f"{faults} fault{'s' * (faults != 1)}" if faults else "no fault"
        click.echo(f"{result.documents} documents read, {told}.")
    if result.faults:
        sys.exit(1)


@feeds.command(name="nginx")
@config_option
@click.option(
    "--proxy", "is_proxy", is_flag=True, help="Hand what is no file to the running daemon."
)
def nginx_command(config_path: Path, *, is_proxy: bool) -> None:
    """Print a file for nginx that serves `public/` as `dateline run` does.

    Write it to /etc/nginx/conf.d/, and again after a change of addresses, hubs, redirects or feeds.
    """
    from dateline.actions.nginx import nginx_file

    click.echo(nginx_file(opened(config_path), is_proxy=is_proxy), nl=False)


@feeds.command(name="ping")
@config_option
@json_option
def ping_command(config_path: Path, *, as_json: bool) -> None:
    """Tell the hubs of [websub] now which feeds have changed; exit code 1 where one was not told.

    `dateline run` does this by itself. It is for who builds here and copies `public/` elsewhere: ping when the copy is
    there, for hubs fetch at once what they are told of. Repeating it tells nothing twice.
    """
    from dateline.actions.ping import hub_statuses, ping_hubs

    press = opened(config_path)
    told = {one.hub: one.told for one in ping_hubs(press)}
    found = hub_statuses(press)
    if as_json:
        print_json([{"told": told.get(one.hub, 0), **asdict(one)} for one in found])
    elif not found:
        click.echo("There are no hubs. [websub] hubs names them.")
    else:
        print_table(
            ("hub", "told", "to be told", "refused", "said", "next try"),
            (
                (
                    one.hub,
                    told.get(one.hub, 0),
                    one.waiting,
                    one.given_up,
                    one.said,
                    local_time(press, one.next_try),
                )
                for one in found
            ),
        )
    if any(one.waiting or one.given_up for one in found):
        raise SystemExit(1)
