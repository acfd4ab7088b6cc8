"""`dateline/deliver_lock.py`: one sender at a time, the second is told who the first is, and death lets go."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dateline.deliver_lock import FILE_NAME, DeliverLock, is_held

_HOLDS = """
import sys, time
from pathlib import Path
from dateline.deliver_lock import DeliverLock
lock = DeliverLock(Path(sys.argv[1]))
assert lock.acquire("the daemon's delivery program")
print("held", flush=True)
time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path: Path) -> subprocess.Popen[bytes]:
    """Another process that holds the lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLDS, str(tmp_path)], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_the_second_is_refused_and_told_who_holds_it(
    tmp_path: Path, holder: subprocess.Popen[bytes]
) -> None:
    second = DeliverLock(tmp_path)
    assert not second.acquire("dateline deliver")
    assert second.holder() == f"the daemon's delivery program, process {holder.pid}"
    assert is_held(tmp_path)


def test_a_holder_killed_by_9_lets_go_at_once(
    tmp_path: Path, holder: subprocess.Popen[bytes]
) -> None:
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    assert not is_held(tmp_path)
    with DeliverLock(tmp_path) as lock:
        assert lock.acquire("dateline deliver")
        assert lock.holder() == f"dateline deliver, process {os.getpid()}"


def test_whoever_waits_gets_it_when_the_holder_ends(
    tmp_path: Path, holder: subprocess.Popen[bytes]
) -> None:
    killer = subprocess.Popen(
        [sys.executable, "-c", "import os, sys; os.kill(int(sys.argv[1]), 9)", str(holder.pid)]
    )
    lock = DeliverLock(tmp_path)
    assert lock.acquire("a daemon that starts", wait_s=20)
    killer.wait()
    lock.release()


def test_a_lock_that_was_let_go_names_nobody_and_can_be_taken_again(tmp_path: Path) -> None:
    lock = DeliverLock(tmp_path)
    assert not is_held(tmp_path)
    assert lock.acquire("one")
    lock.release()
    lock.release()
    assert (tmp_path / FILE_NAME).read_text() == ""
    assert lock.holder() == "another process"
    assert lock.acquire("two")
    lock.release()


def test_a_child_process_does_not_outlive_us_with_the_lock(tmp_path: Path) -> None:
    lock = DeliverLock(tmp_path)
    assert lock.acquire("one")
    child = subprocess.Popen(
        [sys.executable, "-c", "import sys; print('up', flush=True); sys.stdin.read()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        close_fds=False,
    )
    assert child.stdout is not None
    # the kernel lets go of what exec closes a moment after Popen has returned; the child's first word is later
    assert child.stdout.readline() == b"up\n"
    lock.release()
    try:
        assert not is_held(tmp_path)
    finally:
        assert child.stdin is not None
        child.stdin.close()
        child.stdout.close()
        child.wait()
