"""Where the senders send to: Debian's smtp-sink where it is installed, else our own; and one that answers late."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.processes import ROOT

_PLACES = ("/usr/sbin", "/usr/local/sbin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sink:
    """A listening sink."""

    port: int
    name: str


def find_program(name: str) -> str | None:
    """A program of postfix: it lies where an ordinary user's path does not lead."""
    return shutil.which(name) or shutil.which(name, path=os.pathsep.join(_PLACES))


@contextmanager
def fast_sink() -> Iterator[Sink]:
    """The sink that all senders of a benchmark share."""
    port = free_port()
    found = find_program("smtp-sink")
    if found is not None:
        # as many at once as anybody here opens; smtp-sink lets 256 in by itself
        command = [found, "-m", "2000", f"127.0.0.1:{port}", "1000"]
        if os.geteuid() == 0:
            command[1:1] = ["-u", "nobody"]
    else:
        log = tempfile.mkstemp()[1]
        command = [sys.executable, "-m", "tests.smtp_sink", log, "--discard", "--port", str(port)]
    with _running([command], port):
        yield Sink(port=port, name=Path(found).name if found else "our own (no smtp-sink here)")


@contextmanager
def _running(commands: Sequence[Sequence[str]], port: int) -> Iterator[None]:
    processes = [
        subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) for command in commands
    ]
    try:
        _await_port(port)
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def _await_port(port: int) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert time.monotonic() < deadline, "the sink does not listen"
            time.sleep(0.02)
