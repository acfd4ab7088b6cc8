"""The pages of feeds: what each says it is, how one subscribes, and its latest posts."""

from pathlib import Path
from typing import Any

import pytest

from dateline.press import Press
from dateline.web.feed_pages import carries
from feeds.spec import Feed, FeedKind
from newsletter.spec import NewsletterSettings
from posts import store
from posts.database import writing
from posts.model import Enclosure
from posts.settings import Selection
from tests.dateline.web.arrange import NOW, WEB, a_post, a_press, a_visitor

SOUND = Enclosure(url="https://b.example/a.mp3", type="audio/mpeg", length_bytes=9)


def main_of(press: Press, path: str, language: str = "en") -> str:
    """What stands between the masthead and the imprint."""
    answer = a_visitor(press, language=language).get(path)
    assert answer.status_code == 200, path
    return answer.text[answer.text.index("<main") : answer.text.index("</main>")]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("all", "Every post of Frontera, whole, the newest first."),
        ("updates", "What Frontera has corrected or taken back, the latest first."),
        ("headlines", "Every headline of Frontera with a summary, without the full text."),
        ("media", "The posts of Frontera that come with sound, pictures or files."),
        ("river", "A selection of the posts of Frontera."),
        ("tag-border", "The posts of Frontera filed under border."),
        ("author-ana-ruiz", "The posts of Frontera by Ana Ruiz."),
        ("language-en", "The posts of Frontera in this language: English."),
    ],
)
def test_each_feeds_page_says_what_it_is_and_gives_its_three_addresses(
    tmp_path: Path, name: str, sentence: str
) -> None:
    river = {"slug": "river", "title": "The river", "select": {"tags": ["border"]}}
    press = a_press(tmp_path, feeds=[river])
    a_post(press, tags=("border",), authors=("Ana Ruiz",))
    html = main_of(press, f"/feeds/{name}/")
    assert sentence in html
    for format_ in ("atom", "rss", "json"):
        assert f"<code>{WEB}/feeds/{name}.{format_}</code>" in html


def test_a_feeds_page_offers_the_newsletters_that_carry_its_posts(tmp_path: Path) -> None:
    daily = {"slug": "daily", "title": "Frontera Daily", "schedule": "0 18 * * *"}
    river = {**daily, "slug": "river", "title": "River Weekly", "select": {"tags": ["river"]}}
    press = a_press(tmp_path, newsletters=[daily, river])
    a_post(press, tags=("river", "border"))
    assert "/subscribe?newsletter=daily" in main_of(press, "/feeds/tag-border/")
    assert "/subscribe?newsletter=river" not in main_of(press, "/feeds/tag-border/")
    assert "/subscribe?newsletter=river" in main_of(press, "/feeds/tag-river/")
    assert "/subscribe" not in main_of(press, "/feeds/updates/")


@pytest.mark.parametrize(
    ("carried", "wanted", "is_carried"),
    [
        pytest.param({}, {"tags": ("a",)}, True, id="a newsletter of everything"),
        pytest.param({"tags": ("a", "b")}, {"tags": ("a",)}, True, id="a wider selection"),
        pytest.param({"tags": ("a",)}, {"tags": ("a", "b")}, False, id="a narrower selection"),
        pytest.param({"tags": ("a",)}, {}, False, id="a feed of everything"),
        pytest.param({"languages": ("es",)}, {"tags": ("a",)}, False, id="another criterion"),
        pytest.param(
            {"tags": ("a",)}, {"tags": ("a",), "languages": ("es",)}, True, id="one criterion less"
        ),
    ],
)
def test_a_newsletter_carries_a_feed_when_none_of_its_posts_is_left_out(
    carried: dict[str, Any], wanted: dict[str, Any], is_carried: bool
) -> None:
    newsletter = NewsletterSettings(
        slug="n", title="N", schedule="0 18 * * *", select=Selection(**carried)
    )
    feed = Feed(slug="f", title="F", language="en", selection=Selection(**wanted))
    assert carries(newsletter, feed) is is_carried


def test_the_feed_of_updates_is_carried_by_no_newsletter() -> None:
    newsletter = NewsletterSettings(slug="n", title="N", schedule="0 18 * * *")
    feed = Feed(slug="updates", title="F", language="en", kind=FeedKind.UPDATES)
    assert not carries(newsletter, feed)


def test_the_page_of_updates_shows_notes_and_reasons_and_no_word_of_what_was_taken_back(
    tmp_path: Path,
) -> None:
    press = a_press(tmp_path)
    bridge = a_post(press, "The bridge", name="bridge")
    secret = a_post(press, "A secret name", name="secret")
    a_post(press, "Untouched", name="untouched")
    with writing(press.engine) as conn:
        store.correct_post(conn, bridge.guid, "It was <Monday>.", now=NOW)
        store.withdraw_post(conn, secret.guid, now=NOW, reason="It named a minor.")
    html = main_of(press, "/feeds/updates/")
    assert "Correction, Sep 15, 2009: It was &lt;Monday&gt;." in html
    assert "Withdrawn: a post of Sep 15, 2009" in html
    assert "It named a minor." in html
    assert html.index("Withdrawn:") < html.index("The bridge")
    assert "A secret name" not in html
    assert "Untouched" not in html


def test_the_page_of_media_shows_posts_with_enclosures_and_speaks_to_listeners(
    tmp_path: Path,
) -> None:
    press = a_press(tmp_path)
    a_post(press, "A tape", name="tape", enclosures=(SOUND,))
    a_post(press, "Words", name="words")
    html = main_of(press, "/feeds/media/")
    assert "A tape" in html
    assert "Words" not in html
    assert "podcast program" in html


def test_the_page_of_an_author_shows_his_posts(tmp_path: Path) -> None:
    press = a_press(tmp_path)
    a_post(press, "Hers", name="hers", authors=("Ana Ruiz",))
    a_post(press, "His", name="his", authors=("Bo",))
    html = main_of(press, "/feeds/author-ana-ruiz/")
    assert "Hers" in html
    assert "His" not in html


def test_the_feeds_page_lists_feeds_of_every_kind(tmp_path: Path) -> None:
    press = a_press(tmp_path)
    a_post(press, tags=("border",), authors=("Ana Ruiz",))
    html = main_of(press, "/feeds/")
    for name in ("updates", "headlines", "media", "tag-border", "author-ana-ruiz", "language-en"):
        assert f'href="/feeds/{name}/"' in html
        assert f"{WEB}/feeds/{name}.rss" in html


def test_a_feeds_page_speaks_spanish(tmp_path: Path) -> None:
    press = a_press(tmp_path)
    a_post(press)
    html = main_of(press, "/feeds/all/", "es")
    assert "Todas las notas de Frontera, enteras, las más nuevas primero." in html
    assert "Copia en él una de estas direcciones" in html


def test_how_to_subscribe_stands_on_the_first_page_alone(tmp_path: Path) -> None:
    press = a_press(tmp_path)
    for number in range(21):
        a_post(press, f"Post {number}", name=f"p{number}", hours=number + 1)
    assert "all.atom</code>" in main_of(press, "/feeds/all/")
    second = main_of(press, "/feeds/all/?page=2")
    assert "all.atom</code>" not in second
    assert "Post 20" in second
    assert a_visitor(press).get("/feeds/all/?page=9").status_code == 404


def test_a_post_shows_its_corrections_above_the_text(tmp_path: Path) -> None:
    press = a_press(tmp_path)
    post = a_post(press, markdown="The text.", language="es")
    with writing(press.engine) as conn:
        store.correct_post(conn, post.guid, "Fue <el> lunes.", now=NOW)
    html = main_of(press, post.path)
    note = "<strong>Corrección, 15 sept 2009:</strong> Fue &lt;el&gt; lunes."
    assert html.index(note) < html.index("The text.")


def test_a_posts_page_announces_the_feeds_of_its_tags_and_authors(tmp_path: Path) -> None:
    press = a_press(tmp_path)
    post = a_post(press, tags=("border",), authors=("Ana Ruiz",))
    a_post(press, "Other", name="other", tags=("elsewhere",))
    head = a_visitor(press).get(post.path).text.partition("</head>")[0]
    assert (
        head.index("/feeds/all.atom")
        < head.index("/feeds/tag-border.atom")
        < head.index("/feeds/author-ana-ruiz.atom")
    )
    assert "tag-elsewhere" not in head
    assert 'hreflang="en"' in head


def test_the_page_of_a_language_announces_the_other_languages(tmp_path: Path) -> None:
    press = a_press(tmp_path)
    a_post(press, "One", name="one")
    a_post(press, "Uno", name="uno", language="es")
    head = a_visitor(press).get("/feeds/language-en/").text.partition("</head>")[0]
    assert head.index("/feeds/language-en.atom") < head.index("/feeds/language-es.atom")
    assert 'hreflang="es"' in head
    head = a_visitor(press).get("/feeds/media/").text.partition("</head>")[0]
    assert "language-es" not in head
