"""Our sender as a process of its own: `python -m tests.benchmarks.ours FOLDER --issue N [--profile FILE]`.

It does what the delivery program does, from the first look at the database to the last commit, and tells its run.
Its imports are not timed: the delivery program is started with the daemon, not with a digest.
"""

import argparse
import cProfile
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import FrameType

from dateline.actions.deliver import deliver
from dateline.config import load_config
from dateline.logs import configure_logs
from dateline.press import Press, open_press
from newsletter.books import books
from posts.database import reading
from tests.benchmarks.processes import Run, SenderFailed, Stopwatch


def send_with_ledger(press: Press, issue: int) -> Run:
    """The whole delivery program; raises SenderFailed where its books do not say that everybody was sent to."""
    watch = Stopwatch()
    deliver(press, issue=issue)
    with reading(press.engine) as conn:
        kept = books(conn, issue)
    run = watch.run(kept.sent)
    if kept.sent != kept.recipients:
        raise SenderFailed(f"not all was sent: {kept}")
    return run


@contextmanager
def profiling(file: Path) -> Iterator[None]:
    """Profiles each thread for itself: the sending one into FILE.sending, the others into FILE.NAME."""
    others: list[tuple[str, cProfile.Profile]] = []

    def begin(_frame: FrameType, _event: str, _value: object) -> None:
        # called in a new thread; enabling puts the profile in the place of this function
        profile = cProfile.Profile()
        others.append((threading.current_thread().name, profile))
        profile.enable()

    threading.setprofile(begin)
    sending = cProfile.Profile()
    try:
        with sending:
            yield
    finally:
        threading.setprofile(None)
        sending.dump_stats(f"{file}.sending")
        for name, profile in others:
            profile.create_stats()
            profile.dump_stats(f"{file}.{name}")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="ours")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--issue", type=int, required=True)
    parser.add_argument("--profile", type=Path)
    parser.add_argument("--wait", action="store_true", help="for a line on standard input")
    given = parser.parse_args()
    configure_logs(level="warning")  # standard output is the run's
    press = open_press(load_config(given.folder / "config.toml", {}), given.folder)
    if given.wait:
        print("ready", flush=True)
        sys.stdin.readline()
    with profiling(given.profile) if given.profile is not None else nullcontext():
        run = send_with_ledger(press, given.issue)
    run.print()
    if given.wait:
        sys.stdin.readline()  # who looks on is to stop first


if __name__ == "__main__":
    main()
