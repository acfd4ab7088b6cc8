"""Feeds over HTTP, row by row of feeds.md 2.1: validators, codings, types, links, and what never leaves the folder."""

import gzip
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import brotli
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from dateline.web import feed_documents
from feeds.entry import render_frame
from feeds.serving import served_type
from feeds.spec import Feed
from posts.settings import Site
from tests.dateline.feed_server import CHANGED, HUBS, LATER, WEB, FeedServer

BODY = "<feed>ñ</feed>".encode() * 20
CONDITIONS = {"etag": "if_none_match", "last-modified": "if_modified_since"}
UNPACK: dict[str, Callable[[bytes], bytes]] = {
    "identity": bytes,
    "gzip": gzip.decompress,
    "br": brotli.decompress,
}


@pytest.fixture
def server(tmp_path: Path) -> FeedServer:
    """A server with one Atom document, compressed too."""
    made = FeedServer(tmp_path)
    made.write("feeds/all.atom", BODY, codings=("gzip", "br"))
    return made


# Content-Type, nosniff, CORS, Cache-Control, Link


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("feeds/all.atom", "application/atom+xml; charset=utf-8"),
        ("feeds/tag-a-b.rss", "application/rss+xml; charset=utf-8"),
        ("feeds/language-es-mx.json", "application/feed+json; charset=utf-8"),
        ("feeds/all/archive/00001.rss", "application/rss+xml; charset=utf-8"),
        ("feeds.opml", "text/x-opml; charset=utf-8"),
    ],
)
def test_rfc9110_8_3_each_document_has_its_type_and_nobody_guesses_another(
    server: FeedServer, name: str, media_type: str
) -> None:
    server.write(name, BODY)
    answer = server.ask("/" + name)
    assert (answer.status, answer.body) == (200, BODY)
    assert answer.headers["content-type"] == media_type
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("feeds/all.atom", "application/xml; charset=utf-8"),
        ("feeds/all.rss", "application/xml; charset=utf-8"),
        ("feeds/all.json", "application/feed+json; charset=utf-8"),
    ],
)
def test_a_browser_that_opens_a_feed_as_a_page_is_told_that_it_is_xml(
    server: FeedServer, name: str, media_type: str
) -> None:
    server.write(name, BODY, codings=("gzip",))
    page = server.ask("/" + name, accept_encoding="gzip", sec_fetch_dest="document")
    assert page.headers["content-type"] == media_type
    script = server.ask("/" + name, accept_encoding="gzip", sec_fetch_dest="empty")
    assert script.headers["content-type"] != "application/xml; charset=utf-8"
    assert (page.body, page.headers["etag"]) == (script.body, script.headers["etag"])


def test_rfc9111_5_2_an_answer_says_how_long_it_holds_and_never_that_it_is_stale(
    server: FeedServer,
) -> None:
    headers = server.ask("/feeds/all.atom").headers
    assert headers["cache-control"] == "public, max-age=900, stale-while-revalidate=900"
    assert "expires" not in headers
    assert "pragma" not in headers


def test_max_age_of_900_seconds_agrees_with_the_ttl_of_our_rss() -> None:
    site = Site(title="Kiosk", url="https://press.example")
    head, tail = render_frame(
        Feed(slug="all", title="Kiosk", language="en"),
        "rss",
        site=site,
        web_url=WEB,
        updated=CHANGED,
    )
    assert etree.fromstring(head + tail).findtext("channel/ttl") == "15"


def test_an_archive_document_holds_longer_but_not_for_ever(server: FeedServer) -> None:
    server.write("feeds/all/archive/00001.atom", BODY)
    answer = server.ask("/feeds/all/archive/00001.atom")
    assert answer.headers["cache-control"] == "public, max-age=3600, stale-while-revalidate=3600"


def test_fetch_3_2_a_reader_in_a_browser_may_read_the_answer_and_its_tag(
    server: FeedServer,
) -> None:
    for answer in (
        server.ask("/feeds/all.atom"),
        server.ask("/feeds/all.atom", if_none_match="*"),
    ):
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "ETag" in answer.headers["access-control-expose-headers"]


def test_fetch_3_2_2_a_preflight_is_answered_without_a_body(server: FeedServer) -> None:
    answer = server.ask(
        "/feeds/all.atom",
        "OPTIONS",
        origin="https://reader.example",
        access_control_request_method="GET",
        access_control_request_headers="if-none-match,a-im",
    )
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-allow-methods"] == "GET, HEAD, OPTIONS"
    allowed = answer.headers["access-control-allow-headers"].lower()
    assert {"if-none-match", "if-modified-since", "a-im"} <= set(allowed.split(", "))
    assert answer.headers["access-control-max-age"] == "86400"


def test_websub_4_and_rfc8288_links_name_the_document_and_its_hubs_also_on_304(
    server: FeedServer,
) -> None:
    expected = f'<{WEB}/feeds/all.atom>; rel="self", <{HUBS[0]}>; rel="hub", <{HUBS[1]}>; rel="hub"'
    assert server.ask("/feeds/all.atom").headers["link"] == expected
    assert server.ask("/feeds/all.atom", if_none_match="*").headers["link"] == expected


@pytest.mark.parametrize("name", ["feeds/all/archive/00001.atom", "feeds.opml"])
def test_what_nobody_polls_names_no_hub(server: FeedServer, name: str) -> None:
    server.write(name, BODY)
    assert server.ask("/" + name).headers["link"] == f'<{WEB}/{name}>; rel="self"'


def test_a_hub_cannot_break_out_of_the_link_header(tmp_path: Path) -> None:
    server = FeedServer(tmp_path, hubs=('https://hub.example/>; rel="self"\r\nSet-Cookie: a=b',))
    server.write("feeds/all.atom", BODY)
    link = server.ask("/feeds/all.atom").headers["link"]
    assert link.count(">") == 2
    assert not set(link) & set("\r\n")


def test_no_answer_sets_a_cookie(server: FeedServer) -> None:
    server.write_gone("/feeds/old.atom")
    for target in ("/feeds/all.atom", "/feeds/old.atom", "/feed/", "/feeds/all.atom?a=b"):
        for method in ("GET", "HEAD", "OPTIONS", "POST"):
            assert "set-cookie" not in server.ask(target, method, cookie="a=b").headers


def test_a_query_that_means_nothing_is_ignored(server: FeedServer) -> None:
    plain, other = server.ask("/feeds/all.atom"), server.ask("/feeds/all.atom?utm_source=x&y")
    assert (other.status, other.headers, other.body) == (200, plain.headers, BODY)


def test_a_feed_opened_in_a_browser_runs_no_script(server: FeedServer) -> None:
    policy = server.ask("/feeds/all.atom").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy


# HEAD and other methods


def test_rfc9110_9_3_2_head_gives_the_headers_of_get_and_no_body(server: FeedServer) -> None:
    for accepted in ("identity", "gzip"):
        get = server.ask("/feeds/all.atom", accept_encoding=accepted)
        head = server.ask("/feeds/all.atom", "HEAD", accept_encoding=accepted)
        assert (head.status, head.headers, head.body) == (200, get.headers, b"")
        assert head.headers["content-length"] == str(len(get.body))


def test_rfc9110_15_5_6_a_feed_is_only_read(server: FeedServer) -> None:
    answer = server.ask("/feeds/all.atom", "POST")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


# Compression


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        pytest.param(None, "identity", id="a reader that says nothing"),
        pytest.param("gzip, deflate", "gzip", id="most readers"),
        pytest.param("gzip, deflate, br, zstd", "br", id="a browser"),
        pytest.param("gzip;q=1.0, br;q=0.5", "gzip", id="weights"),
        pytest.param("br;q=0, gzip", "gzip", id="what it forbids"),
        pytest.param("identity, gzip;q=0", "identity", id="uncompressed alone"),
    ],
)
def test_rfc9110_12_5_3_the_prepared_coding_that_is_wanted_most_is_sent(
    server: FeedServer, accepted: str | None, coding: str
) -> None:
    headers = {} if accepted is None else {"accept_encoding": accepted}
    answer = server.ask("/feeds/all.atom", **headers)
    assert answer.headers.get("content-encoding", "identity") == coding
    assert UNPACK[coding](answer.body) == BODY
    assert answer.headers["content-length"] == str(len(answer.body))


def test_the_compressed_bytes_are_those_that_the_build_wrote(server: FeedServer) -> None:
    answer = server.ask("/feeds/all.atom", accept_encoding="gzip")
    assert answer.body == (server.public / "feeds/all.atom.gz").read_bytes()


def test_a_document_without_prepared_files_goes_out_as_it_is(server: FeedServer) -> None:
    server.write("feeds/tag-a.atom", BODY)
    answer = server.ask("/feeds/tag-a.atom", accept_encoding="gzip, br")
    assert answer.body == BODY
    assert "content-encoding" not in answer.headers


@pytest.mark.parametrize(
    "left",
    [
        pytest.param(gzip.compress(b"old"), id="of another document"),
        pytest.param(b"", id="empty"),
        pytest.param(b"rubbish", id="rubbish"),
        pytest.param(gzip.compress(BODY)[:-9], id="cut off"),
    ],
)
def test_a_compressed_file_of_other_bytes_is_never_sent(server: FeedServer, left: bytes) -> None:
    server.write("feeds/tag-a.atom", BODY)
    (server.public / "feeds/tag-a.atom.gz").write_bytes(left)
    (server.public / "feeds/tag-a.atom.br").write_bytes(left)
    answer = server.ask("/feeds/tag-a.atom", accept_encoding="gzip, br")
    assert answer.body == BODY


def test_rfc9110_12_5_5_caches_are_told_on_304_too_that_codings_differ(server: FeedServer) -> None:
    vary = {"Accept-Encoding", "Sec-Fetch-Dest"}
    assert server.ask("/feeds/all.atom").vary == vary
    assert server.ask("/feeds/all.atom", if_none_match="*").vary == vary


# ETag, Last-Modified, 304


def test_rfc9110_8_8_3_each_representation_has_a_strong_tag_of_its_own(server: FeedServer) -> None:
    tags = {
        coding: server.ask("/feeds/all.atom", accept_encoding=coding).headers["etag"]
        for coding in ("identity", "gzip", "br")
    }
    assert len(set(tags.values())) == 3
    plain = tags["identity"].strip('"')
    assert tags["gzip"] == f'"{plain}-gzip"'
    assert tags["br"] == f'"{plain}-br"'


def test_the_tag_is_a_hash_of_the_bytes_whoever_serves_them(
    server: FeedServer, tmp_path: Path
) -> None:
    other = FeedServer(tmp_path / "other")
    other.write("feeds/all.atom", BODY, LATER)
    tags = {one.ask("/feeds/all.atom").headers["etag"] for one in (server, other)}
    assert len(tags) == 1


@pytest.mark.parametrize("coding", ["identity", "gzip", "br"])
@pytest.mark.parametrize("validator", ["etag", "last-modified"])
def test_rfc9110_13_1_each_validator_works_alone(
    server: FeedServer, validator: str, coding: str
) -> None:
    first = server.ask("/feeds/all.atom", accept_encoding=coding)
    condition = {CONDITIONS[validator]: first.headers[validator]}
    again = server.ask("/feeds/all.atom", accept_encoding=coding, **condition)
    assert (again.status, again.body) == (304, b"")


def test_rfc9110_15_4_5_a_304_carries_what_a_cache_needs_and_nothing_of_a_body(
    server: FeedServer,
) -> None:
    first = server.ask("/feeds/all.atom", accept_encoding="gzip")
    again = server.ask(
        "/feeds/all.atom", accept_encoding="gzip", if_none_match=first.headers["etag"]
    )
    for name in ("etag", "last-modified", "cache-control", "vary"):
        assert again.headers[name] == first.headers[name]
    for name in ("content-length", "content-type", "content-encoding"):
        assert name not in again.headers


def test_rfc9110_13_1_3_if_none_match_wins(server: FeedServer) -> None:
    date = server.ask("/feeds/all.atom").headers["last-modified"]
    answer = server.ask("/feeds/all.atom", if_none_match='"other"', if_modified_since=date)
    assert answer.status == 200


def test_an_unconditional_request_never_gets_304(server: FeedServer) -> None:
    assert [server.ask("/feeds/all.atom").status for _ in range(3)] == [200, 200, 200]


def test_rfc9110_5_3_a_list_over_several_lines_is_one_list(server: FeedServer) -> None:
    tag = server.ask("/feeds/all.atom").headers["etag"]
    assert server.ask("/feeds/all.atom", if_none_match=['"a"', f'"b", {tag}']).status == 304


def test_rfc9111_4_3_3_a_304_never_names_a_coding_that_the_request_forbids(
    server: FeedServer,
) -> None:
    packed = server.ask("/feeds/all.atom", accept_encoding="gzip").headers["etag"]
    answer = server.ask("/feeds/all.atom", accept_encoding="identity", if_none_match=packed)
    assert (answer.status, answer.body) == (200, BODY)


@pytest.mark.parametrize(
    "date",
    [
        "Mon, 01 Jan 1800 00:00:00 GMT",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Wed, 16 Sep 2009 12:00:00 GMT",
        "yesterday",
        "",
        "0",
        "\xff" * 100,
        "Tue, 15 Sep 2009 12:00:00 GMT" * 1000,
    ],
)
def test_an_absurd_date_gets_the_whole_feed(server: FeedServer, date: str) -> None:
    assert server.ask("/feeds/all.atom", if_modified_since=date).status == 200


def test_rfc9110_8_8_2_1_a_time_in_the_future_is_not_said_until_it_has_come(
    server: FeedServer,
) -> None:
    server.write("feeds/all.atom", BODY, LATER + timedelta(seconds=1))
    date = "Tue, 15 Sep 2009 13:00:01 GMT"
    answer = server.ask("/feeds/all.atom", if_modified_since=date)
    assert answer.status == 200
    assert "last-modified" not in answer.headers
    server.now = LATER + timedelta(seconds=2)
    assert server.ask("/feeds/all.atom", if_modified_since=date).status == 304


def test_ten_thousand_tags_are_answered_without_looking_at_them_all(server: FeedServer) -> None:
    tag = server.ask("/feeds/all.atom").headers["etag"]
    many = ", ".join(f'"{number:032}"' for number in range(10_000))
    assert server.ask("/feeds/all.atom", if_none_match=f"{many}, {tag}").status == 200
    assert server.ask("/feeds/all.atom", if_none_match=f"{tag}, {many}").status == 304


def test_a_rebuilt_document_is_served_at_once_under_another_tag(server: FeedServer) -> None:
    first = server.ask("/feeds/all.atom")
    server.write("feeds/all.atom", BODY + b"\n", CHANGED + timedelta(seconds=1))
    again = server.ask("/feeds/all.atom", if_none_match=first.headers["etag"])
    assert (again.status, again.body) == (200, BODY + b"\n")
    assert again.headers["etag"] != first.headers["etag"]


# What is served at all


@pytest.mark.parametrize(
    "path",
    [
        "/feeds/../../secret.atom",
        "/feeds/..%2fsecret.atom",
        "/feeds//secret.atom",
        "/feeds/.all.atom.tmp",
        "/feeds/all.atom/",
        "/feeds/all.atom\x00",
        "/feeds/all.atom\n",
        "/feeds/all.atom\r\nSet-Cookie: a=b",
        "/feeds/all.atom.gz",
        "/feeds/all.xml",
        "/feeds/all/archive/1.atom",
        "/feeds/all/archive/../00001.atom",
        "/feeds/",
        "/secret.atom",
        "/feeds/a/../all.atom",
        "feeds/all.atom",
        "*",
        "",
    ],
)
def test_only_names_of_feeds_are_files(server: FeedServer, path: str) -> None:
    (server.public.parent / "secret.atom").write_bytes(b"secret")
    server.write("secret.atom", b"secret")
    assert served_type(path) is None
    answer = server.ask(path)
    assert (answer.status, answer.headers) == (404, {"x-behind": "1"})


def test_a_feed_that_never_was_is_the_applications_to_answer(server: FeedServer) -> None:
    (server.public / "feeds" / "folder.atom").mkdir()
    assert server.ask("/feeds/none.atom").body == b"behind"
    assert server.ask("/feeds/folder.atom").body == b"behind"
    (server.public / "feeds" / "all.atom").unlink()
    assert server.ask("/feeds/all.atom").body == b"behind"


def test_rfc9110_15_5_11_a_removed_feed_is_gone_and_says_so(server: FeedServer) -> None:
    server.write_gone("/feeds/tag-old.atom", "/feeds/all.atom")
    answer = server.ask("/feeds/tag-old.atom")
    assert answer.status == 410
    assert answer.headers["content-type"].startswith("text/plain")
    assert f"{WEB}/feeds/".encode() in answer.body
    assert server.ask("/feeds/tag-old.atom", "HEAD").body == b""
    assert server.ask("/feeds/tag-other.atom").status == 404
    assert server.ask("/feeds/all.atom").status == 200, "it has come back"


@pytest.mark.parametrize("left", [b"", b"{", b"null", b"[1, {}]", b"\xff"])
def test_a_list_of_removed_feeds_that_cannot_be_read_removes_none(
    server: FeedServer, left: bytes
) -> None:
    server.write_gone()
    (server.built / "gone.json").write_bytes(left)
    assert server.ask("/feeds/tag-old.atom").status == 404


def test_memory_is_bounded(server: FeedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_documents, "MAX_CACHED_BYTES", 50)
    for number in range(20):
        server.write(f"feeds/tag-{number}.atom", b"x" * 20)
        assert server.ask(f"/feeds/tag-{number}.atom").body == b"x" * 20
    cached = server.documents._cached
    assert list(cached) == ["/feeds/tag-18.atom", "/feeds/tag-19.atom"]
    assert server.documents._cached_bytes == 40


def test_each_answer_is_told_to_whoever_counts_readers(server: FeedServer) -> None:
    server.ask("/feeds/all.atom", user_agent="Feedly/1.0 (7 subscribers)")
    server.ask("/feeds/all.atom", if_none_match="*")
    server.ask("/feeds/none.atom")
    assert server.seen == [
        ("/feeds/all.atom", 200, "Feedly/1.0 (7 subscribers)", False),
        ("/feeds/all.atom", 304, "", True),
    ]


_HEADERS = ("if_none_match", "if_modified_since", "accept_encoding", "a_im", "sec_fetch_dest")
_VALUES = st.one_of(
    st.text(st.characters(max_codepoint=255), max_size=40),
    st.sampled_from(["*", "gzip", "br;q=0", "feed", '"x"', "document", ""]),
    st.sampled_from(["{etag}", "W/{etag}", '"y", {etag}', "{date}", "{date}x"]),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    method=st.sampled_from(["GET", "HEAD", "OPTIONS", "POST", "TRACE"]),
    asked=st.dictionaries(st.sampled_from(_HEADERS), _VALUES),
)
def test_whatever_is_asked_the_answer_is_one_that_the_rules_know(
    server: FeedServer, method: str, asked: dict[str, str]
) -> None:
    whole = server.ask("/feeds/all.atom").headers
    filled = {
        name: value.replace("{etag}", whole["etag"]).replace("{date}", whole["last-modified"])
        for name, value in asked.items()
    }
    answer = server.ask("/feeds/all.atom", method, **filled)
    if method not in ("GET", "HEAD"):
        assert answer.status == (204 if method == "OPTIONS" else 405)
        return
    # RFC 9110 13.2.2: the tag decides where there is one, the date only without it.
    if answer.status == 304:
        if "if_none_match" in filled:
            named = filled["if_none_match"]
            assert named.strip() == "*" or whole["etag"].strip('"') in named
        else:
            assert filled["if_modified_since"].strip() == whole["last-modified"]
        assert answer.body == b""
        return
    assert answer.status == 200
    # A request that forbids the document as it is does not have it.
    forbids = "q=0" in filled.get("accept_encoding", "")
    assert filled.get("if_none_match") != whole["etag"] or forbids
    assert "if_none_match" in filled or filled.get("if_modified_since") != whole["last-modified"]
    coding = answer.headers.get("content-encoding", "identity")
    assert answer.body == b"" if method == "HEAD" else UNPACK[coding](answer.body) == BODY
