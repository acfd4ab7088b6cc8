"""`dateline/clock.py`: jobs tick in UTC, and one that fails stops neither itself nor the others."""

import io
import json
import threading
from datetime import UTC, timedelta

import pytest

from dateline.clock import Job, build_clock, guarded, stop_clock
from dateline.logs import configure_logs
from posts.errors import SourceError


def _job(name: str, action: object, every_s: float = 0.02) -> Job:
    assert callable(action)
    return Job(name=name, every=timedelta(seconds=every_s), action=action)


def test_a_failing_job_is_logged_and_both_it_and_the_others_run_again() -> None:
    stream = io.StringIO()
    configure_logs(stream=stream)
    failed, ran = threading.Semaphore(0), threading.Semaphore(0)

    def fail() -> None:
        failed.release()
        raise ZeroDivisionError("by ann@example.org")

    clock = build_clock([_job("fails", fail), _job("runs", ran.release)])
    clock.start()
    assert all(failed.acquire(timeout=10) and ran.acquire(timeout=10) for _ in range(3))
    assert stop_clock(clock, grace_s=10)
    first = json.loads(stream.getvalue().splitlines()[0])
    assert first["event"] == "job failed"
    assert first["job"] == "fails"
    assert "ZeroDivisionError" in first["exception"]
    assert "ann" not in stream.getvalue()


def test_an_error_that_was_expected_is_logged_without_a_trace() -> None:
    stream = io.StringIO()
    configure_logs(stream=stream)

    def fail() -> None:
        raise SourceError("is not there", where="content", remedy="Mount it.")

    guarded(_job("poll", fail))()
    line = json.loads(stream.getvalue())
    assert (line["what"], line["where"], line["remedy"]) == ("is not there", "content", "Mount it.")
    assert "exception" not in line


def test_every_job_ticks_by_interval_in_utc_and_never_beside_itself() -> None:
    clock = build_clock([_job("poll", int, 10), _job("tick", int, 5)])
    clock.start(paused=True)
    jobs = clock.get_jobs()
    assert clock.timezone is UTC
    assert {(job.id, job.coalesce, job.max_instances, job.misfire_grace_time) for job in jobs} == {
        ("poll", True, 1, None),
        ("tick", True, 1, None),
    }
    clock.shutdown()


def test_a_stop_does_not_wait_for_ever_for_a_job() -> None:
    started, ends = threading.Event(), threading.Event()

    def hang() -> None:
        started.set()
        ends.wait(60)

    clock = build_clock([_job("hangs", hang, 60)])
    clock.start()
    assert started.wait(10)
    assert not stop_clock(clock, grace_s=0.05)
    ends.set()


@pytest.fixture(autouse=True)
def _quiet_logs() -> None:
    configure_logs(stream=io.StringIO())
