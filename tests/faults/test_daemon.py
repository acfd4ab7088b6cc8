"""`dateline run` as a whole process: killed, stopped, refused, late (DESIGN.md 8 and 9)."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dateline.actions.compose import tick
from dateline.actions.poll import poll
from dateline.config import load_config
from dateline.daemon import await_lock
from dateline.deliver_lock import DeliverLock
from dateline.press import Press, open_press
from newsletter.books import Books, books
from newsletter.frequencies import DueOutcome
from newsletter.issues import Issue, list_issues
from posts.database import reading
from posts.errors import Refused
from tests.faults.press import (
    ROOT,
    a_press,
    a_sink,
    assert_exact,
    kill,
    migrate,
    own_program,
    wait_until,
)
from tests.newsletter.ledger_builders import a_released_issue, issue_status

CONNECTIONS, FLUSH_EVERY = 4, 10
BOUND = 2 * CONNECTIONS + FLUSH_EVERY

NEWSROOM = """
[site]
title = "La Frontera"
url = "https://frontera.example/"
timezone = "UTC"

[web]
listen = "127.0.0.1:0"

[mail]
from = "press@news.example"

[[sources]]
kind = "folder"
location = "content"

[[newsletters]]
slug = "daily"
title = "Daily"
schedule = "{schedule}"
settle = 0
"""

pytestmark = pytest.mark.faults


@dataclass(frozen=True)
class Daemon:
    """A running `dateline run` and its log."""

    process: subprocess.Popen[bytes]
    log: Path

    def events(self, name: str) -> list[dict[str, object]]:
        """The lines of the log with this event."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line[:1] == "{"]
        return [line for line in lines if line["event"] == name]

    def await_event(self, name: str) -> dict[str, object]:
        """Waits for the first line with this event."""
        wait_until(lambda: bool(self.events(name)) or self.process.poll() is not None)
        assert self.events(name), self.log.read_text()
        return self.events(name)[0]

    def delivery_pid(self) -> int:
        """The process id of the delivery program under it."""
        pid = self.await_event("delivery program started")["pid"]
        assert isinstance(pid, int)
        return pid


def _command(folder: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "dateline", *words, "--config", str(folder / "config.toml")]


@contextmanager
def a_daemon(folder: Path, name: str = "daemon") -> Iterator[Daemon]:
    """`dateline run` in a process of its own, killed at the end where it still runs."""
    log = folder / f"{name}.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            _command(folder, "run"),
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            cwd=ROOT,
        )
    try:
        yield Daemon(process, log)
    finally:
        kill(process)


def run_to_its_end(folder: Path, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """A verb to its end."""
    return subprocess.run(
        _command(folder, *words),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **settings},
    )


def is_running(pid: int) -> bool:
    """True while the process lives; one that only waits to be reaped does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def a_sending_press(folder: Path, port: int, *, listen: str = "127.0.0.1:0") -> Press:
    """A press whose mail goes to the sink and whose pages are on a free port."""
    press = a_press(folder, port, connections=CONNECTIONS, flush_every=FLUSH_EVERY)
    with (folder / "config.toml").open("a") as config:
        config.write(f'\n[web]\nlisten = "{listen}"\n')
    return press


def a_newsroom(folder: Path, schedule: str, clock: Callable[[], datetime]) -> Press:
    """A press with a folder source and a newsletter that mails into a maildir."""
    path = folder / "config.toml"
    path.write_text(NEWSROOM.format(schedule=schedule))
    (folder / "content").mkdir()
    press = open_press(load_config(path, {}), folder, clock=clock)
    migrate(press)
    return press


def found_books(press: Press, issue: int) -> Books:
    """The books of an issue now."""
    with reading(press.engine) as conn:
        return books(conn, issue)


def a_free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def can_connect(port: int) -> bool:
    """True where somebody listens."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


# kill -9


def test_a_daemon_killed_while_it_sends_and_started_at_once_delivers_to_all(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    recipients = 5000 if request.config.getoption("--long") else 600
    with a_sink(tmp_path, delay_s=0.004) as (port, received):
        press = a_sending_press(tmp_path, port)
        issue = a_released_issue(press.engine, recipients, batch=100)
        with a_daemon(tmp_path, "first") as first:
            pid = first.delivery_pid()
            wait_until(lambda: received.count() >= recipients // 3)
            kill(first.process)
            with a_daemon(tmp_path, "second") as second:
                wait_until(lambda: not is_running(pid), patience_s=1.0)
                assert received.count() < recipients
                wait_until(lambda: found_books(press, issue).sent == recipients)
                wait_until(lambda: issue_status(press.engine, issue) == "done")
                assert second.delivery_pid() != pid
        assert_exact(press, issue, received, recipients, stopped_at_most=BOUND, kills=1)


def test_a_daemon_waits_for_the_lock_of_one_that_is_ending(tmp_path: Path) -> None:
    port = a_free_port()
    press = a_sending_press(tmp_path, 9, listen=f"127.0.0.1:{port}")
    with DeliverLock(press.var) as lock:
        assert lock.acquire("the sender of a daemon that was killed")
        with a_daemon(tmp_path) as daemon:
            wait_until(lambda: can_connect(port))  # it has the port, and asks for the lock next
            assert daemon.events("daemon started") == []
            assert daemon.process.poll() is None
            lock.release()
            daemon.await_event("daemon started")
            daemon.await_event("delivery began")


# stopping


def test_sigterm_ends_a_sending_daemon_with_everything_recorded(tmp_path: Path) -> None:
    with a_sink(tmp_path, delay_s=0.004) as (port, received):
        press = a_sending_press(tmp_path, port)
        issue = a_released_issue(press.engine, 3000)
        with a_daemon(tmp_path) as daemon:
            pid = daemon.delivery_pid()
            wait_until(lambda: received.count() >= 80)
            daemon.process.send_signal(signal.SIGTERM)
            assert daemon.process.wait(timeout=10) == 0
            assert not is_running(pid)
            daemon.await_event("daemon stopped")
        found = found_books(press, issue)
    assert found.balance
    assert (found.leased, found.in_doubt) == (0, 0)
    assert found.sent == received.count() < 3000


def test_a_daemon_that_only_waits_answers_and_ends_by_sigterm(tmp_path: Path) -> None:
    a_newsroom(tmp_path, "0 8 * * *", lambda: datetime.now(UTC))
    with a_daemon(tmp_path) as daemon:
        listens = daemon.await_event("daemon started")["listens"]
        with urllib.request.urlopen(f"http://{listens}/healthz", timeout=20) as answer:
            assert answer.status == 200
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.process.wait(timeout=10) == 0


# refusals


def test_a_taken_port_is_named_and_nothing_is_started(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        press = a_sending_press(tmp_path, 9, listen=f"127.0.0.1:{port}")
        ended = run_to_its_end(tmp_path, "run")
    assert ended.returncode == 1
    [line] = ended.stderr.splitlines()
    assert line.startswith(f"[web] listen: cannot listen on 127.0.0.1:{port}: ")
    assert "started" not in ended.stdout
    assert not (press.var / "deliver.lock").exists()


def test_a_daemon_that_meets_another_names_it(tmp_path: Path) -> None:
    press = a_sending_press(tmp_path, 9)
    with a_daemon(tmp_path) as daemon:
        pid = daemon.delivery_pid()
        daemon.await_event("delivery began")
        with pytest.raises(Refused) as refused:
            await_lock(press, wait_s=0)
    assert f"the daemon's delivery program, process {pid}" in str(refused.value)


def test_a_second_daemon_on_the_same_database_waits_a_little_then_names_the_first_and_ends(
    tmp_path: Path,
) -> None:
    with a_sink(tmp_path, delay_s=0.004) as (port, received):
        press = a_sending_press(tmp_path, port)
        issue = a_released_issue(press.engine, 1500)
        with a_daemon(tmp_path) as first:
            pid = first.delivery_pid()
            wait_until(lambda: received.count() >= 20)
            began = time.monotonic()
            second = own_program(press, "--daemon", "--lock-wait", "1")
            assert second.wait(timeout=30) == 1
            assert time.monotonic() - began >= 1
            assert first.process.poll() is None
            assert is_running(pid)
            wait_until(lambda: issue_status(press.engine, issue) == "done")
        assert_exact(press, issue, received, 1500)
    told = (tmp_path / "deliver.log").read_text()
    assert f"the daemon's delivery program, process {pid}" in told
    assert "daemon started" not in told


@pytest.mark.long  # it waits fifteen seconds for the first to end
def test_the_command_line_waits_as_long_as_is_promised(tmp_path: Path) -> None:
    a_sending_press(tmp_path, 9)
    with a_daemon(tmp_path) as daemon:
        pid = daemon.delivery_pid()
        daemon.await_event("delivery began")
        ended = run_to_its_end(tmp_path, "run")
        assert daemon.process.poll() is None
        assert is_running(pid)
    assert ended.returncode == 1
    assert f"the daemon's delivery program, process {pid}" in ended.stderr
    assert "daemon started" not in ended.stdout


def test_unknown_settings_are_all_told_and_nothing_is_started(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        '[site]\ntitel = "T"\nurl = "https://x.example/"\n\n'
        '[mail]\nfrom = "a@x.example"\nprot = 25\nconnections = "many"\n'
    )
    ended = run_to_its_end(tmp_path, "run", DATELINE_MAIL__HOTS="relay.example")
    assert ended.returncode == 2
    told = ended.stderr
    assert f"{config}:2: site.titel is not a setting. Did you mean site.title?" in told
    assert f"{config}:7: mail.prot is not a setting. Did you mean mail.port?" in told
    assert re.search(rf"{re.escape(str(config))}:8: mail\.connections .*many", told)
    assert "DATELINE_MAIL__HOTS" in told
    assert "DATELINE_MAIL__HOST" in told
    assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]


# what is due


@pytest.fixture
def now() -> datetime:
    """The time as it is: whole processes ask the real clock."""
    return datetime.now(UTC)


def test_run_once_does_all_that_is_due_and_ends(tmp_path: Path, now: datetime) -> None:
    press, issues = _late_newsroom(tmp_path, now, late=timedelta(hours=1))
    [issue] = issues
    assert issue.status == "done"
    assert len(list((tmp_path / "var/outbox/new").iterdir())) == 1
    assert (press.public / "feeds/all.atom").is_file()
    again = run_to_its_end(tmp_path, "run", "--once")
    assert again.returncode == 0
    assert "none is due" in again.stdout
    assert len(list((tmp_path / "var/outbox/new").iterdir())) == 1


def test_a_due_time_missed_by_more_than_max_lateness_makes_no_issue_of_its_own(
    tmp_path: Path, now: datetime
) -> None:
    _, issues = _late_newsroom(tmp_path, now, late=timedelta(hours=8))
    assert issues == []
    assert not list((tmp_path / "var/outbox").glob("new/*"))


def _late_newsroom(folder: Path, now: datetime, *, late: timedelta) -> tuple[Press, list[Issue]]:
    """A newsroom that was down at its due time, `late` ago, and then runs once; gives its issues."""
    due = now - late
    press = a_newsroom(folder, f"{due.minute} {due.hour} * * *", lambda: due - timedelta(hours=1))
    post = f"---\ntitle: The bridge\ndate: {due - timedelta(hours=2):%Y-%m-%dT%H:%M}Z\n---\nIt is closed.\n"
    (folder / "content/bridge.md").write_text(post)
    tick(press)
    poll(press)
    added = run_to_its_end(
        folder,
        "subscribers",
        "add",
        "ann@example.net",
        "--newsletter",
        "daily",
        "--consent",
        "test",
    )
    assert added.returncode == 0, added.stderr
    ended = run_to_its_end(folder, "run", "--once")
    assert ended.returncode == 0, ended.stderr
    outcome = DueOutcome.RELEASED if late < timedelta(hours=6) else DueOutcome.MERGED
    assert outcome.value in ended.stdout
    with reading(press.engine) as conn:
        return press, [*list_issues(conn)]
