"""What an entry says, before any format."""

import pytest

from feeds.fields import entry_fields, entry_id, plain_address
from posts.model import Enclosure
from tests.feeds.arrange import WEB_URL, a_post


@pytest.mark.parametrize(
    "guid",
    [
        pytest.param("tag:blogger.com,1999:blog-1.post-2", id="Blogger's own"),
        pytest.param("http://border.example.org/?p=12", id="WordPress's own"),
        pytest.param("urn:uuid:5f1a7c1e-9a0b-4c1f-8b4e-2d7e6c1b9a33", id="a UUID"),
        pytest.param("https://border.example.org/señal", id="an IRI"),
    ],
)
def test_an_id_that_is_an_iri_is_kept(guid: str) -> None:
    assert entry_id(guid) == guid


@pytest.mark.parametrize("guid", ["123", "post 12", "", "a:b c", "1:2", "tag:<x>", "x:\x00"])
def test_rfc4287_4_2_6_an_id_that_is_no_iri_becomes_one(guid: str) -> None:
    assert entry_id(guid).startswith("urn:uuid:")
    assert entry_id(guid) == entry_id(guid)


def test_two_bare_ids_stay_two() -> None:
    assert entry_id("123") != entry_id("124")


@pytest.mark.parametrize(
    ("title", "html", "expected"),
    [
        pytest.param("A  b\n c", "<p>x</p>", "A b c", id="in one line"),
        pytest.param("", "<p>Short note.</p>", "Short note.", id="its words"),
        pytest.param(
            " ",
            "<p>" + "one two " * 10 + "</p>",
            "one two one two one two one two one two one two…",
            id="its first words",
        ),
        pytest.param("", "<img src='https://x.example/a.png'>", "2009-09-15", id="its date"),
        pytest.param("\x00A\ud800\ufffe", "", "A", id="without what XML forbids"),
    ],
)
def test_an_entry_always_has_a_title(title: str, html: str, expected: str) -> None:
    assert entry_fields(a_post(title=title, html=html), WEB_URL, {}).title == expected


def test_without_a_summary_the_first_sentences_stand_there() -> None:
    fields = entry_fields(a_post(html="<p>One &lt;b&gt;.</p><p>Two.</p>"), WEB_URL, {})
    assert fields.summary == "One <b>. Two."


def test_a_post_without_a_link_is_at_its_page() -> None:
    assert entry_fields(a_post(), WEB_URL + "/", {}).url == f"{WEB_URL}/2009/09/post-1/"
    assert (
        entry_fields(a_post(link="https://b.example/x"), WEB_URL, {}).url == "https://b.example/x"
    )


def test_comments_are_shown_only_with_an_address() -> None:
    assert entry_fields(a_post(comment_count=3), WEB_URL, {}).comment_count is None


def test_a_tag_has_its_slug_its_page_and_its_name() -> None:
    fields = entry_fields(a_post(tags=("Juárez", "unknown")), WEB_URL, {"Juárez": "juarez"})
    assert [(c.term, c.scheme, c.label) for c in fields.categories] == [
        ("juarez", f"{WEB_URL}/feeds/tag-juarez/", "Juárez")
    ]


def test_enclosures_come_as_they_are() -> None:
    enclosure = Enclosure(url="https://b.example/a.mp3", type="audio/mpeg", length_bytes=9)
    assert entry_fields(a_post(enclosures=(enclosure,)), WEB_URL, {}).enclosures == (enclosure,)


def test_what_can_stand_in_no_address_is_written_as_browsers_write_it() -> None:
    assert plain_address('https://x.example/a b"<é>\u00a0') == (
        "https://x.example/a%20b%22%3Cé%3E%C2%A0"
    )
    assert plain_address("https://x.example/?a=1&b=%20") == "https://x.example/?a=1&b=%20"


def test_what_a_source_says_of_a_file_and_cannot_be_so_is_left_unsaid() -> None:
    odd = Enclosure(url="https://x.example/a", type="mp3", length_bytes=-1)
    huge = Enclosure(url="https://x.example/b", type="audio/mpeg", length_bytes=10**30)
    fields = entry_fields(a_post(1, enclosures=(odd, huge)), WEB_URL, {})
    assert [(one.type, one.length_bytes) for one in fields.enclosures] == [
        ("application/octet-stream", None),
        ("audio/mpeg", None),
    ]
