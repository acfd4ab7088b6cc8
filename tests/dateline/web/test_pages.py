"""The pages that show posts and feeds."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from dateline.web.app import build_app
from posts import store
from posts.database import writing
from tests.dateline.web.arrange import WEB, a_post, a_press, a_visitor


def test_the_front_page_shows_posts_under_date_lines_newest_first(tmp_path: Path) -> None:
    press = a_press(tmp_path)
    a_post(press, "Yesterday's", hours=30, name="old")
    a_post(press, "Today's", name="new")
    html = a_visitor(press).get("/").text
    found = [
        html.index(text)
        for text in (
            "Tuesday, September 15, 2009",
            "Today’s".replace("’", "&#39;"),
            "Monday, September 14, 2009",
        )
    ]
    assert found == sorted(found)


def test_date_lines_are_in_the_visitors_language(tmp_path: Path) -> None:
    press = a_press(tmp_path)
    a_post(press)
    answer = a_visitor(press, language="es-MX,en;q=0.5").get("/")
    assert "martes, 15 de septiembre de 2009" in answer.text
    assert '<html lang="es"' in answer.text
    assert "Accept-Language" in answer.headers["Vary"]


def test_a_visitor_of_no_language_of_ours_gets_the_sites(tmp_path: Path) -> None:
    press = a_press(tmp_path, site={"title": "F", "url": "https://f.example/", "language": "es"})
    assert '<html lang="es"' in a_visitor(press, language="fi").get("/").text


def test_the_lead_of_the_newest_day_comes_first_and_is_marked(tmp_path: Path) -> None:
    press = a_press(tmp_path)
    a_post(press, "Marked", lead=True, hours=3, name="marked")
    a_post(press, "Newest", name="newest")
    html = a_visitor(press).get("/").text
    assert html.index("Marked") < html.index("Newest")
    assert html.count('class="card lead"') == 1


def test_older_posts_are_on_the_next_page_and_none_is_lost(tmp_path: Path) -> None:
    press = a_press(tmp_path)
    for number in range(45):
        a_post(press, f"Post {number:02}", hours=number + 1, name=f"post-{number:02}")
    visitor = a_visitor(press)
    pages = [visitor.get(f"/?page={page}").text for page in (1, 2, 3)]
    titles = [title for page in pages for title in re.findall(r">(Post \d\d)<", page)]
    assert titles == [f"Post {number:02}" for number in range(45)]
    assert 'href="/?page=2"' in pages[0]
    assert visitor.get("/?page=4").status_code == 404


@pytest.mark.parametrize("page", ["-1", "x", "99999999999999999999", "٣", ""])
def test_a_page_that_is_no_number_is_the_first(tmp_path: Path, page: str) -> None:
    press = a_press(tmp_path)
    a_post(press)
    assert "Juárez" in a_visitor(press).get("/", params={"page": page}).text


def test_a_front_page_of_long_posts_stays_under_60_kb(tmp_path: Path) -> None:
    press = a_press(tmp_path)
    for number in range(20):
        a_post(press, f"Post {number}", name=f"p{number}", markdown="Long words. " * 3000)
    visitor = a_visitor(press)
    page, style = visitor.get("/"), visitor.get("/style.css")
    assert len(page.content) + len(style.content) < 60_000


def test_a_folder_post_has_its_own_page(tmp_path: Path) -> None:
    press = a_press(tmp_path)
    post = a_post(press, tags=("border",), authors=("Ana Ruiz",))
    answer = a_visitor(press).get(post.path)
    assert answer.status_code == 200
    assert f'<link rel="canonical" href="{WEB}{post.path}">' in answer.text
    assert "By Ana Ruiz" in answer.text
    assert 'href="/feeds/tag-border/"' in answer.text


def test_a_post_with_a_link_of_its_own_has_no_page_here(tmp_path: Path) -> None:
    press = a_press(tmp_path)
    post = a_post(press, link="https://frontera.example/juarez")
    answer = a_visitor(press).get(post.path)
    assert answer.status_code == 302
    assert answer.headers["Location"] == "https://frontera.example/juarez"


def test_a_withdrawn_post_is_gone_and_says_so(tmp_path: Path) -> None:
    press = a_press(tmp_path)
    post = a_post(press)
    with writing(press.engine) as conn:
        store.withdraw_post(conn, post.guid, now=press.clock())
    answer = a_visitor(press).get(post.path)
    assert answer.status_code == 410
    assert "taken back" in answer.text
    assert '<meta name="robots" content="noindex">' in answer.text
    assert "A quiet day" not in answer.text
    assert "Juárez" not in answer.text


def test_the_page_of_a_withdrawn_post_gives_the_public_reason_as_text(tmp_path: Path) -> None:
    press = a_press(tmp_path, site={"title": "F", "url": "https://f.example/", "language": "es"})
    post = a_post(press)
    with writing(press.engine) as conn:
        reason = "<b>Una fuente</b> \u202eنا"
        store.withdraw_post(conn, post.guid, now=press.clock(), reason=reason)
    answer = a_visitor(press, language="").get(post.path)
    assert answer.status_code == 410
    assert '<html lang="es"' in answer.text
    assert '<p lang="es" dir="auto">&lt;b&gt;Una fuente&lt;/b&gt; نا</p>' in answer.text


def test_a_post_that_its_source_took_back_is_gone_without_our_words_for_editors(
    tmp_path: Path,
) -> None:
    press = a_press(tmp_path)
    post = a_post(press)
    with writing(press.engine) as conn:
        store.withdraw_post(
            conn, post.guid, now=press.clock(), by="source", reason="its file is gone"
        )
    answer = a_visitor(press).get(post.path)
    assert answer.status_code == 410
    assert "file" not in answer.text


def test_a_restored_post_has_its_page_again(tmp_path: Path) -> None:
    press = a_press(tmp_path)
    post = a_post(press)
    with writing(press.engine) as conn:
        store.withdraw_post(conn, post.guid, now=press.clock(), reason="A mistake.")
        store.restore_post(conn, post.guid, now=press.clock())
    answer = a_visitor(press).get(post.path)
    assert answer.status_code == 200
    assert "A mistake." not in answer.text


def test_a_draft_that_was_taken_back_has_never_been_there(tmp_path: Path) -> None:
    press = a_press(tmp_path)
    post = a_post(press, draft=True)
    with writing(press.engine) as conn:
        store.withdraw_post(conn, post.guid, now=press.clock(), reason="Secret.")
    assert a_visitor(press).get(post.path).status_code == 404


def test_a_corrected_post_shows_its_notes(tmp_path: Path) -> None:
    press = a_press(tmp_path)
    post = a_post(press)
    with writing(press.engine) as conn:
        store.correct_post(conn, post.guid, "It was <Laredo>.", now=press.clock())
        store.correct_post(conn, post.guid, "In 1910.", now=press.clock())
    html = a_visitor(press).get(post.path).text
    assert "It was &lt;Laredo&gt;." in html
    assert "In 1910." in html


@pytest.mark.parametrize("changes", [{"draft": True}, {"hours": -5}], ids=["draft", "scheduled"])
def test_what_is_not_public_has_no_page(tmp_path: Path, changes: dict[str, object]) -> None:
    press = a_press(tmp_path)
    post = a_post(press, **changes)
    visitor = a_visitor(press)
    assert visitor.get(post.path).status_code == 404
    assert "Juárez" not in visitor.get("/").text


def test_a_post_in_another_language_says_which_and_carries_its_lang(tmp_path: Path) -> None:
    press = a_press(tmp_path)
    post = a_post(press, language="ar", markdown="سلام")
    html = a_visitor(press).get(post.path).text
    assert '<article class="post" lang="ar" dir="rtl">' in html
    assert "Arabic" in html


def test_a_hostile_title_is_text_everywhere(tmp_path: Path) -> None:
    press = a_press(tmp_path)
    post = a_post(press, '<script>alert(1)</script> & "x"', name="hostile")
    visitor = a_visitor(press)
    for path in ("/", post.path):
        html = visitor.get(path).text
        assert "<script" not in html
        assert "&lt;script&gt;" in html


def test_the_feeds_page_lists_every_feed_in_three_formats(tmp_path: Path) -> None:
    press = a_press(tmp_path, feeds=[{"slug": "river", "title": "The river"}])
    a_post(press, tags=("border",))
    html = a_visitor(press).get("/feeds/").text
    for name in ("all", "river", "tag-border", "language-en"):
        for format_ in ("atom", "rss", "json"):
            assert f"{WEB}/feeds/{name}.{format_}" in html


def test_a_feeds_page_shows_its_posts_and_announces_itself_first(tmp_path: Path) -> None:
    press = a_press(tmp_path)
    a_post(press, "In it", tags=("border",), name="in")
    a_post(press, "Elsewhere", name="out")
    html = a_visitor(press).get("/feeds/tag-border/").text
    main = html[html.index("<main") :]
    assert "In it" in main
    assert "Elsewhere" not in main
    assert html.index("tag-border.atom") < html.index("all.atom")


@pytest.mark.parametrize(
    "path",
    [
        "/nothing/",
        "/feeds/nothing/",
        "/2009/09/nothing/",
        "/daily/7/",
        "/daily/99999999999999/",
        "/mailbox/",
        "/media/%2e%2e/config.toml",
    ],
)
def test_what_is_not_there_is_a_page_in_style(tmp_path: Path, path: str) -> None:
    answer = a_visitor(a_press(tmp_path)).get(path)
    assert answer.status_code == 404
    assert "There is no such page" in answer.text
    assert "/style.css" in answer.text


def test_a_mistake_of_ours_is_a_page_that_says_nothing_of_our_insides(tmp_path: Path) -> None:
    press = a_press(tmp_path)
    visitor = a_visitor(press)
    (tmp_path / "var" / "dateline.db").unlink()
    press.engine.dispose()
    answer = visitor.get("/")
    assert answer.status_code == 500
    assert "Something broke on our side" in answer.text
    assert "no such table" not in answer.text
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_every_answer_is_guarded_and_sets_no_cookie(tmp_path: Path) -> None:
    press = a_press(tmp_path)
    post = a_post(press)
    visitor = a_visitor(press)
    for path in (
        "/",
        post.path,
        "/feeds/",
        "/daily/",
        "/subscribe",
        "/confirm/x",
        "/u/x",
        "/preferences/x",
        "/nothing/",
        "/healthz",
    ):
        headers = visitor.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; style-src 'self'; img-src 'self'")
        assert "script" not in policy
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "Set-Cookie" not in headers


def test_every_page_carries_autodiscovery_links_and_neither_script_nor_inline_style(
    tmp_path: Path,
) -> None:
    press = a_press(tmp_path)
    post = a_post(press)
    visitor = a_visitor(press)
    for path in (
        "/",
        post.path,
        "/feeds/",
        "/daily/",
        "/subscribe",
        "/confirm/x",
        "/u/x",
        "/preferences/x",
        "/nothing/",
    ):
        html = visitor.get(path).text
        for format_ in ("atom+xml", "rss+xml", "feed+json"):
            assert f'<link rel="alternate" type="application/{format_}"' in html
        assert "<script" not in html
        assert not re.search(r"<style|\sstyle=", html)


def test_a_page_asks_nobody_else_for_anything(tmp_path: Path) -> None:
    press = a_press(tmp_path)
    post = a_post(
        press,
        raw_html='<p><img src="https://elsewhere.example/a.png" srcset="https://elsewhere.example/b.png 2x" alt="A map"></p>'
        f'<img src="{WEB}/media/ours.png" alt="Ours">',
    )
    html = a_visitor(press).get(post.path).text
    loaded = re.findall(r'(?:src|srcset)="([^"]*)"', html)
    assert loaded == ["/media/ours.png"]
    assert '<a href="https://elsewhere.example/a.png">[Picture: A map]</a>' in html


def test_healthz_answers_while_the_database_does(tmp_path: Path) -> None:
    answer = a_visitor(a_press(tmp_path)).get("/healthz")
    assert answer.json()["status"] == "ok"


def test_media_are_served_under_a_policy_that_lets_a_picture_run_nothing(tmp_path: Path) -> None:
    press = a_press(tmp_path)
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "a.svg").write_text("<svg/>")
    answer = a_visitor(press).get("/media/a.svg")
    assert answer.headers["Content-Type"].startswith("image/svg+xml")
    assert "sandbox" in answer.headers["Content-Security-Policy"]


def test_built_feeds_stand_in_front_of_the_pages(tmp_path: Path) -> None:
    press = a_press(tmp_path)
    (press.public / "feeds").mkdir(parents=True)
    (press.public / "feeds" / "all.atom").write_text("<feed/>")
    answer = a_visitor(press).get("/feeds/all.atom")
    assert answer.text == "<feed/>"
    assert answer.headers["ETag"]


def test_the_accent_of_config_is_brought_to_a_contrast_that_can_be_read(tmp_path: Path) -> None:
    from newsletter.colour import contrast

    for accent in ("#ffee00", "#000000", "#ffffff", "#9c2a1f"):
        press = a_press(
            tmp_path / accent[1:],
            site={"title": "F", "url": "https://f.example/", "accent": accent},
        )
        css = a_visitor(press).get("/style.css").text
        light, dark = re.findall(r"--accent: (#[0-9a-f]{6})", css)
        papers = re.findall(r"--(?:paper|sheet): (#[0-9a-f]{6})", css)
        assert min(contrast(light, paper) for paper in papers[:2]) >= 4.5
        assert min(contrast(dark, paper) for paper in papers[2:]) >= 4.5


def test_a_template_of_the_operator_replaces_ours(tmp_path: Path) -> None:
    (tmp_path / "own" / "web").mkdir(parents=True)
    (tmp_path / "own" / "web" / "front.html").write_text("{{ page.site_title }} is ours")
    press = a_press(tmp_path, site={"title": "F", "url": "https://f.example/", "templates": "own"})
    assert a_visitor(press).get("/").text == "F is ours"


def test_a_get_or_head_of_any_page_writes_nothing(tmp_path: Path) -> None:
    press = a_press(tmp_path)
    post = a_post(press)
    visitor = a_visitor(press)
    press.engine.dispose()
    before = (tmp_path / "var" / "dateline.db").read_bytes()
    for path in ("/", post.path, "/feeds/", "/feeds/all/", "/daily/", "/subscribe", "/healthz"):
        assert visitor.get(path).status_code == 200
        assert visitor.head(path).status_code == 200
    press.engine.dispose()
    assert (tmp_path / "var" / "dateline.db").read_bytes() == before


def test_an_edit_is_dated_on_the_page_and_a_first_version_is_not(tmp_path: Path) -> None:
    press = a_press(tmp_path)
    post = a_post(press, hours=5, updated=press.clock() - timedelta(hours=1), name="edited")
    plain = a_post(press, hours=5, name="plain")
    visitor = a_visitor(press)
    assert "Updated: Tuesday, September 15, 2009" in visitor.get(post.path).text
    assert "Updated:" not in visitor.get(plain.path).text


def test_build_app_needs_no_newsletter(tmp_path: Path) -> None:
    press = a_press(tmp_path, newsletters=[])
    assert build_app(press) is not None
    html = a_visitor(press).get("/").text
    assert "<form" not in html
    assert "/subscribe" not in html


def test_a_feed_that_is_not_there_is_a_404_and_sends_nobody_on(tmp_path: Path) -> None:
    answer = a_visitor(a_press(tmp_path)).get("/feeds/tag-gone.atom", follow_redirects=False)
    assert answer.status_code == 404


def test_an_arabic_card_runs_from_right_to_left_and_its_byline_as_the_page(tmp_path: Path) -> None:
    press = a_press(tmp_path)
    a_post(press, "الجسر", language="ar", authors=("نور حداد",))
    html = a_visitor(press).get("/").text
    assert '<h3 lang="ar" dir="rtl">' in html
    assert '<p class="byline">By \u2068نور حداد\u2069 · ' in html
