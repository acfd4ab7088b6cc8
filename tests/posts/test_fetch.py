import gzip
import socket
import ssl
import time
import tracemalloc
import zlib

import pytest
import trustme

from posts.errors import SourceError
from posts.fetch import Fetcher, Limits, shown_url
from tests.posts.web_server import Answer, web_server

PUBLIC = "93.184.216.34"


class Net:
    """A little internet: names to addresses, and every public address is the server on loopback."""

    def __init__(self, port: int, names: dict[str, list[list[str]]] | None = None) -> None:
        self.port = port
        self.names = names or {}
        self.asked: list[str] = []
        self.connected: list[tuple[str, int]] = []

    def resolve(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        answers = self.names.get(host, [[PUBLIC]])
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def connect(self, address: str, port: int, timeout_s: float | None) -> socket.socket:
        self.connected.append((address, port))
        return socket.create_connection(("127.0.0.1", self.port), timeout_s)

    def fetcher(self, **more) -> Fetcher:
        return Fetcher(resolve=self.resolve, connect=self.connect, **more)


def test_a_body_comes_with_its_headers_and_address():
    with web_server({"/feed": Answer(body=b"hello", headers={"ETag": '"1"'})}) as server:
        net = Net(server.port)
        fetched = net.fetcher(user_agent="Dateline/1 (+https://press.example)").fetch(
            "http://blog.example/feed"
        )
    assert (fetched.status, fetched.body, fetched.url) == (
        200,
        b"hello",
        "http://blog.example/feed",
    )
    assert fetched.headers["etag"] == '"1"'
    assert net.connected == [(PUBLIC, 80)]
    request = server.requests[0]
    assert request["host"] == "blog.example"
    assert request["user-agent"] == "Dateline/1 (+https://press.example)"


def test_validators_are_sent_and_304_is_told():
    with web_server({"/": Answer(status=304)}) as server:
        fetched = (
            Net(server.port)
            .fetcher()
            .fetch(
                "http://blog.example/", etag='"1"', last_modified="Tue, 15 Sep 2009 08:00:00 GMT"
            )
        )
    assert fetched.not_modified
    assert server.requests[0]["if-none-match"] == '"1"'
    assert server.requests[0]["if-modified-since"] == "Tue, 15 Sep 2009 08:00:00 GMT"


@pytest.mark.parametrize("status", [403, 404, 410, 429, 500, 503])
def test_an_answer_of_any_status_is_an_answer(status):
    with web_server({"/": Answer(status=status, headers={"Retry-After": "9"})}) as server:
        fetched = Net(server.port).fetcher().fetch("http://blog.example/")
    assert fetched.status == status
    assert fetched.headers["Retry-After"] == "9"


@pytest.mark.parametrize(
    "url",
    [
        "ftp://blog.example/",
        "file:///etc/passwd",
        "gopher://blog.example/",
        "blog.example/feed",
        "http://",
        "http://[bad/",
        "",
        "http://blog.example:99999/",
    ],
)
def test_what_is_no_http_address_is_refused_before_anything_is_asked(url):
    net = Net(1)
    with pytest.raises(SourceError):
        net.fetcher().fetch(url)
    assert net.connected == []


def test_a_private_address_is_refused_and_named():
    net = Net(1, {"intranet.example": [["10.0.0.7"]], "10.0.0.7": [["10.0.0.7"]]})
    with pytest.raises(SourceError, match=r"^http://10\.0\.0\.7/: 10\.0\.0\.7 is a private"):
        net.fetcher().fetch("http://10.0.0.7/")
    with pytest.raises(
        SourceError, match=r"10\.0\.0\.7, which is a private address\. Set `allow_private = true`"
    ):
        net.fetcher().fetch("http://intranet.example/")
    assert net.connected == []


def test_one_private_address_among_public_ones_is_enough_to_refuse():
    net = Net(1, {"blog.example": [[PUBLIC, "127.0.0.1"]]})
    with pytest.raises(SourceError, match="private"):
        net.fetcher().fetch("http://blog.example/")
    assert net.connected == []


@pytest.mark.parametrize(
    "host", ["127.1", "2130706433", "0x7f000001", "localhost", "[::1]", "[::ffff:127.0.0.1]"]
)
def test_loopback_is_refused_however_it_is_written(host):
    with pytest.raises(SourceError, match=r"private|cannot be resolved|no public server"):
        Fetcher().fetch(f"http://{host}/")


def test_a_name_that_changes_its_mind_gains_nothing():
    with web_server({"/": Answer(body=b"x")}) as server:
        net = Net(server.port, {"rebind.example": [[PUBLIC], ["127.0.0.1"]]})
        net.fetcher().fetch("http://rebind.example/")
    assert net.asked == ["rebind.example"]
    assert net.connected == [(PUBLIC, 80)]


def test_a_redirect_to_a_private_address_is_refused():
    with web_server(
        {"/": Answer(status=302, headers={"Location": "http://169.254.169.254/latest/"})}
    ) as server:
        net = Net(server.port, {"169.254.169.254": [["169.254.169.254"]]})
        with pytest.raises(SourceError, match=r"169\.254\.169\.254"):
            net.fetcher().fetch("http://blog.example/")
    assert len(net.connected) == 1


def test_a_name_that_turns_private_at_the_redirect_is_refused():
    with web_server({"/": Answer(status=302, headers={"Location": "/next"})}) as server:
        net = Net(server.port, {"rebind.example": [[PUBLIC], ["127.0.0.1"]]})
        with pytest.raises(SourceError, match="private"):
            net.fetcher().fetch("http://rebind.example/")
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "target", ["http://blog.example:8080/", "https://blog.example:22/", "ftp://blog.example/"]
)
def test_a_redirect_to_another_port_or_scheme_is_refused(target):
    with web_server({"/": Answer(status=301, headers={"Location": target})}) as server:
        net = Net(server.port)
        with pytest.raises(SourceError):
            net.fetcher().fetch("http://blog.example/")
    assert len(net.connected) == 1


def test_the_port_that_the_operator_typed_is_allowed_and_no_other():
    with web_server({"/": Answer(body=b"x")}) as server:
        net = Net(server.port)
        assert net.fetcher().fetch("http://blog.example:8300/").body == b"x"
        assert (
            net.fetcher()
            .fetch("http://blog.example:8300/", typed="http://blog.example:8300/a")
            .body
            == b"x"
        )
        with pytest.raises(SourceError, match="asks for port 8301"):
            net.fetcher().fetch("http://blog.example:8301/", typed="http://blog.example:8300/a")


def test_five_redirects_are_followed_and_six_are_not():
    hops = {f"/{n}": Answer(status=302, headers={"Location": f"/{n + 1}"}) for n in range(6)}
    with web_server({**hops, "/5": Answer(body=b"there")}) as server:
        fetched = Net(server.port).fetcher().fetch("http://blog.example/0")
        assert (fetched.body, fetched.url) == (b"there", "http://blog.example/5")
        server.routes = {**hops, "/6": Answer(body=b"there")}
        with pytest.raises(SourceError, match="redirects more than 5 times"):
            Net(server.port).fetcher().fetch("http://blog.example/0")


def test_private_addresses_are_fetched_where_they_are_allowed():
    with web_server({"/": Answer(body=b"x")}) as server:
        assert Fetcher().fetch(server.url, allow_private=True).body == b"x"
        with pytest.raises(SourceError, match="private"):
            Fetcher().fetch(server.url)


def test_no_proxy_is_taken_from_the_environment(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    with web_server({"/": Answer(body=b"x")}) as server:
        assert Net(server.port).fetcher().fetch("http://blog.example/").body == b"x"


def test_a_password_in_an_address_is_used_and_never_shown():
    with web_server(
        {"/": Answer(status=302, headers={"Location": "http://other.example/"})}
    ) as server:
        net = Net(server.port, {"other.example": [["10.0.0.1"]], "blog.example": [[PUBLIC]]})
        with pytest.raises(SourceError) as caught:
            net.fetcher().fetch("http://me:secret@blog.example/")
    assert server.requests[0]["authorization"].startswith("Basic ")
    assert "secret" not in str(caught.value)
    assert shown_url("https://me:secret@blog.example/x") == "https://blog.example/x"


def test_a_typed_password_goes_along_on_the_same_host_only():
    routes = {
        "/": Answer(status=302, headers={"Location": "/next"}),
        "/next": Answer(status=302, headers={"Location": "http://x:y@other.example/last"}),
        "/last": Answer(body=b"x"),
    }
    with web_server(routes) as server:
        Net(server.port).fetcher().fetch("http://me:secret@blog.example/")
    assert ["authorization" in request for request in server.requests] == [True, True, False]


def test_an_answer_of_500_mb_is_refused_by_its_length():
    def huge(handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(500_000_000))
        handler.end_headers()
        handler.wfile.write(b"x" * 1000)

    with web_server({"/": huge}) as server, pytest.raises(SourceError, match="larger than 10 MB"):
        Net(server.port).fetcher().fetch("http://blog.example/")


def test_an_endless_answer_is_cut_off_at_the_limit():
    written = 0

    def endless(handler) -> None:
        nonlocal written
        handler.send_response(200)
        handler.end_headers()
        while written < 500_000_000:
            written += handler.wfile.write(b"x" * 100_000)

    with (
        web_server({"/": endless}) as server,
        pytest.raises(SourceError, match="larger than 10 MB"),
    ):
        Net(server.port).fetcher().fetch("http://blog.example/")
    assert written < 60_000_000


@pytest.mark.parametrize("packed", [gzip.compress, zlib.compress], ids=["gzip", "deflate"])
def test_a_bomb_of_500_mb_is_unpacked_only_to_the_limit(packed):
    name = "gzip" if packed is gzip.compress else "deflate"
    bomb = packed(b"\0" * 200_000_000)
    with web_server({"/": Answer(body=bomb, headers={"Content-Encoding": name})}) as server:
        tracemalloc.start()
        try:
            with pytest.raises(SourceError, match="larger than 10 MB"):
                Net(server.port).fetcher().fetch("http://blog.example/")
            assert tracemalloc.get_traced_memory()[1] < 60_000_000
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize("where", ["headers", "body"])
def test_a_server_that_drips_is_ended_by_the_total_time(where):
    def drip(handler) -> None:
        if where == "body":
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        else:
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        for _ in range(200):
            handler.wfile.write(b"x")
            handler.wfile.flush()
            time.sleep(0.05)  # the server's slowness is what is tested

    limits = Limits(read_s=2, total_s=0.4)
    start = time.monotonic()
    with (
        web_server({"/": drip}) as server,
        pytest.raises(SourceError, match=r"took longer than 0\.4 seconds"),
    ):
        Net(server.port).fetcher().fetch("http://blog.example/", limits=limits)
    assert time.monotonic() - start < 3


def test_a_silent_server_is_given_up():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        net = Net(silent.getsockname()[1])
        with pytest.raises(SourceError, match=r"was silent for 0\.2 seconds"):
            net.fetcher().fetch("http://blog.example/", limits=Limits(read_s=0.2))


def test_a_server_that_is_not_there_is_told_in_plain_words():
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(SourceError, match=r"could not be read \(Connection refused\)"):
        Net(port).fetcher().fetch("http://blog.example/")


def test_a_body_that_ends_too_early_is_a_fault():
    def short(handler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc")

    with web_server({"/": short}) as server, pytest.raises(SourceError, match="could not be read"):
        Net(server.port).fetcher().fetch("http://blog.example/")


def test_an_answer_that_is_not_http_is_a_fault():
    def junk(handler) -> None:
        handler.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")

    with web_server({"/": junk}) as server, pytest.raises(SourceError, match="could not be read"):
        Net(server.port).fetcher().fetch("http://blog.example/")


def test_a_name_without_an_address_is_told():
    def resolve(host: str, port: int) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    with pytest.raises(SourceError, match=r"the name blog\.example cannot be resolved"):
        Fetcher(resolve=resolve).fetch("http://blog.example/")


def test_the_second_address_is_tried_when_the_first_does_not_answer():
    with web_server({"/": Answer(body=b"x")}) as server:
        net = Net(server.port, {"blog.example": [["93.184.216.1", PUBLIC]]})

        def connect(address: str, port: int, timeout_s: float | None) -> socket.socket:
            if address == "93.184.216.1":
                raise ConnectionRefusedError(111, "Connection refused")
            return net.connect(address, port, timeout_s)

        assert (
            Fetcher(resolve=net.resolve, connect=connect).fetch("http://blog.example/").body == b"x"
        )


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def _tls(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def test_the_certificate_must_be_that_of_the_name_though_the_address_was_checked(
    authority, tmp_path
):
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    names: list[str | None] = []
    context = _tls(authority, "blog.example")
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    with web_server({"/": Answer(body=b"x")}, tls=context) as server:
        fetcher = Net(server.port).fetcher(ca_bundle=str(bundle))
        assert fetcher.fetch("https://blog.example/").body == b"x"
        with pytest.raises(SourceError, match="has no certificate that can be trusted"):
            fetcher.fetch("https://other.example/")
        with pytest.raises(SourceError, match="has no certificate that can be trusted"):
            Net(server.port).fetcher().fetch("https://blog.example/")
    assert names[:2] == ["blog.example", "other.example"]


def test_international_names_are_asked_for_in_ascii():
    with web_server({"/": Answer(body=b"x")}) as server:
        net = Net(server.port)
        net.fetcher().fetch("http://bücher.example/")
    assert net.asked == ["xn--bcher-kva.example"]
    assert server.requests[0]["host"] == "xn--bcher-kva.example"
