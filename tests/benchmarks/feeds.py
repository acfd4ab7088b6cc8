"""Building the feeds of 1,000 and 10,000 posts of 6 kB, and adding one post to 10,000, against plain feedgen.

The baseline is feedgen used as its documentation shows, Atom and RSS, in memory; ours is Atom, RSS and JSON. Variants
take turns, and the figures are medians.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from statistics import median

import sqlalchemy as sa
from feedgen.feed import FeedGenerator

from feeds.document import build_document, document_updated
from feeds.entry import render_entry
from feeds.files import write_atomically
from feeds.fragments import Fragments, fragment_stamp
from feeds.publish import Outlet, publish_feeds
from feeds.spec import MEDIA_TYPES, list_feeds
from newsletter import tables as _newsletter_tables  # noqa: F401  registers its tables
from posts import store
from posts.database import open_engine, reading, writing
from posts.model import Content, IncomingPost, Post, post_url
from posts.reconcile import decision
from posts.tables import metadata
from tests.feeds.arrange import NOON, WEB_URL, a_content, a_post, a_site

WORDS = "the bridge at night señaló la frontera مرحبا 新聞 <b>“tape”</b> &amp; "


def main(arguments: Sequence[str]) -> None:
    """Runs both parts and prints their ratios."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks feeds")
    parser.add_argument("--posts", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    for count in options.posts:
        build_all(count, options.rounds)
    add_one(max(options.posts), options.rounds)


def body(number: int) -> str:
    """Six kilobytes of HTML in several scripts, different for each post."""
    paragraph = f"<p>{number} {WORDS * 6}</p>\n"
    return paragraph * (6_000 // len(paragraph.encode()) + 1)


def some_posts(count: int) -> list[Post]:
    """So many public posts, newest first."""
    return [
        a_post(
            number, html=body(number), title=f"Post {number}", summary="In short.", tags=("Air",)
        )
        for number in range(count, 0, -1)
    ]


def feedgen_rebuild(posts: Sequence[Post]) -> dict[str, bytes]:
    """Plain feedgen: every entry again, Atom and RSS."""
    generator = FeedGenerator()
    generator.id(WEB_URL)
    generator.title("The Border Reporter")
    generator.link(href=WEB_URL, rel="alternate")
    generator.description("News")
    for post in posts:
        entry = generator.add_entry(order="append")
        entry.id(post.guid)
        entry.title(post.content.title)
        entry.link(href=post_url(post, WEB_URL))
        entry.summary(post.content.summary)
        entry.content(post.content.html, type="html")
        entry.published(post.published)
        entry.updated(post.updated)
        entry.category(term="air")
    return {"atom": generator.atom_str(), "rss": generator.rss_str()}


def write_feedgen(posts: Sequence[Post], folder: Path) -> None:
    """The same, written and synced as we write."""
    for format_, document in feedgen_rebuild(posts).items():
        write_atomically(folder / f"all.{format_}", document)


def documents(posts: Sequence[Post], entries: Sequence[dict[str, bytes]]) -> int:
    """Our three documents of all these entries, joined; the bytes they have."""
    feed = list_feeds(a_site())[0]
    return sum(
        len(
            build_document(
                feed,
                format_,
                site=a_site(),
                web_url=WEB_URL,
                updated=document_updated(posts),
                entries=[entry[format_] for entry in entries],
            )
        )
        for format_ in MEDIA_TYPES
    )


def render(posts: Sequence[Post]) -> list[dict[str, bytes]]:
    """Every entry in every format."""
    return [render_entry(post, web_url=WEB_URL, tag_slugs={"Air": "air"}) for post in posts]


def build_all(count: int, rounds: int) -> None:
    """All posts in one document a format: from nothing, and from kept entries."""
    posts = some_posts(count)
    entries = render(posts)
    stamps = {post.guid: fragment_stamp(post, WEB_URL, {"Air": "air"}) for post in posts}
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(Fragments(Path(folder) / "fragments.db")) as fragments,
    ):
        fragments.save(
            (post.guid, stamps[post.guid], entry)
            for post, entry in zip(posts, entries, strict=True)
        )

        def kept() -> int:
            found = fragments.find(stamps)
            return documents(posts, [found[post.guid] for post in posts])

        taken = compare(
            {
                "feedgen, Atom and RSS": lambda: feedgen_rebuild(posts),
                "ours from nothing, Atom, RSS and JSON": lambda: documents(posts, render(posts)),
                "ours, entries kept on disk": kept,
                "ours, join only": lambda: documents(posts, entries),
            },
            rounds if count <= 1_000 else max(3, rounds // 2),
        )
    report(f"{count:,} posts in one document a format", taken)


def add_one(count: int, rounds: int) -> None:
    """One post more in a store of so many: the main feed, uncompressed, written and synced."""
    posts = some_posts(count)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        engine = open_engine(f"sqlite:///{folder / 'dateline.db'}")
        metadata.create_all(engine)
        save(engine, range(1, count + 1))
        outlet = Outlet(
            site=a_site(),
            web_url=WEB_URL,
            configured=(),
            public=folder / "public",
            built=folder / "built",
        )
        publish(engine, outlet, None)
        new = iter(range(count + 1, count + 1_000))
        taken: dict[str, list[float]] = {}
        for _ in range(rounds):
            note(taken, "feedgen, all again, Atom and RSS", lambda: write_feedgen(posts, folder))
            note(taken, "feedgen, the same, not even written", lambda: feedgen_rebuild(posts))
            for _ in range(3):
                save(engine, [next(new)])
                note(
                    taken, "ours, one post more, main feed", lambda: publish(engine, outlet, "all")
                )
                publish(engine, outlet, None)
                save(engine, [next(new)])
                note(
                    taken, "ours, one post more, all 3 feeds", lambda: publish(engine, outlet, None)
                )
                note(taken, "ours, no news", lambda: publish(engine, outlet, None))
        engine.dispose()
    report(f"one post added to {count:,} (documents of 50, written and synced)", taken)


def publish(engine: sa.Engine, outlet: Outlet, only: str | None) -> int:
    """One build, as the daemon does it."""
    with reading(engine) as conn:
        return len(publish_feeds(conn, outlet, only=only).written)


def save(engine: sa.Engine, numbers: Sequence[int]) -> None:
    """Stores posts with these numbers, 100 a transaction."""
    for start in range(0, len(numbers), 100):
        with writing(engine) as conn:
            for number in numbers[start : start + 100]:
                save_one(conn, number)


def save_one(conn: sa.Connection, number: int) -> None:
    """Stores a new post."""
    moment = NOON + timedelta(minutes=number)
    content: Content = a_content(
        html=body(number), title=f"Post {number}", summary="In short.", tags=("Air",)
    )
    incoming = IncomingPost(
        source="content",
        external_id=str(number),
        place=str(number),
        title=content.title,
        raw_html=content.html,
        published=moment,
    )
    choice = decision(incoming, content, None, now=moment, site=a_site(), first_poll=False)
    store.save_post(conn, incoming, choice, now=moment)


def note(taken: dict[str, list[float]], name: str, work: Callable[[], object]) -> None:
    """Measures one run of `work`."""
    started = time.perf_counter()
    work()
    taken.setdefault(name, []).append(time.perf_counter() - started)


def compare(variants: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each variant, the variants taking turns."""
    taken: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, work in variants.items():
            note(taken, name, work)
    return taken


def report(title: str, taken: dict[str, list[float]]) -> None:
    """Prints medians, and how many times faster than the first variant each is."""
    print(f"\n{title}")
    baseline = median(next(iter(taken.values())))
    for name, seconds in taken.items():
        middle = median(seconds)
        print(
            f"  {name:48} {middle * 1000:10.1f} ms  {baseline / middle:8.1f}x  ({len(seconds)} runs)"
        )
