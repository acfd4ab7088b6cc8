"""`posts/store.py` on both databases: what a decision writes, what hands do, and what is found again."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from posts import journal, store
from posts.database import reading, writing
from posts.errors import NotFound, PostError
from posts.labels import list_labels
from posts.model import ChangeKind, Enclosure, Post, Status
from posts.reconcile import Leave
from posts.settings import Selection
from tests.posts.builders import (
    DAY,
    FOLDER,
    NOW,
    SITE,
    content,
    from_blog,
    incoming,
    only_post,
    save,
)


def lines(engine: sa.Engine) -> list[tuple[int, str, int]]:
    """Number, kind and revision of each line of the journal."""
    with reading(engine) as conn:
        return [
            (line.number, line.kind.value, line.revision) for line in journal.list_changes(conn, 0)
        ]


def public(engine: sa.Engine, **selection: tuple[str, ...]) -> list[str]:
    with reading(engine) as conn:
        chosen = Selection(**selection)
        found = store.list_posts(conn, chosen)
        assert store.count_posts(conn, chosen) == len(found)
        assert all(chosen.matches(post) for post in found)
    return [post.content.title for post in found]


def save_titled(engine: sa.Engine, title: str, *, days: int = 0, **said: object) -> Post:
    """A file `title`.md, published `days` before `NOW`."""
    post = incoming(external_id=f"{title}.md", title=title, published=NOW - days * DAY)
    save(engine, post, content(title=title, html=f"<p>{title}</p>", **said))
    with reading(engine) as conn:
        found = store.find_by_external_id(conn, FOLDER, post.external_id)
    assert found is not None
    return found


def test_a_post_comes_back_as_it_went_in(engine: sa.Engine) -> None:
    said = content(
        summary="Short.",
        link="https://frontera.example/juarez",
        authors=("Molly", "José"),
        tags=("border", "water"),
        enclosures=(Enclosure(url="https://a.example/1.mp3", type="audio/mpeg", length_bytes=7),),
        comment_count=2,
        comments_url="https://frontera.example/juarez#comments",
        comments_feed_url="https://frontera.example/juarez/feed",
        lead=True,
        translation_key="juarez",
    )
    save(engine, incoming(), said)
    post = only_post(engine)
    assert post.content == said
    assert post.guid == "tag:frontera.example,2009-09-15:juarez.md"
    assert (post.slug, post.path) == ("juarez", "/2009/09/juarez/")
    assert (post.published, post.first_seen, post.number) == (NOW - timedelta(hours=1), NOW, 1)
    with reading(engine) as conn:
        assert store.get_revision(conn, post.id, 1) == said
        assert store.find_by_path(conn, post.path) == post
        assert store.find_by_link(conn, "http://www.frontera.example/juarez/") == post
        assert store.list_by_ids(conn, [post.id, 99]) == {post.id: post}


def test_saving_identical_content_again_changes_nothing(engine: sa.Engine) -> None:
    save(engine, incoming())
    before = only_post(engine)
    decided, change = save(engine, incoming(), now=NOW + DAY)
    assert isinstance(decided, Leave)
    assert change is None
    assert only_post(engine) == before
    assert lines(engine) == [(1, "published", 1)]


def test_a_revision_keeps_the_old_text_and_writes_a_line(engine: sa.Engine) -> None:
    save(engine, incoming())
    save(engine, incoming(), content(title="New", tags=("water",)), now=NOW + DAY)
    post = only_post(engine)
    assert (post.revision, post.updated, post.slug) == (2, NOW + DAY, "juarez")
    assert lines(engine) == [(1, "published", 1), (2, "revised", 2)]
    with reading(engine) as conn:
        assert store.get_revision(conn, post.id, 1).title == "Juárez"
        assert store.get_revision(conn, post.id, 2).title == "New"
        with pytest.raises(NotFound, match="no revision 3"):
            store.get_revision(conn, post.id, 3)


@pytest.mark.parametrize("page", [None, "https://frontera.example/a#c"])
@pytest.mark.parametrize("feed", [None, "https://frontera.example/a/feed"])
def test_both_places_of_comments_are_kept_and_refreshed(
    engine: sa.Engine, page: str | None, feed: str | None
) -> None:
    save(
        engine,
        incoming(),
        content(comments_url="https://x.example/", comments_feed_url="https://x.example/f"),
    )
    save(engine, incoming(), content(comments_url=page, comments_feed_url=feed))
    kept = only_post(engine).content
    assert (kept.comments_url, kept.comments_feed_url) == (page, feed)


def test_a_comment_count_is_refreshed_without_a_line(engine: sa.Engine) -> None:
    save(engine, incoming())
    save(engine, incoming(), content(comment_count=12))
    assert (only_post(engine).content.comment_count, only_post(engine).revision) == (12, 1)
    assert len(lines(engine)) == 1


def test_slugs_are_ascii_and_numbered_when_taken(engine: sa.Engine) -> None:
    for number in range(3):
        save(engine, incoming(external_id=f"{number}.md"), content(html=f"<p>{number}</p>"))
    with reading(engine) as conn:
        assert sorted(post.slug for post in store.list_posts(conn)) == [
            "juarez",
            "juarez-2",
            "juarez-3",
        ]


def test_labels_keep_their_slugs_and_count_public_posts(engine: sa.Engine) -> None:
    save_titled(engine, "one", tags=("Agua", "agua!"), authors=("Molly",))
    save_titled(engine, "two", days=-1, tags=("Agua", "later"))
    with reading(engine) as conn:
        found = [(label.name, label.slug, label.posts) for label in list_labels(conn, "tag")]
        assert found == [("Agua", "agua", 1), ("agua!", "agua-2", 1)]
        assert [label.name for label in list_labels(conn, "author")] == ["Molly"]


def test_two_folders_may_hold_files_of_one_name(engine: sa.Engine) -> None:
    save(engine, incoming())
    save(engine, incoming(source="other"), content(title="Other"))
    with reading(engine) as conn:
        guids = sorted(post.guid for post in store.list_posts(conn))
    assert guids == [
        "tag:frontera.example,2009-09-15:juarez.md",
        "tag:frontera.example,2009-09-15:juarez.md-2",
    ]


def test_an_id_that_another_source_has_is_refused_and_the_first_post_stays(
    engine: sa.Engine,
) -> None:
    save(engine, incoming(guid="juarez"))
    with pytest.raises(PostError, match=r"juarez\.md in content"):
        save(engine, from_blog(guid="juarez"), content(title="Other"))
    assert only_post(engine).content.title == "Juárez"


def test_a_post_whose_id_moved_to_https_is_not_new(engine: sa.Engine) -> None:
    there = content(link="http://blog.example/juarez")
    save(
        engine, from_blog(guid="http://blog.example/1", external_id="http://blog.example/1"), there
    )
    moved = from_blog(guid="https://blog.example/1", external_id="https://blog.example/1")
    save(
        engine,
        moved,
        content(link="https://blog.example/juarez"),
        present={"https://blog.example/1"},
    )
    post = only_post(engine)
    assert (post.guid, post.external_id) == ("http://blog.example/1", "https://blog.example/1")
    assert [kind for _, kind, _ in lines(engine)] == ["published", "revised"]


def test_a_selection_gives_the_newest_public_posts_first(engine: sa.Engine) -> None:
    save_titled(engine, "old", days=3, tags=("a",), authors=("Molly",))
    save_titled(engine, "new", days=1, tags=("a", "b"), language="es")
    save_titled(engine, "scheduled", days=-1, tags=("a",))
    assert public(engine) == ["new", "old"]
    assert public(engine, tags=("a",)) == ["new", "old"]
    assert public(engine, tags=("b", "c")) == ["new"]
    assert public(engine, authors=("Molly",), tags=("a",)) == ["old"]
    assert public(engine, languages=("es",)) == ["new"]
    with reading(engine) as conn:
        assert store.list_languages(conn) == ["en", "es"]
        window = store.list_posts(conn, since=NOW - 3 * DAY, until=NOW - DAY)
        assert [post.content.title for post in window] == ["old"]
        assert [post.content.title for post in store.list_posts(conn, limit=1, offset=1)] == ["old"]
        waiting = store.list_all_posts(conn, status=Status.SCHEDULED)
        assert [post.content.title for post in waiting] == ["scheduled"]


def test_a_scheduled_post_is_published_when_its_time_has_come(engine: sa.Engine) -> None:
    save(engine, incoming(published=NOW + DAY))
    with writing(engine) as conn:
        assert store.next_scheduled(conn) == NOW + DAY
        assert store.publish_due(conn, NOW + DAY - timedelta(seconds=1), site=SITE) == []
        (change,) = store.publish_due(conn, NOW + DAY, site=SITE)
        assert store.publish_due(conn, NOW + DAY, site=SITE) == []
    post = only_post(engine)
    assert (post.status, post.number, post.history) == (Status.PUBLISHED, change.number, False)


def test_a_scheduled_post_that_comes_due_weeks_late_is_history(engine: sa.Engine) -> None:
    save(engine, incoming(published=NOW + DAY))
    with writing(engine) as conn:
        store.publish_due(conn, NOW + 30 * DAY, site=SITE)
    assert only_post(engine).history


def test_what_a_hand_withdrew_stays_back_until_a_hand_restores_it(engine: sa.Engine) -> None:
    save(engine, incoming())
    guid = only_post(engine).guid
    with writing(engine) as conn:
        assert store.withdraw_post(conn, guid, now=NOW, reason="wrong") is not None
        assert store.withdraw_post(conn, guid, now=NOW) is None
    save(engine, incoming())
    assert (only_post(engine).status, only_post(engine).withdrawal_reason) == (
        Status.WITHDRAWN,
        "wrong",
    )
    assert public(engine) == []
    with writing(engine) as conn:
        assert store.restore_post(conn, guid, now=NOW) is not None
        assert store.restore_post(conn, guid, now=NOW) is None
    assert [kind for _, kind, _ in lines(engine)] == ["published", "withdrawn", "restored"]
    assert public(engine) == ["Juárez"]


def test_a_file_that_comes_back_restores_its_post_under_its_first_number(engine: sa.Engine) -> None:
    save(engine, incoming())
    post = only_post(engine)
    with writing(engine) as conn:
        assert store.mark_missing(conn, [post.id], source=FOLDER) == []
        assert store.mark_missing(conn, [post.id], source=FOLDER) == [post.id]
        store.withdraw_post(conn, post.guid, now=NOW, by="source")
        assert store.list_external_ids(conn, FOLDER) == {}
    save(engine, incoming(), now=NOW + DAY)
    assert [kind for _, kind, _ in lines(engine)] == ["published", "withdrawn", "restored"]
    assert (only_post(engine).number, only_post(engine).missing_polls) == (1, 0)


def test_a_file_that_was_missed_once_is_counted_anew(engine: sa.Engine) -> None:
    save(engine, incoming())
    post = only_post(engine).id
    with writing(engine) as conn:
        assert store.mark_missing(conn, [post], source=FOLDER) == []
        assert store.mark_missing(conn, [], source=FOLDER) == []
        assert store.mark_missing(conn, [post], source=FOLDER) == []


def test_a_draft_that_nobody_saw_is_withdrawn_and_restored_without_a_line(
    engine: sa.Engine,
) -> None:
    save(engine, incoming(draft=True))
    guid = only_post(engine).guid
    with writing(engine) as conn:
        assert store.withdraw_post(conn, guid, now=NOW) is None
        assert store.restore_post(conn, guid, now=NOW) is None
    assert only_post(engine).status is Status.DRAFT
    assert lines(engine) == []


def test_a_quarantined_post_is_out_until_it_is_mended(engine: sa.Engine) -> None:
    save(engine, incoming())
    post = only_post(engine)
    with writing(engine) as conn:
        store.mark_quarantined(conn, post.id, "too deep")
        assert [bad.fault for bad in store.list_quarantined(conn)] == ["too deep"]
    assert public(engine) == []
    with writing(engine) as conn:
        change = store.lift_quarantine(conn, post.id, now=NOW)
        assert store.lift_quarantine(conn, post.id, now=NOW) is None
    assert change is not None
    assert change.kind is ChangeKind.RESTORED
    assert public(engine) == ["Juárez"]


def test_a_revision_mends_a_quarantined_post(engine: sa.Engine) -> None:
    save(engine, incoming())
    post = only_post(engine).id
    with writing(engine) as conn:
        store.mark_quarantined(conn, post, "too deep")
    save(engine, incoming(), content(html="<p>Flat.</p>"))
    assert only_post(engine).fault is None
    assert lines(engine)[-1] == (2, "restored", 2)


def test_a_decision_about_a_post_that_has_changed_since_writes_nothing(engine: sa.Engine) -> None:
    from posts.reconcile import decision

    save(engine, incoming())
    stale = only_post(engine)
    save(engine, incoming(), content(title="First"))
    late = decision(
        incoming(), content(title="Second"), stale, now=NOW, site=SITE, first_poll=False
    )
    with writing(engine) as conn:
        assert store.save_post(conn, incoming(), late, now=NOW) is None
    assert only_post(engine).content.title == "First"


def test_of_two_that_insert_one_post_the_second_does_nothing(engine: sa.Engine) -> None:
    from posts.reconcile import decision

    new = decision(from_blog(), content(), None, now=NOW, site=SITE, first_poll=False)
    with writing(engine) as conn:
        assert store.save_post(conn, from_blog(), new, now=NOW) is not None
    with writing(engine) as conn:
        assert store.save_post(conn, from_blog(), new, now=NOW) is None
    assert lines(engine) == [(1, "published", 1)]


def test_a_post_that_is_not_there_is_named(engine: sa.Engine) -> None:
    with writing(engine) as conn, pytest.raises(NotFound, match='"nothing"'):
        store.withdraw_post(conn, "nothing", now=NOW)
