"""A press on disk and its processes, as the fault tests start, kill and read them."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from dateline.config import load_config
from dateline.press import Press, open_press
from posts.tables import metadata

ROOT = Path(__file__).parents[2]
PATIENCE_S = 120.0

CONFIG = """
[site]
title = "La Frontera"
url = "https://frontera.example/"

[mail]
from = "press@news.example"
transport = "smtp"
host = "127.0.0.1"
port = {port}
tls = "none"
connections = {connections}
flush_every = {flush_every}
in_doubt = "{in_doubt}"
"""


@dataclass(frozen=True)
class Received:
    """What a sink has logged: a line a message that got its final dot."""

    log: Path

    def lines(self) -> list[tuple[str, str, str]]:
        """Recipient, Message-ID, hash of the bytes."""
        whole = self.log.read_text().rpartition("\n")[0]
        return [(*line.split(" "),) for line in whole.split("\n") if line]  # type: ignore[misc]  # three words a line

    def count(self) -> int:
        """How many messages came."""
        return self.log.read_bytes().count(b"\n")

    def repeats(self) -> dict[str, int]:
        """Recipients who got more than one."""
        seen = Counter(recipient for recipient, _, _ in self.lines())
        return {recipient: amount for recipient, amount in seen.items() if amount > 1}


@contextmanager
def a_sink(folder: Path, *, delay_s: float = 0.0) -> Iterator[tuple[int, Received]]:
    """A recording sink in a process of its own; gives its port and what it received."""
    log, port_file = folder / "received.log", folder / "port"
    command = [sys.executable, "-m", "tests.smtp_sink", str(log), "--port-file", str(port_file)]
    process = subprocess.Popen([*command, "--delay", str(delay_s)], cwd=ROOT)
    try:
        wait_until(port_file.exists)
        yield int(port_file.read_text()), Received(log)
    finally:
        process.kill()
        process.wait()


def a_press(folder: Path, port: int, **settings: object) -> Press:
    """Config on disk, an empty database with all tables."""
    values = {"connections": 4, "flush_every": 10, "in_doubt": "resend", **settings}
    path = folder / "config.toml"
    path.write_text(CONFIG.format(port=port, **values))
    press = open_press(load_config(path, {}), folder)
    migrate(press)
    return press


def migrate(press: Press) -> None:
    """The tables, by the migrations."""
    from dateline.actions.migrate import migrate_database

    migrate_database(press)
    assert set(metadata.tables) <= {*sa.inspect(press.engine).get_table_names()}


def delivery_program(press: Press) -> subprocess.Popen[bytes]:
    """The program as the daemon starts it; it ends when its standard input closes."""
    config = str(press.folder / "config.toml")
    log = (press.folder / "deliver.log").open("ab")
    return subprocess.Popen(
        [sys.executable, "-m", "dateline", "deliver", "--daemon", "--config", config],
        stdin=subprocess.PIPE,
        stderr=log,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def by_hand(press: Press, *words: str) -> subprocess.CompletedProcess[str]:
    """`dateline deliver` to its end."""
    config = str(press.folder / "config.toml")
    return subprocess.run(
        [sys.executable, "-m", "dateline", "deliver", "--config", config, *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def kill(process: subprocess.Popen[bytes]) -> None:
    """kill -9, and waits until it is gone."""
    process.send_signal(signal.SIGKILL)
    process.wait()
    if process.stdin is not None:
        process.stdin.close()


def wait_until(holds: Callable[[], bool], *, patience_s: float = PATIENCE_S) -> None:
    """Returns as soon as it holds; fails when it does not."""
    deadline = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.002)
