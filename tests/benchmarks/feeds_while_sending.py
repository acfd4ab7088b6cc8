"""How quickly the daemon answers for feeds while it sends a digest at full speed; and the memory of both programs.

A real `dateline run` with its delivery program, feeds built from 60 posts, a released issue to a fast sink; feed
readers ask some fifty times a second, for whole and unchanged feeds, over kept and new connections, before the
release and while it is being sent.
"""

import argparse
import http.client
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa

from dateline.actions.build import build
from dateline.actions.release import release
from dateline.press import Press
from newsletter.books import books
from newsletter.tables import batches, issues
from posts.database import reading
from tests.benchmarks.feed_reader import Answers, FeedReaders
from tests.benchmarks.newsroom import Mailing, Newsroom, build_newsroom, write_config
from tests.benchmarks.processes import ROOT, peak_mib
from tests.benchmarks.sinks import fast_sink, free_port

POSTS = 60
_PATIENCE_S = 3600.0
_ASKED_MS = 20


def main(argv: list[str]) -> None:
    """`feeds_while_sending [--messages N] [--per-second N] [--connections N] [--flush-every N]`."""
    parser = argparse.ArgumentParser(prog="feeds_while_sending")
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--per-second", type=float, default=50)
    parser.add_argument("--connections", type=int, default=20)
    parser.add_argument("--flush-every", type=int, default=20)
    parser.add_argument("--before", type=float, default=5, help="seconds asked before the release")
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as place, fast_sink() as sink:
        newsroom = build_newsroom(
            Path(place) / "newsroom", given.messages, posts=POSTS, is_released=False
        )
        web_port = free_port()
        mailing = Mailing(
            port=sink.port, connections=given.connections, flush_every=given.flush_every
        )
        write_config(newsroom.folder, mailing, web_port=web_port)
        press = newsroom.open()
        build(press)
        log = newsroom.folder / "daemon.log"
        with log.open("wb") as said:
            daemon = subprocess.Popen(
                [sys.executable, "-m", "dateline", "run", "--config", str(newsroom.config)],
                cwd=ROOT,
                stdout=said,
                stderr=said,
            )
        try:
            _measure(press, newsroom, daemon, web_port, given.per_second, given.before)
        except BaseException:
            print(log.read_text("utf-8", "replace")[-3000:])
            raise
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(30)
            press.engine.dispose()


def _measure(
    press: Press,
    newsroom: Newsroom,
    daemon: subprocess.Popen[bytes],
    port: int,
    per_s: float,
    before_s: float,
) -> None:
    _await(lambda: _answers(port) and bool(_children(daemon.pid)), daemon)
    readers = FeedReaders(port, per_s)
    time.sleep(before_s)
    idle = readers.stop()
    began = time.perf_counter()
    release(press, newsroom.issue)
    released_s = time.perf_counter() - began
    _await(lambda: _is_leased(press, newsroom.issue), daemon)
    readers = FeedReaders(port, per_s)
    began = time.perf_counter()
    _await(lambda: _is_done(press, newsroom.issue), daemon, every_s=0.1)
    took_s = time.perf_counter() - began
    busy = readers.stop()
    delivery = _children(daemon.pid)[0]
    with reading(press.engine) as conn:
        sent = books(conn, newsroom.issue).sent
    assert sent == newsroom.readers, f"{sent} of {newsroom.readers} were sent"
    print(
        f"{sent:,} messages in {took_s:.1f} s ({sent / took_s:,.0f} a second); released in {released_s:.1f} s; "
        f"{len(os.sched_getaffinity(0))} cores"
    )
    print(f"before:        {idle.summary()}")
    print(f"while sending: {busy.summary()}")
    print(f"p95 {busy.percentile_ms(95):.1f} ms; asked: under {_ASKED_MS} ms, and no failure")
    print(
        f"most memory: daemon {peak_mib(daemon.pid):.0f} MiB (asked: under 150), "
        f"delivery program {peak_mib(delivery):.0f} MiB (asked: under 120)"
    )
    _show_failures(busy)


def _show_failures(answers: Answers) -> None:
    for failure in answers.failures[:5]:
        print(f"  failed: {failure}")


def _await(
    is_true: Callable[[], bool], daemon: subprocess.Popen[bytes], *, every_s: float = 0.02
) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not is_true():
        assert daemon.poll() is None, "the daemon ended"
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(every_s)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _is_leased(press: Press, issue: int) -> bool:
    """True once the delivery program has begun."""
    asked = sa.select(batches.c.id).where(batches.c.issue == issue, batches.c.owner.is_not(None))
    with reading(press.engine) as conn:
        return conn.execute(asked.limit(1)).first() is not None


def _is_done(press: Press, issue: int) -> bool:
    with reading(press.engine) as conn:
        status = conn.execute(sa.select(issues.c.status).where(issues.c.id == issue)).scalar_one()
    return bool(status == "done")


def _children(pid: int) -> list[int]:
    """The processes that the daemon started."""
    found = [
        int(number)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for number in (task / "children").read_text().split()
    ]
    return sorted(found)
