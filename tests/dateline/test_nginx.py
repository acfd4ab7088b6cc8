"""A real nginx on `public/` with our file, beside `dateline run`: the same requests get the same answers."""

import http.client
import re
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import brotli
import pytest
from click.testing import CliRunner

from dateline.cli.main import dateline
from dateline.nginx import nginx_text
from tests.dateline.feed_server import HUBS, WEB, Answer, FeedServer
from tests.feeds.arrange import missing, program

BODY = "<feed>ñ</feed>".encode() * 50
MOVED = {
    "/old.xml": "/feeds/all.atom",
    "/news.php?format=rss&x=a%20b": "https://elsewhere.example/",
}
GONE = "/feeds/tag-old.atom"
BROTLI = Path("/usr/lib/nginx/modules/ngx_http_brotli_static_module.so")

_COMPARED = (
    *("content-type", "content-encoding", "content-length", "cache-control", "vary", "link"),
    *("location", "x-content-type-options", "content-security-policy"),
    *("access-control-allow-origin", "access-control-expose-headers", "access-control-max-age"),
    *("access-control-allow-methods", "access-control-allow-headers", "expires", "set-cookie"),
)
_OF_A_BODY = ("content-type", "x-content-type-options", "content-security-policy")


@dataclass
class Both:
    """The same folder behind both servers."""

    ours: FeedServer
    port: int

    def nginx(self, target: str, method: str = "GET", **headers: str) -> Answer:
        """What nginx answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.putrequest(method, target.replace(" ", "%20"), skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        answer = connection.getresponse()
        said = {name.lower(): value for name, value in answer.getheaders()}
        body = answer.read()
        connection.close()
        return Answer(status=answer.status, headers=said, body=body)


def _program() -> str:
    """nginx, which is in the path of root alone."""
    return (
        "/usr/sbin/nginx" if Path("/usr/sbin/nginx").exists() else program("nginx", "nginx-light")
    )


def _free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """nginx and our endpoint over one folder."""
    folder = tmp_path_factory.mktemp("nginx")
    ours = FeedServer(folder, redirects=MOVED)
    for name in (
        "all.atom",
        "all.rss",
        "all.json",
        "tag-juarez.rss",
        "tag-juarez.atom",
        "language-es.rss",
    ):
        ours.write(f"feeds/{name}", BODY, codings=("gzip", "br"))
    ours.write("feeds/plain.atom", BODY)
    ours.write("feeds/all/archive/00001.atom", BODY, codings=("gzip", "br"))
    ours.write("feeds.opml", BODY, codings=("gzip", "br"))
    ours.write_gone(GONE)
    port = _free_port()
    text = nginx_text(
        web_url=WEB,
        public=str(ours.public),
        hubs=HUBS,
        moved=MOVED,
        gone=[GONE],
        listen=f"127.0.0.1:{port}",
    )
    with _nginx(folder, text, port):
        yield Both(ours=ours, port=port)


class _nginx:  # noqa: N801, used as a function
    """Runs nginx with `text` inside its http section."""

    def __init__(self, folder: Path, text: str, port: int) -> None:
        self._port = port
        has_brotli = BROTLI.exists()
        if has_brotli:
            text = text.replace("#brotli_static on;", "brotli_static on;")
        (folder / "dateline.conf").write_text(text)
        kept = " ".join(
            f"{kind}_temp_path {folder}/{kind};"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        self._config = folder / "nginx.conf"
        self._errors = folder / "errors"
        self._config.write_text(
            f"""{f"load_module {BROTLI};" if has_brotli else ""}
            daemon off; master_process off; pid {folder}/pid; error_log {self._errors};
            events {{ worker_connections 64; }}
            http {{ access_log off; {kept} include /etc/nginx/mime.types; include {folder}/dateline.conf; }}
            """
        )

    def __enter__(self) -> None:
        self._process = subprocess.Popen(
            [_program(), "-c", str(self._config), "-e", str(self._errors)],
            stderr=subprocess.PIPE,
        )
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                said = self._process.stderr.read().decode() if self._process.stderr else ""
                pytest.fail(f"nginx did not start: {said}{self._errors.read_text()}")
            try:
                socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        pytest.fail("nginx does not listen")

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate(timeout=20)


def _alike(ours: Answer, theirs: Answer, *, of_a_body: bool = True) -> None:
    assert ours.status == theirs.status
    for name in _COMPARED:
        if not of_a_body and name in _OF_A_BODY:
            continue
        assert ours.headers.get(name) == theirs.headers.get(name), name
    assert ours.body == theirs.body


ENCODINGS: Mapping[str, dict[str, str]] = {
    "nothing": {},
    "identity": {"Accept_Encoding": "identity"},
    "gzip": {"Accept_Encoding": "gzip, deflate"},
    "not gzip": {"Accept_Encoding": "gzip;q=0"},
    "a little gzip": {"Accept_Encoding": "gzip;q=0.1"},
    "any": {"Accept_Encoding": "*"},
    "a browser that opens it": {"Sec_Fetch_Dest": "document", "Accept_Encoding": "gzip"},
}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("accepted", ENCODINGS.values(), ids=ENCODINGS)
@pytest.mark.parametrize(
    "path",
    [
        "/feeds/all.atom",
        "/feeds/all.rss",
        "/feeds/all.json",
        "/feeds/all.json?utm_source=x",
        "/feeds/plain.atom",
        "/feeds/all/archive/00001.atom",
        "/feeds.opml",
    ],
)
def test_a_document_comes_the_same_from_both(
    both: Both, path: str, accepted: dict[str, str], method: str
) -> None:
    lower = {name.lower(): value for name, value in accepted.items()}
    ours, theirs = both.ours.ask(path, method, **lower), both.nginx(path, method, **accepted)
    assert ours.status == 200
    assert theirs.headers["last-modified"] == ours.headers["last-modified"]
    assert theirs.headers["etag"].startswith('"')
    _alike(ours, theirs)


def test_nginx_sends_the_prepared_brotli_where_it_has_the_module(both: Both) -> None:
    if not BROTLI.exists():
        missing(f"needs {BROTLI.name}: apt-get install libnginx-mod-http-brotli-static")
    answer = both.nginx("/feeds/all.atom", Accept_Encoding="gzip, deflate, br")
    assert answer.headers["content-encoding"] == "br"
    assert brotli.decompress(answer.body) == BODY
    _alike(both.ours.ask("/feeds/all.atom", accept_encoding="gzip, deflate, br"), answer)


@pytest.mark.parametrize("destination", ["empty", "document"])
@pytest.mark.parametrize("coding", ["identity", "gzip"])
@pytest.mark.parametrize(
    ("validator", "condition"), [("etag", "If_None_Match"), ("last-modified", "If_Modified_Since")]
)
def test_rfc9110_13_each_validator_alone_gets_304_from_both(
    both: Both, validator: str, condition: str, coding: str, destination: str
) -> None:
    """Their tags differ (nginx makes them of size and time); each knows its own."""
    path = "/feeds/all.atom"
    asked = {"Accept_Encoding": coding, "Sec_Fetch_Dest": destination}
    lower = {name.lower(): value for name, value in asked.items()}
    first = both.nginx(path, **asked)
    theirs = both.nginx(path, **asked, **{condition: first.headers[validator]})
    known = both.ours.ask(path, **lower).headers[validator]
    ours = both.ours.ask(path, **lower, **{condition.lower(): known})
    assert ours.status == 304
    _alike(ours, theirs, of_a_body=False)
    for name in ("etag", "last-modified"):
        assert theirs.headers[name] == first.headers[name]


@pytest.mark.parametrize(
    "headers",
    [
        {"If_None_Match": '"other"'},
        {"If_None_Match": '"other"', "If_Modified_Since": "Tue, 15 Sep 2009 12:00:00 GMT"},
        {"If_Modified_Since": "Wed, 16 Sep 2009 12:00:00 GMT"},
        {"If_Modified_Since": "Mon, 01 Jan 1800 00:00:00 GMT"},
        {"If_Modified_Since": "yesterday"},
        {"Range": "bytes=0-3"},
        {"A_IM": "feed", "If_None_Match": '"other"'},
    ],
    ids=str,
)
def test_a_condition_that_does_not_hold_gets_the_whole_from_both(
    both: Both, headers: dict[str, str]
) -> None:
    lower = {name.lower(): value for name, value in headers.items()}
    ours = both.ours.ask("/feeds/all.atom", **lower)
    assert (ours.status, ours.body) == (200, BODY)
    _alike(ours, both.nginx("/feeds/all.atom", **headers))


def test_a_tag_of_another_coding_is_another_document_for_both(both: Both) -> None:
    tag = both.nginx("/feeds/all.atom", Accept_Encoding="gzip").headers["etag"]
    assert tag != both.nginx("/feeds/all.atom").headers["etag"]
    assert both.nginx("/feeds/all.atom", If_None_Match=tag).status == 200


@pytest.mark.parametrize(
    "target",
    [
        "/old.xml",
        "/old.xml?x=y",
        "/news.php?x=a%20b&y=z&format=rss",
        "/feeds/posts/default",
        "/feeds/posts/default?alt=rss",
        "/feeds/posts/default?max-results=5&alt=json",
        "/feeds/posts/default/-/juarez?alt=rss",
        "/feeds/posts/default/-/juarez",
        "/atom.xml",
        "/rss.xml",
        "/feed/",
        "/feed",
        "/feed/atom/",
        "/?feed=rss2",
        "/?feed=atom&x=y",
        "/category/mexico/juarez/feed/",
        "/tag/juarez/feed/atom/",
        "/rss/",
        "/tag/juarez/rss/",
        "/index.xml",
        "/tags/juarez/index.xml",
        "/feed.xml",
        "/feed/by_tag/juarez.xml",
        "/2026/11/feed/",
        "/es/feed/",
        "/es/index.xml",
    ],
)
def test_an_old_address_leads_to_the_same_place_from_both(both: Both, target: str) -> None:
    ours, theirs = both.ours.ask(target.replace("%20", " ")), both.nginx(target)
    assert (ours.status, theirs.status) == (301, 301)
    for name in ("location", "cache-control", "access-control-allow-origin", "set-cookie"):
        assert theirs.headers.get(name) == ours.headers.get(name), name


@pytest.mark.parametrize(
    "target",
    [
        GONE,
        "/comments/feed/",
        "/feeds/comments/default",
        "/2026/11/a-post/feed/",
        "/?p=12&feed=rss2",
    ],
)
def test_what_is_gone_is_gone_from_both(both: Both, target: str) -> None:
    ours, theirs = both.ours.ask(target), both.nginx(target)
    assert ours.status == 410
    _alike(ours, theirs)


@pytest.mark.parametrize(
    "target",
    [
        "/feeds/none.atom",
        "/feeds/all.atom.gz",
        "/feeds/all.atom.br",
        "/feeds/.all.atom.tmp",
        "/tag/unknown/rss/",
        "/author/nobody/rss/",
        "/nothing",
        "/news.php?format=atom",
    ],
)
def test_what_is_not_there_is_not_there_for_both(both: Both, target: str) -> None:
    both.ours.write("feeds/.all.atom.tmp", b"half")
    assert both.ours.ask(target).status == 404
    assert both.nginx(target).status == 404


def test_a_preflight_gets_the_same_answer_from_both(both: Both) -> None:
    for path in ("/feeds/all.atom", "/feeds.opml", "/feeds/all/archive/00001.atom"):
        _alike(both.ours.ask(path, "OPTIONS"), both.nginx(path, "OPTIONS"))


def test_neither_lets_a_feed_be_written(both: Both) -> None:
    assert both.ours.ask("/feeds/all.atom", "POST").status == 405
    assert both.nginx("/feeds/all.atom", "POST").status == 405


@pytest.mark.parametrize(
    "target",
    [
        "/feeds/all.atom%0d%0aSet-Cookie:%20a=b",
        "/feed/%0d%0aSet-Cookie:%20a=b",
        "/tag/x%0d%0aSet-Cookie:%20a=b/rss/",
        "/old.xml?%0d%0aSet-Cookie:%20a=b",
        "/feeds/../../etc/passwd",
    ],
)
def test_no_path_writes_a_header_of_nginx(both: Both, target: str) -> None:
    answer = both.nginx(target)
    assert answer.status in (301, 400, 404)
    assert "set-cookie" not in answer.headers


def test_behind_nginx_a_daemon_answers_what_is_no_file(tmp_path: Path) -> None:
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Daemon(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(226 if self.headers["A-IM"] else 410)
            self.send_header("X-Asked", f"{self.path} {self.headers['Host']}")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing on the terminal."""

    ours = FeedServer(tmp_path)
    ours.write("feeds/all.atom", BODY)
    daemon = HTTPServer(("127.0.0.1", 0), Daemon)
    thread = threading.Thread(target=daemon.serve_forever)
    thread.start()
    port = _free_port()
    text = nginx_text(
        web_url=WEB,
        public=str(ours.public),
        daemon=f"127.0.0.1:{daemon.server_port}",
        listen=f"127.0.0.1:{port}",
    )
    try:
        with _nginx(tmp_path, text, port):
            both = Both(ours=ours, port=port)
            assert both.nginx("/feeds/all.atom").body == BODY
            delta = both.nginx("/feeds/all.atom", A_IM="feed", If_None_Match='"x"')
            assert delta.status == 226
            page = both.nginx("/feed/?x=y")
            assert page.status == 410
            assert page.headers["x-asked"] == f"/feed/?x=y 127.0.0.1:{port}"
    finally:
        daemon.shutdown()
        thread.join()
        daemon.server_close()


def test_the_page_on_nginx_shows_what_the_verb_prints() -> None:
    page = (Path(__file__).parents[2] / "docs" / "nginx.md").read_text()
    shown = re.findall(r"```nginx\n(.*?)```", page, re.DOTALL)
    assert shown == [
        nginx_text(
            web_url="https://news.example.org",
            public="/srv/gazette/public",
            hubs=("https://hub.example.org/",),
            moved={"/news.php?format=rss": "/feeds/all.rss"},
            gone=["/feeds/tag-old.atom"],
        )
    ]


def test_the_verb_knows_what_config_and_the_last_build_say(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(
        """\
[site]
title = "Gazette"
url = "https://example.org"
[web]
url = "https://press.example"
listen = "[::1]:8301"
[mail]
from = "news@example.org"
[websub]
hubs = ["https://hub.example/"]
[[redirects]]
from = "/old.xml"
to = "/feeds/all.atom"
"""
    )
    config = str(tmp_path / "config.toml")
    migrated = CliRunner().invoke(dateline, ["migrate", "--config", config])
    assert migrated.exit_code == 0, migrated.output
    (tmp_path / "var" / "built").mkdir(parents=True, exist_ok=True)
    (tmp_path / "var" / "built" / "gone.json").write_text('["/feeds/tag-old.atom"]')
    alone = CliRunner().invoke(dateline, ["feeds", "nginx", "--config", config]).output
    proxy = CliRunner().invoke(dateline, ["feeds", "nginx", "--proxy", "--config", config]).output
    assert f'root "{tmp_path}/public";' in alone
    assert "https://hub.example/" in alone
    assert r"/old\\.xml" in alone
    assert r"/feeds/tag\\-old\\.atom" in alone
    assert "proxy_pass" not in alone
    assert "proxy_pass http://[::1]:8301;" in proxy
