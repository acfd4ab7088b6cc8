"""`posts/reconcile.py`: the table of what an incoming post does to a stored one."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from posts.identity import content_hash
from posts.model import ChangeKind, Content, Enclosure, IncomingPost, Post, Status
from posts.reconcile import Insert, Leave, Refresh, Revise, decision
from tests.posts.builders import DAY, FOLDER, NOW, SITE, content, from_blog, incoming

LATER = NOW + DAY


def stored(said: Content | None = None, **changes: object) -> Post:
    """A post of the folder, public since an hour before `NOW`."""
    said = said or content()
    plain = Post(
        id=1,
        guid="tag:frontera.example,2009-09-15:juarez.md",
        slug="juarez",
        path="/2009/09/juarez/",
        source=FOLDER,
        external_id="juarez.md",
        status=Status.PUBLISHED,
        revision=1,
        content=said,
        content_hash=content_hash(said),
        published=NOW - timedelta(hours=1),
        updated=NOW - timedelta(hours=1),
        first_seen=NOW - timedelta(hours=1),
        number=1,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]  # the fields are checked by the dataclass


def decide(
    post: IncomingPost,
    said: Content | None = None,
    there: Post | None = None,
    *,
    now: datetime = NOW,
    first_poll: bool = False,
) -> Insert | Revise | Refresh | Leave:
    return decision(post, said or content(), there, now=now, site=SITE, first_poll=first_poll)


@pytest.mark.parametrize(
    ("post", "status", "published"),
    [
        pytest.param(
            incoming(), Status.PUBLISHED, NOW - timedelta(hours=1), id="dated an hour ago"
        ),
        pytest.param(incoming(published=None), Status.PUBLISHED, NOW, id="no date: first seen"),
        pytest.param(incoming(draft=True), Status.DRAFT, NOW - timedelta(hours=1), id="a draft"),
        pytest.param(incoming(published=LATER), Status.SCHEDULED, LATER, id="a folder's future"),
        pytest.param(from_blog(published=LATER), Status.PUBLISHED, NOW, id="a blog's future"),
        pytest.param(
            from_blog(draft=True), Status.PUBLISHED, NOW - timedelta(hours=1), id="blog draft"
        ),
    ],
)
def test_a_new_post_stands_where_its_source_puts_it(
    post: IncomingPost, status: Status, published: datetime
) -> None:
    made = decide(post)
    assert isinstance(made, Insert)
    assert (made.status, made.published) == (status, published)
    assert made.kind == (ChangeKind.PUBLISHED if status is Status.PUBLISHED else None)


@pytest.mark.parametrize(
    ("post", "first_poll", "history"),
    [
        pytest.param(incoming(), False, False, id="fresh"),
        pytest.param(incoming(published=NOW - 14 * DAY), False, False, id="just not too old"),
        pytest.param(incoming(published=NOW - 15 * DAY), False, True, id="older than max_age"),
        pytest.param(from_blog(), True, True, id="there at a blog's first poll"),
        pytest.param(from_blog(), False, False, id="came to a blog later"),
        pytest.param(incoming(), True, False, id="there at a folder's first poll"),
        pytest.param(
            incoming(draft=True, published=NOW - 15 * DAY), False, False, id="old draft: not yet"
        ),
    ],
)
def test_a_new_post_is_history_when_it_was_old_news(
    post: IncomingPost, first_poll: bool, history: bool
) -> None:
    made = decide(post, first_poll=first_poll)
    assert isinstance(made, Insert)
    assert made.history is history


def test_the_month_of_the_path_is_that_of_the_sites_zone() -> None:
    made = decide(incoming(published=datetime.fromisoformat("2009-09-01T03:00:00+00:00")))
    assert isinstance(made, Insert)
    assert made.month == "2009/08"


def test_an_identical_post_changes_nothing() -> None:
    assert isinstance(decide(incoming(), there=stored()), Leave)


@pytest.mark.parametrize(
    ("said", "moves"),
    [
        pytest.param(content(title="Ciudad Juárez"), True, id="title"),
        pytest.param(content(summary="In short."), True, id="summary"),
        pytest.param(content(html="<p>Two quiet days.</p>"), True, id="body"),
        pytest.param(content(link="https://frontera.example/1"), True, id="link"),
        pytest.param(
            content(enclosures=(Enclosure(url="https://a.example/1.mp3"),)), True, id="file"
        ),
        pytest.param(content(tags=("border",)), False, id="tags"),
        pytest.param(content(authors=("Molly",)), False, id="authors"),
        pytest.param(content(language="es"), False, id="language"),
        pytest.param(content(lead=True), False, id="lead"),
    ],
)
def test_a_changed_post_is_a_revision_and_moves_updated_only_with_its_text(
    said: Content, moves: bool
) -> None:
    made = decide(incoming(), said, stored(), now=LATER)
    assert isinstance(made, Revise)
    assert (made.kind, made.is_new_revision) == (ChangeKind.REVISED, True)
    assert made.updated == (LATER if moves else NOW - timedelta(hours=1))


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(content(comment_count=3), id="comment count"),
        pytest.param(content(comments_url="https://frontera.example/1#c"), id="comments' address"),
        pytest.param(content(comments_feed_url="https://frontera.example/1/feed"), id="their feed"),
    ],
)
def test_comments_are_refreshed_without_a_revision(said: Content) -> None:
    assert isinstance(decide(incoming(), said, stored()), Refresh)


@pytest.mark.parametrize(
    "post",
    [
        pytest.param(incoming(updated=NOW), id="the source's own updated"),
        pytest.param(from_blog(published=NOW - DAY), id="a blog that dates its post anew"),
        pytest.param(incoming(published=None), id="a date taken away"),
        pytest.param(incoming(published=LATER), id="a date in the future of a post that is out"),
    ],
)
def test_a_date_alone_does_not_change_a_public_post(post: IncomingPost) -> None:
    there = stored(source=post.source, external_id=post.external_id)
    assert isinstance(decide(post, there=there), Leave)


def test_other_source_text_with_the_same_html_is_no_change() -> None:
    assert isinstance(decide(incoming(), content(source_text="<p>tracked</p>"), stored()), Leave)


def test_a_folder_may_correct_the_date_of_a_public_post() -> None:
    made = decide(incoming(published=NOW - DAY), there=stored())
    assert isinstance(made, Revise)
    assert (made.published, made.kind) == (NOW - DAY, ChangeKind.REVISED)
    assert made.updated == stored().updated


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        pytest.param(NOW + timedelta(hours=1), NOW + timedelta(hours=1), id="believable"),
        pytest.param(NOW - DAY, LATER, id="before the post"),
        pytest.param(LATER + DAY, LATER, id="in the future"),
    ],
)
def test_a_changed_text_takes_the_sources_own_time_where_it_is_believable(
    own: datetime, expected: datetime
) -> None:
    made = decide(incoming(updated=own), content(title="New"), stored(), now=LATER)
    assert isinstance(made, Revise)
    assert made.updated == expected


def test_a_draft_that_is_published_is_judged_at_that_moment() -> None:
    waiting = stored(status=Status.DRAFT, number=None)
    made = decide(incoming(), there=waiting, now=NOW + 20 * DAY)
    assert isinstance(made, Revise)
    assert (made.status, made.kind, made.history) == (Status.PUBLISHED, ChangeKind.PUBLISHED, True)


def test_a_draft_without_a_date_is_dated_when_it_is_published() -> None:
    waiting = stored(status=Status.DRAFT, number=None)
    made = decide(incoming(published=None), there=waiting, now=NOW + 20 * DAY)
    assert isinstance(made, Revise)
    assert (made.published, made.history) == (NOW + 20 * DAY, False)


def test_a_draft_without_a_date_stays_as_it_is() -> None:
    waiting = stored(status=Status.DRAFT, number=None)
    assert isinstance(decide(incoming(published=None, draft=True), there=waiting, now=LATER), Leave)


def test_a_changed_draft_writes_no_line() -> None:
    waiting = stored(status=Status.DRAFT, number=None)
    made = decide(incoming(draft=True), content(title="New"), waiting)
    assert isinstance(made, Revise)
    assert (made.status, made.kind) == (Status.DRAFT, None)


def test_a_scheduled_post_can_be_moved() -> None:
    waiting = stored(status=Status.SCHEDULED, published=LATER, number=None)
    made = decide(incoming(published=LATER + DAY), there=waiting)
    assert isinstance(made, Revise)
    assert (made.status, made.published, made.kind) == (Status.SCHEDULED, LATER + DAY, None)


def test_a_public_post_made_a_draft_again_is_withdrawn_with_the_text_readers_saw() -> None:
    made = decide(incoming(draft=True), content(title="Half done"), stored())
    assert isinstance(made, Revise)
    assert (made.status, made.kind) == (Status.WITHDRAWN, ChangeKind.WITHDRAWN)
    assert made.content.title == "Juárez"


@pytest.mark.parametrize("said", [content(), content(title="New")], ids=["same", "changed"])
def test_a_post_that_its_source_has_again_is_restored(said: Content) -> None:
    gone = stored(status=Status.WITHDRAWN, withdrawn_by="source", history=True)
    made = decide(incoming(), said, gone)
    assert isinstance(made, Revise)
    assert (made.status, made.kind, made.history) == (Status.PUBLISHED, ChangeKind.RESTORED, True)
    assert made.is_new_revision is (said.title == "New")


def test_a_post_withdrawn_by_hand_does_not_come_back_with_a_poll() -> None:
    gone = stored(status=Status.WITHDRAWN, withdrawn_by="hand")
    assert isinstance(decide(incoming(), content(title="New"), gone), Leave)


def test_a_withdrawn_post_that_stays_a_draft_stays_withdrawn() -> None:
    gone = stored(status=Status.WITHDRAWN, withdrawn_by="source")
    assert isinstance(decide(incoming(draft=True), there=gone), Leave)


def test_a_withdrawn_post_that_was_never_public_is_published_and_not_restored() -> None:
    gone = stored(status=Status.WITHDRAWN, withdrawn_by="source", number=None)
    made = decide(incoming(), there=gone)
    assert isinstance(made, Revise)
    assert made.kind is ChangeKind.PUBLISHED


def test_a_revision_mends_a_quarantined_post_which_counts_as_restored() -> None:
    made = decide(incoming(), content(title="New"), stored(fault="too deep"))
    assert isinstance(made, Revise)
    assert made.kind is ChangeKind.RESTORED
