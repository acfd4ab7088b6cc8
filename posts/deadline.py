"""A bound on the whole time of a network conversation, whatever it is waiting for."""

import contextlib
import os
import socket
import threading
import time


class Deadline:
    """Ends what is under way when the time is up: a server that sends a byte now and then resets every read limit.

    Shutting down a duplicate of the socket's handle reaches it under TLS and inside header parsing too.
    """

    def __init__(self, total_s: float) -> None:
        self.total_s = total_s
        self.passed = False
        self._end = time.monotonic() + total_s
        self._timer = threading.Timer(total_s, self._pass)
        self._timer.daemon = True
        self._lock = threading.Lock()
        self._watched: socket.socket | None = None

    def __enter__(self) -> "Deadline":
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            self._forget()

    @property
    def remaining_s(self) -> float:
        """Seconds that are left, never quite none: a time limit of 0 means no limit to a socket."""
        return max(0.01, self._end - time.monotonic())

    @property
    def is_over(self) -> bool:
        """True when the time is up, also in the moment before what is under way has been ended."""
        return self.passed or time.monotonic() >= self._end

    def watch(self, connection: socket.socket) -> None:
        """Makes `connection` the one to end; the one before it is forgotten."""
        duplicate = socket.socket(fileno=os.dup(connection.fileno()))
        with self._lock:
            self._forget()
            self._watched = duplicate
        if self.passed:
            self._pass()

    def _pass(self) -> None:
        self.passed = True
        with self._lock:
            if self._watched is not None:
                with contextlib.suppress(OSError):
                    self._watched.shutdown(socket.SHUT_RDWR)

    def _forget(self) -> None:
        if self._watched is not None:
            self._watched.close()
            self._watched = None
