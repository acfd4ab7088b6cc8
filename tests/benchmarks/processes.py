"""Senders as processes of their own, and what each came to: rate, CPU, memory."""

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of one sender: messages, the time they took, CPU time and most memory of the sending process, and what
    the sink needed for them."""

    messages: int
    took_s: float
    cpu_s: float
    peak_mib: float | None = None
    sink_cpu_s: float | None = None

    @property
    def rate_per_s(self) -> float:
        """Messages a second."""
        return self.messages / self.took_s

    @property
    def cpu_us(self) -> float:
        """CPU time a message."""
        return self.cpu_s / self.messages * 1e6

    @property
    def sink_cpu_us(self) -> float | None:
        """CPU time a message of the sink; None where nobody looked."""
        return None if self.sink_cpu_s is None else self.sink_cpu_s / self.messages * 1e6

    def print(self) -> None:
        """Says it to the process that waits for it, as the last line of standard output."""
        print(json.dumps(asdict(self)), flush=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Medians:
    """What several runs of one sender came to."""

    rate_per_s: float
    slowest: float
    fastest: float
    cpu_us: float
    peak_mib: float | None
    sink_cpu_us: float | None


def medians(runs: Sequence[Run]) -> Medians:
    """The median of the runs; of the memory, the most."""
    rates = [run.rate_per_s for run in runs]
    sinks = [run.sink_cpu_us for run in runs if run.sink_cpu_us is not None]
    peaks = [run.peak_mib for run in runs if run.peak_mib is not None]
    return Medians(
        rate_per_s=statistics.median(rates),
        slowest=min(rates),
        fastest=max(rates),
        cpu_us=statistics.median(run.cpu_us for run in runs),
        peak_mib=max(peaks, default=None),
        sink_cpu_us=statistics.median(sinks) if sinks else None,
    )


class SenderFailed(Exception):
    """A sender that did not do its work; the text says what it said."""


def run_module(module: str, *arguments: object) -> Run:
    """Runs `python -m tests.benchmarks.MODULE ARGUMENTS`, which tells its run itself."""
    return told_run([sys.executable, "-m", f"tests.benchmarks.{module}", *map(str, arguments)])


def told_run(command: Sequence[str], *, folder: Path = ROOT) -> Run:
    """The run that `command` says as the last line of its output; raises SenderFailed where it says none."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise SenderFailed(f"exit code {done.returncode}: " + "\n".join(said[-12:]))
    return Run(**json.loads(lines[-1]))


def timed_run(command: Sequence[str], messages: int) -> Run:
    """The run of a program that tells nothing of itself: the whole process, from start to end.

    Its memory is not told: getrusage gives a child that of its parent where that was more.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    took_s = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SenderFailed(f"exit code {done.returncode}: {done.stderr.strip()[-500:]}")
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(messages=messages, took_s=took_s, cpu_s=cpu_s)


def peak_mib(pid: int | None = None) -> float | None:
    """Most memory that a process ever had (VmHWM); None where the system does not tell."""
    try:
        lines = Path(f"/proc/{pid or os.getpid()}/status").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return None


class Stopwatch:
    """Measures the process that it is made in, from when it is made."""

    def __init__(self) -> None:
        self._began, self._cpu = time.perf_counter(), time.process_time()

    def run(self, messages: int) -> Run:
        """What it came to by now."""
        return Run(
            messages=messages,
            took_s=time.perf_counter() - self._began,
            cpu_s=time.process_time() - self._cpu,
            peak_mib=peak_mib(),
        )
