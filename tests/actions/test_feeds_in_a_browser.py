"""A feed opened in a browser: readable without any script, light and dark, wide and narrow, from right to left too."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from playwright.sync_api import Browser, Page

from dateline.actions.build import build
from dateline.web.app import build_app
from posts import store
from posts.database import writing
from posts.model import Enclosure
from tests.dateline.web.arrange import NOW, a_post, a_press

pytestmark = pytest.mark.browser

FULL_TEXT = "Nobody should see these tags."


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A press whose feed holds a corrected post, one in Arabic and one that was taken back, served."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    press = a_press(tmp_path_factory.mktemp("press"), web={"url": address})
    a_post(
        press,
        "The bridge",
        raw_html=f"<p>{FULL_TEXT}</p>",
        raw_summary="In <b>short</b>.",
        authors=("Ana Ruiz",),
        enclosures=(Enclosure(url="https://b.example/a.mp3", type="audio/mpeg"),),
        hours=1,
    )
    a_post(press, "الجسر مغلق", markdown="كلمات.", language="ar", name="arabic", hours=2)
    gone = a_post(press, "Gone", name="gone", hours=3)
    with writing(press.engine) as conn:
        store.withdraw_post(conn, gone.guid, now=NOW, reason="It was wrong.")
    build(press)
    server = uvicorn.Server(uvicorn.Config(build_app(press), log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)  # uvicorn offers no event to wait for
    yield address
    server.should_exit = True
    thread.join(timeout=10)


def opened(
    browser: Browser,
    address: str,
    *,
    width: int = 1280,
    scheme: str = "light",
    mobile: bool = False,
) -> Page:
    """A window on `address`."""
    context = browser.new_context(
        viewport={"width": width, "height": 800},
        screen={"width": width, "height": 800},
        color_scheme="dark" if scheme == "dark" else "light",
        is_mobile=mobile,
        has_touch=mobile,
    )
    page = context.new_page()
    page.goto(address)
    return page


def text_of(page: Page) -> str:
    """What a person sees, without what style sheets add."""
    found: str = page.evaluate(
        """() => [...document.querySelectorAll('*')].filter(one => one.checkVisibility() &&
           one.getClientRects().length).map(one => [...one.childNodes].filter(node =>
           node.nodeType === 3).map(node => node.data).join('')).join('\\n')"""
    )
    return found


@pytest.mark.parametrize("format_", ["atom", "rss"])
def test_a_feed_shows_what_people_read_and_nothing_else(
    browser: Browser, url: str, format_: str
) -> None:
    page = opened(browser, f"{url}/feeds/all.{format_}")
    seen = text_of(page)
    assert "Frontera" in seen
    assert "The bridge" in seen
    assert "In short." in seen
    assert "Ana Ruiz" in seen
    assert FULL_TEXT not in seen
    assert "<p>" not in seen
    assert "tag:" not in seen
    page.context.close()


@pytest.mark.parametrize("format_", ["atom", "rss"])
def test_a_feed_says_what_it_is_and_where_more_is_told(
    browser: Browser, url: str, format_: str
) -> None:
    page = opened(browser, f"{url}/feeds/all.{format_}")
    root = "feed" if format_ == "atom" else "channel"
    told = page.evaluate(f"getComputedStyle(document.querySelector('{root}'), '::before').content")
    assert "This is a feed" in told
    assert f"{url}/feeds/" in told
    page.context.close()


@pytest.mark.parametrize("format_", ["atom", "rss"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1280])
def test_a_feed_is_readable_on_any_ground_and_scrolls_one_way(
    browser: Browser, url: str, format_: str, scheme: str, width: int
) -> None:
    page = opened(browser, f"{url}/feeds/all.{format_}", width=width, scheme=scheme)
    ink, ground, overflow = page.evaluate(
        """() => [getComputedStyle(document.querySelector('entry > title, item > title')).color,
           getComputedStyle(document.documentElement).backgroundColor,
           document.documentElement.scrollWidth - innerWidth]"""
    )
    page.context.close()
    assert overflow <= 0
    assert contrast(ink, ground) > 7
    assert (sum(channels(ground)) < 384) == (scheme == "dark")


def channels(colour: str) -> list[int]:
    """The three numbers of a computed colour."""
    return [int(part) for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]


def contrast(one: str, other: str) -> float:
    """The contrast of two computed colours (WCAG 2.2)."""

    def light(colour: str) -> float:
        parts = (part / 255 for part in channels(colour))
        red, green, blue = (
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    darker, lighter = sorted((light(one), light(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("format_", ["atom", "rss"])
def test_a_title_in_arabic_begins_at_the_right(browser: Browser, url: str, format_: str) -> None:
    page = opened(browser, f"{url}/feeds/all.{format_}", width=375)
    free_left, free_right = page.evaluate(
        """() => { const title = [...document.querySelectorAll('entry > title, item > title')]
             .find(one => one.textContent.includes('الجسر'));
           const range = document.createRange(); range.selectNodeContents(title);
           const text = range.getBoundingClientRect(), box = title.getBoundingClientRect();
           return [text.left - box.left, box.right - text.right]; }"""
    )
    page.context.close()
    assert free_right < 2
    assert free_left > 50


def test_a_telephone_shows_letters_that_can_be_read(browser: Browser, url: str) -> None:
    page = opened(browser, f"{url}/feeds/all.atom", width=375, mobile=True)
    size, shrunk = page.evaluate(
        "[parseFloat(getComputedStyle(document.querySelector('summary')).fontSize), innerWidth / 375]"
    )
    page.context.close()
    assert size / shrunk > 15


def test_a_withdrawn_post_leaves_its_reason(browser: Browser, url: str) -> None:
    page = opened(browser, f"{url}/feeds/updates.rss")
    seen = text_of(page)
    page.context.close()
    assert "It was wrong." in seen
    assert "Gone" not in seen


def test_a_reader_program_is_told_the_feeds_own_type(browser: Browser, url: str) -> None:
    """Chromium shows the types of feeds as source text: navigations alone get the type of all XML."""
    page = opened(browser, f"{url}/feeds/all/")
    kinds = [
        page.request.get(f"{url}/feeds/all.{format_}").headers["content-type"].split(";")[0]
        for format_ in ("atom", "rss", "json")
    ]
    page.context.close()
    assert kinds == ["application/atom+xml", "application/rss+xml", "application/feed+json"]
