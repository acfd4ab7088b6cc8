"""The press's pages on a real server in a thread, for what only a connection can show."""

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn

from dateline.daemon import open_listener
from dateline.press import Press
from dateline.web.app import build_app
from dateline.web.feed_protocol import feed_protocol


@dataclass
class Served:
    """A server that runs."""

    server: uvicorn.Server
    thread: threading.Thread
    port: int

    def open(
        self, path: str, method: str = "GET", **headers: str
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        """A request of this machine, its answer not read yet; `_` in a header's name stands for `-`."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, headers=named)
        return connection, connection.getresponse()

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        """Status and text of an answer."""
        connection, answer = self.open(path, **headers)
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    def stop(self, *, wait_s: float = 10) -> bool:
        """Asks the server to end as a signal does; False where it did not."""
        self.server.should_exit = True
        self.thread.join(wait_s)
        return not self.thread.is_alive()


@contextmanager
def served(press: Press, listens: socket.socket | None = None) -> Iterator[Served]:
    """Serves the pages of `press` as the daemon does, at a free port or on a socket that listens already."""
    made: list[uvicorn.Server] = []
    app = build_app(press, is_stopping=lambda: made[0].should_exit)
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=feed_protocol(app.reply),
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=2,
    )
    made.append(uvicorn.Server(config))
    with listens or open_listener("127.0.0.1:0") as listener:
        thread = threading.Thread(target=made[0].run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        running = Served(server=made[0], thread=thread, port=listener.getsockname()[1])
        try:
            yield running
        finally:
            running.stop()
