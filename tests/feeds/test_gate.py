"""The gate: what our linter finds fault with does not go live, and the rest does."""

from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from feeds.gate import Candidate, Frame, document_faults, entry_faults
from feeds.rendering import FULL, Batch, frames, render_batch
from feeds.spec import MEDIA_TYPES
from posts.model import Post
from tests.feeds.arrange import WEB_URL, a_post, a_site, save
from tests.feeds.newsroom import Newsroom

GOOD = a_post(1)
BAD = a_post(2, comments_url="nowhere", comment_count=1)


def batch(*posts: Post) -> Batch:
    """Posts to render."""
    return Batch(posts=posts, site=a_site(), web_url=WEB_URL, tag_slugs={})


def test_an_entry_with_a_fault_is_refused_alone_and_says_why() -> None:
    good, bad = render_batch(batch(GOOD, BAD))
    assert good.fault is None
    assert set(good.forms[FULL]) == set(MEDIA_TYPES)
    assert bad.fault is not None
    assert "nowhere" in bad.fault[0]


def test_an_entry_that_breaks_the_document_around_it_is_found() -> None:
    candidates = [
        Candidate(id="tag:a", bytes_by_format={"atom": b"<entry>"}),
        Candidate(id=GOOD.guid, bytes_by_format=dict(render_batch(batch(GOOD))[0].forms[FULL])),
    ]
    assert set(entry_faults(candidates, {"atom": batch_frames()["atom"]})) == {"tag:a"}


def batch_frames() -> dict[str, tuple[Frame, str]]:
    """The frames of a batch."""
    return frames(batch(GOOD))


def test_a_frame_of_ours_has_no_fault() -> None:
    for format_, (frame, url) in batch_frames().items():
        assert document_faults(frame, [], format_, url) == []


def test_a_post_with_a_fault_stays_out_and_the_rest_is_built(
    sqlite_engine: sa.Engine, tmp_path: Path
) -> None:
    newsroom = Newsroom(sqlite_engine, tmp_path)
    save(sqlite_engine, 1)
    save(sqlite_engine, 2, comments_url="nowhere", comment_count=1)
    done = newsroom.build()
    assert [post.content.title for post, _ in done.refused] == ["Post 2"]
    newsroom.build(without=frozenset(post.id for post, _ in done.refused))
    assert newsroom.titles("/feeds/all.atom") == ["Post 1"]


def test_a_frame_with_a_fault_keeps_the_last_good_document(
    sqlite_engine: sa.Engine, tmp_path: Path
) -> None:
    newsroom = Newsroom(sqlite_engine, tmp_path)
    save(sqlite_engine, 1)
    newsroom.build()
    before = newsroom.files()
    newsroom.outlet = replace(newsroom.outlet, hubs=("no address",))
    done = newsroom.build()
    assert done.faults
    assert {name: newsroom.files()[name] for name in before} == before
    newsroom.outlet = replace(newsroom.outlet, hubs=())
    assert newsroom.build().faults == []


def test_many_posts_are_rendered_in_several_processes_to_the_same_bytes(
    sqlite_engine: sa.Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for number in range(1, 61):
        save(sqlite_engine, number)
    alone = Newsroom(sqlite_engine, tmp_path / "alone")
    alone.build()
    monkeypatch.setattr("feeds.entries._MANY", 20)
    monkeypatch.setattr("feeds.publish._MANY", 1)
    shared = Newsroom(sqlite_engine, tmp_path / "shared")
    assert shared.build().entries_rendered == 120
    assert shared.files() == alone.files()
