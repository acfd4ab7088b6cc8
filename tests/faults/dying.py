"""A verb that is killed at one point of its way past the counterfoil: `python -m tests.faults.dying POINT VERB...`.

POINT is `before-line` (the lock on the file is asked for), `before-commit` (the line is synced, the transaction is
not committed) or `torn` (the file takes 20 bytes more, then nothing).
"""

import fcntl
import os
import resource
import signal
import sys

import sqlalchemy as sa
from sqlalchemy import event

from dateline.cli.main import run_command


def die(*_: object) -> None:
    """kill -9 of this very process."""
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> int:
    """The command."""
    point, words = sys.argv[1], sys.argv[2:]
    passed: list[bool] = []

    def heard(name: str, arguments: tuple[object, ...]) -> None:
        # the lock on the counterfoil waits; that on var/deliver.lock does not
        if name != "fcntl.flock" or arguments[1] != fcntl.LOCK_EX:
            return
        if point == "before-line":
            die()
        if point == "torn" and not passed:
            size = os.fstat(arguments[0]).st_size  # type: ignore[arg-type]  # a file's number
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20, size + 20))
        passed.append(True)

    def commits(_connection: sa.Connection) -> None:
        if passed and point == "before-commit":
            die()

    sys.addaudithook(heard)
    event.listen(sa.Engine, "commit", commits)
    return run_command(words)


if __name__ == "__main__":
    sys.exit(main())
