from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from posts.clean import cleaned
from posts.errors import SourceError
from posts.sources.feed_parse import parse_feed

DATA = Path(__file__).parents[2] / "data" / "remote"
URL = "https://blog.example/feed.xml"


def parsed(document: str | bytes, kind: str = "application/xml", url: str = URL):
    body = document if isinstance(document, bytes) else document.encode()
    return parse_feed(body, kind, url, source="blog", zone=ZoneInfo("America/Denver"))


def rss(*items: str, head: str = "") -> str:
    return (
        '<?xml version="1.0"?><rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"'
        ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:slash="http://purl.org/rss/1.0/modules/slash/"'
        ' xmlns:feedburner="http://rssnamespace.org/feedburner/ext/1.0"><channel><title>B</title>'
        f"<link>https://blog.example/</link><description>d</description>{head}{''.join(items)}</channel></rss>"
    )


def item(inside: str, *, guid: str = "1") -> str:
    return f"<item><guid isPermaLink='false'>{guid}</guid>{inside}</item>"


def the_post(document: str, **more):
    (post,) = parsed(document, **more).posts
    return post


def test_an_atom_feed_arrives_whole():
    feed = parsed((DATA / "blogger.atom").read_bytes())
    assert (feed.title, feed.tagline, feed.language) == ("Frontera List", "News & notes", "es")
    assert feed.home_url == "https://frontera.example/"
    first, second = feed.posts
    assert first.guid == first.external_id == "tag:blogger.com,1999:blog-1.post-2"
    assert first.title == "Juárez: 5 < 6"
    assert first.link == "https://frontera.example/2009/09/juarez.html"
    assert first.published == datetime(2009, 9, 15, 14, tzinfo=UTC)
    assert first.updated == datetime(2009, 9, 16, 14, tzinfo=UTC)
    assert cleaned(first, language="en").authors == ("Molly",)
    assert first.tags == ("border", "Juárez")
    assert (first.comment_count, first.comments_url) == (
        12,
        "https://frontera.example/2009/09/juarez.html#comments",
    )
    assert [(one.url, one.type, one.length_bytes) for one in first.enclosures] == [
        ("https://frontera.example/a.mp3", "audio/mpeg", 1234)
    ]
    assert '<iframe src="https://www.youtube.com/embed/abcdefghijk">' in first.raw_html
    assert (first.language, second.language) == ("es", "en")
    assert cleaned(second, language="en").authors == ("Frontera",)
    assert not feed.summaries_only


def test_relative_addresses_in_content_count_from_its_xml_base():
    post = parsed((DATA / "blogger.atom").read_bytes()).posts[1]
    assert '<img src="https://frontera.example/img/i.png">' in cleaned(post, language="en").html


def test_nothing_is_lost_before_our_own_cleaning():
    post = the_post(
        rss(
            item(
                "<content:encoded><![CDATA[<p dir=rtl>x<img srcset='/b 2x' src=/a></p>]]></content:encoded>"
            )
        )
    )
    assert "srcset" in post.raw_html
    assert "dir=rtl" in post.raw_html


@pytest.mark.parametrize(
    ("written", "title"),
    [
        pytest.param("AT&amp;amp;T", "AT&T", id="escaped twice"),
        pytest.param("Tom &amp; Ana", "Tom & Ana", id="escaped once"),
        pytest.param("It&amp;#8217;s", "It’s", id="a number"),
        pytest.param("a &lt;b&gt;bold&lt;/b&gt; word", "a bold word", id="markup"),
        pytest.param("5 &lt; 6", "5 < 6", id="a comparison"),
        pytest.param("<![CDATA[ x\n y ]]>", "x y", id="lines"),
    ],
)
def test_titles_are_plain_text(written, title):
    assert the_post(rss(item(f"<title>{written}</title>"))).title == title


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        pytest.param(
            "Tue, 15 Sep 2009 08:00:00 -0600", datetime(2009, 9, 15, 14, tzinfo=UTC), id="RFC 822"
        ),
        pytest.param(
            "2009-09-15T08:00:00Z", datetime(2009, 9, 15, 8, tzinfo=UTC), id="RFC 3339 in RSS"
        ),
        pytest.param("jue, 01 ene 2026 08:00:00 +0000", None, id="Spanish names"),
        pytest.param("01/02/2026", None, id="which is the month?"),
        pytest.param("-0001-11-30T00:00:00Z", None, id="an empty date of MySQL"),
        pytest.param("0000-00-00 00:00:00", None, id="zeros"),
        pytest.param("Thu, 01 Jan 1970 00:00:00 +0000", None, id="the epoch"),
        pytest.param("Thu, 31 Feb 2026 25:61:00 +0000", None, id="no day"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_a_date_that_cannot_be_read_is_a_missing_date(written, moment):
    assert the_post(rss(item(f"<title>x</title><pubDate>{written}</pubDate>"))).published == moment


def test_authors_are_names_and_never_addresses():
    document = rss(
        item("<title>x</title><author>ana@blog.example (Ana)</author>"),
        item("<title>y</title><dc:creator>bo@blog.example</dc:creator>", guid="2"),
        item("<title>w</title><author>Eva (staff) &lt;eva@blog.example&gt;</author>", guid="4"),
        item("<title>z</title><dc:creator>Cy</dc:creator><dc:creator>Di</dc:creator>", guid="3"),
    )
    contents = [cleaned(post, language="en") for post in parsed(document).posts]
    assert [content.authors for content in contents] == [
        ("Ana",),
        (),
        ("Eva (staff)",),
        ("Cy", "Di"),
    ]


def test_an_entry_without_an_id_is_known_by_its_link_or_by_what_it_says():
    document = rss(
        "<item><link>https://blog.example/a</link></item>", "<item><title>t</title></item>"
    )
    first, second = parsed(document).posts
    assert (first.external_id, first.guid) == ("https://blog.example/a", None)
    assert second.external_id.startswith("hash:")
    assert second.external_id == parsed(rss("<item><title>t</title></item>")).posts[0].external_id


def test_an_id_that_a_feed_repeats_is_nobodys():
    document = rss(
        item("<title>a</title><link>https://blog.example/a</link>"),
        item("<title>b</title><link>https://blog.example/b</link>"),
        item("<title>c</title><link>https://blog.example/c</link>", guid="2"),
    )
    feed = parsed(document)
    assert [(post.external_id, post.guid) for post in feed.posts] == [
        ("https://blog.example/a", None),
        ("https://blog.example/b", None),
        ("2", "2"),
    ]
    assert 'gives one id to several posts ("1")' in feed.faults[0].what


def test_the_same_entry_twice_is_one_post():
    document = rss(*[item("<title>a</title><link>https://blog.example/a</link>")] * 2)
    feed = parsed(document)
    assert [post.guid for post in feed.posts] == ["1"]
    assert feed.faults == ()


def test_an_id_stays_as_it_is_wherever_the_feed_lies():
    document = rss("<item><guid>1</guid><link>/a</link></item>")
    for url in (URL, "http://old.example/rss"):
        assert the_post(document, url=url).guid == "1"
    assert the_post(document).link == "https://blog.example/a"


def test_feedburners_links_lead_to_the_blog():
    document = rss(
        item(
            "<title>a</title><link>http://feedproxy.google.com/~r/x/~3/y/</link>"
            "<feedburner:origLink>https://blog.example/a</feedburner:origLink>"
        )
    )
    assert the_post(document).link == "https://blog.example/a"


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(
            '<wfw:commentRss xmlns:wfw="http://wellformedweb.org/CommentAPI/">/a/feed/</wfw:commentRss>',
            id="wfw",
        ),
        pytest.param(
            '<a:link xmlns:a="http://www.w3.org/2005/Atom" rel="replies" href="/a/feed/"'
            ' type="application/atom+xml"/>',
            id="rel replies",
        ),
    ],
)
def test_the_feed_of_comments_is_told_from_their_page(written):
    post = the_post(rss(item(f"<title>a</title><comments>/a#c</comments>{written}")))
    assert post.comments_feed_url == "https://blog.example/a/feed/"
    assert post.comments_url == "https://blog.example/a#c"


def test_counts_of_comments_are_read():
    document = rss(
        item("<title>a</title><slash:comments>7</slash:comments><comments>/a#c</comments>")
    )
    post = the_post(document)
    assert (post.comment_count, post.comments_url) == (7, "https://blog.example/a#c")


def test_a_summary_beside_the_full_text_is_kept():
    post = the_post(
        rss(
            item(
                "<description>Short.</description><content:encoded>&lt;p&gt;Long.&lt;/p&gt;</content:encoded>"
            )
        )
    )
    assert (post.raw_html, post.raw_summary) == ("<p>Long.</p>", "Short.")


def test_a_description_alone_is_the_text():
    post = the_post(rss(item("<description>&lt;p&gt;All of it.&lt;/p&gt;</description>")))
    assert (post.raw_html, post.raw_summary) == ("<p>All of it.</p>", None)


def test_plain_text_keeps_its_paragraphs():
    assert (
        the_post(rss(item("<description>One.\n\nTwo.</description>"))).raw_html
        == "<p>One.</p><p>Two.</p>"
    )


LONG = (
    "&lt;p&gt;"
    + "A whole sentence. " * 20
    + "&lt;/p&gt;&lt;p&gt;"
    + "Another one. " * 30
    + "&lt;/p&gt;"
)


@pytest.mark.parametrize(
    ("description", "only_summaries"),
    [
        pytest.param("The beginning of it […]", True, id="breaks off"),
        pytest.param("The beginning of it", True, id="short"),
        pytest.param(
            "&lt;p&gt;" + "word " * 200 + "&lt;/p&gt;&lt;a href='/x'&gt;Continue reading&lt;/a&gt;",
            True,
            id="read on",
        ),
        pytest.param(LONG, False, id="full text in the description"),
    ],
)
def test_a_feed_of_summaries_is_recognised(description, only_summaries):
    feed = parsed(
        rss(*[item(f"<description>{description}</description>", guid=str(n)) for n in range(3)])
    )
    assert feed.summaries_only == only_summaries


def test_junk_before_the_document_is_passed_over():
    assert (
        len(parsed("\n \ufeffWarning: foo() in /x.php\n" + rss(item("<title>a</title>"))).posts)
        == 1
    )


def test_a_document_that_breaks_off_keeps_the_whole_entries():
    whole = rss(
        *[
            item(f"<title>t{n}</title><description>text {n}</description>", guid=str(n))
            for n in range(5)
        ]
    )
    cut = whole[: whole.index("text 3") + 3]
    feed = parsed(cut)
    assert [post.title for post in feed.posts] == ["t0", "t1", "t2"]
    assert "breaks off in the middle" in feed.faults[0].what


def test_windows_1252_declared_as_utf_8_is_read():
    document = (
        rss(item("<title>Ju\u00e1rez \u201cx\u201d</title>"))
        .replace("?>", ' encoding="utf-8"?>', 1)
        .encode("cp1252")
    )
    assert the_post(document).title == "Juárez “x”"


def test_control_characters_do_not_survive():
    document = rss(item("<title>a\x10b</title><description>c\x0bd &amp;#11;</description>"))
    content = cleaned(the_post(document), language="en")
    assert content.title.replace(" ", "") == "ab"
    assert "\x0b" not in content.html


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        pytest.param(b"", "application/xml", "is empty", id="empty"),
        pytest.param(
            b"<!doctype html><html><body>Error",
            "application/rss+xml",
            "is a web page",
            id="error page",
        ),
        pytest.param(
            b"%PDF-1.4",
            "application/pdf",
            "is not a feed that can be read \\(it calls itself application/pdf\\)",
            id="PDF",
        ),
        pytest.param(b"\x00\x01\x02" * 1000, "", "calls itself unnamed", id="bytes"),
    ],
)
def test_what_is_no_feed_is_told_apart(body, kind, message):
    with pytest.raises(SourceError, match=message):
        parsed(body, kind)


def test_a_feed_without_entries_is_a_feed():
    assert parsed(rss()).posts == ()


def test_an_entity_bomb_does_not_explode():
    lines = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "ha" * 10}">' for n in range(12))
    bomb = (
        f'<?xml version="1.0"?><!DOCTYPE r [{lines}]>'
        + rss(item("<title>&l11;</title>")).partition("?>")[2]
    )
    with pytest.raises(SourceError, match="entities made of entities"):
        parsed(bomb)


def test_entities_of_letters_and_a_bomb_that_is_only_shown_are_no_bomb():
    letters = (
        '<!DOCTYPE rss [<!ENTITY eacute "&#233;"><!ENTITY % more PUBLIC "-//W3C//X" "x.ent">]>'
    )
    sample = item(
        "<title>Bombs</title>"
        '<description><![CDATA[<p>&lt;!ENTITY b "&a;"&gt; <!ENTITY b "&a;"></p>]]></description>'
    )
    feed = parsed('<?xml version="1.0"?>' + letters + rss(sample).partition("?>")[2])
    assert [post.title for post in feed.posts] == ["Bombs"]


def test_an_external_entity_is_not_read(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("the secret")
    document = (
        f'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x SYSTEM "{secret.as_uri()}">]>'
        + rss(item("<title>a &x; b</title>")).partition("?>")[2]
    )
    try:
        feed = parsed(document)
    except SourceError:
        return
    assert "secret" not in repr(feed)


def test_many_entries_are_bounded():
    feed = parsed(rss(*[item("", guid=str(n)) for n in range(5_010)]))
    assert len(feed.posts) == 5_000
    assert "5,010" in feed.faults[0].what


def test_a_document_of_nothing_but_tags_is_refused():
    with pytest.raises(SourceError, match="has more than 600,000 tags"):
        parsed("<rss><channel>" + "<a>" * 700_000)
