"""Where our sender's time goes: the sending thread and the ledger's thread, each for itself.

`profile_send` counts calls (cProfile): it slows small functions down more than big ones, so read the order, not the
shares. `profile_send --sample` looks at the untouched process 500 times a second (py-spy, from PyPI into a temporary
folder): shares are true, but time in C counts for the Python line that called it (without `--native`), and a thread
that waits may count too (without `--gil`).
"""

import argparse
import json
import pstats
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.newsroom import Mailing, build_newsroom, copied
from tests.benchmarks.processes import ROOT, Run, run_module
from tests.benchmarks.sinks import fast_sink

_PY_SPY = "py-spy==0.4.1"


def main(argv: list[str]) -> None:
    """`profile_send [--messages N] [--top N] [--sort tottime|cumulative] [--sample [--native] [--gil]]`."""
    parser = argparse.ArgumentParser(prog="profile_send")
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--connections", type=int, default=20)
    parser.add_argument("--flush-every", type=int, default=20)
    parser.add_argument("--top", type=int, default=35)
    parser.add_argument("--sort", choices=("tottime", "cumulative"), default="tottime")
    parser.add_argument("--sample", action="store_true", help="with py-spy instead of cProfile")
    parser.add_argument("--native", action="store_true", help="with --sample: C functions too")
    parser.add_argument(
        "--gil", action="store_true", help="with --sample: only who holds the interpreter's lock"
    )
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as name, fast_sink() as sink:
        place = Path(name)
        mailing = Mailing(
            port=sink.port, connections=given.connections, flush_every=given.flush_every
        )
        newsroom = build_newsroom(place / "first", given.messages)
        room = copied(newsroom, place / "copy", mailing)
        told = (room.folder, "--issue", room.issue)
        if given.sample:
            stacks = place / "stacks"
            flags = [f"--{name}" for name in ("native", "gil") if getattr(given, name)]
            run = _sampled(_sampler(place, stacks, flags), told)
            _show(run)
            _show_stacks(stacks, given.top)
        else:
            run = run_module("ours", *told, "--profile", place / "profile")
            _show(run)
            for file in sorted(place.glob("profile.*"), reverse=True):
                print(f"\n--- thread {file.suffix[1:]}")
                pstats.Stats(str(file)).strip_dirs().sort_stats(given.sort).print_stats(given.top)


def _show(run: Run) -> None:
    print(
        f"{run.messages:,} messages, {run.rate_per_s:,.0f} a second, {run.cpu_us:,.0f} us CPU each"
    )


def _sampler(place: Path, stacks: Path, flags: Sequence[str]) -> list[str]:
    """py-spy's command but for the process to look at, installed for this once."""
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--target", str(place / "py-spy"), _PY_SPY],
        check=True,
    )
    program = str(place / "py-spy" / "bin" / "py-spy")
    options = ["--rate", "500", "--format", "raw", "--output", str(stacks), "--threads"]
    return [program, "record", *options, *flags, "--pid"]


def _sampled(sampler: Sequence[str], told: Sequence[object]) -> Run:
    """The run of a sender that waits until somebody looks at it."""
    command = [sys.executable, "-m", "tests.benchmarks.ours", *map(str, told), "--wait"]
    with subprocess.Popen(
        command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as sender:
        assert sender.stdin is not None
        assert sender.stdout is not None
        assert sender.stdout.readline() == "ready\n"
        with subprocess.Popen([*sampler, str(sender.pid)], stdout=subprocess.DEVNULL) as looker:
            # py-spy says nothing that could be waited for before it looks; it needs a third of a second
            time.sleep(1.0)
            sender.stdin.write("go\n")
            sender.stdin.flush()
            line = sender.stdout.readline()
            looker.send_signal(signal.SIGINT)
            looker.wait(60)
    return Run(**json.loads(line))


def _show_stacks(stacks: Path, top: int) -> None:
    """py-spy's lines (`thread;frame;frame count`) as two tables a thread: where it is, and on the way to where."""
    own: dict[str, Counter[str]] = {}
    under: dict[str, Counter[str]] = {}
    for line in stacks.read_text().splitlines():
        frames, _, count = line.rpartition(" ")
        thread, *path = frames.split(";")
        own.setdefault(thread, Counter())[path[-1]] += int(count)
        for frame in set(path):
            under.setdefault(thread, Counter())[frame] += int(count)
    every = sum(count for counts in own.values() for count in counts.values())
    for thread, counts in own.items():
        busy = sum(counts.values())
        if busy < every / 100:
            continue
        print(f"\n--- {thread}: {busy / every:.0%} of all samples in which a thread was at work")
        print("   own  with its callees")
        for frame, seen in counts.most_common(top):
            print(f"{seen / busy:6.1%}  {under[thread][frame] / busy:6.1%}  {frame}")
