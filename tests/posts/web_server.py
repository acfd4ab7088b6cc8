"""A real HTTP server on loopback for tests of what fetches: routes are answers or functions, requests are kept."""

import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the server says to a request."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Route = Answer | Callable[[BaseHTTPRequestHandler], None]


@dataclass
class WebServer:
    """The running server: change `routes` between requests, read `requests` after them."""

    port: int
    routes: dict[str, Route]
    requests: list[dict[str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def web_server(
    routes: dict[str, Route], *, tls: ssl.SSLContext | None = None
) -> Iterator[WebServer]:
    """A server that answers `routes` by path, and 404 elsewhere."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            size = int(self.headers.get("Content-Length", "0"))
            self._answer({"body": self.rfile.read(size).decode("latin-1")})

        def do_GET(self) -> None:
            self._answer({})

        def _answer(self, told: dict[str, str]) -> None:
            headers = {k.lower(): v for k, v in self.headers.items()}
            running.requests.append({"path": self.path, "method": self.command, **headers, **told})
            route = running.routes.get(self.path, Answer(status=404))
            if callable(route):
                self.close_connection = True
                route(self)
                return
            self.send_response(route.status)
            for name, value in route.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(route.body)))
            self.end_headers()
            self.wfile.write(route.body)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that hangs up is what these tests are about."""

    server = Quiet(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    running = WebServer(port=server.server_address[1], routes=routes)
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
    )
    thread.start()
    yield running
    server.shutdown()
    server.server_close()
    thread.join()
