"""`dateline/workers.py`: the delivery program is restarted when it dies and gone when the daemon is."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from dateline.workers import DeliveryProgram

_WAITS = "import sys; sys.stdin.read()"
_WRITES_AND_DIES = "import sys; open(sys.argv[1], 'a').write('x'); sys.exit(3)"
_ENDS_IN_GOOD_ORDER = """
import select, signal, sys
log = open(sys.argv[1], "w")
asked = []
signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
log.write("up"); log.flush()
signal.sigtimedwait([signal.SIGTERM], 30)
log.write(", asked")
closed = bool(select.select([sys.stdin], [], [], 0.3)[0])
log.write(", input closed" if closed else ", input open")
log.close()
"""
_HEARS_ITS_INPUT_ONLY = "import signal, sys; signal.signal(15, signal.SIG_IGN); sys.stdin.read()"
_DEAF = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"


def _becomes(condition: Callable[[], bool], within_s: float = 10.0) -> bool:
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _ignores_sigterm(pid: int | None) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("SigIgn:")]
    return bool(int(line.split()[1], 16) & 1 << (signal.SIGTERM - 1))


def _runs(pid: int) -> bool:
    try:
        with Path(f"/proc/{pid}/stat").open() as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_program_that_dies_is_started_again_and_again(tmp_path: Path) -> None:
    log = tmp_path / "starts"
    program = DeliveryProgram(
        [sys.executable, "-c", _WRITES_AND_DIES, str(log)], first_pause_s=0.01
    )
    program.start()
    assert _becomes(lambda: log.exists() and len(log.read_text()) >= 3)
    program.stop(grace_s=5)
    kept = log.read_text()
    assert program.pid is None
    assert log.read_text() == kept


def test_the_pauses_grow_so_that_a_broken_program_is_no_storm(tmp_path: Path) -> None:
    log = tmp_path / "starts"
    program = DeliveryProgram(
        [sys.executable, "-c", _WRITES_AND_DIES, str(log)], first_pause_s=30.0
    )
    program.start()
    assert _becomes(log.exists)
    assert _becomes(lambda: program.pid is None)
    program.stop(grace_s=5)
    assert log.read_text() == "x"


def test_a_stop_is_a_signal_and_standard_input_stays_open_for_as_long_as_the_program_needs(
    tmp_path: Path,
) -> None:
    # closed input means that the daemon has died, and then there is no time to end in good order
    log = tmp_path / "log"
    program = DeliveryProgram([sys.executable, "-c", _ENDS_IN_GOOD_ORDER, str(log)])
    program.start()
    assert _becomes(log.exists)
    assert program.stop(grace_s=20) == 0
    assert log.read_text() == "up, asked, input open"


def test_a_program_that_hears_no_signal_ends_when_its_input_closes() -> None:
    program = DeliveryProgram([sys.executable, "-c", _HEARS_ITS_INPUT_ONLY])
    program.start()
    assert _becomes(lambda: program.pid is not None)
    pid = program.pid
    assert _becomes(lambda: _ignores_sigterm(pid))
    assert program.stop(grace_s=0.1) == 0


def test_a_program_that_will_not_end_is_killed() -> None:
    program = DeliveryProgram([sys.executable, "-c", _DEAF])
    program.start()
    assert _becomes(lambda: program.pid is not None)
    code = program.stop(grace_s=0.1)
    assert code in (
        -signal.SIGTERM,
        -signal.SIGKILL,
    )  # TERM, where it came before the program was deaf
    assert program.pid is None


def test_the_program_of_a_daemon_killed_by_9_is_gone_within_a_second() -> None:
    daemon = (
        "import sys, time; from dateline.workers import DeliveryProgram\n"
        f"program = DeliveryProgram([sys.executable, '-c', {_WAITS!r}]); program.start()\n"
        "while program.pid is None: time.sleep(0.01)\n"
        "print(program.pid, flush=True); time.sleep(600)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", daemon], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    lines = iter(process.stdout.readline, b"")
    pid = int(next(line for line in lines if line.strip().isdigit()))
    assert _runs(pid)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)
    process.stdout.close()
    assert _becomes(lambda: not _runs(pid), within_s=1.0)
