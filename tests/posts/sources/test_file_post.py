from datetime import UTC, datetime

import pytest

from posts.errors import PostError
from posts.settings import Site
from posts.sources.file_post import file_name, file_post

SITE = Site(title="Frontera", url="https://frontera.example", timezone="America/Denver")
SEEN = datetime(2026, 11, 24, tzinfo=UTC)


def a_post(text: str | bytes, path: str = "2009-09-15-juarez.md", **more):
    data = text if isinstance(text, bytes) else text.encode()
    return file_post(
        data, path, source="content", place=f"content/{path}", site=SITE, first_seen=SEEN, **more
    )


@pytest.mark.parametrize(
    ("path", "slug", "day", "language"),
    [
        ("2009-09-15-juarez.md", "juarez", "2009-09-15", None),
        ("a/b/Big News.md", "big-news", None, None),
        ("juarez.es.md", "juarez", None, "es"),
        ("2009-09-15-juarez.es.md", "juarez", "2009-09-15", "es"),
        ("trips/juarez/index.md", "juarez", None, None),
        ("trips/2009-09-15-juarez/index.html", "juarez", "2009-09-15", None),
        ("2009-09-15.md", "2009-09-15", "2009-09-15", None),
    ],
)
def test_a_files_name_says_date_slug_and_language(path, slug, day, language):
    name = file_name(path)
    assert (name.slug, name.day, name.language) == (slug, day, language)


def test_every_field_of_the_front_matter_arrives():
    post = a_post(
        "---\ntitle: T\ndate: 2009-09-14\nupdated: 2009-09-16\ntags: a, b\nlang: es\nauthors: [Ana, Bo]\n"
        "summary: Short & good\nslug: other\nid: tag:x,2009:1\nlead: yes\ndraft: true\ntranslation_key: k\n---\nBody\n"
    )
    assert post.title == "T"
    assert post.published == datetime(2009, 9, 14, 6, tzinfo=UTC)
    assert post.updated == datetime(2009, 9, 16, 6, tzinfo=UTC)
    assert (post.tags, post.authors, post.language) == (("a", "b"), ("Ana", "Bo"), "es")
    assert (post.raw_summary, post.slug, post.guid) == ("Short &amp; good", "other", "tag:x,2009:1")
    assert (post.lead, post.draft, post.translation_key) == (True, True, "k")
    assert (post.markdown, post.external_id) == ("Body\n", "2009-09-15-juarez.md")


@pytest.mark.parametrize("text", ["", " \n\n", "---\ndate: 2009-09-15\n---\n"])
@pytest.mark.parametrize("path", ["juarez.md", "juarez.html"])
def test_a_file_without_title_and_text_is_no_post(text, path):
    with pytest.raises(PostError, match=r"is empty\."):
        a_post(text, path)


def test_a_title_alone_is_a_post():
    assert a_post("---\ntitle: Gone fishing\n---\n").title == "Gone fishing"


def test_a_name_with_a_comma_is_one_author():
    assert a_post("---\ntitle: T\nauthor: Molloy, Molly\n---\nx").authors == ("Molloy, Molly",)


def test_the_files_name_dates_a_post_that_has_no_date():
    assert a_post("Body").published == datetime(2009, 9, 15, 6, tzinfo=UTC)
    assert a_post("Body", "juarez.md").published is None


def test_a_first_heading_is_the_title():
    post = a_post("\n# The *title* \n\nBody\n")
    assert (post.title, post.markdown) == ("The title", "\nBody\n")
    assert a_post("Body", "big-news.md").title == "Big news"


def test_a_byte_order_mark_is_no_text():
    assert a_post(b"\xef\xbb\xbf---\r\ntitle: T\r\n---\r\nBody").title == "T"
    assert a_post("---\ntitle: Título\n---\n".encode("utf-16")).title == "Título"


def test_another_encoding_is_named_with_its_line():
    with pytest.raises(PostError) as caught:
        a_post("---\ntitle: T\n---\nJuárez".encode("latin-1"))
    assert str(caught.value) == (
        "content/2009-09-15-juarez.md:4: is not UTF-8. Save the file with the encoding UTF-8."
    )


def test_an_html_page_speaks_for_itself():
    post = a_post(
        '<!doctype html><html lang="es"><head><meta charset="utf-8"><title> T &amp; u </title>'
        '<meta name="author" content="Ana"><meta name="description" content="Short">'
        '<meta name="keywords" content="a, b"><meta property="article:published_time" content="2009-09-15T08:00:00Z">'
        "</head><body><p>Body</p></body></html>",
        "page.html",
    )
    assert (post.title, post.authors, post.raw_summary, post.tags) == (
        "T & u",
        ("Ana",),
        "Short",
        ("a", "b"),
    )
    assert (post.raw_html, post.language) == ("<p>Body</p>", "es")
    assert post.published == datetime(2009, 9, 15, 8, tzinfo=UTC)


def test_an_html_fragment_may_have_front_matter():
    post = a_post("---\ntitle: T\n---\n<p>Body</p>\n", "page.html")
    assert (post.title, post.raw_html) == ("T", "<p>Body</p>\n")


def test_an_old_html_page_is_read_in_its_own_encoding():
    post = a_post(
        '<meta charset="windows-1252"><title>Juárez</title><body>“x”</body>'.encode("cp1252"),
        "p.html",
    )
    assert (post.title, post.raw_html) == ("Juárez", "“x”")


def test_a_draft_may_say_so_in_three_ways():
    assert a_post("x", is_draft=True).draft
    assert a_post("---\ndraft: true\n---\nx").draft
    assert a_post("---\npublished: false\n---\nx").draft
    assert not a_post("x").draft


def test_a_post_that_lives_elsewhere_has_its_address_there():
    pattern = "https://frontera.example/{year}/{month}/{slug}.html"
    post = a_post("x", link=pattern)
    assert post.link == post.base_url == "https://frontera.example/2009/09/juarez.html"
    assert a_post("x", "news.md", link=pattern).link == "https://frontera.example/2026/11/news.html"


@pytest.mark.parametrize(
    "pattern", ["https://x.example/{title}", "https://x.example/{", "https://x.example/{slug.x}"]
)
def test_a_link_pattern_with_an_unknown_place_is_a_fault(pattern):
    with pytest.raises(PostError, match="It may hold"):
        a_post("x", link=pattern)


def test_a_language_that_is_none_is_a_fault():
    with pytest.raises(PostError, match=r'juarez\.md:2: "lang" is not a language tag: "Spanish"'):
        a_post("---\nlang: Spanish\n---\nx")
