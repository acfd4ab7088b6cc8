"""The daemon: the web server in front, the clock and the delivery program beside it, ended together."""

import gc
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import structlog
import uvicorn

from dateline.clock import build_clock, flush_job, guarded, list_jobs, stop_clock
from dateline.config_rules import listen_address
from dateline.deliver_lock import DeliverLock
from dateline.press import Press
from dateline.web.app import build_app
from dateline.web.feed_protocol import feed_protocol
from dateline.workers import DeliveryProgram, delivery_command
from feeds.audience import Audience
from posts.errors import Refused

_WEB_GRACE_S = 2
_JOB_GRACE_S = 5.0
_FLUSH_S = 2.0
"""What the delivery program gets beyond `stop_grace`, to write down what it knows."""

log = structlog.get_logger()


def run_daemon(
    press: Press,
    config_path: Path,
    *,
    mailbox: Path | None = None,
    port: int | None = None,
    on_start: Callable[[str], None] = lambda listens: None,
) -> None:
    """Serves, ticks and delivers until SIGTERM or SIGINT; returns when all of it has ended.

    Raises Refused where the port is taken or another daemon runs for this press, before anything starts.
    `on_start` gets the address that it listens on. A job that will not end in time is left behind: then the process
    ends here, with exit code 0; every action is a transaction, so nothing is left half done.
    """
    with open_listener(press.config.web.listen, port) as listener:
        await_lock(press, wait_s=press.patience.lock_wait_s)
        audience = Audience()
        server = _build_server(press, mailbox, audience)
        with _stopping_on_signals(server):
            ended = _run_all(press, config_path, server, listener, on_start, audience)
    log.info("daemon stopped")
    if not ended:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)  # Python would wait for the job's thread
    press.engine.dispose()


def _run_all(
    press: Press,
    config_path: Path,
    server: uvicorn.Server,
    listener: socket.socket,
    on_start: Callable[[str], None],
    audience: Audience,
) -> bool:
    """Starts the rest, serves until a signal, stops the rest; False where a job did not end in time."""
    host, port = listener.getsockname()[:2]
    clock = build_clock(list_jobs(press, audience))
    delivery = DeliveryProgram(delivery_command(config_path))
    delivery.start()
    clock.start()
    log.info("daemon started", listens=f"{host}:{port}", url=press.config.web.url)
    ended = True
    try:
        on_start(f"http://{f'[{host}]' if ':' in host else host}:{port}")
        # What is here now stays for good. Looking through it for garbage stopped all answers for a tenth of a second.
        gc.collect()
        gc.freeze()
        server.run(sockets=[listener])
    finally:
        log.info("daemon stops")
        code = delivery.stop(grace_s=press.config.mail.stop_grace.total_seconds() + _FLUSH_S)
        log.info("delivery program stopped", code=code)
        guarded(flush_job(press, audience))()  # nobody is served any more
        ended = stop_clock(clock, grace_s=_JOB_GRACE_S)
    return ended


def open_listener(listen: str, port: int | None = None) -> socket.socket:
    """A listening socket at `listen` (its port replaced by `port`); raises Refused where that cannot be."""
    host, listed = listen_address(listen)
    wanted = listed if port is None else port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, wanted))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise Refused(
            f"cannot listen on {host}:{wanted}: {error.strerror or error}",
            where="[web] listen",
            remedy="Another program, perhaps another `dateline run`, has it; end that, or set another port.",
        ) from error
    return listener


def await_lock(press: Press, *, wait_s: float) -> None:
    """Waits a little for a daemon that is ending; raises Refused, naming the holder, where one stays."""
    lock = DeliverLock(press.var)
    if not lock.acquire("a daemon that starts", wait_s=wait_s):
        raise Refused(
            f"another process delivers for this press: {lock.holder()}",
            where=str(press.var / "deliver.lock"),
            remedy="End it first; one daemon is enough.",
        )
    lock.release()  # the delivery program takes it at once


def _build_server(press: Press, mailbox: Path | None, audience: Audience) -> uvicorn.Server:
    server: uvicorn.Server
    app = build_app(
        press,
        mailbox=mailbox,
        is_stopping=lambda: server.should_exit,
        on_answer=audience.note,
    )
    settings = uvicorn.Config(
        app,
        loop="uvloop",
        http=feed_protocol(app.reply),  # httptools: h11 answers a fifth of the 304s (DESIGN.md 5)
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_WEB_GRACE_S,
    )
    server = uvicorn.Server(settings)
    return server


@contextmanager
def _stopping_on_signals(server: uvicorn.Server) -> Iterator[None]:
    """SIGTERM and SIGINT end the server, also before it runs. Uvicorn raises them again when it has ended: into this,
    which by then changes nothing, so that the rest can be stopped in good order."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        server.should_exit = True

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
