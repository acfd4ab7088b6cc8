"""`feeds/lint.py`: each rule with a document that breaks it and nothing else; what is good passes."""

import re
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from feeds.lint import lint_document, read_document
from feeds.lint_faults import MOST_FAULTS, html_faults, is_rfc822_date, rfc3339_moment

GOOD = Path(__file__).parent.parent / "data" / "feeds" / "lint"
ONE, TWO = "tag:f.example,2009:1", "tag:f.example,2009:2"
STONE = "tag:f.example,2009:3"
ENTRY_ONE_END = "<thr:total>2</thr:total></entry>"


def url(format_: str) -> str:
    return f"https://w.example/feeds/all.{format_}"


def good(format_: str) -> str:
    return (GOOD / f"good.{format_}").read_text()


ATOM = [
    ("xml.well-formed", None, "</feed>", ""),
    ("xml.well-formed", None, "<title>One</title>", "<title>O\x0bne</title>"),
    ("xml.doctype", None, "<feed ", "<!DOCTYPE feed>\n<feed "),
    ("xml.depth", None, ENTRY_ONE_END, '<x xmlns="u:x">' * 60 + "</x>" * 60 + ENTRY_ONE_END),
    ("atom.root", None, "http://www.w3.org/2005/Atom", "http://purl.org/atom/ns#"),
    ("atom.grammar", None, "<title>Frontera</title>", "<title>F</title><title>F</title>"),
    ("atom.grammar", ONE, "<title>One</title>", "<title>One</title><title>One</title>"),
    ("atom.grammar", ONE, ENTRY_ONE_END, '<name xmlns="">Ana</name>' + ENTRY_ONE_END),
    ("atom.grammar", ONE, "<thr:total>2", "<thr:total>many"),
    ("atom.grammar", ONE, 'thr:count="2"', 'thr:count="-1"'),
    ("atom.grammar", ONE, 'xml:lang="es"', 'xml:lang="es!"'),
    ("atom.grammar", ONE, '<content type="html">', '<content type="CDATA">'),
    ("atom.grammar", None, "<fh:archive/>", "<fh:archive>yes</fh:archive>"),
    ("atom.grammar", STONE, "<at:comment>", '<at:comment type="blob">'),
    ("atom.grammar", STONE, "<at:by><name>Ana</name>", '<at:by><name xmlns="">Ana</name>'),
    ("atom.order", None, "</entry>\n<at:", "</entry>\n<rights>All</rights><at:"),
    ("atom.id", ONE, f"<id>{ONE}</id>", "<id>1</id>"),
    ("atom.id", None, "<id>tag:f.example,2026:feeds/all</id>", "<id>all</id>"),
    ("atom.title", ONE, "<title>One</title>", "<title> </title>"),
    ("atom.author", ONE, "<name>Ana</name></author>", "<name/></author>"),
    ("atom.author", TWO, "<author><name>Frontera</name></author>\n", ""),
    ("atom.date", ONE, "06:00:00.25-06:00", "06:00:00"),
    ("atom.updated", ONE, "06:00:00.25-06:00", "16:00:00-06:00"),
    (
        "atom.feed-updated",
        None,
        "15:00:00+00:00</updated>\n<author>",
        "14:59:59+00:00</updated>\n<author>",
    ),
    ("atom.category", ONE, 'scheme="https://w.example/feeds/tag-border/"', 'scheme="border"'),
    ("atom.address", None, "<icon>https://f.example", "<icon>//f.example"),
    ("atom.address", ONE, 'href="https://w.example/2009/09/one/"', 'href="/2009/09/one/"'),
    ("atom.address", ONE, 'href="https://w.example/2009/09/one/"', 'href="//w.example/one/"'),
    ("atom.address", ONE, 'href="https://w.example/2009/09/one/"', 'href="https:///one/"'),
    (
        "atom.alternate",
        TWO,
        '2009/09/two/" rel="alternate" type="text/html"/>',
        '2009/09/two/" rel="alternate" type="text/html"/><link href="https://x.example/" type="text/html"/>',
    ),
    (
        "atom.content",
        TWO,
        '<content type="html">&lt;p&gt;Text&lt;/p&gt;</content>'
        '<link href="https://w.example/2009/09/two/" rel="alternate" type="text/html"/>',
        "",
    ),
    ("atom.enclosure", ONE, ' type="audio/mpeg"', ""),
    ("atom.enclosure", ONE, 'length="12345"', 'length="long"'),
    ("atom.self", None, "w.example/feeds/all.atom", "w.example/feeds/new.atom"),
    ("atom.duplicate", ONE, f"<id>{TWO}</id>", f"<id>{ONE}</id>"),
    ("atom.tombstone", "3", f'ref="{STONE}"', 'ref="3"'),
    (
        "atom.tombstone",
        STONE,
        "</feed>",
        f'<at:deleted-entry ref="{STONE}" when="2009-09-14T00:00:00Z"/></feed>',
    ),
    ("html.address", ONE, "https://x.example/?a", "//x.example/?a"),
    (
        "html.active",
        TWO,
        "&lt;p&gt;Text&lt;/p&gt;</content><link",
        "&lt;script&gt;Text</content><link",
    ),
    ("html.tag", TWO, "&lt;p&gt;Text&lt;/p&gt;</content><link", "&lt;p title='</content><link"),
]

RSS = [
    ("xml.encoding", None, "<title>One</title>", "<title>\udce9</title>"),
    ("rss.root", None, 'version="2.0"', 'version="0.91"'),
    ("rss.root", None, "</channel>", "</channel><channel/>"),
    ("rss.channel", None, "<description>News from the line</description>", ""),
    ("rss.ttl", None, "<ttl>15", "<ttl>soon"),
    ("rss.date", None, "<lastBuildDate>Tue, 15 Sep 2009", "<lastBuildDate>Tue, 15 Sep 09"),
    ("rss.date", ONE, "<pubDate>Tue, 15", "<pubDate>Wed, 15"),
    ("rss.date", ONE, "<atom:updated>2009-09-15T15:00:00+00:00", "<atom:updated>2009-09-15"),
    ("rss.guid", None, f'<guid isPermaLink="false">{ONE}</guid>', ""),
    ("rss.guid", ONE, f'<guid isPermaLink="false">{ONE}', f"<guid>{ONE}"),
    ("rss.duplicate", ONE, TWO, ONE),
    (
        "rss.item",
        TWO,
        "<title>Two</title><link>https://w.example/2009/09/two/</link><description>Text</description>",
        "",
    ),
    ("rss.unknown", ONE, "<title>One</title>", "<title>One</title><updated>2009</updated>"),
    ("rss.once", ONE, "<title>One</title>", "<title>One</title><title>One</title>"),
    (
        "rss.once",
        ONE,
        "<enclosure ",
        '<enclosure url="https://f.example/a" length="1" type="a/b"/><enclosure ',
    ),
    (
        "rss.order",
        ONE,
        "<description>Text</description><content:encoded>&lt;p&gt;Text&lt;/p&gt;</content:encoded>",
        "<content:encoded>&lt;p&gt;Text&lt;/p&gt;</content:encoded><description>Text</description>",
    ),
    ("rss.address", ONE, "<link>https://w.example/2009/09/one/", "<link>/2009/09/one/"),
    ("rss.address", None, "</channel>", '<atom:link href="x" rel="next"/></channel>'),
    ("rss.enclosure", ONE, 'length="12345" ', ""),
    (
        "rss.enclosure",
        ONE,
        'enclosure url="https://f.example/tape.mp3"',
        'enclosure url="/tape.mp3"',
    ),
    (
        "rss.media",
        ONE,
        'media:content url="https://f.example/tape.mp3"',
        'media:content url="tape.mp3"',
    ),
    ("rss.author", ONE, "<dc:creator>Ana</dc:creator>", "<author>Ana</author>"),
    ("rss.author", ONE, "<dc:creator>Ana</dc:creator>", "<dc:creator/>"),
    ("rss.comments", ONE, "<slash:comments>2", "<slash:comments>two"),
    ("rss.comments", ONE, "<wfw:commentRss>https://f.example", "<wfw:commentRss>"),
    (
        "rss.category",
        ONE,
        'domain="https://w.example/feeds/tag-border/"',
        'domain="/feeds/tag-border/"',
    ),
    (
        "rss.image",
        None,
        "<image><url>https://f.example/logo.png</url><title>Frontera",
        "<image><url>https://f.example/logo.png</url><title>Logo",
    ),
    ("rss.image", None, "<width>144", "<width>145"),
    ("rss.image", None, "<url>https://f.example", "<url>"),
    ("rss.self", None, "w.example/feeds/all.rss", "w.example/feeds/all.atom"),
    (
        "html.address",
        ONE,
        "&lt;p&gt;Text",
        "&lt;p&gt;&lt;img src=&quot;data:image/png;base64,AA&quot;&gt;Text",
    ),
]

JSON = [
    ("json.well-formed", None, "]}\n", "]\n"),
    ("json.well-formed", None, '"expired": false', '"expired": NaN'),
    ("json.well-formed", None, '"title": "One"', '"title": "One", "title": "Uno"'),
    ("json.encoding", None, '"title": "One"', '"title": "\udce9"'),
    ("json.version", None, "version/1.1", "version/1"),
    ("json.title", None, '"title": "Frontera"', '"title": ""'),
    ("json.self", None, "w.example/feeds/all.json", "w.example/feeds/new.json"),
    ("json.items", None, '"items": [', '"items": {}, "_x": ['),
    ("json.hub", None, '"type": "WebSub", ', ""),
    ("json.id", None, f'"id": "{ONE}"', '"id": 1'),
    ("json.duplicate", ONE, TWO, ONE),
    ("json.content", TWO, '"content_text": "Text"', '"summary": "Text"'),
    (
        "json.date",
        ONE,
        '"date_published": "2009-09-15T12:00:00Z"',
        '"date_published": "2009-09-15T12:00:00"',
    ),
    (
        "json.date",
        ONE,
        '"date_published": "2009-09-15T12:00:00Z"',
        '"date_published": "2009-09-15T16:00:00Z"',
    ),
    ("json.tags", ONE, '"tags": ["Border"]', '"tags": ["Border", 1]'),
    ("json.attachment", ONE, '"mime_type": "audio/mpeg", ', ""),
    ("json.attachment", ONE, '"size_in_bytes": 12345', '"size_in_bytes": -1'),
    ("json.unknown", ONE, '"title": "One"', '"title": "One", "published": 1'),
    ("json.unknown", None, '"_ours": true', '"ours": true'),
    ("json.characters", ONE, '"title": "One"', '"title": "O\\u0000ne"'),
    ("json.characters", ONE, '"content_html": "<p>Text</p>"', '"content_html": "<p>\\ud800</p>"'),
    ("json.characters", ONE, '"tags": ["Border"]', '"tags": ["\\u000b"]'),
    ("json.type", ONE, '"title": "One"', '"title": 1'),
    ("json.type", None, '"expired": false', '"expired": "no"'),
    ("json.type", ONE, '"authors": [{"name": "Ana"}]', '"authors": ["Ana"]'),
    ("json.author", ONE, '"authors": [{"name": "Ana"}]', '"authors": [{}]'),
    ("json.address", ONE, '"url": "https://w.example/2009/09/one/"', '"url": "/2009/09/one/"'),
    ("html.active", ONE, "<p>Text</p>", "<p onclick='x()'>Text</p>"),
    ("html.address", ONE, "<p>Text</p>", "<p><img srcset='https://x.example/a 1x, b.png 2x'></p>"),
]


@pytest.mark.parametrize("format_", ["atom", "rss", "json"])
def test_a_good_document_has_no_fault(format_: str) -> None:
    assert lint_document(good(format_).encode(), format_, url(format_)) == []


@pytest.mark.parametrize(
    ("format_", "rule", "guid", "before", "after"),
    [
        pytest.param(format_, rule, guid, before, after, id=f"{format_}-{rule}-{number}")
        for format_, table in (("atom", ATOM), ("rss", RSS), ("json", JSON))
        for number, (rule, guid, before, after) in enumerate(table)
    ],
)
def test_each_rule_is_told_with_its_document_and_post(
    format_: str, rule: str, guid: str | None, before: str, after: str
) -> None:
    assert before in good(format_)
    body = good(format_).replace(before, after, 1).encode("utf-8", "surrogateescape")
    faults = lint_document(body, format_, url(format_))
    told = [fault for fault in faults if fault.rule == rule]
    assert told, [str(fault) for fault in faults]
    assert told[0].document == url(format_)
    assert told[0].guid == (guid if rule != "atom.id" or guid is None else "1")
    assert told[0].remedy
    assert all(character.isprintable() for character in str(told[0]))


@pytest.mark.parametrize(
    ("body", "rule"),
    [(b"[]", "json.root"), (b'{"a":' * 5000, "json.depth"), (b"\xff", "json.encoding")],
)
def test_what_is_no_json_feed_is_told(body: bytes, rule: str) -> None:
    assert [fault.rule for fault in lint_document(body, "json", url("json"))] == [rule]


def test_every_rule_has_its_test() -> None:
    package = Path(__file__).parent.parent.parent / "feeds"
    rules = {
        rule
        for path in package.glob("lint*.py")
        if path.name != "lint_set.py"
        for rule in re.findall(r'"((?:xml|atom|rss|json|html)\.[a-z-]+)"', path.read_text())
    }
    tested = {row[0] for row in (*ATOM, *RSS, *JSON)} | {"json.root", "json.depth"}
    assert rules - {"atom.rng"} == tested


def test_the_faults_of_one_document_are_not_told_without_end() -> None:
    body = good("atom").replace("</feed>", "<entry/>" * 5000 + "</feed>").encode()
    assert len(lint_document(body, "atom", url("atom"))) == MOST_FAULTS


def test_an_outline_says_what_other_documents_must_agree_with() -> None:
    for format_ in ("atom", "rss", "json"):
        outline, _ = read_document(good(format_).encode(), format_, url(format_))
        assert outline is not None
        assert outline.ids == (ONE, TWO)
        assert outline.links["self"] == url(format_)
    atom, _ = read_document(good("atom").encode(), "atom", url("atom"))
    assert atom is not None
    assert (atom.removed, atom.is_archive) == ((STONE,), True)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400), st.sampled_from(["atom", "rss", "json"]))
@example(b"", "atom")
@example(b"\xef\xbb\xbf{}", "json")
@example(b"<?xml version='1.0' encoding='utf-16'?><feed/>", "atom")
@example(b"<?xml version='1.0' encoding='klingon'?><feed/>", "rss")
def test_whatever_the_bytes_are_the_linter_ends_and_finds_fault(body: bytes, format_: str) -> None:
    assert lint_document(body, format_, url(format_))


@settings(max_examples=200, deadline=None)
@given(st.data(), st.sampled_from(["atom", "rss", "json"]))
def test_a_good_document_with_any_bytes_changed_never_breaks_the_linter(
    data: st.DataObject, format_: str
) -> None:
    body = bytearray(good(format_).encode())
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at : at + data.draw(st.integers(0, 30))] = data.draw(st.binary(max_size=10))
    for fault in lint_document(bytes(body), format_, url(format_)):
        assert fault.what


@pytest.mark.parametrize(
    "html",
    [
        '<a =""' + "x" * 300_000 + ">",
        "<a " * 100_000,
        '<a "' * 100_000,
        '<a x=">' * 100_001,
        "</" * 100_000,
        "<a " + "x = " * 100_000 + ">",
        "<" * 300_000,
    ],
    ids=["name", "unclosed", "quotes", "pairs", "ends", "attributes", "less"],
)
@pytest.mark.timeout(20)
def test_hostile_html_takes_no_longer_than_its_length(html: str) -> None:
    list(html_faults(html))


@pytest.mark.parametrize(
    "html",
    [
        "a < b > c <3",
        '<img alt="<script>alert(1)</script>" src="https://x.example/">',
        '<p title="<a href=x>">Text</p>',
        '<pre>&lt;script src="x"&gt;</pre>',
        '<a href="mailto:a@b.example">m</a> <a href="tel:+52">t</a><br/><details open="">d</details>',
        '<img srcset="https://x.example/a,b 1x, https://x.example/c 2x">',
        "<!-- a comment --> <a href='HTTPS://X.EXAMPLE'>x</a>",
    ],
)
def test_harmless_html_is_left_alone(html: str) -> None:
    assert list(html_faults(html)) == []


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("0001-01-01T00:00:00Z", True),
        ("9999-12-31T23:59:59+00:00", True),
        ("2009-09-15T12:00:00.123456789-06:00", True),
        ("2009-02-30T12:00:00Z", False),
        ("2009-09-15 12:00:00Z", False),
        ("2009-09-15T12:00:00", False),
        ("-001-09-15T12:00:00Z", False),
        ("٢٠٠٩-09-15T12:00:00Z", False),
    ],
)
def test_rfc3339_dates(text: str, good: bool) -> None:
    assert (rfc3339_moment(text) is not None) is good


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("Tue, 15 Sep 2009 12:00:00 +0000", True),
        ("15 Sep 2009 12:00 GMT", True),
        ("Mon, 01 Jan 0001 00:00:00 +0000", True),
        ("Fri, 31 Dec 9999 23:59:59 +0000", True),
        ("Wed, 15 Sep 2009 12:00:00 +0000", False),
        ("mar, 15 sep 2009 12:00:00 +0000", False),
        ("Tue, 15 Sep 09 12:00:00 +0000", False),
        ("Tue, 31 Feb 2009 12:00:00 +0000", False),
        ("Tue, 15 Sep 2009 12:00:00", False),
    ],
)
def test_rfc822_dates(text: str, good: bool) -> None:
    assert is_rfc822_date(text) is good
