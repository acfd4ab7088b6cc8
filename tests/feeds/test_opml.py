"""The list of all feeds."""

from lxml import etree

from feeds.opml import build_opml
from feeds.spec import list_feeds
from posts.model import Label
from tests.feeds.arrange import WEB_URL, a_site


def test_every_feed_is_listed_by_its_atom_address() -> None:
    tag = Label(kind="tag", name="A & <b>", slug="a-b")
    author = Label(kind="author", name="Ana Ruiz", slug="ana-ruiz")
    feeds = list_feeds(a_site(), [], [tag], ["es"], [author])
    root = etree.fromstring(build_opml(a_site(), WEB_URL, feeds))
    assert root.findtext("head/title") == "The Border Reporter"
    outlines = root.findall("body/outline")
    assert [outline.get("xmlUrl") for outline in outlines] == [
        f"{WEB_URL}/feeds/{name}.atom"
        for name in (
            "all",
            "updates",
            "headlines",
            "media",
            "language-es",
            "tag-a-b",
            "author-ana-ruiz",
        )
    ]
    assert outlines[0].get("htmlUrl") == "https://border.example.org/"
    assert dict(outlines[5].attrib) == {
        "type": "rss",
        "text": "The Border Reporter: A & <b>",
        "title": "The Border Reporter: A & <b>",
        "xmlUrl": f"{WEB_URL}/feeds/tag-a-b.atom",
        "htmlUrl": f"{WEB_URL}/feeds/tag-a-b/",
        "language": "en",
    }
