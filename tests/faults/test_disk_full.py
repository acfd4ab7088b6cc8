"""The database's disk is full in the middle of a send, and then has room again: sending stops, says so, and goes on by
itself (DESIGN.md 8.11, mail.md 4.4). A small tmpfs where we may mount one, else a limit on the size of files."""

import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.press import (
    a_press,
    a_sink,
    assert_exact,
    delivery_program,
    kill,
    wait_until,
    watched_books,
)
from tests.faults.test_kills import BOUND, CONNECTIONS, FLUSH_EVERY
from tests.newsletter.ledger_builders import a_released_issue, issue_status

pytestmark = pytest.mark.faults

RECIPIENTS = 600
NO_LIMIT = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


@contextmanager
def a_small_disk(folder: Path) -> Iterator[Path]:
    """A file system of a few megabytes; skips where we may not mount one."""
    place = folder / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(command, check=False).returncode:
        pytest.skip("only root may mount a tmpfs; the limit on files is tested everywhere")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@dataclass
class Filling:
    """What keeps the program from writing, and what lets it again."""

    fill: Callable[[int], None]
    free: Callable[[int], None]


def a_ballast(disk: Path) -> Filling:
    """A file that takes all the room there is."""
    ballast = disk / "ballast"

    def fill(pid: int) -> None:
        with ballast.open("wb", buffering=0) as file:
            for size in (65536, 4096, 1):
                try:
                    while True:
                        file.write(b"x" * size)
                except OSError:
                    continue

    return Filling(fill, lambda pid: ballast.unlink())


def a_limit() -> Filling:
    """No file of the program's may be written beyond its first pages: the log may, the database may not."""
    return Filling(
        lambda pid: resource.prlimit(pid, resource.RLIMIT_FSIZE, (8192, resource.RLIM_INFINITY)),
        lambda pid: resource.prlimit(pid, resource.RLIMIT_FSIZE, NO_LIMIT),
    )


def test_a_disk_that_is_full_stops_the_send_and_room_lets_it_go_on(tmp_path: Path) -> None:
    """The whole press lies there, its log too: that nothing can be told is no reason to end."""
    with a_small_disk(tmp_path) as disk:
        assert_it_stops_and_goes_on(tmp_path, disk, a_ballast(disk))


def test_a_limit_on_the_size_of_files_stops_the_send_and_its_end_lets_it_go_on(
    tmp_path: Path,
) -> None:
    told = assert_it_stops_and_goes_on(tmp_path, tmp_path, a_limit())
    assert "sending was held up" in told
    assert "the database failed" in told


def assert_it_stops_and_goes_on(folder: Path, home: Path, filling: Filling) -> str:
    """Sends, fills, waits until nothing more comes, makes room: all have it, once. Gives the program's log."""
    with a_sink(folder, delay_s=0.004) as (port, received):
        press = a_press(home, port, connections=CONNECTIONS, flush_every=FLUSH_EVERY)
        issue = a_released_issue(press.engine, RECIPIENTS, batch=100)
        with watched_books(press, issue):
            program = delivery_program(press)
            wait_until(lambda: received.count() >= 100)
            filling.fill(program.pid)
            count = received.count()
            wait_until(lambda: received.is_quiet(1.5))
            assert received.count() <= count + BOUND, "sent what could not be named before"
            assert received.count() < RECIPIENTS
            assert program.poll() is None, "it ended"
            filling.free(program.pid)
            wait_until(lambda: issue_status(press.engine, issue) == "done")
            kill(program)
        assert_exact(press, issue, received, RECIPIENTS)
        assert received.repeats() == {}
    return (home / "deliver.log").read_text()
