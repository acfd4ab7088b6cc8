"""A reader that follows a feed into its archive: each post once, at its newest revision, whatever happened to it."""

import random
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feeds.spec import MEDIA_TYPES
from newsletter import tables as _newsletter_tables  # noqa: F401  registers its tables
from posts import store
from posts.database import open_engine, writing
from posts.model import IncomingPost
from posts.reconcile import decision
from posts.tables import metadata
from tests.feeds.arrange import NOON, WEB_URL, a_content, a_site, save
from tests.feeds.newsroom import GUID, Newsroom
from tests.feeds.reader import entries, read_all, tombstones

TAGS = ("Air", "Juárez", "Water")
SLUGS = {"tag-air": "Air", "tag-juarez": "Juárez", "tag-water": "Water"}

Act = tuple[str, int, int]


class Story:
    """A newsroom to which things happen, one a minute."""

    def __init__(self, newsroom: Newsroom) -> None:
        self.newsroom = newsroom
        self.numbers: list[int] = []
        self.minute = 100_000
        self.sets: dict[str, set[str]] = {}

    def act(self, what: str, which: int, how: int) -> None:
        """Does one thing; what cannot be done is left."""
        self.minute += 1
        now = NOON + timedelta(minutes=self.minute)
        if what == "publish" or not self.numbers:
            # Numbers give the dates: every third is older than all before it, as in an import.
            number = (len(self.numbers) + 1) * (1 if how % 3 else -1)
            save(self.newsroom.engine, number, at=now, tags=self._tags(how))
            self.numbers.append(number)
            return
        number = self.numbers[which % len(self.numbers)]
        if what == "revise":
            save(self.newsroom.engine, number, at=now, title=f"Post {number} again {how}")
        elif what == "retag":
            save(self.newsroom.engine, number, at=now, tags=self._tags(how))
        elif what == "withdraw":
            self.newsroom.withdraw(number, now)
        elif what == "restore":
            self.newsroom.restore(number, now)
        elif what == "build":
            self.build()

    def build(self) -> None:
        """Builds, and sees that full archive documents keep their posts."""
        done = self.newsroom.build(thorough=False)
        assert (done.faults, done.refused) == ([], [])
        for name, body in self.newsroom.archives().items():
            if name.endswith(".atom"):
                here = {id_ for id_, *_ in entries(body, "atom")} | tombstones(body)
                assert self.sets.setdefault(name, here) == here
                assert len(here) == self.newsroom.outlet.archive_size

    def check(self, folder: Path) -> None:
        """What readers find is what the store has; and a build from nothing gives the same bytes."""
        self.build()
        public = self.newsroom.public_posts()
        for slug in ("all", "headlines", "language-en", *SLUGS):
            titles = {guid: post.content.title for guid, post in public.items()}
            tag = SLUGS.get(slug)
            wanted = {
                guid for guid, post in public.items() if tag is None or tag in post.content.tags
            }
            for format_ in MEDIA_TYPES:
                if not (self.newsroom.outlet.public / "feeds" / f"{slug}.{format_}").exists():
                    assert not wanted
                    continue
                found = read_all(self.newsroom.outlet.public, slug, format_, WEB_URL)
                assert wanted <= found.keys()
                assert found.items() <= titles.items()
        fresh = self.newsroom.elsewhere(folder)
        fresh.build()
        assert fresh.files() == self.newsroom.files()

    @staticmethod
    def _tags(how: int) -> tuple[str, ...]:
        return tuple(tag for bit, tag in enumerate(TAGS) if how >> bit & 1)


def play(engine: sa.Engine, folder: Path, acts: list[Act]) -> None:
    """Plays acts and checks what came of them."""
    story = Story(Newsroom(engine, folder / "one", archive_size=3))
    for act in acts:
        story.act(*act)
    story.check(folder / "other")


ACTS = ("publish", "publish", "publish", "revise", "retag", "withdraw", "restore", "build")


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 30), st.integers(0, 30)), max_size=25)
)
def test_whatever_happens_a_reader_of_the_archive_gets_every_post_once(acts: list[Act]) -> None:
    with tempfile.TemporaryDirectory() as name:
        engine = open_engine(f"sqlite:///{name}/dateline.db")
        metadata.create_all(engine)
        play(engine, Path(name), acts)
        engine.dispose()


def test_a_long_story_reads_the_same_on_both_databases(engine: sa.Engine, tmp_path: Path) -> None:
    chance = random.Random(5005)
    acts = [
        (
            chance.choice(ACTS[:-1] if chance.random() < 0.9 else ACTS),
            chance.randrange(99),
            chance.randrange(31),
        )
        for _ in range(150)
    ]
    play(engine, tmp_path, acts)


Changed = Callable[[Newsroom], None]


@pytest.fixture
def full(sqlite_engine: sa.Engine, tmp_path: Path) -> Newsroom:
    """Seven posts in archive documents of three, built: two are full, one post is in the tail."""
    newsroom = Newsroom(sqlite_engine, tmp_path, archive_size=3)
    for number in range(1, 8):
        save(sqlite_engine, number)
    newsroom.build()
    return newsroom


def rewritten(newsroom: Newsroom, change: Changed) -> set[str]:
    """The archive documents of the feed of all posts that a change rewrites."""
    before = newsroom.archives()
    change(newsroom)
    newsroom.build(thorough=False)
    return {
        name
        for name, body in newsroom.archives().items()
        if name.startswith("/feeds/all/") and before.get(name) != body
    }


def document(number: int) -> set[str]:
    """The paths of one archive document."""
    return {f"/feeds/all/archive/{number:05d}.{format_}" for format_ in MEDIA_TYPES}


def later(number: int) -> Changed:
    """One edit of a post."""

    def change(newsroom: Newsroom) -> None:
        save(newsroom.engine, number, at=NOON + timedelta(days=1), title="Edited")

    return change


def test_rfc5005_4_the_documents_are_linked_both_ways(full: Newsroom) -> None:
    one, two = (full.files()[f"/feeds/all/archive/{number:05d}.atom"].decode() for number in (1, 2))
    base = f"{WEB_URL}/feeds/all"
    assert (
        f'href="{base}/archive/00002.atom" rel="prev-archive"'
        in full.files()["/feeds/all.atom"].decode()
    )
    for body, links in (
        (one, {"current": "all.atom", "next-archive": "all/archive/00002.atom"}),
        (two, {"current": "all.atom", "prev-archive": "all/archive/00001.atom"}),
    ):
        assert body.count("-archive") == 1
        assert "archive/>" in body
        for rel, path in links.items():
            assert f'href="{WEB_URL}/feeds/{path}" rel="{rel}"' in body


def test_rfc5005_4_only_full_documents_are_published(full: Newsroom) -> None:
    names = {name for name in full.archives() if name.startswith("/feeds/all/")}
    assert names == document(1) | document(2)
    assert "Post 7" in full.titles("/feeds/all.atom")


def test_rfc5005_4_one_edited_post_rewrites_the_one_archive_document_that_has_it(
    full: Newsroom,
) -> None:
    assert rewritten(full, later(2)) == document(1)
    assert "Edited" in full.titles("/feeds/all/archive/00001.atom")
    assert full.titles("/feeds/all.atom")[0] == "Edited"


def test_one_edited_post_changes_exactly_one_entry(full: Newsroom) -> None:
    before = full.files()["/feeds/all.atom"], full.files()["/feeds/all/archive/00001.atom"]
    later(2)(full)
    full.build()
    after = full.files()["/feeds/all.atom"], full.files()["/feeds/all/archive/00001.atom"]
    for old, new in zip(before, after, strict=True):
        assert len(set(entries(old, "atom")) ^ set(entries(new, "atom"))) == 2
        assert {id_ for id_, *_ in entries(old, "atom")} == {
            id_ for id_, *_ in entries(new, "atom")
        }


def test_rfc5005_4_posts_dated_back_disturb_no_full_document(full: Newsroom) -> None:
    def bring(newsroom: Newsroom) -> None:
        for number in (-1, -2, -3, -4):
            save(newsroom.engine, number, at=NOON + timedelta(days=1))

    # 00002 gets its link to the next one, and is otherwise as it was.
    before = full.archives()["/feeds/all/archive/00002.json"]
    assert rewritten(full, bring) - document(2) == document(3)
    assert full.archives()["/feeds/all/archive/00002.json"] == before
    assert full.titles("/feeds/all/archive/00003.atom") == ["Post -2", "Post -1", "Post 7"]


def test_rfc6721_a_withdrawn_post_leaves_a_tombstone_where_it_stood(full: Newsroom) -> None:
    assert rewritten(full, lambda newsroom: newsroom.withdraw(2)) == document(1)
    id_ = "tag:border.example.org,2009-09-15:2"
    for name in ("/feeds/all/archive/00001.atom", "/feeds/all.atom"):
        body = full.files()[name]
        assert tombstones(body) == {id_}
        assert b"Wrong" in body
    for format_ in ("rss", "json"):
        assert id_.encode() not in full.files()[f"/feeds/all/archive/00001.{format_}"]
        assert id_.encode() not in full.files()[f"/feeds/all.{format_}"]


def test_a_restored_post_stands_where_it_stood(full: Newsroom) -> None:
    before = full.files()
    full.withdraw(2)
    full.build()
    assert rewritten(full, lambda newsroom: newsroom.restore(2)) == document(1)
    assert full.archives() == {name: body for name, body in before.items() if "/archive/" in name}


def test_a_post_taken_back_from_the_tail_leaves_a_tombstone_while_it_is_news(
    full: Newsroom,
) -> None:
    full.withdraw(7)
    full.build()
    assert tombstones(full.files()["/feeds/all.atom"]) == {"tag:border.example.org,2009-09-15:7"}
    for number in range(8, 60):
        save(full.engine, number, at=NOON + timedelta(days=2))
    full.build()
    with_room = full.files()["/feeds/all.atom"]
    assert tombstones(with_room) == {"tag:border.example.org,2009-09-15:7"}


def test_a_withdrawal_that_is_old_news_stays_in_the_archive_alone(full: Newsroom) -> None:
    full.withdraw(2, NOON + timedelta(hours=1))
    for number in range(2000, 2060):
        save(full.engine, number)
    full.build()
    assert tombstones(full.files()["/feeds/all.atom"]) == set()
    assert len(tombstones(full.files()["/feeds/all/archive/00001.atom"])) == 1


def test_the_feed_of_updates_carries_corrections_and_withdrawals(full: Newsroom) -> None:
    full.correct(3, "The bridge is closed.")
    full.withdraw(2, NOON + timedelta(days=1, minutes=1))
    full.build()
    titles = full.titles("/feeds/updates.rss")
    assert len(titles) == 2
    assert titles[1] == "Post 3"
    assert "Post 2" not in titles[0]
    full.restore(2)
    full.build()
    assert full.titles("/feeds/updates.rss") == ["Post 3"]


def test_a_feed_of_posts_with_enclosures_and_one_without_texts(full: Newsroom) -> None:
    full.build()
    assert full.titles("/feeds/media.atom") == []
    assert b"<content" not in full.files()["/feeds/headlines.atom"]
    assert full.titles("/feeds/headlines.atom") == full.titles("/feeds/all.atom")


def many(engine: sa.Engine, count: int) -> None:
    """So many short posts."""
    for start in range(0, count, 500):
        with writing(engine) as conn:
            for number in range(start + 1, start + 501):
                moment = NOON + timedelta(minutes=number)
                content = a_content(title=f"Post {number}", tags=(TAGS[number % 3],))
                incoming = IncomingPost(
                    source="content",
                    external_id=f"{number}",
                    place=f"{number}.md",
                    title=content.title,
                    raw_html=content.html,
                    guid=f"{GUID}{number}",
                    slug=f"post-{number}",
                    published=moment,
                )
                choice = decision(
                    incoming, content, None, now=moment, site=a_site(), first_poll=False
                )
                store.save_post(conn, incoming, choice, now=moment)


def walked(engine: sa.Engine, folder: Path, count: int) -> None:
    """Builds, changes some, builds again and walks the archive in every format."""
    newsroom = Newsroom(engine, folder)
    many(engine, count)
    newsroom.build()
    for number in range(7, count, count // 10):
        save(engine, number, at=NOON + timedelta(days=400), title=f"Again {number}")
        newsroom.withdraw(number + 1, NOON + timedelta(days=401))
    done = newsroom.build(thorough=False)
    assert len([path for path in done.written if path.startswith("/feeds/all/")]) <= 3 * 10
    titles = {guid: post.content.title for guid, post in newsroom.public_posts().items()}
    assert len(titles) == count - 10
    for format_ in MEDIA_TYPES:
        found = read_all(newsroom.outlet.public, "all", format_, WEB_URL)
        assert found == titles


def test_a_reader_walks_the_archive_of_1_000_posts(
    sqlite_engine: sa.Engine, tmp_path: Path
) -> None:
    walked(sqlite_engine, tmp_path, 1_000)


@pytest.mark.long
def test_a_reader_walks_the_archive_of_10_000_posts(engine: sa.Engine, tmp_path: Path) -> None:
    walked(engine, tmp_path, 10_000)
