import pytest
from hypothesis import given
from hypothesis import strategies as st

from posts.clean import clean_html
from posts.text import (
    ascii_slug,
    excerpt,
    one_line,
    plain_text,
    reading_minutes,
    strip_illegal,
    valid_language,
    word_count,
)


def test_blocks_are_parted_and_space_is_folded():
    html = "<h3>A  title</h3><p>One\n two<br>three</p><ul><li>a</li><li>b <b>c</b></li></ul>tail"
    assert plain_text(html) == "A title\n\nOne two three\n\na\n\nb c\n\ntail"


def test_an_excerpt_ends_with_a_sentence():
    html = "<p>One two three. Four five six seven. Eight nine ten.</p>"
    assert excerpt(html, 8) == "One two three. Four five six seven."


PIECES = st.sampled_from(
    ["One two. ", "three", " ", "<b>fo</b>ur ", "<br>", "<p>", "</p>", "<li>five</li>", "</div>", "<div>", "a &lt; b ",
     "caf\u00e9&nbsp;!", '<a href="https://b.example/?a=1&amp;b=2" title="x > y">six</a> ', "<em>", "</em>", "\u2028",
     '<img src="https://b.example/a.png" alt="a < b">', "<!-- seven -->", "<script>eight</script>", "\x0b", "&amp;lt;"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=120).map("".join), st.integers(1, 30))
def test_the_beginning_of_a_text_has_the_words_that_the_whole_begins_with(
    raw: str, words: int
) -> None:
    html = clean_html(raw, None)
    whole = plain_text(html).split()
    shown = excerpt(html, words).removesuffix("…").split()
    assert len(shown) <= words
    assert [word.rstrip(",;:–—-") for word in whole[: len(shown)]] == [
        word.rstrip(",;:–—-") for word in shown
    ]
    assert len(whole) > words or shown == whole


def test_an_excerpt_of_one_long_sentence_says_that_it_goes_on():
    assert excerpt("<p>one two, three four five</p>", 2) == "one two…"


def test_a_short_text_is_its_own_excerpt():
    assert excerpt("<p>one two three</p>", 3) == "one two three"


@pytest.mark.parametrize(
    ("html", "words"),
    [
        pytest.param("<p>one two — three</p>", 3, id="a dash is no word"),
        pytest.param("<p>日本語の文</p>", 3, id="two characters a word without spaces"),
        pytest.param("", 0, id="nothing"),
    ],
)
def test_words_are_counted(html, words):
    assert word_count(html) == words


def test_the_design_says_1020_words_are_5_minutes():
    assert reading_minutes(1020) == 5
    assert reading_minutes(0) == 1


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        pytest.param("Juárez: a “quiet” day", "juarez-a-quiet-day", id="accents and marks"),
        pytest.param("Don't stop", "dont-stop", id="apostrophe"),
        pytest.param("Straße Łódź", "strasse-lodz", id="letters that do not decompose"),
        pytest.param("日本", "u65e5-u672c", id="no Latin letter"),
        pytest.param("!!!", "post", id="nothing at all"),
        pytest.param(
            "word " * 30, "word-word-word-word-word-word-word-word-word-word-word-word", id="long"
        ),
    ],
)
def test_slugs_are_ascii_and_never_empty(text, slug):
    assert ascii_slug(text) == slug


@given(st.text())
def test_any_text_gives_a_slug_that_is_its_own_slug(text):
    slug = ascii_slug(text)
    assert slug
    assert slug.isascii()
    assert len(slug) <= 60
    assert ascii_slug(slug) == slug


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("EN", "en"),
        ("en_us", "en-US"),
        ("zh-hant-tw", "zh-Hant-TW"),
        ("es-419", "es-419"),
        ("english", None),
        ("", None),
        ("en-US; q=1", None),
        ("e", None),
    ],
)
def test_language_tags_are_spelt_as_bcp_47_does(text, tag):
    assert valid_language(text) == tag


@given(st.text(st.characters(exclude_categories=())))
def test_what_is_left_may_stand_in_xml(text):
    from lxml import etree

    etree.Element("x").text = strip_illegal(text)


def test_a_title_cannot_turn_the_direction_of_what_follows():
    assert one_line("a\u202eb\u2028c\n d\x00") == "ab c d"


def test_deep_html_does_not_end_in_a_recursion_error():
    assert plain_text("<div>" * 1900 + "x" + "</div>" * 1900) == "x"
