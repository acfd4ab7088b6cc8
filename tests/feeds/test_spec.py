"""Which feeds there are, what they are called and where they are."""

import pytest
from pydantic import ValidationError

from feeds.spec import FeedSettings, autodiscovery, feed_id, feed_paths, feed_url, list_feeds
from posts.model import Label
from posts.settings import Selection
from tests.feeds.arrange import WEB_URL, a_site


def test_there_is_a_feed_of_all_and_one_per_configured_selection_language_and_tag() -> None:
    feeds = list_feeds(
        a_site(),
        [FeedSettings(slug="investigations", title="Investigations", size=20)],
        [
            Label(kind="tag", name="Juárez", slug="juarez"),
            Label(kind="tag", name="Air", slug="air"),
        ],
        ["es", "en"],
    )
    assert [feed.slug for feed in feeds] == [
        "all",
        "investigations",
        "language-en",
        "language-es",
        "tag-air",
        "tag-juarez",
    ]
    assert [feed.title for feed in feeds] == [
        "The Border Reporter",
        "Investigations",
        "The Border Reporter (English)",
        "The Border Reporter (español)",
        "The Border Reporter: Air",
        "The Border Reporter: Juárez",
    ]
    assert [feed.size for feed in feeds] == [50, 20, 50, 50, 50, 50]


def test_a_feed_of_one_language_declares_it() -> None:
    settings = FeedSettings(slug="noticias", title="Noticias", select=Selection(languages=("es",)))
    feeds = list_feeds(a_site(), [settings], [], ["es"])
    assert [feed.language for feed in feeds] == ["en", "es", "es"]


def test_a_language_that_nobody_knows_keeps_its_code_as_name() -> None:
    assert list_feeds(a_site(), [], [], ["xx-Zzzz"])[1].title == "The Border Reporter (xx-Zzzz)"


def test_a_region_is_written_small_in_the_address() -> None:
    feed = list_feeds(a_site(), [], [], ["es-MX"])[1]
    assert feed_paths(feed)["atom"] == "/feeds/language-es-mx.atom"
    assert feed.selection.languages == ("es-MX",)


@pytest.mark.parametrize(
    "slug", ["all", "updates", "tag-mine", "language-es", "author-ana", "Ñ", ""]
)
def test_config_cannot_take_the_name_of_a_feed_of_ours(slug: str) -> None:
    with pytest.raises(ValidationError):
        FeedSettings(slug=slug, title="x")


def test_a_feeds_id_survives_a_move_of_the_server() -> None:
    feed = list_feeds(a_site())[0]
    assert feed_id(feed, a_site()) == "tag:border.example.org,2026:feeds/all"
    assert (
        feed_url(feed, "atom", "http://127.0.0.1:8300/") == "http://127.0.0.1:8300/feeds/all.atom"
    )


def test_pages_name_each_feed_in_each_format_atom_first() -> None:
    links = autodiscovery(a_site(), WEB_URL, list_feeds(a_site(), [], [], ["es"]))
    assert [(link.url, link.type, link.language) for link in links[:3]] == [
        (f"{WEB_URL}/feeds/all.atom", "application/atom+xml", "en"),
        (f"{WEB_URL}/feeds/all.rss", "application/rss+xml", "en"),
        (f"{WEB_URL}/feeds/all.json", "application/feed+json", "en"),
    ]
    assert links[3].title == "The Border Reporter (español) (Atom)"
