"""Whole documents: golden files, and what other programs read back from them."""

import json
import sqlite3
import subprocess
from calendar import timegm
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import feedparser
import pytest
from lxml import etree

from feeds.document import build_document, document_updated
from feeds.entry import render_entry
from feeds.spec import MEDIA_TYPES, list_feeds
from feeds.tombstone import render_tombstone
from posts.model import Enclosure, Post
from tests.feeds.arrange import NOON, WEB_URL, a_post, a_site, program

GOLDEN = Path(__file__).parent.parent / "data" / "feeds"
SLUGS = {"Juárez": "juarez", "Air & water": "air-water"}

POSTS = [
    a_post(
        4,
        guid="tag:blogger.com,1999:blog-1.post-4",
        title="El puente & la frontera",
        html="<p>Señal: 5 &lt; 6 &amp; más.</p>\n<blockquote>«Nadie <b>vio</b> nada»</blockquote>",
        language="es",
        link="https://border.example.org/2009/09/puente.html?a=1&b=2",
        summary='El puente, "cerrado" & vigilado.',
        authors=("Ana Ruiz", "Michel"),
        tags=("Juárez",),
        updated=NOON + timedelta(hours=3),
        comment_count=2,
        comments_url="https://border.example.org/2009/09/puente.html#comments",
    ),
    a_post(
        3,
        guid="https://border.example.org/?p=3",
        title="A tape of the hearing",
        html="<p>Listen 🎧 to it.</p>",
        tags=("Air & water", "Juárez"),
        enclosures=(
            Enclosure(
                url="https://border.example.org/tape.mp3?x=1&y=2",
                type="audio/mpeg",
                length_bytes=12_345,
                title="The tape",
            ),
            Enclosure(url="https://border.example.org/transcript.pdf", type="application/pdf"),
        ),
    ),
    a_post(2, guid="17", title="", html="<p dir='rtl'>مرحبا بالعالم</p><p>And then words.</p>"),
    a_post(1, title="Plain", html="<p>Line one<br>line two</p>\n<pre>\tcode\n  more</pre>"),
]


def document(format_: str, posts: list[Post]) -> bytes:
    """The feed of all posts with these."""
    return build_document(
        list_feeds(a_site(tagline="News from the line"))[0],
        format_,
        site=a_site(tagline="News from the line"),
        web_url=WEB_URL,
        updated=document_updated(posts),
        entries=[render_entry(p, web_url=WEB_URL, tag_slugs=SLUGS)[format_] for p in posts],
    )


@pytest.mark.parametrize("format_", MEDIA_TYPES)
def test_the_documents_are_those_of_the_golden_files(
    format_: str, golden: Callable[[Path, bytes], None]
) -> None:
    golden(GOLDEN / f"all.{format_}", document(format_, POSTS))


@pytest.mark.parametrize("format_", MEDIA_TYPES)
def test_an_empty_feed_is_a_feed(format_: str) -> None:
    body = document(format_, [])
    if format_ == "json":
        assert json.loads(body)["items"] == []
        return
    read = feedparser.parse(body)
    assert not read.bozo
    assert (read.feed.title, read.entries) == ("The Border Reporter", [])
    assert b"2000-01-01" in body or b"1 Jan 2000" in body


def test_a_document_is_as_new_as_its_newest_post() -> None:
    root = etree.fromstring(document("atom", POSTS))
    assert root.findtext("{http://www.w3.org/2005/Atom}updated") == "2009-09-15T15:00:00+00:00"
    assert b"<lastBuildDate>Tue, 15 Sep 2009 15:00:00 +0000</lastBuildDate>" in document(
        "rss", POSTS
    )


@pytest.mark.parametrize("format_", ["atom", "rss"])
def test_the_head_names_the_site_and_the_documents_own_address(format_: str) -> None:
    read = feedparser.parse(document(format_, POSTS)).feed
    assert read.link == "https://border.example.org/"
    own = [link for link in read.links if link.rel == "self"]
    assert [(link.href, link.type) for link in own] == [
        (f"{WEB_URL}/feeds/all.{format_}", MEDIA_TYPES[format_])
    ]
    assert read.subtitle == "News from the line"
    assert read.language == "en"


def test_all_three_formats_carry_the_same_ids() -> None:
    atom = [entry.id for entry in feedparser.parse(document("atom", POSTS)).entries]
    rss = [entry.id for entry in feedparser.parse(document("rss", POSTS)).entries]
    items = [item["id"] for item in json.loads(document("json", POSTS))["items"]]
    assert atom == rss == items
    assert len(set(atom)) == len(POSTS)
    assert atom[0] == "tag:blogger.com,1999:blog-1.post-4"


def moment(parsed: Any) -> datetime:
    """feedparser's time as ours."""
    return datetime.fromtimestamp(timegm(parsed), UTC)


@pytest.mark.parametrize("format_", ["atom", "rss"])
def test_feedparser_reads_back_what_went_in(format_: str) -> None:
    read = feedparser.parse(
        document(format_, POSTS), sanitize_html=False, resolve_relative_uris=False
    )
    assert not read.bozo
    for post, entry in zip(POSTS, read.entries, strict=True):
        content = post.content
        assert entry.link == (content.link or WEB_URL + post.path)
        assert entry.title == (content.title or "مرحبا بالعالم And then words.")
        assert moment(entry.published_parsed) == post.published
        assert moment(entry.updated_parsed) == post.updated
        assert entry.content[0].value == content.html
        assert [author.name for author in entry.get("authors", [])] == list(content.authors)
        wanted = [(one.url, one.type) for one in content.enclosures]
        found = [(one.href, one.type) for one in entry.enclosures]
        assert found == (wanted if format_ == "atom" else wanted[:1])


@pytest.mark.parametrize("format_", ["atom", "rss"])
def test_sfeed_reads_back_what_went_in(format_: str) -> None:
    output = subprocess.run(
        [program("sfeed", "sfeed")], input=document(format_, POSTS), capture_output=True, check=True
    ).stdout.decode()
    rows = [line.split("\t") for line in output.splitlines()]
    fields = feedparser.parse(document("atom", POSTS)).entries
    for post, entry, row in zip(POSTS, fields, rows, strict=True):
        time, title, link, text, kind, id_, _author, enclosure, _category = row[:9]
        content = post.content
        assert datetime.fromtimestamp(int(time), UTC) == post.published
        assert title == entry.title
        assert link == (content.link or WEB_URL + post.path)
        assert text.replace("\\n", "\n").replace("\\t", "\t").replace("\\\\", "\\") == content.html
        assert kind == "html"
        assert id_ == entry.id
        urls = [one.url for one in content.enclosures]
        assert enclosure == "" if not urls else enclosure in urls


@pytest.mark.parametrize("format_", ["atom", "rss"])
def test_newsboat_reads_back_what_went_in(format_: str, tmp_path: Path) -> None:
    entries = feedparser.parse(document("atom", POSTS)).entries
    found = newsboat(document(format_, POSTS), tmp_path)
    assert set(found) == {entry.id for entry in entries}
    for post, entry in zip(POSTS, entries, strict=True):
        row, content = found[entry.id], post.content
        assert row["title"] == entry.title
        assert row["url"] == (content.link or WEB_URL + post.path)
        assert datetime.fromtimestamp(row["pubDate"], UTC) == post.published
        assert row["content"] == content.html
        first = [(one.url, one.type) for one in content.enclosures][:1] or [("", "")]
        assert (row["enclosure_url"], row["enclosure_type"]) == first[0]


def newsboat(body: bytes, folder: Path) -> dict[str, sqlite3.Row]:
    """What newsboat keeps of a feed that it reads, by id."""
    (folder / "feed.xml").write_bytes(body)
    (folder / "urls").write_text(f"file://{folder / 'feed.xml'}\n")
    (folder / "config").touch()
    options = ["-u", "urls", "-c", "cache.db", "-C", "config", "-x", "reload"]
    subprocess.run(
        [program("newsboat", "newsboat"), *options],
        cwd=folder,
        env={"HOME": str(folder), "LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"},
        check=True,
        capture_output=True,
    )
    with closing(sqlite3.connect(folder / "cache.db")) as cache:
        cache.row_factory = sqlite3.Row
        return {row["guid"]: row for row in cache.execute("SELECT * FROM rss_item")}


def test_programs_that_know_no_tombstones_read_the_rest_as_before(tmp_path: Path) -> None:
    stone = render_tombstone("tag:x.example,2009:1", when=NOON, reason="Wrong.", by="Desk")["atom"]
    plain = document("atom", POSTS)
    place = plain.index(b"<entry")
    marked = plain[:place] + stone + plain[place:]
    (tmp_path / "plain").mkdir()
    (tmp_path / "marked").mkdir()
    kept, read = newsboat(plain, tmp_path / "plain"), newsboat(marked, tmp_path / "marked")
    assert {id_: row["content"] for id_, row in read.items()} == {
        id_: row["content"] for id_, row in kept.items()
    }
    sfeed = program("sfeed", "sfeed")
    outputs = [
        subprocess.run([sfeed], input=body, capture_output=True, check=True).stdout
        for body in (plain, marked)
    ]
    assert outputs[0] == outputs[1]


def test_a_json_feed_says_which_version_it_is_and_where() -> None:
    read = json.loads(document("json", POSTS))
    assert read["version"] == "https://jsonfeed.org/version/1.1"
    assert read["feed_url"] == f"{WEB_URL}/feeds/all.json"
    assert read["home_page_url"] == "https://border.example.org/"
    assert [author["name"] for author in read["authors"]] == ["The Border Reporter"]


def test_a_json_item_says_all_that_the_post_says() -> None:
    first, second = json.loads(document("json", POSTS))["items"][:2]
    assert first == {
        "id": "tag:blogger.com,1999:blog-1.post-4",
        "url": "https://border.example.org/2009/09/puente.html?a=1&b=2",
        "title": "El puente & la frontera",
        "content_html": POSTS[0].content.html,
        "summary": 'El puente, "cerrado" & vigilado.',
        "date_published": "2009-09-15T12:04:00+00:00",
        "date_modified": "2009-09-15T15:00:00+00:00",
        "language": "es",
        "authors": [{"name": "Ana Ruiz"}, {"name": "Michel"}],
        "author": {"name": "Ana Ruiz"},
        "tags": ["Juárez"],
        "_comments": {
            "url": "https://border.example.org/2009/09/puente.html#comments",
            "count": 2,
        },
    }
    assert second["attachments"] == [
        {
            "url": "https://border.example.org/tape.mp3?x=1&y=2",
            "mime_type": "audio/mpeg",
            "title": "The tape",
            "size_in_bytes": 12_345,
        },
        {"url": "https://border.example.org/transcript.pdf", "mime_type": "application/pdf"},
    ]
