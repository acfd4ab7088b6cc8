"""The delivery program (or with `--daemon` the daemon) of a press whose clock and patience are the test's:
`python -m tests.faults.program CONFIG [--clock FILE] [--lease SECONDS] [--limit SECONDS] [--lock-wait SECONDS]`.

All else is what `dateline deliver --daemon` and `dateline run` do.
"""

import argparse
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dateline.config import load_config
from dateline.logs import configure_logs
from dateline.press import Patience, open_press
from newsletter.transport.smtp import Timeouts
from posts.errors import DatelineError


def stepped_clock(path: Path) -> Callable[[], datetime]:
    """The real time and the seconds that stand in a file, which a test writes over while the program runs."""
    handle = os.open(path, os.O_RDONLY)
    return lambda: datetime.now(UTC) + timedelta(seconds=float(os.pread(handle, 20, 0) or 0))


def impatience(limit_s: float, **others: object) -> Patience:
    """Every limit on a relay's answers is `limit_s`, and it is tried again soon."""
    limits = dict.fromkeys(Timeouts.__dataclass_fields__, limit_s)
    return Patience(timeouts=Timeouts(**limits), first_wait_s=0.1, **others)  # type: ignore[arg-type]  # fields of its own


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("config", type=Path)
    parser.add_argument("--clock", type=Path)
    parser.add_argument("--lease", type=float, default=60.0)
    parser.add_argument("--limit", type=float, default=60.0)
    parser.add_argument("--lock-wait", type=float, default=15.0)
    parser.add_argument("--daemon", action="store_true")
    given = parser.parse_args()
    configure_logs()
    press = open_press(
        load_config(given.config, os.environ),
        given.config.resolve().parent,
        **({"clock": stepped_clock(given.clock)} if given.clock else {}),
        patience=impatience(
            given.limit,
            lease=timedelta(seconds=given.lease),
            lock_wait_s=given.lock_wait,
        ),
    )
    try:
        if given.daemon:
            from dateline.daemon import run_daemon

            run_daemon(press, given.config)
        else:
            from dateline.actions.deliver import run_daemon as run_delivery

            run_delivery(press)
    except DatelineError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
