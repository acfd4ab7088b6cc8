"""The checklist of a complete feed, a row a test: RFC 4287, the RSS Best Practices Profile, JSON Feed 1.1.

What is about entries alone has its tests in test_entry.py; what two programs read back, in test_document.py.
"""

import json
from datetime import timedelta
from typing import Any

import feedparser
import pytest
from lxml import etree

from feeds.document import build_document
from feeds.entry import render_entry, render_frame
from feeds.spec import MAX_AGE_S, MEDIA_TYPES, Feed, FrameLinks, list_feeds
from posts.model import Correction, Enclosure, Label, Post
from tests.feeds.arrange import NOON, WEB_URL, a_post, a_site

NS = {
    "a": "http://www.w3.org/2005/Atom",
    "content": "http://purl.org/rss/1.0/modules/content/",
    "fh": "http://purl.org/syndication/history/1.0",
    "media": "http://search.yahoo.com/mrss/",
}
LANG = "{http://www.w3.org/XML/1998/namespace}lang"
TAG = list_feeds(a_site(), [], [Label(kind="tag", name="Juárez & co", slug="juarez-co")])[-1]
PICTURES = {"icon": "https://b.example/icon.png", "logo": "https://b.example/logo.png"}
ARCHIVE = FrameLinks(
    self_url=f"{WEB_URL}/feeds/all/archive/00002.atom",
    prev_archive=f"{WEB_URL}/feeds/all/archive/00001.atom",
    next_archive=f"{WEB_URL}/feeds/all/archive/00003.atom",
    current=f"{WEB_URL}/feeds/all.atom",
    is_archive=True,
    hubs=("https://hub.example/a", "https://hub.example/b"),
    next_url=f"{WEB_URL}/feeds/all/archive/00001.json",
)


def document(
    format_: str,
    *posts: Post,
    feed: Feed | None = None,
    links: FrameLinks | None = None,
    web_url: str = WEB_URL,
    headline: bool = False,
    **site: Any,
) -> bytes:
    """A document of `posts`, of the feed of all unless another is given; `site` are settings."""
    whose = a_site(**site)
    head, tail = render_frame(
        feed or list_feeds(whose)[0],
        format_,
        site=whose,
        web_url=web_url,
        updated=NOON,
        links=links or FrameLinks(),
    )
    entries = [
        render_entry(post, web_url=web_url, tag_slugs={"Juárez": "juarez"}, headline=headline)[
            format_
        ]
        for post in posts
    ]
    return head + (b",\n" if format_ == "json" else b"").join(entries) + tail


def atom(*posts: Post, **values: Any) -> etree._Element:
    """The root of an Atom document."""
    return etree.fromstring(document("atom", *posts, **values))


def channel(*posts: Post, **values: Any) -> etree._Element:
    """The channel of an RSS document."""
    found = etree.fromstring(document("rss", *posts, **values)).find("channel")
    assert found is not None
    return found


def json_feed(*posts: Post, **values: Any) -> Any:  # Any: parsed JSON
    """A JSON document, parsed."""
    return json.loads(document("json", *posts, **values))


def links(parent: etree._Element, name: str = "a:link") -> dict[str, str]:
    """The links of a head: address by relation, the last of each."""
    return {link.get("rel", ""): link.get("href", "") for link in parent.findall(name, NS)}


def test_rfc4287_4_1_1_a_feed_has_one_id_one_title_and_the_newest_time_of_its_entries() -> None:
    root = atom()
    assert [root.findtext(f"a:{name}", namespaces=NS) for name in ("id", "title", "updated")] == [
        "tag:border.example.org,2026:feeds/all",
        "The Border Reporter",
        "2009-09-15T12:00:00+00:00",
    ]


def test_rfc4287_4_2_1_the_feeds_author_is_the_newsroom_with_its_home_and_no_address() -> None:
    author = atom(contact="desk@border.example.org").find("a:author", NS)
    assert [(etree.QName(child).localname, child.text) for child in author] == [
        ("name", "The Border Reporter"),
        ("uri", "https://border.example.org/"),
    ]


def test_rfc4287_4_2_7_self_is_the_documents_own_address_and_alternate_the_page() -> None:
    assert links(atom()) == {
        "self": f"{WEB_URL}/feeds/all.atom",
        "alternate": "https://border.example.org/",
    }
    assert links(atom(feed=TAG))["alternate"] == f"{WEB_URL}/feeds/tag-juarez-co/"
    assert channel(feed=TAG).findtext("link") == f"{WEB_URL}/feeds/tag-juarez-co/"
    assert json_feed(feed=TAG)["home_page_url"] == f"{WEB_URL}/feeds/tag-juarez-co/"


def test_title_and_subtitle_have_a_language() -> None:
    feed = list_feeds(a_site(), [], [], ["es"])[-1]
    read = feedparser.parse(document("atom", feed=feed, tagline="Noticias")).feed
    assert read.title_detail.language == read.subtitle_detail.language == "es"
    assert channel(feed=feed).findtext("language") == "es"
    assert json_feed(feed=feed)["language"] == "es"


def test_rfc4287_4_2_5_and_4_2_8_icon_and_logo_stand_where_the_newsroom_has_them() -> None:
    root = atom(**PICTURES)
    assert root.findtext("a:icon", namespaces=NS) == PICTURES["icon"]
    assert root.findtext("a:logo", namespaces=NS) == PICTURES["logo"]
    assert atom().find("a:icon", NS) is None


def test_the_rss_picture_has_the_channels_own_title_and_link() -> None:
    found = channel(feed=TAG, **PICTURES)
    assert found.findtext("image/url") == PICTURES["icon"]
    assert found.findtext("image/title") == found.findtext("title")
    assert found.findtext("image/link") == found.findtext("link")


def test_rss_knows_three_kinds_of_pictures_and_a_drawing_is_none_of_them() -> None:
    assert channel(icon="https://b.example/icon.svg").find("image") is None


def test_json_feed_has_the_icon_in_both_sizes() -> None:
    read = json_feed(**PICTURES)
    assert (read["icon"], read["favicon"]) == (PICTURES["icon"], PICTURES["icon"])
    assert "icon" not in json_feed()


def test_rights_are_told_in_every_format() -> None:
    rights = "© The Border Reporter, CC BY 4.0"
    assert atom(rights=rights).findtext("a:rights", namespaces=NS) == rights
    assert channel(rights=rights).findtext("copyright") == rights
    assert json_feed(rights=rights)["_rights"] == {"text": rights}


def test_the_ttl_agrees_with_the_max_age_that_is_sent() -> None:
    assert channel().findtext("ttl") == str(MAX_AGE_S / 60).removesuffix(".0")


def test_the_managing_editor_is_a_mail_address_with_a_name_or_nobody() -> None:
    assert channel(contact="desk@border.example.org").findtext("managingEditor") == (
        "desk@border.example.org (The Border Reporter)"
    )
    assert channel(contact="Write to us in Juárez").find("managingEditor") is None
    assert channel().find("managingEditor") is None


def test_an_rss_channel_has_what_the_profile_asks_for() -> None:
    found = channel(tagline="News from the line")
    assert found.findtext("description") == "News from the line"
    assert found.findtext("language") == "en"
    assert found.findtext("generator") == "Dateline"
    assert found.findtext("docs") == "http://www.rssboard.org/rss-specification"
    assert found.findtext("lastBuildDate") == "Tue, 15 Sep 2009 12:00:00 +0000"
    assert links(found) == {"self": f"{WEB_URL}/feeds/all.rss"}


def test_rss_titles_write_ampersands_and_brackets_as_the_profile_does() -> None:
    body = document("rss", a_post(title="5 < 6 & <b>"), feed=TAG)
    assert b"<title>5 &#x3C; 6 &#x26; &#x3C;b&gt;</title>" in body
    assert b"<title>The Border Reporter: Ju\xc3\xa1rez &#x26; co</title>" in body
    assert etree.fromstring(body).findtext("channel/item/title") == "5 < 6 & <b>"


def test_a_category_has_a_stable_term_its_page_and_what_people_read() -> None:
    post = a_post(tags=("Juárez",))
    page = f"{WEB_URL}/feeds/tag-juarez/"
    category = atom(post).find("a:entry/a:category", NS)
    assert dict(category.attrib) == {"term": "juarez", "scheme": page, "label": "Juárez"}
    found = channel(post).find("item/category")
    assert (found.text, found.get("domain")) == ("Juárez", page)


def test_every_enclosure_is_media_with_its_length_and_type() -> None:
    post = a_post(
        enclosures=(
            Enclosure(url="https://b.example/a.mp3", type="audio/mpeg", length_bytes=9, title="T"),
            Enclosure(url="https://b.example/b.pdf", type="application/pdf"),
        )
    )
    first, second = channel(post).findall("item/media:content", NS)
    assert dict(first.attrib) == {
        "url": "https://b.example/a.mp3",
        "type": "audio/mpeg",
        "fileSize": "9",
        "medium": "audio",
    }
    assert first.findtext("media:title", namespaces=NS) == "T"
    assert second.get("medium") == "document"


@pytest.mark.parametrize(
    ("html", "enclosures", "picture"),
    [
        pytest.param(
            '<p><img alt="" src="data:image/png;base64,AA"><img src="https://b.example/a?x=1&amp;y=2"></p>',
            (),
            "https://b.example/a?x=1&y=2",
            id="the first picture on the web",
        ),
        pytest.param(
            '<img src="https://b.example/a.png">',
            (Enclosure(url="https://b.example/b.jpg", type="image/jpeg"),),
            "https://b.example/b.jpg",
            id="an enclosed picture before one in the text",
        ),
    ],
)
def test_a_post_with_a_picture_has_it_as_thumbnail_in_every_format(
    html: str, enclosures: tuple[Enclosure, ...], picture: str
) -> None:
    post = a_post(html=html, enclosures=enclosures)
    for parent in (atom(post).find("a:entry", NS), channel(post).find("item")):
        assert parent.find("media:thumbnail", NS).get("url") == picture
    assert json_feed(post)["items"][0]["image"] == picture


def test_a_post_without_a_picture_has_no_thumbnail() -> None:
    assert b"thumbnail" not in document("atom", a_post(html="<p title='src=\"x\"'>x</p>"))


def test_jsonfeed_1_1_the_head_is_complete_and_old_readers_find_the_author() -> None:
    read = json_feed(tagline="News from the line")
    author = {"name": "The Border Reporter", "url": "https://border.example.org/"}
    assert (read["authors"], read["author"]) == ([author], author)
    assert read["description"] == "News from the line"
    assert read["language"] == "en"
    assert f"{WEB_URL}/feeds/all/" in read["user_comment"]


def test_jsonfeed_1_1_an_item_has_a_text_and_a_string_for_id_and_a_modified_date() -> None:
    item = json_feed(a_post(guid="17", updated=NOON + timedelta(hours=3)))["items"][0]
    assert isinstance(item["id"], str)
    assert item["content_html"]
    assert item["date_modified"] == "2009-09-15T15:00:00+00:00"


@pytest.mark.parametrize("format_", MEDIA_TYPES)
def test_a_headline_has_its_summary_and_no_full_text(format_: str) -> None:
    post = a_post(title="The bridge", html="<p>All the words.</p>", summary="In short.")
    body = document(format_, post, headline=True)
    assert b"All the words." not in body
    assert b"In short." in body
    if format_ != "json":
        [entry] = feedparser.parse(body).entries
        assert (entry.title, entry.link) == ("The bridge", WEB_URL + post.path)
    else:
        [item] = json.loads(body)["items"]
        assert item["content_text"] == "In short."  # JSON Feed demands a text


CORRECTED = a_post(
    language="es",
    html="<p>El puente abrió.</p>",
    summary="En breve.",
    corrections=(
        Correction(at=NOON, note="Fue <el> lunes.", revision=2),
        Correction(at=NOON + timedelta(days=1), note="Fue el martes.", revision=3),
    ),
)


def test_notes_of_corrections_stand_above_the_text_newest_first_in_the_posts_language() -> None:
    html = json_feed(CORRECTED)["items"][0]["content_html"]
    assert html == (
        "<p><strong>Corrección, 16 sept 2009:</strong> Fue el martes.</p>\n"
        "<p><strong>Corrección, 15 sept 2009:</strong> Fue &lt;el&gt; lunes.</p>\n"
        "<p>El puente abrió.</p>"
    )
    assert atom(CORRECTED).findtext("a:entry/a:content", namespaces=NS) == html
    assert channel(CORRECTED).findtext("item/content:encoded", namespaces=NS) == html


@pytest.mark.parametrize("headline", [False, True])
def test_lists_that_show_summaries_show_the_notes_too(headline: bool) -> None:
    assert json_feed(CORRECTED, headline=headline)["items"][0]["summary"] == (
        "Corrección, 16 sept 2009: Fue el martes. Corrección, 15 sept 2009: Fue <el> lunes. En breve."
    )


def test_rfc5005_4_an_archive_document_is_marked_and_linked() -> None:
    root = atom(links=ARCHIVE)
    assert root.find("fh:archive", NS) is not None
    assert links(root) == {
        "self": ARCHIVE.self_url,
        "alternate": "https://border.example.org/",
        "hub": "https://hub.example/b",
        "current": ARCHIVE.current,
        "prev-archive": ARCHIVE.prev_archive,
        "next-archive": ARCHIVE.next_archive,
    }
    assert root.findtext("a:id", namespaces=NS) == atom().findtext("a:id", namespaces=NS)


def test_rfc5005_4_rss_borrows_the_mark_and_the_links() -> None:
    found = channel(links=ARCHIVE)
    assert found.find("fh:archive", NS) is not None
    assert links(found)["prev-archive"] == ARCHIVE.prev_archive
    assert found.findtext("link") == "https://border.example.org/"  # not the last link there is


def test_rfc5005_4_a_subscription_document_is_no_archive() -> None:
    root = atom(links=FrameLinks(prev_archive=ARCHIVE.prev_archive))
    assert root.find("fh:archive", NS) is None
    assert links(root)["prev-archive"] == ARCHIVE.prev_archive


def test_websub_4_every_hub_is_named_in_every_format() -> None:
    for parent in (atom(links=ARCHIVE), channel(links=ARCHIVE)):
        hubs = [link.get("href") for link in parent.findall("a:link[@rel='hub']", NS)]
        assert hubs == list(ARCHIVE.hubs)
    assert json_feed(links=ARCHIVE)["hubs"] == [
        {"type": "WebSub", "url": "https://hub.example/a"},
        {"type": "WebSub", "url": "https://hub.example/b"},
    ]


def test_jsonfeed_1_1_next_url_leads_on_and_feed_url_stays_the_feeds() -> None:
    read = json_feed(links=ARCHIVE)
    assert read["next_url"] == ARCHIVE.next_url
    assert read["feed_url"] == f"{WEB_URL}/feeds/all.json"


@pytest.mark.parametrize("format_", ["atom", "rss"])
@pytest.mark.parametrize(
    ("web_url", "href"), [(WEB_URL, "/feed.css"), ("https://x.example/press/", "/press/feed.css")]
)
def test_a_browser_is_told_of_the_style_sheet_of_its_own_host(
    format_: str, web_url: str, href: str
) -> None:
    instruction = etree.fromstring(document(format_, web_url=web_url)).getprevious()
    assert isinstance(instruction, etree._ProcessingInstruction)
    assert dict(instruction.attrib) == {"type": "text/css", "href": href}


@pytest.mark.parametrize("format_", MEDIA_TYPES)
def test_a_document_of_everything_that_can_be_said_is_the_same_twice(format_: str) -> None:
    def build() -> bytes:
        return build_document(
            TAG,
            format_,
            site=a_site(**PICTURES, rights="©"),
            web_url=WEB_URL,
            updated=NOON,
            entries=[render_entry(CORRECTED, web_url=WEB_URL, tag_slugs={})[format_]],
        )

    assert build() == build()
