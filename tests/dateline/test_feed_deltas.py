"""RFC 3229 with `feed`: only what changed since the reader's copy, and the whole where that is not known."""

import json
from pathlib import Path

import pytest

from tests.dateline.feed_server import WEB, Copy, FeedServer, a_copy

FIRST = a_copy([(b"<e>b</e>", 2), (b"<e>a</e>", 1)])
SECOND = a_copy([(b"<e>c</e>", 3), (b"<e>b</e>", 2), (b"<e>a</e>", 1)])
NOW = a_copy([(b"<e>c</e>", 3), (b"<e>b</e>", 2), (b"<e>a2</e>", 4)])
HISTORY = [(NOW, 4), (SECOND, 3), (FIRST, 2)]


def tag(copy: Copy, ending: str = "") -> str:
    """The entity tag that a reader of that copy got."""
    return f'"{copy.hash}{ending}"'


@pytest.fixture
def server(tmp_path: Path) -> FeedServer:
    """A feed that was built three times."""
    made = FeedServer(tmp_path)
    made.write("feeds/all.atom", NOW.body, codings=("gzip", "br"))
    made.write_sidecar("all.atom", NOW.sidecar(HISTORY))
    return made


@pytest.mark.parametrize("ending", ["", "-gzip", "-br"])
def test_rfc3229_5_a_reader_gets_only_what_changed_since_its_copy(
    server: FeedServer, ending: str
) -> None:
    answer = server.ask("/feeds/all.atom", a_im="feed", if_none_match=tag(FIRST, ending))
    assert answer.status == 226
    assert answer.body == b"<feed><e>c</e><e>a2</e></feed>"
    assert answer.headers["content-length"] == str(len(answer.body))


def test_rfc3229_10_4_1_a_delta_carries_the_tag_of_the_whole_and_its_base(
    server: FeedServer,
) -> None:
    headers = server.ask(
        "/feeds/all.atom", a_im="feed", if_none_match=tag(SECOND, "-gzip"), accept_encoding="gzip"
    ).headers
    assert headers["im"] == "feed"
    assert headers["etag"] == tag(NOW)
    assert headers["delta-base"] == tag(SECOND, "-gzip")
    assert "content-encoding" not in headers
    assert headers["content-type"] == "application/atom+xml; charset=utf-8"
    assert f'<{WEB}/feeds/all.atom>; rel="self"' in headers["link"]
    again = server.ask(
        "/feeds/all.atom", a_im="feed", if_none_match=headers["etag"], accept_encoding="gzip"
    )
    assert again.status == 304, "the tag that came with it is good for the next time"


def test_rfc3229_10_7_a_delta_is_kept_by_no_cache_that_does_not_know_deltas(
    server: FeedServer,
) -> None:
    answer = server.ask("/feeds/all.atom", a_im="feed", if_none_match=tag(FIRST))
    assert answer.headers["cache-control"] == "no-store, im"
    assert answer.vary == {"Accept-Encoding", "A-IM", "If-None-Match"}


def test_rfc3229_head_says_what_get_would(server: FeedServer) -> None:
    asked = {"a_im": "feed", "if_none_match": tag(FIRST)}
    get, head = (server.ask("/feeds/all.atom", method, **asked) for method in ("GET", "HEAD"))
    assert (head.status, head.headers, head.body) == (226, get.headers, b"")


def test_rfc3229_a_reader_that_has_it_all_gets_304(server: FeedServer) -> None:
    answer = server.ask("/feeds/all.atom", a_im="feed", if_none_match=tag(NOW))
    assert (answer.status, answer.body) == (304, b"")


@pytest.mark.parametrize("known", ['"unknown"', "*x", '""', "W/", '"unknown", "other"'])
def test_rfc3229_a_copy_that_nobody_remembers_gets_the_whole(
    server: FeedServer, known: str
) -> None:
    answer = server.ask("/feeds/all.atom", a_im="feed", if_none_match=known)
    assert (answer.status, answer.body) == (200, NOW.body)
    assert "im" not in answer.headers


def test_rfc3229_without_a_copy_there_is_no_delta(server: FeedServer) -> None:
    assert server.ask("/feeds/all.atom", a_im="feed").status == 200
    assert server.ask("/feeds/all.atom", if_none_match=tag(FIRST)).status == 200


@pytest.mark.parametrize(
    ("a_im", "status"),
    [
        pytest.param("vcdiff, feed, gzip", 226, id="among others"),
        pytest.param("FEED", 226, id="names of manipulations have no case"),
        pytest.param("feed;q=0.5", 226, id="with a weight"),
        pytest.param("feed;q=0", 200, id="a weight of nothing"),
        pytest.param("feed; q=0.000", 200, id="the same, longer"),
        pytest.param("vcdiff, diffe, gdiff", 200, id="others alone"),
        pytest.param("feeds", 200, id="a name that only begins so"),
        pytest.param("", 200, id="nothing"),
        pytest.param(";;,,;q=", 200, id="rubbish"),
        pytest.param("x" * 100_000 + ",feed", 200, id="absurdly long"),
        pytest.param("\xff\x01", 200, id="no text at all"),
    ],
)
def test_rfc3229_10_5_3_unknown_manipulations_are_ignored(
    server: FeedServer, a_im: str, status: int
) -> None:
    answer = server.ask("/feeds/all.atom", a_im=a_im, if_none_match=tag(FIRST))
    assert answer.status == status


def test_rfc3229_of_several_copies_the_newest_is_the_base(server: FeedServer) -> None:
    both = f"{tag(FIRST)}, {tag(SECOND)}"
    answer = server.ask("/feeds/all.atom", a_im="feed", if_none_match=both)
    assert answer.body == b"<feed><e>a2</e></feed>"
    assert answer.headers["delta-base"] == tag(SECOND)


def test_a_delta_of_every_entry_is_the_whole(server: FeedServer) -> None:
    before = a_copy([])
    server.write_sidecar("all.atom", NOW.sidecar([*HISTORY, (before, 0)]))
    server.write("feeds/all.atom", NOW.body + b"", codings=("gzip",))
    answer = server.ask("/feeds/all.atom", a_im="feed", if_none_match=tag(before))
    assert (answer.status, answer.body) == (200, NOW.body)


def test_a_delta_longer_than_the_compressed_whole_is_not_sent(server: FeedServer) -> None:
    long = a_copy([(b"<e>" + b"x" * 100_000 + b"</e>", 2), (b"<e>a</e>", 1)])
    server.write("feeds/all.atom", long.body, codings=("gzip",))
    server.write_sidecar("all.atom", long.sidecar([(long, 2), (FIRST, 1)]))
    asked = {"a_im": "feed", "if_none_match": tag(FIRST)}
    assert server.ask("/feeds/all.atom", accept_encoding="gzip", **asked).status == 200
    assert server.ask("/feeds/all.atom", accept_encoding="identity", **asked).status == 226


def test_a_delta_of_json_keeps_its_commas(server: FeedServer) -> None:
    entries = [(b'{"id":"c"}', 3), (b'{"id":"b"}', 2), (b'{"id":"a"}', 4)]
    now = a_copy(entries, between=b",\n", head=b'{"items":[\n')
    body = now.body.replace(b"</feed>", b"]}")
    known = Copy(body=body, spans=now.spans, tail_at=now.tail_at)
    server.write("feeds/all.json", body)
    server.write_sidecar("all.json", known.sidecar([(known, 4), (FIRST, 2)]))
    answer = server.ask("/feeds/all.json", a_im="feed", if_none_match=tag(FIRST))
    assert answer.status == 226
    assert json.loads(answer.body) == {"items": [{"id": "c"}, {"id": "a"}]}


def test_a_change_of_the_frame_alone_is_a_delta_without_entries(server: FeedServer) -> None:
    renamed = a_copy([(b"<e>c</e>", 3), (b"<e>b</e>", 2), (b"<e>a2</e>", 4)], head=b"<feed new>")
    server.write("feeds/all.atom", renamed.body)
    server.write_sidecar("all.atom", renamed.sidecar([(renamed, 4), *HISTORY]))
    answer = server.ask("/feeds/all.atom", a_im="feed", if_none_match=tag(NOW))
    assert (answer.status, answer.body) == (226, b"<feed new></feed>")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"etag": SECOND.hash}, id="of another build"),
        pytest.param({"entries": [[0, 10**9, 1]]}, id="entries beyond the document"),
        pytest.param({"entries": [[20, 8, 1], [6, 8, 2]]}, id="entries out of order"),
        pytest.param({"entries": [[6, -8, 1]]}, id="a negative length"),
        pytest.param({"entries": "rubbish"}, id="no entries at all"),
        pytest.param({"tail_at": 10**9}, id="a tail beyond the document"),
        pytest.param({"history": [[1]]}, id="a history of something else"),
    ],
)
def test_a_sidecar_that_does_not_fit_gives_no_deltas(
    server: FeedServer, change: dict[str, object]
) -> None:
    server.write_sidecar("all.atom", {**NOW.sidecar(HISTORY), **change})
    answer = server.ask("/feeds/all.atom", a_im="feed", if_none_match=tag(FIRST))
    assert (answer.status, answer.body) == (200, NOW.body)
