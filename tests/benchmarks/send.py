"""Sending a digest: our whole path (ledger, messages, wire) against smtplib composing with the standard library.

Both send different messages of about 30 kB to one sink on loopback, each in a process of its own, in the same run,
in turns.
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
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from multiprocessing import get_context
from pathlib import Path

from dateline.actions.deliver import deliver
from dateline.config import Config
from dateline.press import Press, open_press
from newsletter.books import books
from posts.database import reading
from posts.tables import metadata
from tests.newsletter.ledger_builders import a_released_issue

_LINE = "Ciudad Juarez, where the newsroom counts what nobody else would count. =\r\n"
BODY = b"\r\n\r\n" + (_LINE * (30_000 // len(_LINE))).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one run of one sender came to; `peak_mib` is the memory of its own process."""

    rate_per_s: float
    cpu_us: float
    peak_mib: float


def main(argv: list[str]) -> None:
    """`send [--messages N] [--baseline N] [--rounds N]`: messages a second, CPU a message, peak memory."""
    parser = argparse.ArgumentParser(prog="send")
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--baseline", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args(argv)
    ours: list[Run] = []
    theirs: list[Run] = []
    with _sink() as (port, name):
        for _ in range(given.rounds):
            theirs.append(_alone(_smtplib, port, given.baseline))
            ours.append(_ours(port, given.messages))
    print(f"sink: {name}; messages of {len(BODY):,} bytes; median of {given.rounds} rounds")
    their_rate, their_cpu = _shown("smtplib + EmailMessage:", theirs)
    our_rate, our_cpu = _shown("dateline deliver:", ours)
    print(f"ratio: {our_rate / their_rate:.1f} in rate, {their_cpu / our_cpu:.1f} in CPU")


def _shown(name: str, runs: list[Run]) -> tuple[float, float]:
    """Prints a line of the table; gives the medians of rate and CPU."""
    rates = [run.rate_per_s for run in runs]
    rate = statistics.median(rates)
    cpu = statistics.median(run.cpu_us for run in runs)
    peak = max(run.peak_mib for run in runs)
    print(
        f"{name:24}{rate:8,.0f} msg/s [{min(rates):,.0f}-{max(rates):,.0f}]  {cpu:8,.0f} us CPU/msg"
        f"  peak {peak:.0f} MiB"
    )
    return rate, cpu


def _alone(work: Callable[..., Run], *given: object) -> Run:
    """Runs `work` in a new process, so that its memory is its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(work, *given).result()


def _ours(port: int, messages: int) -> Run:
    """A released issue to `messages` readers, from the database to the last commit."""
    with tempfile.TemporaryDirectory() as name:
        press = _press(Path(name), port)
        metadata.create_all(press.engine)
        issue = a_released_issue(press.engine, messages, body=BODY)
        press.engine.dispose()
        return _alone(_deliver, name, port, issue, messages)


def _press(folder: Path, port: int) -> Press:
    """A press that hands its mail to the sink over 20 connections."""
    mail = {"from": "press@news.example", "transport": "smtp", "host": "127.0.0.1"}
    config = Config.model_validate(
        {
            "site": {"title": "La Frontera", "url": "https://frontera.example/"},
            "mail": {**mail, "port": port, "tls": "none", "connections": 20},
        }
    )
    return open_press(config, folder)


def _deliver(folder: str, port: int, issue: int, messages: int) -> Run:
    """The sending process."""
    press = _press(Path(folder), port)
    began, cpu = time.perf_counter(), time.process_time()
    deliver(press)
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    with reading(press.engine) as conn:
        assert books(conn, issue).sent == messages
    press.engine.dispose()
    return _run(messages, took, cpu)


def _run(messages: int, took_s: float, cpu_s: float) -> Run:
    return Run(rate_per_s=messages / took_s, cpu_us=cpu_s / messages * 1e6, peak_mib=_peak_mib())


def _peak_mib() -> float:
    """Most memory this process ever had. Linux's getrusage tells that of its parent where that was more."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    (peak,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(peak) / 1024


def _smtplib(port: int, messages: int) -> Run:
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
    return _run(messages, took, cpu)


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
