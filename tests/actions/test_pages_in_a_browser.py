"""The pages as people meet them: in a real browser, light and dark, wide and narrow, by keyboard, without JavaScript."""

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from dateline.actions.compose import compose
from dateline.actions.poll import poll
from dateline.actions.release import release
from dateline.actions.sign_up import sign_up
from dateline.demo.newsroom import NEWSLETTER
from dateline.demo.show import open_newsroom
from dateline.press import Press, utc_now
from dateline.web.app import build_app
from newsletter.addresses import parse_address
from newsletter.subscribers import NewSubscriber, find_subscriber, save_subscribers
from newsletter.subscriptions import activate, ask_consent
from posts import store
from posts.database import reading, writing

pytestmark = pytest.mark.browser

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
LONG_POST = "the-bridge-closes-at-night"
READER = "lupe@example.org"


@dataclass(frozen=True)
class Site:
    """The sample newsroom, served. `paths` names each kind of page."""

    press: Press
    url: str
    paths: dict[str, str]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The demo's newsroom with one reader and one released issue, on a port of its own."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))  # held from here on: other workers look for ports too
    port = listener.getsockname()[1]
    press, _ = open_newsroom(
        tmp_path_factory.mktemp("newsroom") / "demo", port=port, program="dateline"
    )
    poll(press)
    _correct_and_withdraw(press)
    token = _subscribe(press)
    composed = compose(press, NEWSLETTER)
    assert composed.issue is not None
    release(press, composed.issue.id)
    with reading(press.engine) as conn:
        posts = store.list_posts(conn)
    (long_post,) = (post.path for post in posts if LONG_POST in post.path)
    url = f"http://127.0.0.1:{port}"
    server = uvicorn.Server(
        uvicorn.Config(
            build_app(press, mailbox=press.var / "outbox"),
            log_level="error",
            lifespan="off",
        )
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)  # uvicorn offers no event to wait for
    yield Site(
        press=press,
        url=url,
        paths={
            "front": "/",
            "post": long_post,
            "feeds": "/feeds/",
            "feed": "/feeds/language-es/",
            "feed of all": "/feeds/all/",
            "updates": "/feeds/updates/",
            "issues": "/daily/",
            "issue": "/daily/1/",
            "subscribe": "/subscribe",
            "confirm": "/confirm/x",
            "unsubscribe": f"/u/{token['unsubscribe']}",
            "preferences": f"/preferences/{token['preferences']}",
            "old preferences": "/preferences/x",
            "mailbox": "/mailbox/",
            "missing": "/nothing/",
        },
    )
    server.should_exit = True
    thread.join(timeout=10)


def _correct_and_withdraw(press: Press) -> None:
    """A note on the long post, and the newest post in Spanish taken back."""
    with writing(press.engine) as conn:
        posts = store.list_posts(conn)
        (long_post,) = (post for post in posts if LONG_POST in post.path)
        spanish = next(post for post in posts if post.content.language == "es")
        now = press.clock()
        store.correct_post(conn, long_post.guid, "It was shut on a Monday.", now=now)
        store.withdraw_post(conn, spanish.guid, now=now, reason="It named a minor.")


def _subscribe(press: Press) -> dict[str, str]:
    """One active reader; gives the tokens of the links in his mails."""
    now = press.clock()
    with writing(press.engine) as conn:
        address = parse_address("reader@example.org")
        save_subscribers(conn, [NewSubscriber(address=address, name=None, language="en")], now)
        reader = find_subscriber(conn, address.key)
        assert reader is not None
        asked = ask_consent(
            conn,
            reader.id,
            NEWSLETTER,
            "scheduled",
            consent={"method": "test"},
            via="test",
            now=now,
        )
        active = activate(conn, asked, what="confirmed", via="test", now=now)
    return {
        purpose: press.keys.token(purpose, active.id, generation=active.generation, made=now)
        for purpose in ("unsubscribe", "preferences")
    }


def opened(
    browser: Browser, *, width: int = 1280, scheme: str = "light", scripts: bool = True
) -> Page:
    """A fresh window."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
        java_script_enabled=scripts,
        locale="en-US",
    )
    return context.new_page()


PAGES = [
    "front", "post", "feeds", "feed", "feed of all", "updates", "issues", "issue", "subscribe", "confirm", "unsubscribe", "preferences",
    "old preferences", "mailbox", "missing",
]  # fmt: skip


@pytest.mark.parametrize("width", [1280, 375])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation_on_any_page(
    browser: Browser, site: Site, scheme: str, width: int
) -> None:
    page = opened(browser, width=width, scheme=scheme)
    found = {}
    for name in PAGES:
        page.goto(site.url + site.paths[name])
        results = Axe().run(page, options={"runOnly": {"type": "tag", "values": TAGS}})
        found[name] = [
            (violation["id"], violation["nodes"][0]["html"][:200])
            for violation in results.response["violations"]
        ]
        assert results.response["passes"], name
    page.context.close()
    assert found == {name: [] for name in PAGES}


def test_no_page_scrolls_sideways_at_320_px(browser: Browser, site: Site) -> None:
    page = opened(browser, width=320)
    wide = {}
    for name in PAGES:
        page.goto(site.url + site.paths[name])
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > 320:
            wide[name] = width
    page.context.close()
    assert wide == {}


def test_no_page_asks_anybody_else_or_breaks_its_own_policy(browser: Browser, site: Site) -> None:
    page = opened(browser)
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    for name in PAGES:
        page.goto(site.url + site.paths[name])
    cookies = page.context.cookies()
    page.context.close()
    assert {url for url in asked if not url.startswith(site.url + "/")} == set()
    assert [text for text in complaints if "Content Security Policy" in text] == []
    assert cookies == []


def test_the_styles_of_pages_and_of_issues_apply(browser: Browser, site: Site) -> None:
    page = opened(browser)
    for name in ("front", "issue"):
        page.goto(site.url + site.paths[name])
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground not in ("rgba(0, 0, 0, 0)", "rgb(255, 255, 255)"), name
    page.context.close()


def test_a_reader_signs_up_confirms_and_leaves_by_keyboard_without_javascript(
    browser: Browser, site: Site
) -> None:
    page = opened(browser, scripts=False)
    page.goto(site.url + "/subscribe")
    page.get_by_label("Your mail address").focus()
    page.keyboard.type(READER)
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    # Filled in within three seconds: taken for a robot, and told the same.
    expect(page.get_by_role("heading", level=1)).to_have_text("Revisa tu correo")
    sign_up(
        site.press,
        address=READER,
        newsletter=NEWSLETTER,
        language="es",
        network="192.0.2.1",
        form_url=site.url,
        wording="",
    )
    with reading(site.press.engine) as conn:
        reader = find_subscriber(conn, READER)
        assert reader is not None
        from newsletter.subscriptions import find_subscription

        subscription = find_subscription(conn, reader.id, NEWSLETTER)
    assert subscription is not None
    keys, now, of = site.press.keys, utc_now(), subscription
    page.goto(
        f"{site.url}/confirm/{keys.token('confirm', of.id, generation=of.generation, made=now)}"
    )
    page.get_by_role("button", name="Sí, quiero suscribirme").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Suscripción confirmada")
    page.goto(
        f"{site.url}/u/{keys.token('unsubscribe', of.id, generation=of.generation, made=now)}"
    )
    page.get_by_role("button", name="Darme de baja").press("Enter")
    page.get_by_role("button", name="Deshacer").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Tu suscripción sigue")
    page.context.close()


def test_the_skip_link_is_the_first_stop_and_leads_to_the_text(
    browser: Browser, site: Site
) -> None:
    page = opened(browser)
    page.goto(site.url + site.paths["post"])
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.context.close()


def test_focus_can_be_seen_on_everything_that_takes_it(browser: Browser, site: Site) -> None:
    page = opened(browser)
    page.goto(site.url + site.paths["front"])
    for _ in range(12):
        page.keyboard.press("Tab")
        width = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
        assert width == "3px", page.evaluate("document.activeElement.outerHTML")
    page.context.close()
