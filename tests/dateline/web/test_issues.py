"""The pages of a newsletter and of its issues."""

import re
from pathlib import Path

from dateline.actions.compose import compose
from tests.dateline.web.arrange import WEB, a_post, a_press, a_reader, a_visitor, an_issue


def test_an_issue_is_read_on_the_web_at_its_number(tmp_path: Path) -> None:
    press = a_press(tmp_path)
    a_post(press, "The bridge is open")
    a_reader(press)
    issue = an_issue(press)
    answer = a_visitor(press).get(f"/daily/{issue.number}/")
    assert answer.status_code == 200
    assert "The bridge is open" in answer.text
    assert "ana@example.org" not in answer.text
    assert "/u/" not in answer.text
    assert answer.text.count("<main>") == answer.text.count("</main>") == 1


def test_an_issues_own_style_is_named_by_its_hash_and_nothing_else_may_apply(
    tmp_path: Path,
) -> None:
    press = a_press(tmp_path)
    a_post(press)
    a_reader(press)
    an_issue(press)
    answer = a_visitor(press).get("/daily/1/")
    policy = answer.headers["Content-Security-Policy"]
    assert re.search(r"style-src 'sha256-[A-Za-z0-9+/=]+';", policy)
    assert "unsafe" not in policy
    assert not re.search(r"\sstyle=", answer.text)


def test_an_issue_carries_autodiscovery_links_and_the_way_to_the_site(tmp_path: Path) -> None:
    press = a_press(tmp_path)
    a_post(press)
    a_reader(press)
    an_issue(press)
    html = a_visitor(press).get("/daily/1/").text
    assert '<link rel="alternate" type="application/atom+xml"' in html
    assert '<a href="/daily/">' in html
    assert "dateline:head" not in html


def test_an_issue_of_two_languages_shows_the_visitors_and_offers_the_other(tmp_path: Path) -> None:
    press = a_press(tmp_path)
    a_post(press)
    a_reader(press)
    a_reader(press, "eva@example.org", "es")
    an_issue(press)
    assert '<html lang="en"' in a_visitor(press).get("/daily/1/").text
    spanish = a_visitor(press, language="es").get("/daily/1/")
    assert '<html lang="es"' in spanish.text
    assert f'<a href="{WEB}/daily/1/?language=en"' in spanish.text
    asked = a_visitor(press, language="es").get("/daily/1/?language=en")
    assert '<html lang="en"' in asked.text


def test_a_draft_is_shown_to_nobody(tmp_path: Path) -> None:
    press = a_press(tmp_path)
    a_post(press)
    a_reader(press)
    draft = compose(press, "daily").issue
    assert draft is not None
    visitor = a_visitor(press)
    assert visitor.get(f"/daily/{draft.number}/").status_code == 404
    assert "has not gone out yet" in visitor.get("/daily/").text


def test_the_list_shows_released_issues_newest_first(tmp_path: Path) -> None:
    press = a_press(tmp_path)
    a_reader(press)
    for number in (1, 2):
        a_post(press, f"Post {number}", name=f"p{number}")
        an_issue(press)
    html = a_visitor(press).get("/daily/").text
    assert html.index("Post 2") < html.index("Post 1")
    assert "No. 1 · Sep 15, 2009 · 1 story" in html
