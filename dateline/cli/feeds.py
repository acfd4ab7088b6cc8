"""`dateline feeds`: what is published."""

from pathlib import Path

import click

from dateline.cli.frame import config_option, json_option, opened, print_json, print_table


@click.group()
def feeds() -> None:
    """What is published: the feeds and their addresses."""


@feeds.command(name="list")
@config_option
@json_option
def list_command(config_path: Path, *, as_json: bool) -> None:
    """List all feeds, how many posts each selects, and its Atom address."""
    from dateline.actions.build import listed_feeds

    listed = listed_feeds(opened(config_path))
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
                }
                for one in listed
            ]
        )
        return
    print_table(
        ("feed", "title", "posts", "address"),
        ((one.feed.slug, one.feed.title, one.posts, one.url) for one in listed),
    )


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
