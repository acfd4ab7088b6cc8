"""Posts as bad as they come, through cleaning, store and build: what is published passes our linter, whatever came in."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dateline.actions.build import build
from dateline.actions.feeds import check_feeds
from dateline.press import Press
from feeds.entry import render_entry, render_frame
from feeds.lint import lint_document
from feeds.spec import Feed, feed_url
from posts import store
from posts.clean import cleaned
from posts.database import reading, writing
from posts.errors import PostError
from posts.model import Correction, Enclosure, IncomingPost
from posts.reconcile import decision
from tests.dateline.web.arrange import NOW, WEB, a_press
from tests.feeds.arrange import a_post, a_site

NASTY: dict[str, dict[str, Any]] = {
    "control characters": {"title": "A\x00B\x0b\x1f\x7f\ufffe", "raw_html": "<p>\x00\x08\x0c</p>x"},
    "lone surrogates": {"title": "\ud800 high", "raw_html": "<p>\udfff low</p>"},
    "end of CDATA": {"title": "]]> & <b>", "raw_html": "<p>]]&gt; ]]></p><![CDATA[x]]>"},
    "unclosed tags": {"title": "<i>Open", "raw_html": "<div><p><b><a href='x'>Open <img"},
    "unclosed quote": {"raw_html": '<p>Text <a href="https://x.example/ > <b>more'},
    "long": {"title": "Long " * 400, "raw_html": "<p>Words and words. " * 90_000},
    "no title": {"title": "", "raw_html": "<p>Only text.</p>"},
    "only a picture": {"title": " ", "raw_html": "<p>.</p><img src='https://x.example/a.png'>"},
    "year 1": {"title": "Year 1", "published": datetime(1, 1, 1, 12, tzinfo=UTC)},
    "year 9999": {"title": "Year 9999", "published": datetime(9999, 12, 31, tzinfo=UTC)},
    "tomorrow": {"title": "Tomorrow", "published": NOW + timedelta(days=1)},
    "updated in year 9999": {"updated": datetime(9999, 12, 31, tzinfo=UTC)},
    "relative links": {"raw_html": "<a href='/a'>a</a><a href='b'>b</a><img src='../c.png'>c"},
    "protocol-relative links": {"raw_html": "<a href='//x.example/a'>a</a><img src='//y/z.png'>c"},
    "broken links": {"raw_html": "<a href='http://[x'>a</a><a href='http:///'>b</a><a href='x:'>c"},
    "spaces in links": {"raw_html": "<a href='https://x.example/a b|c\"d{e}'>a</a>"},
    "scripts": {"raw_html": "<p onclick=x()>a<script>b()</script><iframe src=//x></iframe>c"},
    "script in a title": {"raw_html": "<img alt='<script>x</script>' src='https://x.example/a'>x"},
    "a picture written in": {"raw_html": "<p>x<img src='data:image/png;base64,AAAA'></p>"},
    "bare id": {"guid": "123"},
    "id with spaces": {"guid": "a b <c> \u202e \x00"},
    "absurd link": {"link": 'https://x.example/a b"<>|{}\\^`é?q=]]>&amp;'},
    "no link": {"link": "javascript:alert(1)"},
    "odd names": {"authors": ("", "\x00", "<b>A</b>", "\u202eB"), "tags": ("", "\x0b", "a,b", "<")},
    "odd language": {"language": "klingon_TLH-!!"},
    "odd comments": {"comment_count": -5, "comments_url": "//x.example/comments"},
    "enclosure without type": {"enclosures": (Enclosure(url="https://x.example/a b", type=""),)},
    "enclosure with a bad type": {
        "enclosures": (
            Enclosure(url="https://x.example/a", type="mp3", length_bytes=-1),
            Enclosure(url="/relative", type="audio/mpeg"),
            Enclosure(url="https://x.example/b", type="audio/mpeg", length_bytes=10**30),
        )
    },
    "summary of markup": {"raw_summary": "<p>]]> &lt;script&gt; \x00 <a href='x'>"},
    "nothing but entities": {
        "title": "&lt;b&gt; &amp;amp; &nbsp;",
        "raw_html": "<p>&nbsp;&amp;lt;",
    },
}


def arrive(
    press: Press, name: str, *, source: str = "https://blog.example/feed", **odd: Any
) -> bool:
    """What a poll does with one entry; False where it is refused."""
    values: dict[str, Any] = {
        "source": source,
        "external_id": name,
        "place": name,
        "title": name,
        "raw_html": "<p>Text.</p>",
        "base_url": "https://blog.example/2009/post",
        "published": NOW - timedelta(hours=1),
        **odd,
    }
    incoming = IncomingPost(**values)
    try:
        content = cleaned(incoming, language="en")
        with writing(press.engine) as conn:
            stored = store.find_stored(conn, incoming, content)
            decided = decision(
                incoming, content, stored, now=NOW, site=press.config.site, first_poll=False
            )
            store.save_post(conn, incoming, decided, now=NOW)
    except PostError:
        return False
    return True


def told(press: Press) -> list[str]:
    return [str(fault) for fault in check_feeds(press).faults]


def published(press: Press) -> int:
    return len(json.loads((press.public / "feeds" / "all.json").read_bytes())["items"])


@pytest.mark.parametrize("name", NASTY)
def test_whatever_comes_in_what_is_published_has_no_fault(tmp_path: Path, name: str) -> None:
    press = a_press(tmp_path)
    arrive(press, "a good one")
    arrived = arrive(press, name, **NASTY[name])
    result = build(press)
    assert told(press) == []
    assert result.quarantined == []
    assert published(press) == 1 + arrived


def test_a_whole_nasty_newsroom_has_no_fault(tmp_path: Path) -> None:
    press = a_press(tmp_path)
    for name, odd in NASTY.items():
        arrive(press, name, **odd)
    with reading(press.engine) as conn:
        guids = [post.guid for post in store.list_posts(conn)]
    with writing(press.engine) as conn:
        for number, guid in enumerate(guids):
            if number % 3 == 0:
                store.correct_post(conn, guid, "It was ]]> <b>wrong</b> \u202e.", now=NOW)
            if number % 3 == 1:
                store.withdraw_post(conn, guid, now=NOW, reason="]]> <i>\u0600\x00")
    build(press)
    assert told(press) == []


def test_one_guid_from_two_sources_is_one_post(tmp_path: Path) -> None:
    press = a_press(tmp_path)
    arrive(press, "one", guid="tag:x,2009:1")
    arrive(press, "two", guid="tag:x,2009:1", source="https://other.example/feed", title="Two")
    build(press)
    assert told(press) == []


def test_a_post_that_breaks_a_document_is_quarantined_and_the_rest_goes_out(
    tmp_path: Path,
) -> None:
    press = a_press(tmp_path)
    arrive(press, "a good one")
    arrive(press, "a bad one")
    with writing(press.engine) as conn:
        # What our own cleaning would never let through: the store was written to by something else.
        conn.exec_driver_sql(
            "UPDATE posts SET html = '<script>x</script>' WHERE title = 'a bad one'"
        )
    result = build(press)
    assert len(result.quarantined) == 1
    assert "script" in result.quarantined[0]
    assert (published(press), told(press)) == (1, [])


TEXT = st.text(alphabet=st.characters(exclude_categories=()), max_size=30)
MARKUP = [
    *("<", ">", "<p>", "</p>", "<a href=", "'", '"', "//x.example", "https://x.example/", "data:"),
    *("<img src=", "]]>", "<![CDATA[", "&", "&#0;", "&#xD800;", "<!--", "</", "javascript:"),
    *("<script>", "\x00", "\ud800", "<table><td>", "srcset=", ", ", " "),
]
PIECES = st.lists(
    st.sampled_from(MARKUP) | TEXT,
    max_size=12,
).map("".join)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_whatever_a_post_says_its_entry_has_no_fault(data: st.DataObject) -> None:
    draw = data.draw
    incoming = IncomingPost(
        source="https://blog.example/feed",
        external_id="1",
        place="1",
        title=draw(PIECES),
        raw_html=draw(PIECES),
        raw_summary=draw(PIECES),
        base_url="https://blog.example/2009/post",
        link=draw(st.none() | PIECES | TEXT.map("https://x.example/".__add__)),
        authors=(draw(TEXT),),
        tags=(draw(TEXT),),
        comment_count=draw(st.none() | st.integers()),
        comments_url=draw(st.none() | TEXT.map("https://x.example/".__add__)),
        enclosures=(
            Enclosure(
                url=draw(TEXT.map("https://x.example/".__add__)),
                type=draw(TEXT),
                length_bytes=draw(st.none() | st.integers()),
                title=draw(st.none() | PIECES),
            ),
        ),
    )
    try:
        content = cleaned(incoming, language="en")
    except PostError:
        return
    moment = draw(st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)))  # noqa: DTZ001  the zone is given beside
    notes = (Correction(at=NOW, note="]]> <b>", revision=2),) if draw(st.booleans()) else ()
    post = replace(
        a_post(guid=draw(TEXT)),
        content=content,
        published=moment,
        updated=max(moment, NOW),
        corrections=notes,
    )
    entry = render_entry(post, web_url=WEB, tag_slugs=dict.fromkeys(content.tags, "tag"))
    feed = Feed(slug="all", title="Frontera", language="en")
    for format_, bytes_ in entry.items():
        head, tail = render_frame(
            feed,
            format_,
            site=a_site(),
            web_url=WEB,
            updated=datetime(9999, 12, 31, 23, tzinfo=UTC),
        )
        assert lint_document(head + bytes_ + tail, format_, feed_url(feed, format_, WEB)) == []
