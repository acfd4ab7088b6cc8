"""What stands where a withdrawn post stood."""

import json
from datetime import timedelta

import feedparser
from lxml import etree

from feeds.document import build_document
from feeds.entry import render_entry
from feeds.spec import list_feeds
from feeds.tombstone import render_tombstone, render_withdrawal
from posts.model import Status
from posts.notes import GONE_AT_SOURCE
from tests.feeds.arrange import NOON, WEB_URL, a_post, a_site

AT = "{http://purl.org/atompub/tombstones/1.0}"
LANG = "{http://www.w3.org/XML/1998/namespace}lang"


def document(format_: str, *entries: bytes) -> bytes:
    """The feed of all posts with these."""
    return build_document(
        list_feeds(a_site())[0],
        format_,
        site=a_site(),
        web_url=WEB_URL,
        updated=NOON,
        entries=entries,
    )


def test_rfc6721_3_a_tombstone_names_the_entry_the_time_the_person_and_the_reason() -> None:
    stone = render_tombstone(
        "tag:x.example,2009:1",
        when=NOON + timedelta(microseconds=3),
        reason="A name <was>\nwrong & ]]>",
        by="The desk",
        language="en",
    )
    assert list(stone) == ["atom"]
    element = etree.fromstring(document("atom", stone["atom"])).find(f"{AT}deleted-entry")
    assert dict(element.attrib) == {
        "ref": "tag:x.example,2009:1",
        "when": "2009-09-15T12:00:00+00:00",
    }
    assert element.findtext(f"{AT}by/{{http://www.w3.org/2005/Atom}}name") == "The desk"
    comment = element.find(f"{AT}comment")
    assert (comment.text, comment.get(LANG)) == ("A name <was> wrong & ]]>", "en")


def test_a_tombstone_of_a_guid_that_is_no_address_names_the_entrys_id() -> None:
    stone = render_tombstone("17", when=NOON)["atom"]
    entry = render_entry(a_post(guid="17"), web_url=WEB_URL, tag_slugs={})["json"]
    assert json.loads(entry)["id"].encode() in stone


def test_a_feed_reader_that_knows_no_tombstones_reads_the_rest_as_before() -> None:
    entry = render_entry(a_post(), web_url=WEB_URL, tag_slugs={})["atom"]
    stone = render_tombstone("tag:x.example,2009:1", when=NOON, reason="Wrong.", by="Desk")["atom"]
    read = feedparser.parse(document("atom", stone, entry))
    assert not read.bozo
    assert [one.title for one in read.entries] == ["The bridge"]
    assert (read.feed.title, read.feed.author) == ("The Border Reporter", "The Border Reporter")


def test_the_feed_of_updates_tells_of_a_withdrawal_in_every_format_without_the_posts_words() -> (
    None
):
    post = a_post(title="Secret name", html="<p>Secret name</p>", status=Status.WITHDRAWN)
    entry = render_withdrawal(
        post, site=a_site(), web_url=WEB_URL, when=NOON, reason="It named a <minor>."
    )
    for body in entry.values():
        assert b"Secret name" not in body
    item = json.loads(entry["json"])
    assert item["id"] == post.guid
    assert item["title"] == "Withdrawn: a post of Sep 15, 2009"
    assert item["content_html"] == "<p>It named a &lt;minor&gt;.</p>"
    for format_ in ("atom", "rss"):
        [read] = feedparser.parse(document(format_, entry[format_])).entries
        assert (read.id, read.link) == (post.guid, WEB_URL + post.path)


def test_a_withdrawal_without_a_reason_says_so_in_the_sites_language() -> None:
    entry = render_withdrawal(a_post(), site=a_site(language="es"), web_url=WEB_URL, when=NOON)
    item = json.loads(entry["json"])
    assert item["summary"] == "Esta nota fue retirada."
    assert item["title"].startswith("Retirada: una nota del 15 sept")


def test_what_we_say_ourselves_of_a_withdrawal_is_said_in_the_sites_language() -> None:
    stone = render_tombstone(
        "tag:x.example,2009:1", when=NOON, reason=GONE_AT_SOURCE, language="es-MX"
    )
    assert "Ya no está en su origen." in stone["atom"].decode()
    stone = render_tombstone(
        "tag:x.example,2009:1", when=NOON, reason="It was wrong.", language="es"
    )
    assert "It was wrong." in stone["atom"].decode()
