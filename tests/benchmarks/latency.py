"""Sending to a relay far away: a sink whose answers come 50 ms late, against connections / latency.

With one round trip a message, `connections / latency` is what can be reached until the CPU is the limit; what that is
is measured at the same sink without delay. A client that waits for each answer reaches a quarter (smtp-source).
Start and end of a run cost some tenths of a second, so short runs show less.
"""

import argparse
import shutil
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.newsroom import Mailing, Newsroom, a_message, build_newsroom, copied
from tests.benchmarks.processes import Run, run_module
from tests.benchmarks.rivals import Pattern, smtp_source, write_pattern
from tests.benchmarks.sinks import find_program, late_sink

_ASKED = 0.8


def main(argv: list[str]) -> None:
    """`latency [--connections 20,100,400] [--latency MS] [--seconds N] [--rounds N] [--flush-every N]`."""
    parser = argparse.ArgumentParser(prog="latency")
    parser.add_argument("--connections", default="20,100,400", help="with commas between them")
    parser.add_argument("--latency", type=float, default=50, help="milliseconds")
    parser.add_argument("--seconds", type=float, default=10, help="about how long a run takes")
    parser.add_argument("--most", type=int, default=60_000, help="messages a run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--flush-every", type=int, default=20)
    given = parser.parse_args(argv)
    late_s = given.latency / 1000
    print(f"answers {given.latency:g} ms late; median of {given.rounds} rounds")
    for connections in map(int, given.connections.split(",")):
        limit = connections / late_s
        messages = min(given.most, int(limit * given.seconds))
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            newsroom = build_newsroom(folder / "newsroom", messages)
            pattern = write_pattern(folder / "pattern", a_message(newsroom))
            mailing = Mailing(connections=connections, flush_every=given.flush_every)
            late: list[Run] = []
            prompt: list[Run] = []
            steps: list[Run] = []
            for _ in range(given.rounds):
                late.append(_sent(newsroom, mailing, late_s))
                prompt.append(_sent(newsroom, mailing, 0))
                if find_program("smtp-source") is not None:
                    steps.append(_in_steps(pattern, connections, messages // 5, late_s))
        _print(connections, messages, limit, _rate(late), _rate(prompt), steps)


def _sent(newsroom: Newsroom, mailing: Mailing, late_s: float) -> Run:
    with late_sink(late_s) as sink:
        room = copied(
            newsroom,
            newsroom.folder.with_name("copy"),
            Mailing(
                port=sink.port, connections=mailing.connections, flush_every=mailing.flush_every
            ),
        )
        try:
            return run_module("ours", room.folder, "--issue", room.issue)
        finally:
            shutil.rmtree(room.folder)


def _in_steps(pattern: Pattern, connections: int, messages: int, late_s: float) -> Run:
    with late_sink(late_s) as sink:
        return smtp_source(pattern, sink.port, messages, connections)


def _rate(runs: Sequence[Run]) -> float:
    return statistics.median(run.rate_per_s for run in runs)


def _print(
    connections: int, messages: int, limit: float, late: float, prompt: float, steps: Sequence[Run]
) -> None:
    print(
        f"{connections:4} connections, {messages:,} messages: {late:,.0f} msg/s, "
        f"{late / limit:.0%} of connections / latency ({limit:,.0f}); "
        f"without delay {prompt:,.0f} msg/s, so {late / min(limit, prompt):.0%} of what can be reached; "
        f"asked: at least {_ASKED:.0%}"
    )
    if steps:
        print(f"     smtp-source: {_rate(steps):,.0f} msg/s, {_rate(steps) / limit:.0%}")
