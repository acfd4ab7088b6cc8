"""Sending a digest: our whole path (ledger, messages, wire) against smtplib composing with the standard library.

Both send different messages of about 30 kB to one sink on loopback, in a process of its own, in the same run, in turns.
"""

import argparse
import resource
import shutil
import smtplib
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path

from dateline.actions.deliver import deliver
from dateline.config import Config
from dateline.press import open_press
from newsletter.books import books
from posts.database import reading
from posts.tables import metadata
from tests.newsletter.ledger_builders import a_released_issue

_LINE = "Ciudad Juarez, where the newsroom counts what nobody else would count. =\r\n"
BODY = b"\r\n\r\n" + (_LINE * (30_000 // len(_LINE))).encode()


def main(argv: list[str]) -> None:
    """`send [--messages N] [--baseline N] [--rounds N]`: messages a second, CPU a message, peak memory."""
    parser = argparse.ArgumentParser(prog="send")
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--baseline", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args(argv)
    ours: list[tuple[float, float]] = []
    theirs: list[tuple[float, float]] = []
    with _sink() as (port, name):
        for _ in range(given.rounds):
            theirs.append(_smtplib(port, given.baseline))
            ours.append(_ours(port, given.messages))
    our_rate, our_cpu = (statistics.median(part) for part in zip(*ours, strict=True))
    their_rate, their_cpu = (statistics.median(part) for part in zip(*theirs, strict=True))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"sink: {name}; messages of {len(BODY):,} bytes; median of {given.rounds} rounds")
    print(f"smtplib + EmailMessage: {their_rate:8,.0f} msg/s  {their_cpu:8,.0f} us CPU/msg")
    print(f"dateline deliver:       {our_rate:8,.0f} msg/s  {our_cpu:8,.0f} us CPU/msg")
    print(f"ratio: {our_rate / their_rate:.1f} in rate, {their_cpu / our_cpu:.1f} in CPU")
    print(f"peak memory of the whole run: {peak:.0f} MiB")


def _ours(port: int, messages: int) -> tuple[float, float]:
    """A released issue to `messages` readers, from the database to the last commit."""
    with tempfile.TemporaryDirectory() as name:
        mail = {"from": "press@news.example", "transport": "smtp", "host": "127.0.0.1"}
        config = Config.model_validate(
            {
                "site": {"title": "La Frontera", "url": "https://frontera.example/"},
                "mail": {**mail, "port": port, "tls": "none", "connections": 20},
            }
        )
        press = open_press(config, Path(name))
        metadata.create_all(press.engine)
        issue = a_released_issue(press.engine, messages, body=BODY)
        began, cpu = time.perf_counter(), time.process_time()
        deliver(press)
        took, cpu = time.perf_counter() - began, time.process_time() - cpu
        with reading(press.engine) as conn:
            assert books(conn, issue).sent == messages
        press.engine.dispose()
    return messages / took, cpu / messages * 1e6


def _smtplib(port: int, messages: int) -> tuple[float, float]:
    """The usual way: an EmailMessage each, one connection."""
    text = BODY.decode().replace("=\r\n", "")
    began, cpu = time.perf_counter(), time.process_time()
    with smtplib.SMTP("127.0.0.1", port) as server:
        for number in range(messages):
            message = EmailMessage()
            message["From"] = "press@news.example"
            message["To"] = f"reader{number}@example.net"
            message["Subject"] = "Juarez"
            message.set_content(f"reader {number}\n")
            message.add_alternative(f"<p>{number}</p><p>{text}</p>", subtype="html")
            server.send_message(message)
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    return messages / took, cpu / messages * 1e6


@contextmanager
def _sink() -> Iterator[tuple[int, str]]:
    """Debian's smtp-sink where it is installed, else our own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    found = shutil.which("smtp-sink")
    if found is not None:
        command = [found, "-u", "nobody", f"127.0.0.1:{port}", "1000"]
    else:
        log = tempfile.mkstemp()[1]
        command = [sys.executable, "-m", "tests.smtp_sink", log, "--discard", "--port", str(port)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert time.monotonic() < deadline, "the sink does not listen"
                time.sleep(0.02)
        yield port, Path(command[0]).name if found else "own"
    finally:
        process.kill()
        process.wait()
