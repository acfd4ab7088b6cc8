"""Feeds of 10,000 and 100,000 posts of 6 kB: adding one post, building all again, and memory, against plain feedgen.

The baseline is feedgen used as its documentation shows: RSS and Atom of all posts, compressed (gzip and brotli, at our
levels) and written and synced as ours are. Ours is Atom, RSS and JSON, in documents of 50 to 99 entries that our own
linter has passed, with the archive behind them. Variants take turns; the figures are medians.
"""

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from statistics import median

import sqlalchemy as sa
from feedgen.feed import FeedGenerator

from feeds.document import build_document, document_updated
from feeds.entry import render_entry
from feeds.files import Draft, write_documents
from feeds.fragments import Fragments, fragment_stamp
from feeds.outlet import Outlet
from feeds.publish import publish_feeds
from feeds.rendering import FULL
from feeds.spec import MEDIA_TYPES, list_feeds
from newsletter import tables as _newsletter_tables  # noqa: F401  registers its tables
from posts import store
from posts.database import open_engine, reading, writing
from posts.model import Content, IncomingPost, Post, post_url
from posts.outlines import outline_of
from posts.reconcile import decision
from posts.tables import metadata
from tests.feeds.arrange import NOON, WEB_URL, a_content, a_post, a_site

WORDS = "the bridge at night señaló la frontera مرحبا 新聞 <b>“tape”</b> &amp; "
SLUGS = {"Air": "air"}


def main(arguments: Sequence[str]) -> None:
    """Runs the parts that are asked for and prints their ratios."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks feeds")
    parser.add_argument("--posts", type=int, nargs="+", default=[10_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--parts", nargs="+", default=["all", "one"], choices=["all", "one"])
    parser.add_argument("--tags", type=int, default=1, help="so many tags, each post has one")
    parser.add_argument("--feedgen-rounds", type=int, help="of the slow baseline, where it is long")
    parser.add_argument("--child", choices=["feedgen", "ours"], help="for itself")
    options = parser.parse_args(arguments)
    if options.child:
        measure_memory(options.child, options.posts[0], options.tags)
        return
    for count in options.posts:
        if "all" in options.parts:
            build_all(count, options.rounds)
    if "one" in options.parts:
        with tempfile.TemporaryDirectory() as folder:
            add_one(options, Path(folder))


def body(number: int) -> str:
    """Six kilobytes of HTML in several scripts, which compress to a third as prose does; the same for the same number."""
    chance = random.Random(number)
    return "".join(
        f"<p>{WORDS} {' '.join(chance.choices(_VOCABULARY, _WEIGHTS, k=95))}.</p>\n"
        for _ in range(9)
    )


def _vocabulary(size: int) -> list[str]:
    chance = random.Random(1)
    sounds = [
        "an",
        "be",
        "ci",
        "do",
        "er",
        "fu",
        "gra",
        "hi",
        "jo",
        "ka",
        "lu",
        "mi",
        "ná",
        "or",
        "pe",
        "qui",
        "ro",
        "sta",
        "te",
        "ur",
        "vi",
        "ya",
        "zo",
        "ñe",
    ]
    return ["".join(chance.choices(sounds, k=chance.randint(1, 4))) for _ in range(size)]


_VOCABULARY = _vocabulary(4_000)
_WEIGHTS = [1 / (rank + 3) for rank in range(len(_VOCABULARY))]


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
    """The same, compressed, written and synced as we write."""
    with ThreadPoolExecutor(4) as pool:
        write_documents(
            [
                Draft(path=folder / f"all.{format_}", body=document, changed=NOON)
                for format_, document in feedgen_rebuild(posts).items()
            ],
            pool,
        )


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
    return [render_entry(post, web_url=WEB_URL, tag_slugs=SLUGS) for post in posts]


def build_all(count: int, rounds: int) -> None:
    """All posts in one document a format: from nothing, and from kept entries."""
    posts = some_posts(count)
    entries = render(posts)
    stamps = {post.id: fragment_stamp(outline_of(post), WEB_URL, SLUGS) for post in posts}
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(Fragments(Path(folder) / "fragments.db")) as fragments,
    ):
        fragments.save(
            (post.id, FULL, stamps[post.id], entry)
            for post, entry in zip(posts, entries, strict=True)
        )

        def kept() -> int:
            found = fragments.find(stamps)
            return documents(posts, [found[post.id] for post in posts])

        taken = compare(
            {
                "feedgen, Atom and RSS": lambda: feedgen_rebuild(posts),
                "ours from nothing, Atom, RSS and JSON": lambda: documents(posts, render(posts)),
                "ours, entries kept on disk": kept,
                "ours, join only": lambda: documents(posts, entries),
            },
            rounds if count <= 1_000 else max(3, rounds // 2),
        )
    report(f"{count:,} posts in one document a format, in memory", taken)


def add_one(options: argparse.Namespace, folder: Path) -> None:
    """One post more in stores of so many, and the memory that it takes."""
    ours = {count: add_one_to(count, options, folder / f"{count}") for count in options.posts}
    if len(ours) > 1:
        first, *_, last = ours
        print(f"\n{last:,} posts to {first:,}: {ours[last] / ours[first]:.2f} times the time")
    for child in ("ours", "feedgen"):
        for count in options.posts:
            command = [sys.executable, "-m", "tests.benchmarks", "feeds", "--child", child]
            command += ["--posts", str(count), "--tags", str(options.tags)]
            print(
                subprocess.run(command, check=True, capture_output=True, text=True).stdout, end=""
            )


def add_one_to(count: int, options: argparse.Namespace, folder: Path) -> float:
    """One post more in a store of `count`: the main feed alone, then all feeds; the seconds of the first."""
    taken: dict[str, list[float]] = {}
    engine, outlet = open_store(folder, count, options.tags)
    note(taken, "ours, all from nothing, with its archive", lambda: publish(engine, outlet))
    new = iter(range(count + 1, count + 1_000))
    for _ in range(options.rounds * 3):
        save(engine, [next(new)], options.tags)
        note(taken, "ours, one post more, main feed", lambda: publish(engine, outlet, "all"))
        note(taken, "ours, the same post, all other feeds", lambda: publish(engine, outlet))
        note(taken, "ours, no news", lambda: publish(engine, outlet))
    note(taken, "ours, no news, thorough", lambda: publish(engine, outlet, thorough=True))
    engine.dispose()
    report(
        f"one post added to {count:,}: compressed, written, synced",
        {**feedgen_times(count, options, folder), **taken},
    )
    shutil.rmtree(folder)
    return median(taken["ours, one post more, main feed"])


def feedgen_times(count: int, options: argparse.Namespace, folder: Path) -> dict[str, list[float]]:
    """The baseline's seconds."""
    posts = some_posts(count)
    taken: dict[str, list[float]] = {}
    for _ in range(options.feedgen_rounds or options.rounds):
        note(taken, "feedgen, all again, Atom and RSS", lambda: write_feedgen(posts, folder))
    return taken


def measure_memory(which: str, count: int, tags: int) -> None:
    """The most memory that a program of its own takes for building all from nothing and adding one post."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if which == "feedgen":
            write_feedgen(some_posts(count), folder)
        else:
            engine, outlet = open_store(folder, count, tags)
            publish(engine, outlet, thorough=True)
            save(engine, [count + 1], tags)
            publish(engine, outlet)
    # Of this program alone: `ru_maxrss` begins with what the parent had.
    status = Path("/proc/self/status").read_text()
    most = int(status.split("VmHWM:")[1].split()[0]) / 1024
    print(f"  memory at {count:,} posts, {which}: {most:,.0f} MiB")


def open_store(folder: Path, count: int, tags: int) -> tuple[sa.Engine, Outlet]:
    """A store of so many posts, and where its feeds go."""
    engine = open_engine(f"sqlite:///{folder / 'dateline.db'}")
    metadata.create_all(engine)
    save(engine, range(1, count + 1), tags)
    outlet = Outlet(
        site=a_site(),
        web_url=WEB_URL,
        configured=(),
        public=folder / "public",
        built=folder / "built",
    )
    return engine, outlet


def publish(
    engine: sa.Engine, outlet: Outlet, only: str | None = None, *, thorough: bool = False
) -> int:
    """One build, as the daemon does it."""
    with reading(engine) as conn:
        done = publish_feeds(conn, outlet, only=only, thorough=thorough)
    if done.refused or done.faults:
        raise SystemExit(f"{done.refused[:1]} {done.faults[:1]}")
    return len(done.written)


def save(engine: sa.Engine, numbers: Sequence[int], tags: int = 1) -> None:
    """Stores posts with these numbers, 100 a transaction."""
    for start in range(0, len(numbers), 100):
        with writing(engine) as conn:
            for number in numbers[start : start + 100]:
                save_one(conn, number, tags)


def save_one(conn: sa.Connection, number: int, tags: int) -> None:
    """Stores a new post."""
    moment = NOON + timedelta(minutes=number)
    tag = "Air" if tags == 1 else f"Tag {number % tags}"
    content: Content = a_content(
        html=body(number), title=f"Post {number}", summary="In short.", tags=(tag,)
    )
    incoming = IncomingPost(
        source="content",
        external_id=str(number),
        place=str(number),
        title=content.title,
        raw_html=content.html,
        published=moment,
        slug=f"post-{number}",
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
