"""A press on disk and its processes, as the fault tests start, kill and read them."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from dateline.actions.books import Report, report
from dateline.actions.deliver import deliver
from dateline.config import load_config
from dateline.press import Patience, Press, open_press, utc_now
from newsletter.books import Books, books
from posts.database import open_engine, reading
from posts.tables import metadata
from tests.actions.mailing import Clock
from tests.faults.manners import KEPT_AND_UNANSWERED, Plan
from tests.newsletter.ledger_builders import issue_status

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
        return [(who, message_id, digest) for _, who, message_id, digest in self._words()]

    def times(self) -> list[float]:
        """When each message came, as the sink's clock says, in order."""
        return [float(at) for at, _, _, _ in self._words()]

    def order(self) -> list[str]:
        """Who got one, in order."""
        return [who for _, who, _, _ in self._words()]

    def _words(self) -> list[list[str]]:
        whole = self.log.read_text().rpartition("\n")[0]
        return [line.split(" ") for line in whole.split("\n") if line]

    def is_quiet(self, for_s: float) -> bool:
        """True when none has come for so long."""
        return time.time() - self.log.stat().st_mtime > for_s

    def misdeeds(self) -> Counter[str]:
        """What the relay did wrong, and how often."""
        return Counter(what for _, what in self._events())

    def refused_for_good(self) -> set[str]:
        """Who will never be taken."""
        return {who for who, what in self._events() if what == "refused for good"}

    def lost_replies(self) -> int:
        """How many texts were kept and never answered for."""
        return sum(self.misdeeds()[what] for what in KEPT_AND_UNANSWERED)

    def _events(self) -> list[tuple[str, str]]:
        path = self.log.with_suffix(".events")
        lines = path.read_text().splitlines() if path.exists() else []
        return [(who, what) for who, _, what in (line.partition(" ") for line in lines)]

    def count(self) -> int:
        """How many messages came."""
        return self.log.read_bytes().count(b"\n")

    def repeats(self) -> dict[str, int]:
        """Recipients who got more than one."""
        seen = Counter(recipient for recipient, _, _ in self.lines())
        return {recipient: amount for recipient, amount in seen.items() if amount > 1}


@contextmanager
def a_sink(
    folder: Path, *, delay_s: float = 0.0, plan: Plan | None = None
) -> Iterator[tuple[int, Received]]:
    """A recording sink in a process of its own, polite or as planned; gives its port and what it received."""
    log, port_file = folder / "received.log", folder / "port"
    command = [sys.executable, "-m", "tests.smtp_sink", str(log), "--port-file", str(port_file)]
    command += ["--delay", str(delay_s), *(["--plan", plan.text()] if plan else [])]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        wait_until(port_file.exists)
        yield int(port_file.read_text()), Received(log)
    finally:
        process.kill()
        process.wait()


def a_press(
    folder: Path,
    port: int,
    *,
    clock: Callable[[], datetime] = utc_now,
    patience: Patience | None = None,
    more: str = "",
    **settings: object,
) -> Press:
    """Config on disk (`more` follows the section `[mail]`), an empty database with all tables."""
    values = {"connections": 4, "flush_every": 10, "in_doubt": "resend", **settings}
    path = folder / "config.toml"
    path.write_text(CONFIG.format(port=port, **values) + more)
    press = open_press(load_config(path, {}), folder, clock=clock, patience=patience or Patience())
    migrate(press)
    return press


def migrate(press: Press) -> None:
    """The tables, by the migrations."""
    from dateline.actions.migrate import migrate_database

    migrate_database(press)
    assert set(metadata.tables) <= {*sa.inspect(press.engine).get_table_names()}


def delivery_program(press: Press) -> subprocess.Popen[bytes]:
    """The program as the daemon starts it; it ends when its standard input closes."""
    return _started(press, "dateline", "deliver", "--daemon", "--config")


def own_program(press: Press, *words: str) -> subprocess.Popen[bytes]:
    """The same with a clock and limits of the test's (tests/faults/program.py); `--daemon`: the daemon."""
    return _started(press, "tests.faults.program", *words)


def _started(press: Press, module: str, *words: str) -> subprocess.Popen[bytes]:
    config = str(press.folder / "config.toml")
    with (press.folder / "deliver.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", module, *words, config],
            stdin=subprocess.PIPE,
            stdout=log,
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


@contextmanager
def watched_books(press: Press, *issues: int) -> Iterator[list[Books]]:
    """Somebody who reads the books all the while, over a connection of his own: they balance at every reading."""
    engine = open_engine(press.engine.url.render_as_string(hide_password=False))
    ended, faults, seen = threading.Event(), list[BaseException](), list[Books]()

    def read() -> None:
        try:
            while not ended.wait(0.005):
                with reading(engine) as conn:
                    seen.extend(books(conn, issue) for issue in issues)
        except BaseException as error:
            faults.append(error)

    reader = threading.Thread(target=read, name="reader of the books")
    reader.start()
    try:
        yield seen
    finally:
        ended.set()
        reader.join()
        engine.dispose()
    assert not faults, faults
    assert len(seen) > 5
    uneven = [found for found in seen if not found.balance]
    assert not uneven, uneven[:3]


def assert_exact(
    press: Press,
    issue: int,
    received: Received,
    recipients: int,
    *,
    stopped_at_most: int = 0,
    kills: int = 0,
    lost: int = 0,
) -> Report:
    """By the sink's own record nobody is lost, and repeats are bounded, named in the report and the same bytes; the
    books balance and say what the sink says. Who was refused for good is failed.

    `stopped_at_most`: in doubt after each of the `kills`; `lost`: replies that the relay kept to itself.
    """
    found = report(press, issue)
    lines, repeats = received.lines(), received.repeats()
    got = {who for who, _, _ in lines}
    refused = received.refused_for_good()
    expected = {f"reader{n}@example.net" for n in range(1, recipients + 1)} - refused
    assert expected - got == set(), "lost"
    assert got == expected
    assert len(set(lines)) == len(got), "a repeat differs in its Message-ID or its bytes"
    assert len({message_id for _, message_id, _ in lines}) == len(got)
    assert set(repeats) <= {doubt.address for doubt in found.doubts}, "not named in the report"
    takeovers = Counter(doubt.at for doubt in found.doubts if doubt.why == "sender stopped")
    assert len(takeovers) <= kills
    assert max(takeovers.values(), default=0) <= stopped_at_most
    assert len(found.doubts) - takeovers.total() <= lost
    assert sum(amount - 1 for amount in repeats.values()) <= kills * stopped_at_most + lost
    assert found.books.balance, found.books
    assert (found.books.sent, found.books.failed) == (len(got), len(refused)), found.books
    assert issue_status(press.engine, issue) == "done"
    print(
        f"{recipients} recipients, {kills} kills, {len(found.doubts)} in doubt, at most "
        f"{max(takeovers.values(), default=0)} at once, {len(repeats)} twice; {dict(received.misdeeds())}"
    )
    return found


def deliver_to_the_end(press: Press, clock: Clock, issue: int) -> None:
    """`deliver` in this process, and ten minutes later again, until all have their verdict: no retry is waited for."""
    for _ in range(200):
        deliver(press)
        if issue_status(press.engine, issue) == "done":
            return
        clock.turn(minutes=10)
    raise AssertionError("it was never done")


def command(press: Press, *words: str) -> str:
    """A verb to its end; what it says."""
    config = ["--config", str(press.folder / "config.toml")]
    ended = subprocess.run(
        [sys.executable, "-m", "dateline", *words, *config],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout
