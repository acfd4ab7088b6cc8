from datetime import UTC, datetime, timedelta

import pytest

from posts.errors import SourceError
from posts.fetch import Fetched, Fetcher
from posts.settings import Site, SourceSettings
from posts.source_states import SourceState
from posts.sources.discover import describe_blog, discover_feeds, is_page
from posts.sources.reading import backed_off
from posts.sources.remote_feed import read_remote_feed, retry_after
from tests.posts.web_server import Answer, WebServer, web_server

SITE = Site(title="Frontera", url="https://frontera.example")
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
RSS = (
    b'<?xml version="1.0"?><rss version="2.0"><channel><title>The blog</title><link>https://blog.example/</link>'
    b"<description>Its tagline</description><language>es-mx</language>"
    b"<item><guid>1</guid><title>t</title><description>x</description></item></channel></rss>"
)
ATOM = (
    b'<feed xmlns="http://www.w3.org/2005/Atom"><title>A</title><id>a</id><updated>2026-01-01T00:00:00Z</updated>'
    b"<entry><id>urn:1</id><title>t</title><updated>2026-01-01T00:00:00Z</updated><content>x</content></entry></feed>"
)
PAGE = (
    b'<!doctype html><html lang="en"><head><title>Page title</title><meta name="description" content="Of the page">'
    b'<link rel="alternate" type="application/rss+xml" title="Comments" href="/comments/feed">'
    b'<link rel="alternate" type="application/rss+xml" title="RSS" href="/feed">'
    b'<link rel="alternate" type="application/atom+xml" title="Atom" href="/atom">'
    b'<link rel="alternate" type="application/json" href="/wp-json/wp/v2/pages/1"></head><body>x'
)


def read(server: WebServer, path: str = "/feed", state: SourceState | None = None, **settings):
    source = SourceSettings(
        kind="feed", location=server.url + path, **{"allow_private": True, **settings}
    )
    return read_remote_feed(
        source,
        fetcher=Fetcher(),
        state=state or SourceState(source=source.name),
        site=SITE,
        now=NOW,
    )


def test_a_feed_is_read_and_its_validators_are_kept():
    headers = {"ETag": '"1"', "Last-Modified": "Tue, 15 Sep 2009 08:00:00 GMT"}
    with web_server({"/feed": Answer(body=RSS, headers=headers)}) as server:
        reading = read(server)
        assert [post.guid for post in reading.posts] == ["1"]
        assert (reading.seen, reading.failed) == (None, False)
        server.routes["/feed"] = Answer(status=304)
        again = read(server, state=reading.state)
    assert (again.posts, again.failed, again.unchanged) == ((), False, True)
    assert server.requests[1]["if-none-match"] == '"1"'
    assert server.requests[1]["if-modified-since"] == "Tue, 15 Sep 2009 08:00:00 GMT"
    assert again.state.etag == '"1"'


def test_a_page_leads_to_its_feed_and_the_choice_is_told_once():
    with web_server(
        {"/": Answer(body=PAGE), "/atom": Answer(body=ATOM), "/feed": Answer(body=RSS)}
    ) as server:
        reading = read(server, "/")
        assert reading.chosen_feed == reading.state.feed_url == server.url + "/atom"
        assert [post.guid for post in reading.posts] == ["urn:1"]
        again = read(server, "/", reading.state)
    assert again.chosen_feed is None
    assert [request["path"] for request in server.requests] == ["/", "/atom", "/atom"]


def test_a_found_feed_that_is_gone_is_looked_for_anew():
    with web_server(
        {"/": Answer(body=PAGE), "/atom": Answer(body=ATOM), "/feed": Answer(body=RSS)}
    ) as server:
        state = read(server, "/").state
        del server.routes["/atom"]
        gone = read(server, "/", state)
        assert gone.failed
        server.routes["/"] = Answer(body=PAGE.replace(b"application/atom+xml", b"text/plain"))
        found = read(server, "/", gone.state)
    assert found.chosen_feed == server.url + "/feed"


def test_a_page_without_a_feed_is_a_fault():
    with web_server({"/": Answer(body=b"<!doctype html><html><body>x")}) as server:
        reading = read(server, "/")
    assert reading.failed
    assert str(reading.faults[0]).endswith(
        "is a page that names no feed. Give the address of the feed itself."
    )


def test_an_error_page_with_status_200_in_place_of_a_found_feed_is_a_fault():
    with web_server({"/": Answer(body=PAGE), "/atom": Answer(body=ATOM)}) as server:
        state = read(server, "/").state
        server.routes["/atom"] = Answer(body=b"<html><body>Database error")
        reading = read(server, "/", state)
    assert reading.failed
    assert "is a web page, not a feed" in reading.faults[0].what


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_kept_to(status):
    with web_server({"/feed": Answer(status=status, headers={"Retry-After": "7200"})}) as server:
        reading = read(server)
    assert reading.failed
    assert reading.state.next_poll == NOW + timedelta(hours=2)
    assert f"answered {status} and asks to wait 7200 seconds" in reading.faults[0].what


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        ("120", timedelta(seconds=120)),
        ("Tue, 24 Nov 2026 12:01:00 GMT", timedelta(seconds=60)),
        ("Tue, 24 Nov 2026 11:00:00 GMT", timedelta(0)),
        ("soon", None),
        ("", None),
        ("-5", None),
        ("Tue, 24 Nov 2026 12:01:00", None),
    ],
)
def test_rfc9110_10_2_3_retry_after_is_seconds_or_a_date(value, wait):
    assert retry_after({"Retry-After": value}, NOW) == wait


def test_max_age_puts_the_next_poll_off_by_an_hour_at_most():
    with web_server(
        {"/feed": Answer(body=RSS, headers={"Cache-Control": "public, max-age=1800"})}
    ) as server:
        assert read(server).state.next_poll == NOW + timedelta(minutes=30)
        server.routes["/feed"] = Answer(body=RSS, headers={"Cache-Control": "max-age=86400"})
        assert read(server).state.next_poll == NOW + timedelta(hours=1)
        server.routes["/feed"] = Answer(body=RSS, headers={"Cache-Control": "max-age=0"})
        assert read(server).state.next_poll == NOW + timedelta(minutes=10)


def test_failures_in_a_row_double_the_wait_up_to_six_hours():
    state = SourceState(source="blog")
    waits = []
    for _ in range(8):
        state = backed_off(state, now=NOW, every=timedelta(minutes=10))
        assert state.next_poll is not None
        waits.append((state.next_poll - NOW) // timedelta(minutes=1))
    assert waits == [10, 20, 40, 80, 160, 320, 360, 360]
    assert state.first_polled is None


def test_a_private_address_is_a_fault_unless_the_source_allows_it():
    with web_server({"/feed": Answer(body=RSS)}) as server:
        reading = read(server, allow_private=False)
    assert reading.failed
    assert "private address" in reading.faults[0].what
    assert server.requests == []


def test_a_json_feed_is_read_by_its_first_character():
    body = b'{"version": "https://jsonfeed.org/version/1.1", "title": "B", "items": [{"id": "1", "content_text": "x"}]}'
    with web_server({"/feed": Answer(body=body)}) as server:
        assert [post.guid for post in read(server).posts] == ["1"]


def test_a_feed_of_another_language_keeps_it():
    with web_server({"/feed": Answer(body=RSS)}) as server:
        assert read(server).posts[0].language == "es-mx"


@pytest.mark.parametrize(
    ("body", "kind", "page"),
    [
        pytest.param(
            b"Warning: x<br>" + RSS,
            "text/html",
            False,
            id="a feed that goes by text/html, after junk",
        ),
        pytest.param(
            b"<?xml version='1.0'?><!DOCTYPE html><html>", "application/xml", True, id="XHTML"
        ),
        pytest.param(
            RSS.replace(b">x<", b"><![CDATA[<html><body>x]]><"), "", False, id="a feed of pages"
        ),
        pytest.param(b"Not found", "text/html; charset=utf-8", True, id="by its name"),
        pytest.param(b'{"a": "<html>"}', "text/html", False, id="JSON"),
    ],
)
def test_pages_and_feeds_are_told_apart_by_what_they_hold(body, kind, page):
    fetched = Fetched(
        status=200, url="https://blog.example/", body=body, headers={"Content-Type": kind}
    )
    assert is_page(fetched) == page


def test_feeds_are_found_best_first():
    feeds = discover_feeds(PAGE, "https://blog.example/a/")
    assert [feed.url for feed in feeds] == [
        "https://blog.example/atom",
        "https://blog.example/feed",
        "https://blog.example/comments/feed",
    ]


@pytest.mark.parametrize(
    "page",
    [b"", b"\x00\x01", b"<", b"<link rel=alternate type=application/atom+xml href='http://[x'>"],
)
def test_no_page_breaks_the_search(page):
    assert discover_feeds(page, "https://blog.example/") == []


def test_a_base_element_counts():
    page = (
        b'<base href="https://cdn.example/x/"><link rel=alternate type=application/atom+xml href=f>'
    )
    assert discover_feeds(page, "https://blog.example/")[0].url == "https://cdn.example/x/f"


def test_a_living_blog_describes_itself():
    with web_server({"/": Answer(body=PAGE), "/atom": Answer(body=RSS)}) as server:
        blog = describe_blog(server.url + "/", Fetcher(), allow_private=True)
        assert (blog.title, blog.tagline, blog.language) == ("The blog", "Its tagline", "es-MX")
        assert (blog.feed_url, blog.home_url) == (server.url + "/atom", server.url + "/")
        direct = describe_blog(server.url + "/atom", Fetcher(), allow_private=True)
    assert (direct.title, direct.home_url, direct.feed_url) == (
        "The blog",
        "https://blog.example/",
        server.url + "/atom",
    )


def test_what_the_feed_does_not_say_the_page_does():
    bare = (
        RSS.replace(b"<title>The blog</title>", b"")
        .replace(b"Its tagline", b"")
        .replace(b"es-mx", b"")
    )
    with web_server({"/": Answer(body=PAGE), "/atom": Answer(body=bare)}) as server:
        blog = describe_blog(server.url + "/", Fetcher(), allow_private=True)
    assert (blog.title, blog.tagline, blog.language) == ("Page title", "Of the page", "en")


@pytest.mark.parametrize(
    "route", [Answer(status=404), Answer(body=b"<html>no feed"), Answer(body=b"%PDF")]
)
def test_what_is_no_blog_is_told(route):
    with web_server({"/": route}) as server, pytest.raises(SourceError):
        describe_blog(server.url + "/", Fetcher(), allow_private=True)
