"""The digest as it is seen: on a phone and on a desk, light and dark."""

import os
import shutil
from collections.abc import Iterator
from email import message_from_bytes
from email.policy import default as oracle

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from posts.settings import Site
from tests.newsletter.mail_samples import SITE, a_document_post, a_post, a_week, message, sealed

pytestmark = pytest.mark.browser

PHONE = {"width": 375, "height": 667}
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
"""Not best-practice: it asks for landmarks, and those are the mail program's own."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    found = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    if found is None:
        say = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        say("no Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield launched
        launched.close()


def html(language: str = "en", site: Site = SITE) -> str:
    posts = [a_document_post(lead=True), *a_week()[1:], a_post(50, title="x" * 200)]
    body = message_from_bytes(
        message(sealed(posts, languages=(language,), site=site)), policy=oracle
    )
    return str(body.get_body(("html",)).get_content())  # type: ignore[attr-defined]


@pytest.fixture(params=["light", "dark"])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page on a phone that fails on any request."""
    opened = browser.new_page(viewport=PHONE, color_scheme=request.param)
    opened.on("request", lambda r: pytest.fail(f"the mail asked for {r.url}"))
    yield opened
    opened.close()


def test_the_first_headline_of_a_digest_shows_on_a_phone_without_scrolling(page: Page) -> None:
    page.set_content(html())
    box = page.locator(".headline a").first.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] < PHONE["height"] / 2
    assert page.locator(".preheader").bounding_box() is None


@pytest.mark.parametrize("width", [320, 375, 700, 1000])
def test_no_mail_is_wider_than_its_window_or_than_600_pixels(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.set_content(html())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator(".sheet").bounding_box()["width"] <= 600  # type: ignore[index]


@pytest.mark.parametrize("accent", ["#9c2a1f", "#ffe600", "#101040"])
@pytest.mark.parametrize("language", ["en", "es"])
def test_a_mail_is_accessible_and_legible_with_any_accent(
    page: Page, language: str, accent: str
) -> None:
    page.set_content(html(language, SITE.model_copy(update={"accent": accent})))
    found = Axe().run(page, options={"runOnly": TAGS})
    assert [v["id"] for v in found.response["violations"]] == [], found.generate_report()


def test_the_links_to_leave_and_to_change_are_44_pixels_high(page: Page) -> None:
    page.set_content(html())
    for link in page.locator(".action a").all():
        box = link.bounding_box()
        assert box is not None
        assert box["height"] >= 44
        assert box["width"] >= 44


def test_a_right_to_left_story_is_laid_out_from_the_right(page: Page) -> None:
    page.set_content(html())
    story = page.locator(".story[lang=ar]")
    assert (
        story.locator("blockquote").evaluate("e => getComputedStyle(e).borderRightWidth") == "3px"
    )
    assert story.locator("h3").evaluate("e => getComputedStyle(e).direction") == "rtl"
