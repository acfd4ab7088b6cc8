import time
from html import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from posts.clean import MAX_BODY, absolute_url, clean_html, cleaned
from posts.errors import PostError
from posts.model import Enclosure, IncomingPost
from posts.text import plain_text

BASE = "https://blog.example/2009/09/juarez.html"


def an_incoming(**changes):
    values = {
        "source": "content",
        "external_id": "a.md",
        "place": "content/a.md",
        "title": "A title",
        "raw_html": "<p>Text</p>",
        "base_url": BASE,
    }
    return IncomingPost(**{**values, **changes})


@pytest.mark.parametrize(
    ("raw", "html"),
    [
        pytest.param("<script>alert(1)</script>x", "x", id="script"),
        pytest.param("<style>p{}</style>x", "x", id="style"),
        pytest.param(
            '<p onclick="x()" id=a class=b style="c:d">x</p>', "<p>x</p>", id="attributes"
        ),
        pytest.param('<a href="javascript:alert(1)">x</a>', "x", id="javascript address"),
        pytest.param(
            '<a href=" jAva\tscript:alert(1)">x</a>', "x", id="disguised javascript address"
        ),
        pytest.param('<a href="data:text/html,x">x</a>', "x", id="data address"),
        pytest.param('<a href="vbscript:x">x</a>', "x", id="vbscript address"),
        pytest.param('<svg><a xlink:href="javascript:1">x</a></svg>y', "y", id="svg"),
        pytest.param(
            "<form action=/x><input name=a><button>b</button></form>", "<div>b</div>", id="form"
        ),
        pytest.param("<!-- c --><![CDATA[x]]><?php y ?>z", "z", id="comments and instructions"),
        pytest.param(
            '<p dir="RTL" lang="ar">x</p>', '<p dir="rtl" lang="ar">x</p>', id="dir and lang stay"
        ),
        pytest.param('<p dir="up" lang="not a tag">x</p>', "<p>x</p>", id="senseless dir and lang"),
        pytest.param("<b><p>x</p></b>", "<b><p>x</p></b>", id="a block in b, as Blogger writes"),
        pytest.param(
            "<section>a</section><section>b</section>", "<div>a</div><div>b</div>", id="sections"
        ),
        pytest.param("<strike>a</strike><tt>b</tt>", "<s>a</s><code>b</code>", id="old elements"),
        pytest.param("<p>&nbsp;</p><p></p>x", "x", id="empty paragraphs"),
        pytest.param("a&nbsp;b", "a\u00a0b", id="no entity that XML lacks"),
        pytest.param(
            "a&#16;b&#xFFFE;\ud800c\x0b",
            "a\ufffdb\ufffdc".replace("\ufffd", ""),
            id="illegal in XML",
        ),
        pytest.param(
            '<td style="text-align:right">x',
            "x",
            id="a cell without its table",
        ),
        pytest.param(
            '<table><tr><td style="text-align:right">x</table>',
            '<table><tbody><tr><td align="right">x</td></tr></tbody></table>',
            id="alignment of a cell",
        ),
        pytest.param(
            '<blockquote cite="/q">x</blockquote><ins cite="javascript:1">y</ins>',
            '<blockquote cite="https://blog.example/q">x</blockquote><ins>y</ins>',
            id="cite",
        ),
        pytest.param(
            "<details open><summary>s</summary>x</details>",
            '<details open=""><summary>s</summary>x</details>',
            id="details",
        ),
    ],
)
def test_only_what_is_allowed_gets_through(raw, html):
    assert clean_html(raw, BASE) == html


@pytest.mark.parametrize(
    ("raw", "html"),
    [
        pytest.param("<h1>a</h1><h2>b</h2>", "<h3>a</h3><h4>b</h4>", id="from one"),
        pytest.param(
            "<h2>a</h2><h3>b</h3><h6>c</h6>", "<h3>a</h3><h4>b</h4><h6>c</h6>", id="from two"
        ),
        pytest.param("<h3>a</h3><h5>b</h5>", "<h3>a</h3><h5>b</h5>", id="low enough"),
    ],
)
def test_headings_stand_under_the_headline(raw, html):
    assert clean_html(raw, BASE) == html


@pytest.mark.parametrize(
    ("raw", "html"),
    [
        pytest.param(
            '<a href="../x">a</a>', '<a href="https://blog.example/2009/x">a</a>', id="relative"
        ),
        pytest.param(
            '<a href="//e.example/x">a</a>',
            '<a href="https://e.example/x">a</a>',
            id="protocol-relative",
        ),
        pytest.param(
            '<a href="/x?a=1&amp;utm_source=y&amp;b=%20&amp;utm_medium=z#f">a</a>',
            '<a href="https://blog.example/x?a=1&amp;b=%20#f">a</a>',
            id="tracking parameters",
        ),
        pytest.param(
            '<a href="/x?fbclid=1">a</a>',
            '<a href="https://blog.example/x">a</a>',
            id="only a click id",
        ),
        pytest.param(
            '<p>a<sup><a href="#fn1">1</a></sup></p>', "<p>a<sup>1</sup></p>", id="an anchor inside"
        ),
        pytest.param(
            '<a href="mailto:a@b.example">m</a>', '<a href="mailto:a@b.example">m</a>', id="mailto"
        ),
        pytest.param('<a name="x"></a>y', "y", id="an anchor's place"),
        pytest.param('<a href="http://[bad">x</a>', "x", id="no address"),
    ],
)
def test_links_are_absolute_and_report_nobody(raw, html):
    assert clean_html(raw, BASE) == html


@pytest.mark.parametrize(
    ("raw", "html"),
    [
        pytest.param(
            '<img src="a.jpg" alt="x" width="20px" height="100%">',
            '<img src="https://blog.example/2009/09/a.jpg" alt="x" width="20">',
            id="sizes are numbers",
        ),
        pytest.param("<img alt=x>y", "y", id="without src"),
        pytest.param('<img src="data:image/png;base64,AAAA">y', "y", id="written into the page"),
        pytest.param(
            '<img src="data:x" data-src="/a.jpg"><noscript><img src="/a.jpg"></noscript>',
            '<img src="https://blog.example/a.jpg">',
            id="loaded lazily, comes once",
        ),
        pytest.param('<img src="/a.gif" width=1 height=1>y', "y", id="pixel"),
        pytest.param('<img src="/a.gif" style="display:none">y', "y", id="hidden"),
        pytest.param('<img src="http://feeds.feedburner.com/~r/x/~4/y">z', "z", id="feedburner"),
        pytest.param(
            '<a href="http://feeds.feedburner.com/~ff/x"><img src="/i.gif"></a>z',
            "z",
            id="feedflare",
        ),
        pytest.param(
            '<img src="https://blogger.googleusercontent.com/tracker/1-2">z',
            "z",
            id="Blogger's counter",
        ),
        pytest.param('<img src="https://ad.doubleclick.net/x">z', "z", id="doubleclick"),
        pytest.param(
            '<a href="/x"><img src="https://c.statcounter.com/1"></a>z',
            "z",
            id="the link around it too",
        ),
        pytest.param(
            '<img src="/a.jpg" srcset="/a.jpg 1x, //e.example/b.jpg 2x, javascript:1 3x">',
            '<img src="https://blog.example/a.jpg"'
            ' srcset="https://blog.example/a.jpg 1x, https://e.example/b.jpg 2x">',
            id="srcset",
        ),
    ],
)
def test_pictures_are_real_ones(raw, html):
    def order(text):
        return sorted(text.replace(">", " >").split(" "))

    assert order(clean_html(raw, BASE)) == order(html)


@pytest.mark.parametrize(
    ("raw", "html"),
    [
        pytest.param('<iframe src="//www.youtube-nocookie.com/embed/abcdefghijk?rel=0"></iframe>',
                     '<p><a href="https://www.youtube.com/watch?v=abcdefghijk">Watch the video on YouTube</a></p>',
                     id="YouTube"),
        pytest.param('<iframe title="The film" src="https://player.vimeo.com/video/12"></iframe>',
                     '<p><a href="https://vimeo.com/12">Watch the video: The film</a></p>', id="Vimeo, with a title"),
        pytest.param('<iframe src="https://platform.twitter.com/embed/Tweet.html?id=123"></iframe>',
                     '<p><a href="https://twitter.com/i/status/123">See the post on Twitter</a></p>', id="Twitter"),
        pytest.param('<p>a<iframe src="/map"></iframe>b</p>',
                     '<p>a<a href="https://blog.example/map">See: blog.example</a>b</p>', id="any other, in a line"),
        pytest.param('<video poster="p.jpg"><source src="/v.mp4">no video</video>',
                     '<p><a href="https://blog.example/v.mp4">Watch the video</a></p>', id="video"),
        pytest.param('<audio src="/a.mp3"></audio>', '<p><a href="https://blog.example/a.mp3">Listen</a></p>', id="audio"),
        pytest.param('<object><param name="movie" value="http://www.youtube.com/v/abcdefghijk">'
                     '<embed src="http://www.youtube.com/v/abcdefghijk"></object>',
                     '<p><a href="https://www.youtube.com/watch?v=abcdefghijk">Watch the video on YouTube</a></p>',
                     id="an object of old"),
        pytest.param('<iframe src="https://www.googletagmanager.com/ns.html?id=1"></iframe>x', "x", id="a counter"),
        pytest.param('<iframe src="/x" width="1" height="1"></iframe>x', "x", id="an invisible one"),
        pytest.param('<iframe src="javascript:1"></iframe>x', "x", id="a script"),
    ],
)  # fmt: skip
def test_embeds_become_links(raw, html):
    assert clean_html(raw, BASE) == html


def test_the_words_of_an_embed_are_in_the_posts_language():
    html = clean_html('<video src="/v.mp4"></video>', BASE, language="es")
    assert html == '<p><a href="https://blog.example/v.mp4">Ver el vídeo</a></p>'


def test_without_a_base_relative_addresses_go_and_their_words_stay():
    assert clean_html('<a href="/x">word</a><img src="y.jpg">', None) == "word"


TAGS = [
    "p",
    "b",
    "a href='/x'",
    "img src=x",
    "table",
    "tr",
    "td",
    "iframe src=//y",
    "svg",
    "math",
    "pre",
    "h1",
    "li",
]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                [f"<{tag}>" for tag in TAGS] + [f"</{tag.split()[0]}>" for tag in TAGS]
            ),
            st.text(st.characters(exclude_categories=()), max_size=8),
            st.sampled_from(
                [
                    "<!--",
                    "-->",
                    "<script>",
                    "&amp;",
                    "&#0;",
                    '"',
                    "<",
                    "]]>",
                    '<a href="javascript:x">',
                ]
            ),
        ),
        max_size=25,
    ).map("".join)
)
def test_whatever_comes_the_result_is_clean_and_keeps_its_words_when_cleaned_again(raw):
    html = clean_html(raw, BASE)
    etree.fromstring(f"<x>{escape(html)}</x>")  # may stand in XML as text
    assert "javascript:" not in html.lower() or 'href="javascript:' not in html.lower()
    assert "<script" not in html
    assert plain_text(clean_html(html, BASE)) == plain_text(html)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param("<div>" * 100_000, id="100,000 nested tags"),
        pytest.param("<b><i><u>" * 40_000, id="nested inline"),
        pytest.param("<blockquote><p>" * 50_000 + "x", id="nested quotations"),
        pytest.param("x" * 5_000_000, id="5 MB"),
    ],
)
def test_what_is_too_deep_or_too_long_is_refused_at_once(raw):
    start = time.monotonic()
    with pytest.raises(PostError):
        clean_html(raw, BASE)
    assert time.monotonic() - start < 5


def test_a_body_at_the_limits_is_cleaned():
    deep = clean_html("<div>" * 250 + "x" + "</div>" * 250, BASE)
    assert deep.count("<div>") == 250
    assert len(clean_html("<p>" + "x" * (MAX_BODY - 10), BASE)) > MAX_BODY - 20


def test_comments_and_scripts_do_not_count_as_depth():
    assert (
        clean_html("<!--" + "<div>" * 1000 + "-->x<script>" + "'<div>'" * 1000 + "</script>y", BASE)
        == "xy"
    )


def test_pictures_written_into_a_page_do_not_count_as_its_length():
    assert (
        clean_html(f'<p>x<img src="data:image/png;base64,{"A" * 3_000_000}"></p>', BASE)
        == "<p>x</p>"
    )


@pytest.mark.parametrize(
    ("url", "result"),
    [
        ("https://a.example/x y", "https://a.example/x%20y"),
        ("HTTP://A.example/", "http://A.example/"),
        ("ftp://a.example/", None),
        ("http:///x", None),
        ("tel:+1", "tel:+1"),
        ("\x01javascript:alert(1)", None),
    ],
)
def test_addresses_are_of_four_kinds(url, result):
    assert absolute_url(url, None) == result


def test_markdown_is_rendered_and_kept():
    content = cleaned(
        an_incoming(
            raw_html=None, markdown="# Head\n\nA [link](x.html), ~~no~~.[^1]\n\n[^1]: Note.\n"
        ),
        language="en",
    )
    assert "<h3>Head</h3>" in content.html
    assert '<a href="https://blog.example/2009/09/x.html">link</a>' in content.html
    assert "<s>no</s>" in content.html
    assert "Note." in content.html
    assert "↩" not in content.html
    assert content.source_text.startswith("# Head")


@pytest.mark.parametrize(
    ("url", "said", "expected"),
    [
        pytest.param("/a.MP3?x=y.pdf", "", "audio/mpeg", id="by its ending"),
        pytest.param("/a.mp3", "audio/x-own", "audio/x-own", id="what the source says comes first"),
        pytest.param("/a.mp3", "application/octet-stream", "audio/mpeg", id="which says nothing"),
        pytest.param("/listen", " ", "application/octet-stream", id="nothing to tell it by"),
    ],
)
def test_an_enclosure_whose_source_names_no_type_has_that_of_its_ending(url, said, expected):
    content = cleaned(an_incoming(enclosures=(Enclosure(url=url, type=said),)), language="en")
    assert [one.type for one in content.enclosures] == [expected]


def test_the_smaller_fields_are_cleaned_too():
    content = cleaned(
        an_incoming(
            title="  A\n<b>literal</b> \u202etitle\x00 ",
            link="https://blog.example/x?utm_source=feed",
            authors=("Ana <ana@blog.example>", "ana@blog.example", "Ana", "B"),
            tags=("t", " t ", "", "u\nv"),
            enclosures=(Enclosure(url="/a.mp3", type="audio/mpeg"), Enclosure(url="javascript:1")),
            comments_url="javascript:1",
            raw_summary="<p>Short &amp; <b>good</b></p>",
        ),
        language="en",
    )
    assert content.title == "A <b>literal</b> title"
    assert content.link == "https://blog.example/x"
    assert content.authors == ("Ana", "B")
    assert content.tags == ("t", "u v")
    assert [one.url for one in content.enclosures] == ["https://blog.example/a.mp3"]
    assert content.comments_url is None
    assert content.summary == "Short & good"


@pytest.mark.parametrize(
    ("given_tag", "site", "tag"),
    [
        pytest.param(None, "en", "en", id="the site's"),
        pytest.param("en-US", "en", "en", id="the site's spelling of its own"),
        pytest.param("es", "es-MX", "es-MX", id="the site's region"),
        pytest.param("es-ES", "en", "es", id="a region selects no other readers"),
        pytest.param("zh-TW", "en", "zh-TW", id="a region that stands for a script"),
        pytest.param("sr-Latn-RS", "en", "sr-Latn", id="a script stays"),
        pytest.param("english", "es", "es", id="no tag"),
    ],
)
def test_a_post_has_a_language(given_tag, site, tag):
    assert cleaned(an_incoming(language=given_tag), language=site).language == tag


def test_a_post_without_a_title_is_called_by_its_first_words():
    assert cleaned(
        an_incoming(title=" ", raw_html="<p>First words. Then more.</p>"), language="en"
    ).title == ("First words. Then more.")


def test_a_post_with_neither_title_nor_text_is_bad():
    with pytest.raises(PostError, match=r"content/a\.md: has neither a title nor text"):
        cleaned(an_incoming(title="", raw_html="<script>x</script>"), language="en")


def test_a_title_of_10_kb_is_cut():
    assert len(cleaned(an_incoming(title="word " * 2000), language="en").title) <= 501


def test_a_bad_post_names_its_place():
    with pytest.raises(PostError) as caught:
        cleaned(an_incoming(raw_html="<div>" * 1000), language="en")
    assert caught.value.where == "content/a.md"
