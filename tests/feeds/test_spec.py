"""Which feeds there are, what they are called and where they are."""

import pytest
from pydantic import ValidationError

from feeds.spec import (
    Feed,
    FeedKind,
    FeedSettings,
    autodiscovery,
    feed_id,
    feed_paths,
    feed_url,
    list_feeds,
)
from posts.model import Correction, Enclosure, Label, Post, Status
from posts.settings import Selection
from tests.feeds.arrange import NOON, WEB_URL, a_post, a_site


def test_there_is_a_feed_of_every_kind_selection_language_tag_and_author() -> None:
    feeds = list_feeds(
        a_site(),
        [FeedSettings(slug="investigations", title="Investigations", size=20)],
        [
            Label(kind="tag", name="Juárez", slug="juarez"),
            Label(kind="tag", name="Air", slug="air"),
        ],
        ["es", "en"],
        [Label(kind="author", name="Ana Ruiz", slug="ana-ruiz")],
    )
    assert {feed.slug: feed.title for feed in feeds} == {
        "all": "The Border Reporter",
        "updates": "The Border Reporter: corrections and withdrawals",
        "headlines": "The Border Reporter: headlines",
        "media": "The Border Reporter: sound, pictures and files",
        "investigations": "Investigations",
        "language-en": "The Border Reporter (English)",
        "language-es": "The Border Reporter (español)",
        "tag-air": "The Border Reporter: Air",
        "tag-juarez": "The Border Reporter: Juárez",
        "author-ana-ruiz": "The Border Reporter: Ana Ruiz",
    }
    assert {feed.slug for feed in feeds if feed.size != 50} == {"investigations"}
    assert [feed.kind for feed in feeds[:5]] == ["posts", "updates", "headlines", "media", "posts"]


def test_a_spanish_site_names_its_feeds_in_spanish() -> None:
    assert [feed.title for feed in list_feeds(a_site(language="es-MX"))[1:]] == [
        "The Border Reporter: correcciones y retiradas",
        "The Border Reporter: titulares",
        "The Border Reporter: sonido, imágenes y archivos",
    ]


SOUND = Enclosure(url="https://b.example/a.mp3", type="audio/mpeg")
NOTE = Correction(at=NOON, note="Wrong.", revision=2)


@pytest.mark.parametrize(
    ("kind", "post", "is_held"),
    [
        pytest.param(FeedKind.POSTS, a_post(), True, id="any post"),
        pytest.param(FeedKind.HEADLINES, a_post(), True, id="any headline"),
        pytest.param(FeedKind.MEDIA, a_post(), False, id="no file"),
        pytest.param(FeedKind.MEDIA, a_post(enclosures=(SOUND,)), True, id="a file"),
        pytest.param(FeedKind.UPDATES, a_post(), False, id="never corrected"),
        pytest.param(FeedKind.UPDATES, a_post(corrections=(NOTE,)), True, id="corrected"),
        pytest.param(FeedKind.UPDATES, a_post(status=Status.WITHDRAWN), True, id="withdrawn"),
    ],
)
def test_a_feed_holds_what_its_kind_says(kind: FeedKind, post: Post, is_held: bool) -> None:
    feed = Feed(slug="x", title="x", language="en", kind=kind)
    assert feed.holds(post) is is_held


def test_a_feed_holds_only_what_its_selection_matches() -> None:
    feed = Feed(
        slug="x", title="x", language="en", kind=FeedKind.MEDIA, selection=Selection(tags=("a",))
    )
    assert feed.holds(a_post(tags=("a",), enclosures=(SOUND,)))
    assert not feed.holds(a_post(tags=("b",), enclosures=(SOUND,)))


def test_a_feed_of_one_language_declares_it() -> None:
    settings = FeedSettings(slug="noticias", title="Noticias", select=Selection(languages=("es",)))
    feeds = {feed.slug: feed for feed in list_feeds(a_site(), [settings], [], ["es"])}
    assert feeds["all"].language == "en"
    assert feeds["noticias"].language == feeds["language-es"].language == "es"


def test_a_language_that_nobody_knows_keeps_its_code_as_name() -> None:
    assert list_feeds(a_site(), [], [], ["xx-Zzzz"])[-1].title == "The Border Reporter (xx-Zzzz)"


def test_a_region_is_written_small_in_the_address() -> None:
    feed = list_feeds(a_site(), [], [], ["es-MX"])[-1]
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
    assert links[-3].title == "The Border Reporter (español) (Atom)"
