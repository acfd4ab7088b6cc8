"""The delivery program under the daemon: started, started again when it dies, ended with it.

A program of its own, so that pages and feeds stay quick while a digest goes out at full speed (DESIGN.md 9).
Its standard input is a pipe that only the daemon holds: when the daemon is gone, however it went, the pipe closes
and the program ends.
"""

import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic

import structlog

_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 60.0
_HEALTHY_AFTER_S = 60.0

log = structlog.get_logger()


def delivery_command(config_path: Path) -> list[str]:
    """The command line of the delivery program for one configuration."""
    program = [sys.executable, "-m", "dateline", "deliver", "--daemon"]
    return [*program, "--config", str(config_path)]


class DeliveryProgram:
    """Holds the delivery program open. `start` once, `stop` once; a thread of its own watches in between."""

    def __init__(self, command: Sequence[str], *, first_pause_s: float = _FIRST_PAUSE_S) -> None:
        self._command = list(command)
        self._first_pause_s = first_pause_s
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher = threading.Thread(target=self._watch, name="delivery", daemon=True)

    @property
    def pid(self) -> int | None:
        """The process id while the program runs, else None."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> None:
        """Starts the program and the thread that watches it."""
        self._watcher.start()

    def stop(self, *, grace_s: float) -> int | None:
        """Asks the program to end in good order by a signal, waits, then kills it; gives its exit code."""
        self._stopping.set()
        with self._lock:
            process = self._process
        if process is None:
            return None
        code = _ended(process, grace_s=grace_s)
        _close_input(process)
        self._watcher.join(timeout=5)
        return code

    def _watch(self) -> None:
        pause_s = self._first_pause_s
        while not self._stopping.is_set():
            began = monotonic()
            process = self._spawned()
            if process is None:
                return
            code = process.wait()
            if self._stopping.is_set():
                return
            lived_s = monotonic() - began
            pause_s = self._first_pause_s if lived_s > _HEALTHY_AFTER_S else pause_s
            log.error(
                "delivery program ended", code=code, lived_s=round(lived_s, 1), again_in_s=pause_s
            )
            self._stopping.wait(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    def _spawned(self) -> subprocess.Popen[bytes] | None:
        with self._lock:
            if self._stopping.is_set():
                return None
            # A session of its own: Ctrl-C at the terminal goes to the daemon, who ends the program in good order.
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, start_new_session=True
            )
        log.info("delivery program started", pid=self._process.pid)
        return self._process


def _ended(process: subprocess.Popen[bytes], *, grace_s: float) -> int:
    # The signal first: input that closes means that the daemon has died, and then little time is left to end in.
    steps: list[tuple[Callable[[], None], float]] = [
        (process.terminate, grace_s),
        (lambda: _close_input(process), 2.0),
        (process.kill, 5.0),
    ]
    for step, wait_s in steps:
        step()
        try:
            return process.wait(timeout=wait_s)
        except subprocess.TimeoutExpired:
            log.warning("delivery program did not end", pid=process.pid, waited_s=wait_s)
    return -9


def _close_input(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()
