"""The style of a feed that a person opens in a browser."""

from pathlib import Path

from dateline.actions.build import build
from dateline.actions.feed_style import css_string, feed_style, write_feed_style
from tests.dateline.web.arrange import SITE, WEB, a_press, a_visitor


def test_it_is_served_and_lies_under_public_with_the_same_bytes(tmp_path: Path) -> None:
    press = a_press(tmp_path)
    build(press)
    answer = a_visitor(press).get("/feed.css")
    assert answer.content == (press.public / "feed.css").read_bytes() == feed_style(press)
    assert answer.headers["content-type"].startswith("text/css")


def test_it_is_written_again_only_when_it_differs(tmp_path: Path) -> None:
    press = a_press(tmp_path)
    assert write_feed_style(press)
    before = (press.public / "feed.css").stat().st_mtime
    assert not write_feed_style(press)
    (press.public / "feed.css").write_text("torn")
    assert write_feed_style(press)
    assert (press.public / "feed.css").stat().st_mtime > before


def test_it_speaks_the_sites_language_and_names_the_page_of_feeds(tmp_path: Path) -> None:
    press = a_press(tmp_path, site={**SITE, "language": "es-MX"})
    style = feed_style(press).decode()
    assert "Esto es un canal" in style
    assert f"{WEB}/feeds/" in style


def test_no_text_ends_a_string_of_css() -> None:
    assert css_string('a"b\\c\nd</x>') == '"a\\000022b\\00005cc\\00000ad\\00003c/x\\00003e"'
