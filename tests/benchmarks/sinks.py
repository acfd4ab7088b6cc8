"""Where the senders send to: Debian's smtp-sink where it is installed, else our own; and one that answers late."""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.late_sink import LateSink
from tests.benchmarks.processes import ROOT

_PLACES = ("/usr/sbin", "/usr/local/sbin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sink:
    """A listening sink of one or more processes."""

    port: int
    name: str
    pids: Sequence[int]

    def cpu_s(self) -> float:
        """CPU time that it has used so far: where that nears a core, the sink is the limit, not who sends."""
        ticks = 0
        for pid in self.pids:
            # after the name, which may hold anything, utime and stime are the 12th and 13th
            values = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(values[11]) + int(values[12])
        return ticks / os.sysconf("SC_CLK_TCK")


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
        command = [sys.executable, "-m", "tests.benchmarks.late_sink", str(port), "0"]
    with _running([command], port) as pids:
        name = Path(found).name if found else "our own (no smtp-sink here)"
        yield Sink(port=port, name=name, pids=pids)


@contextmanager
def capturing_sink() -> Iterator[tuple[int, list[bytes]]]:
    """A sink in a thread of this process: its port, and the messages as they came, without dot-stuffing."""
    messages: list[bytes] = []

    def keep(message: bytes) -> None:
        messages.append(message.replace(b"\r\n..", b"\r\n."))

    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(loop.create_server(lambda: LateSink(0, keep), "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1], messages
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        loop.close()


@contextmanager
def late_sink(delay_s: float, *, processes: int = 2) -> Iterator[Sink]:
    """Our own sink whose answers come late."""
    port = free_port()
    command = [sys.executable, "-m", "tests.benchmarks.late_sink", str(port), str(delay_s)]
    with _running([command] * processes, port) as pids:
        yield Sink(port=port, name=f"our own, {delay_s * 1000:g} ms late", pids=pids)


@contextmanager
def _running(commands: Sequence[Sequence[str]], port: int) -> Iterator[list[int]]:
    processes = [
        subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) for command in commands
    ]
    try:
        _await_port(port)
        yield [process.pid for process in processes]
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
