"""The style of a feed that a person opens in a browser: rendered from its template, the same served and under `public/`."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from markupsafe import Markup

from dateline.colours import build_palettes
from dateline.press import Press
from feeds.files import write_atomically
from feeds.spec import STYLESHEET_PATH
from posts.catalogue import translations

_FIRST = datetime(2000, 1, 1, tzinfo=UTC)
_CATALOGUES = Path(__file__).parent.parent / "locale"
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,:;/-_?!()")


def feed_style(press: Press) -> bytes:
    """The style sheet, in the colours of the pages and in the site's language."""
    site = press.config.site
    words = translations(_CATALOGUES, site.language)
    light, dark = build_palettes(site.accent)
    lines = (
        words.gettext(
            "This is a feed: it brings each new post to a feed reader, and knows nothing about you."
        ),
        words.gettext("Copy its address, from the bar above, into your feed reader."),
        words.gettext("All feeds, and how to read them:")
        + f" {press.config.web.url.rstrip('/')}/feeds/",
    )
    return (
        press.templates.get_template("web/feed.css")
        .render(
            light=light,
            dark=dark,
            what_this_is=css_string("\n".join(lines)),
            withdrawn=css_string(words.gettext("Withdrawn")),
        )
        .encode()
    )


def write_feed_style(press: Press) -> bool:
    """Writes it under `public/` where its bytes differ; True when it was written.

    The file's time is made up, so that two hosts send the same Last-Modified; other bytes get a later one.
    """
    path, body, moment = press.public / STYLESHEET_PATH[1:], feed_style(press), _FIRST
    with suppress(FileNotFoundError):
        if path.read_bytes() == body:
            return False
        moment = datetime.fromtimestamp(int(path.stat().st_mtime), UTC) + timedelta(seconds=1)
    write_atomically(path, body, time=moment)
    return True


def css_string(text: str) -> Markup:
    """`text` as a string of CSS. All but plain characters are escaped (CSS Syntax 4.3.7), so that HTML's own escaping
    finds nothing to do in it."""
    inside = "".join(char if char in _PLAIN else f"\\{ord(char):06x}" for char in text)
    return Markup(f'"{inside}"')
