"""One entry in each format: what feedgen writes wrongly is mended, and hostile text stays text."""

import json
import locale
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from feeds.document import build_document, document_updated
from feeds.entry import render_entry
from feeds.fields import plain_address
from feeds.spec import list_feeds
from posts.errors import PostError
from posts.model import Enclosure, Post
from tests.feeds.arrange import WEB_URL, a_post, a_site

NS = {
    "a": "http://www.w3.org/2005/Atom",
    "content": "http://purl.org/rss/1.0/modules/content/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "slash": "http://purl.org/rss/1.0/modules/slash/",
    "thr": "http://purl.org/syndication/thread/1.0",
    "wfw": "http://wellformedweb.org/CommentAPI/",
}
SOUND = Enclosure(url="https://b.example/a.mp3", type="audio/mpeg", length_bytes=9, title="Talk")
PAPER = Enclosure(url="https://b.example/b.pdf", type="application/pdf")


def document(posts: Sequence[Post], format_: str) -> bytes:
    """The feed of all posts with these."""
    slugs = {
        tag: f"slug-{number}" for post in posts for number, tag in enumerate(post.content.tags)
    }
    return build_document(
        list_feeds(a_site())[0],
        format_,
        site=a_site(),
        web_url=WEB_URL,
        updated=document_updated(posts),
        entries=[render_entry(post, web_url=WEB_URL, tag_slugs=slugs)[format_] for post in posts],
    )


def atom_entry(**values: object) -> etree._Element:
    """The parsed Atom entry of a post."""
    found = etree.fromstring(document([a_post(**values)], "atom")).find("a:entry", NS)
    assert found is not None
    return found


def rss_item(**values: object) -> etree._Element:
    """The parsed RSS item of a post."""
    found = etree.fromstring(document([a_post(**values)], "rss")).find("channel/item")
    assert found is not None
    return found


def test_entry_links_keep_their_attributes() -> None:
    entry = atom_entry(link="https://b.example/x", enclosures=(SOUND, PAPER))
    assert [dict(link.attrib) for link in entry.findall("a:link", NS)] == [
        {"href": "https://b.example/x", "rel": "alternate", "type": "text/html"},
        {
            "href": SOUND.url,
            "rel": "enclosure",
            "type": "audio/mpeg",
            "length": "9",
            "title": "Talk",
        },
        {"href": PAPER.url, "rel": "enclosure", "type": "application/pdf"},
    ]


def test_rss_has_the_first_enclosure_only_with_a_length() -> None:
    found = rss_item(enclosures=(SOUND, PAPER)).findall("enclosure")
    assert [dict(one.attrib) for one in found] == [
        {"url": SOUND.url, "length": "9", "type": "audio/mpeg"}
    ]
    assert rss_item(enclosures=(PAPER,)).find("enclosure").get("length") == "0"


def test_each_entry_says_its_language() -> None:
    assert atom_entry(language="es").get("{http://www.w3.org/XML/1998/namespace}lang") == "es"
    assert rss_item(language="es").findtext("dc:language", namespaces=NS) == "es"


def test_rss_writes_the_summary_before_the_full_text() -> None:
    names = [etree.QName(child).localname for child in rss_item(summary="In short.")]
    assert names.index("description") + 1 == names.index("encoded")


def test_an_rss_description_is_html_and_a_plain_summary_is_escaped_in_it() -> None:
    assert rss_item(summary="a < b & <script>").findtext("description") == (
        "a &lt; b &amp; &lt;script&gt;"
    )


def test_a_post_without_words_still_has_its_full_text_element() -> None:
    item = rss_item(html="", title="Only a title")
    assert item.find("content:encoded", NS) is not None


def test_authors_are_names_and_never_addresses() -> None:
    entry = atom_entry(authors=("Ana Ruiz", "Bo"))
    assert [
        author.findtext("a:name", namespaces=NS) for author in entry.findall("a:author", NS)
    ] == [
        "Ana Ruiz",
        "Bo",
    ]
    item = rss_item(authors=("Ana Ruiz", "Bo"))
    assert [creator.text for creator in item.findall("dc:creator", NS)] == ["Ana Ruiz", "Bo"]
    assert item.find("author") is None


def test_a_guid_is_never_taken_for_an_address() -> None:
    guid = rss_item(guid="http://b.example/?p=1").find("guid")
    assert (guid.text, guid.get("isPermaLink")) == ("http://b.example/?p=1", "false")


def test_rfc4685_4_comments_are_counted_where_their_address_is_known() -> None:
    values = {"comment_count": 3, "comments_url": "https://b.example/x#c"}
    entry, item = atom_entry(**values), rss_item(**values)
    replies = entry.find("a:link[@rel='replies']", NS)
    assert replies.get(f"{{{NS['thr']}}}count") == "3"
    assert entry.findtext("thr:total", namespaces=NS) == "3"
    assert item.findtext("slash:comments", namespaces=NS) == "3"
    assert item.findtext("comments") == "https://b.example/x#c"


def test_the_feed_of_comments_is_named_in_every_format() -> None:
    values = {"comment_count": 3, "comments_feed_url": "https://b.example/x/feed/"}
    entry, item = atom_entry(**values), rss_item(**values)
    replies = entry.find("a:link[@rel='replies']", NS)
    assert (replies.get("href"), replies.get("type")) == (
        "https://b.example/x/feed/",
        "application/xml",
    )
    assert replies.get(f"{{{NS['thr']}}}count") == "3"
    assert item.findtext("wfw:commentRss", namespaces=NS) == "https://b.example/x/feed/"
    assert item.find("comments") is None
    read = json.loads(document([a_post(**values)], "json"))["items"][0]
    assert read["_comments"] == {"feed_url": "https://b.example/x/feed/", "count": 3}


def test_rendering_does_not_touch_the_locale_of_the_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> str:
        raise AssertionError("setlocale was called; other threads would format dates wrongly")

    monkeypatch.setattr(locale, "setlocale", refuse)
    assert b"Tue, 15 Sep 2009 12:01:00 +0000" in document([a_post()], "rss")
    assert b"2009-09-15T12:01:00+00:00" in document([a_post()], "atom")


@pytest.mark.parametrize("format_", ["atom", "rss"])
def test_an_entry_declares_no_prefix_of_its_own(format_: str) -> None:
    entry = render_entry(
        a_post(comment_count=1, comments_url="https://b.example/#c", authors=("Ana",)),
        web_url=WEB_URL,
        tag_slugs={},
    )[format_]
    assert b"xmlns" not in entry
    assert b"ns0:" not in entry


@pytest.mark.parametrize("bad", ["\x00", "\x0b", "\ufffe", "\ud800"], ids=ascii)
def test_what_no_format_can_say_is_that_posts_fault(bad: str) -> None:
    with pytest.raises(PostError) as caught:
        render_entry(a_post(html=f"<p>{bad}</p>"), web_url=WEB_URL, tag_slugs={})
    assert caught.value.where == "tag:border.example.org,2009-09-15:1"


LEGAL = st.text(
    st.characters(
        exclude_categories=["Cs"],
        exclude_characters=[chr(code) for code in range(32) if chr(code) not in "\t\n\r"]
        + ["\ufffe", "\uffff"],
    ),
    max_size=60,
)
HOSTILE = st.one_of(
    LEGAL,
    st.sampled_from(
        ["]]>", "<![CDATA[x]]>", "</entry></feed>", "&lt;", "&#0;", "\u202e", "a\r\nb", "\"'"]
    ),
)


@settings(max_examples=150, deadline=None)
@given(html=HOSTILE, title=HOSTILE, author=HOSTILE, tag=HOSTILE, url=HOSTILE)
def test_any_text_comes_back_as_it_went_in(
    html: str, title: str, author: str, tag: str, url: str
) -> None:
    post = a_post(
        html=html,
        title=title,
        authors=(author,),
        tags=(tag,),
        enclosures=(Enclosure(url=url, type="a/b"),),
    )
    atom = etree.fromstring(document([post], "atom")).find("a:entry", NS)
    rss = etree.fromstring(document([post], "rss")).find("channel/item")
    item = json.loads(document([post], "json"))["items"][0]
    assert item["content_html"] == html
    assert (atom.findtext("a:content", namespaces=NS) or "") == html
    assert rss.findtext("content:encoded", namespaces=NS) == (html or " ")
    assert item["title"] == atom.findtext("a:title", namespaces=NS) == rss.findtext("title")
    assert item["attachments"][0]["url"] == plain_address(url)
    assert atom.find("a:link[@rel='enclosure']", NS).get("href") == plain_address(url)
    if rss.find("category") is not None and rss.findtext("category"):
        assert item["tags"] == [rss.findtext("category")]
