"""A client that asks one daemon for feeds so many times a second and notes how long each answer took."""

import http.client
import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

PATHS = ("/feeds/all.atom", "/feeds/all.rss", "/feeds/all.json", "/feeds/tag-river.atom")


@dataclass(slots=True, kw_only=True)
class Answers:
    """What came back: seconds by answer, and what failed."""

    took_s: list[float] = field(default_factory=list)
    unchanged: int = 0
    failures: list[str] = field(default_factory=list)

    def percentile_ms(self, percent: int) -> float:
        """The time within which so many of a hundred answers came."""
        if len(self.took_s) < 2:
            return float("nan")
        return statistics.quantiles(self.took_s, n=100, method="inclusive")[percent - 1] * 1000

    def summary(self) -> str:
        """One line."""
        total = len(self.took_s)
        return (
            f"{total:,} answers ({total - self.unchanged:,} of 200, {self.unchanged:,} of 304), "
            f"median {self.percentile_ms(50):.1f} ms, p95 {self.percentile_ms(95):.1f} ms, "
            f"p99 {self.percentile_ms(99):.1f} ms, most {max(self.took_s, default=0) * 1000:.1f} ms; "
            f"failures: {len(self.failures)}"
        )


def joined(all_of: Sequence[Answers]) -> Answers:
    """The answers of several readers as one."""
    whole = Answers()
    for answers in all_of:
        whole.took_s += answers.took_s
        whole.unchanged += answers.unchanged
        whole.failures += answers.failures
    return whole


class FeedReaders:
    """Threads that ask in turns, at fixed times, until stopped: every fourth on a new connection each time."""

    def __init__(self, port: int, per_s: float, *, threads: int = 4) -> None:
        self._port = port
        self._every_s = threads / per_s
        self._stop = threading.Event()
        self._answers = [Answers() for _ in range(threads)]
        begin = time.monotonic()
        self._threads = [
            threading.Thread(
                target=self._read,
                args=(place, begin + place * self._every_s / threads),
                name=f"reader {place}",
            )
            for place in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> Answers:
        """Ends; gives all answers."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        return joined(self._answers)

    def _read(self, place: int, begin: float) -> None:
        kept = place % 4 != 0
        answers = self._answers[place]
        tags: dict[str, str] = {}
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        for turn in count():
            wait_s = begin + turn * self._every_s - time.monotonic()
            if self._stop.wait(max(0.0, wait_s)):
                break
            if not kept:
                connection.close()
                connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
            path = PATHS[(place + turn) % len(PATHS)]
            # every second time as a reader that has seen it, once there is something to have seen
            tag = tags.get(path) if turn // len(PATHS) % 2 else None
            try:
                self._ask(connection, path, tag, answers, tags)
            except (OSError, http.client.HTTPException) as error:
                answers.failures.append(f"{path}: {type(error).__name__}: {error}")
                connection.close()
        connection.close()

    def _ask(
        self,
        connection: http.client.HTTPConnection,
        path: str,
        tag: str | None,
        answers: Answers,
        tags: dict[str, str],
    ) -> None:
        headers = {"Accept-Encoding": "gzip"} | ({"If-None-Match": tag} if tag else {})
        began = time.perf_counter()
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        body = response.read()
        answers.took_s.append(time.perf_counter() - began)
        answers.unchanged += response.status == 304
        if response.status != (304 if tag else 200) or bool(body) != (tag is None):
            answers.failures.append(f"{path}: {response.status}, {len(body)} bytes")
        tags[path] = response.headers["ETag"]
