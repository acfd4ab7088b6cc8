"""Old addresses: what config says, and what the programs that a newsroom may come from had."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dateline.config import ConfigError, load_config
from dateline.old_feeds import find_old_feed
from dateline.redirects import Gone, Moved, Redirects, RedirectSettings, redirect_findings, resolved
from tests.dateline.feed_server import WEB, FeedServer

PUBLISHED = [
    f"/feeds/{name}.{format_}"
    for name in (
        "all",
        "headlines",
        "tag-juarez",
        "tag-ciudad-juarez",
        "author-ana-ruiz",
        "language-es",
    )
    for format_ in ("atom", "rss", "json")
]


def where(target: str, configured: dict[str, str] | None = None, gone: str = "") -> str | None:
    """Where an old address leads: an address, "gone", or None."""
    rules = [
        RedirectSettings.model_validate({"from": old, "to": new})
        for old, new in (configured or {}).items()
    ]
    path, _, query = target.partition("?")
    found = Redirects(rules, web_url=WEB + "/").find(
        path, query, is_there=PUBLISHED.__contains__, is_gone=lambda one: one == gone
    )
    if isinstance(found, Moved):
        return found.url.removeprefix(WEB)
    return "gone" if isinstance(found, Gone) else None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        # Blogger
        ("/feeds/posts/default", "/feeds/all.atom"),
        ("/feeds/posts/default/", "/feeds/all.atom"),
        ("/feeds/posts/default?alt=rss", "/feeds/all.rss"),
        ("/feeds/posts/default?alt=atom&max-results=500&start-index=1", "/feeds/all.atom"),
        ("/feeds/posts/default?orderby=published&alt=json", "/feeds/all.json"),
        ("/feeds/posts/default?alt=json-in-script&callback=x", "/feeds/all.json"),
        ("/feeds/posts/default?alt=nonsense", "/feeds/all.atom"),
        ("/feeds/posts/summary", "/feeds/headlines.atom"),
        ("/feeds/posts/default/-/Juarez", "/feeds/tag-juarez.atom"),
        ("/feeds/posts/default/-/Ciudad Juárez?alt=rss", "/feeds/tag-ciudad-juarez.rss"),
        ("/feeds/posts/default/-/Juarez/Second", "/feeds/tag-juarez.atom"),
        ("/feeds/posts/summary/-/Juarez", "/feeds/tag-juarez.atom"),
        ("/feeds/posts/default/-/Unknown", None),
        ("/feeds/comments/default", "gone"),
        ("/feeds/123456/comments/default?alt=rss", "gone"),
        ("/atom.xml", "/feeds/all.atom"),
        ("/atom.xml?redirect=false", "/feeds/all.atom"),
        ("/rss.xml", "/feeds/all.rss"),
        # WordPress
        ("/feed/", "/feeds/all.rss"),
        ("/feed", "/feeds/all.rss"),
        ("/feed/rss2/", "/feeds/all.rss"),
        ("/feed/atom/", "/feeds/all.atom"),
        ("/feed/json/", "/feeds/all.json"),
        ("/comments/feed/", "gone"),
        ("/comments/feed/atom/", "gone"),
        ("/category/juarez/feed/", "/feeds/tag-juarez.rss"),
        ("/category/mexico/juarez/feed/", "/feeds/tag-juarez.rss"),
        ("/tag/juarez/feed/atom/", "/feeds/tag-juarez.atom"),
        ("/tag/unknown/feed/", None),
        ("/author/ana-ruiz/feed/", "/feeds/author-ana-ruiz.rss"),
        ("/?feed=rss2", "/feeds/all.rss"),
        ("/?feed=atom&utm_source=x", "/feeds/all.atom"),
        ("/?feed=comments-rss2", "gone"),
        ("/?feed=rss2&tag=juarez", "/feeds/tag-juarez.rss"),
        ("/?category_name=mexico/juarez&feed=atom", "/feeds/tag-juarez.atom"),
        ("/wp-rss2.php", "/feeds/all.rss"),
        ("/2026/11/a-post/feed/", "gone"),
        ("/2026/11/26/a-post/feed/atom/", "gone"),
        ("/?feed=rss2&p=123", "gone"),
        ("/2026/feed/", "/feeds/all.rss"),
        ("/2026/11/feed/atom/", "/feeds/all.atom"),
        ("/2026/11/26/feed/", "/feeds/all.rss"),
        # in one of several languages: WordPress, Hugo, Jekyll
        ("/es/feed/", "/feeds/language-es.rss"),
        ("/es/feed/atom/", "/feeds/language-es.atom"),
        ("/es/index.xml", "/feeds/language-es.rss"),
        ("/es/feed.xml", "/feeds/language-es.atom"),
        ("/es/rss/", "/feeds/language-es.rss"),
        ("/xx/feed/", None),
        # Ghost
        ("/rss/", "/feeds/all.rss"),
        ("/rss", "/feeds/all.rss"),
        ("/tag/juarez/rss/", "/feeds/tag-juarez.rss"),
        ("/author/ana-ruiz/rss/", "/feeds/author-ana-ruiz.rss"),
        ("/author/nobody/rss/", None),
        # Hugo
        ("/index.xml", "/feeds/all.rss"),
        ("/posts/index.xml", "/feeds/all.rss"),
        ("/tags/juarez/index.xml", "/feeds/tag-juarez.rss"),
        ("/categories/juarez/index.xml", "/feeds/tag-juarez.rss"),
        # Jekyll
        ("/feed.xml", "/feeds/all.atom"),
        ("/feed/by_tag/juarez.xml", "/feeds/tag-juarez.atom"),
        ("/feed/juarez.xml", "/feeds/tag-juarez.atom"),
        # what nobody had
        ("/", None),
        ("/?s=feed", None),
        ("/about/", None),
        ("/feeds/", None),
        ("/2026/11/a-post/", None),
        ("/feeds/posts/", None),
        ("/u/token", None),
    ],
)
def test_the_feeds_of_other_programs_lead_to_ours(old: str, new: str | None) -> None:
    assert where(old) == new


def test_the_old_address_of_a_removed_tag_is_gone() -> None:
    assert where("/tag/old/rss/", gone="/feeds/tag-old.rss") == "gone"


def test_an_address_of_config_comes_before_the_ready_ones_and_before_what_is_gone() -> None:
    configured = {"/feed/": "/feeds/headlines.rss", "/feeds/old.atom": "/feeds/all.atom"}
    assert where("/feed/", configured) == "/feeds/headlines.rss"
    assert where("/feeds/old.atom", configured, gone="/feeds/old.atom") == "/feeds/all.atom"


def test_a_query_in_config_counts_whatever_else_is_asked() -> None:
    configured = {"/index.php?feed=rss&lang=es": "/feeds/tag-juarez.rss", "/index.php": "/feeds/"}
    assert where("/index.php?lang=es&x=y&feed=rss", configured) == "/feeds/tag-juarez.rss"
    assert where("/index.php?feed=rss", configured) == "/feeds/"
    assert where("/index.php", configured) == "/feeds/"
    assert where("/index.php/", configured) is None, "paths are exact"


def test_a_path_in_config_may_be_written_encoded() -> None:
    assert where("/señal.xml", {"/se%C3%B1al.xml": "/feeds/all.rss"}) == "/feeds/all.rss"


def test_a_reader_takes_one_step_however_many_config_says() -> None:
    rules = {"/a": "/b", "/b": f"{WEB}/c", "/c": "https://elsewhere.example/feed"}
    assert set(resolved(rules, WEB).values()) == {"https://elsewhere.example/feed"}


def test_a_newsletter_keeps_its_pages() -> None:
    redirects = Redirects((), web_url=WEB, taken=frozenset({"rss"}))
    assert (
        redirects.find("/rss/", "", is_there=lambda path: True, is_gone=lambda path: False) is None
    )


@pytest.mark.parametrize(
    "old",
    [
        "feed.xml",
        "//evil.example/feed",
        "https://evil.example/feed",
        "/feed.xml#part",
        "/a b",
        "/a\nb",
        "",
        "/",
        "/u/token",
        "/subscribe",
        "/%75/token",
    ],
)
def test_an_old_address_is_a_path_of_ours_that_no_mail_leads_to(old: str) -> None:
    with pytest.raises(ValidationError):
        RedirectSettings.model_validate({"from": old, "to": "/feeds/all.atom"})


@pytest.mark.parametrize(
    "new",
    [
        "",
        "feeds/all.atom",
        "//evil.example/",
        "/\\evil.example/",
        "\\\\evil.example",
        "javascript:alert(1)",
        "data:text/html,x",
        "ftp://example.org/feed",
        "https:///feed",
        "https://",
        "https://user:secret@example.org/",
        "https://example.org/a b",
        "https://example.org/\r\nSet-Cookie: a=b",
        "https://example.org/<script>",
        "https://example.org:port/",
        "/feeds/ñ.atom",
    ],
)
def test_a_new_address_leads_to_no_nonsense(new: str) -> None:
    with pytest.raises(ValidationError):
        RedirectSettings.model_validate({"from": "/feed.xml", "to": new})


def _found(*rules: tuple[str, str]) -> list[tuple[object, ...]]:
    data = {
        "web": {"url": WEB},
        "redirects": [{"from": old, "to": new} for old, new in rules],
    }
    return [path for path, _ in redirect_findings(data)]


@pytest.mark.parametrize(
    "rules",
    [
        [("/a", "/a")],
        [("/a", f"{WEB}/a")],
        [("/a", "/b"), ("/b", "/a")],
        [("/a", "/b"), ("/b", "/c"), ("/c", "/a?x=y")],
        [("/a?x=y", "/a?z=1&x=y")],
    ],
    ids=["itself", "itself, in full", "two", "three", "a query of its own"],
)
def test_a_loop_is_a_fault_of_the_rule_that_closes_it(rules: list[tuple[str, str]]) -> None:
    assert _found(*rules) == [("redirects", len(rules) - 1, "to")]


def test_an_old_address_twice_is_a_fault() -> None:
    assert _found(("/a", "/b"), ("/%61", "/c")) == [("redirects", 1, "from")]


def test_rules_without_a_fault_have_none() -> None:
    assert _found(("/a", "/b"), ("/b", "/c"), ("/a?x=y", "/a")) == []


@given(path=st.text(max_size=60), query=st.text(max_size=60))
def test_no_request_makes_it_fail_or_leads_away(path: str, query: str) -> None:
    found = where(f"{path}?{query}", {"/old": "/feeds/all.atom"})
    assert found is None or found == "gone" or found in PUBLISHED


@given(
    middle=st.text(max_size=40),
    around=st.sampled_from(
        ["/tag/{}/rss/", "/feeds/posts/default/-/{}", "/feed/{}.xml", "/category/{}/feed"]
    ),
)
def test_a_label_however_written_gives_a_path_of_a_document(middle: str, around: str) -> None:
    found = find_old_feed(around.format(middle), {})
    if found is not None:
        assert all(
            set(path) <= set("/.-abcdefghijklmnopqrstuvwxyz0123456789") for path in found.paths
        )


def test_rfc9110_15_4_2_an_old_feed_moves_for_good_and_browsers_may_follow(
    feed_server: FeedServer,
) -> None:
    answer = feed_server.ask("/feed/?utm_source=x")
    assert answer.status == 301
    assert answer.headers["location"] == f"{WEB}/feeds/all.rss"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "max-age" in answer.headers["cache-control"]
    assert feed_server.ask("/feed/", "HEAD").body == b""
    assert feed_server.ask("/feed/", "POST").status == 404


@pytest.mark.parametrize(
    "target",
    [
        "/feed/\r\nSet-Cookie: a=b",
        "/tag/juarez\r\nSet-Cookie: a=b/rss/",
        "/feeds/posts/default/-/x\r\n\r\n<html>?alt=rss\r\n",
        "/feed/?to=//evil.example",
        "//evil.example/feed/",
        "/\\evil.example/feed/",
    ],
)
def test_a_path_cannot_write_headers_or_choose_where_it_leads(
    feed_server: FeedServer, target: str
) -> None:
    answer = feed_server.ask(target)
    assert "set-cookie" not in answer.headers
    assert answer.headers.get("location", WEB).startswith(WEB)
    assert not any(set(value) & set("\r\n") for value in answer.headers.values())


@pytest.fixture
def feed_server(tmp_path: Path) -> FeedServer:
    """A server with a whole feed and one of a tag."""
    server = FeedServer(tmp_path)
    server.write("feeds/all.rss", b"<rss/>")
    server.write("feeds/tag-juarez.rss", b"<rss/>")
    return server


def test_every_fault_of_the_redirects_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(
        """\
[site]
title = "The Daily"
url = "https://example.org"
[mail]
from = "news@example.org"
[[redirects]]
from = "/old.xml"
to = "/older.xml"
[[redirects]]
from = "/older.xml"
to = "/old.xml"
[[redirects]]
from = "/u/x"
to = "/feeds/all.atom"
[[redirects]]
from = "/feed.php"
to = "javascript:alert(1)"
"""
    )
    with pytest.raises(ConfigError) as caught:
        load_config(path, {})
    told = str(caught.value).replace(f"{tmp_path}/", "").splitlines()
    assert [line.split(" ", 1)[0] for line in told] == [
        "config.toml:11:",
        "config.toml:13:",
        "config.toml:17:",
    ]
    assert "redirects.to leads back to itself: /old.xml -> /older.xml -> /old.xml." in told[0]
    assert "is an address that mails and forms lead to: /u" in told[1]
    assert "is neither a path on this server" in told[2]
