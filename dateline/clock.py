"""The clock: which action when. APScheduler only ticks; every action asks the rows what is due (DESIGN.md 4)."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import perf_counter

import structlog
from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MAX_INSTANCES, JobExecutionEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from dateline.actions.audience import flush_audience
from dateline.actions.build import build_on_change
from dateline.actions.clean_up import clean_up
from dateline.actions.compose import ticking
from dateline.actions.ping import ping_on_change
from dateline.actions.poll import poll_due
from dateline.press import Press
from feeds.audience import Audience
from posts.errors import DatelineError

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One thing that the clock does: every so often, the first time right at the start."""

    name: str
    every: timedelta
    action: Callable[[], object]


def list_jobs(press: Press, audience: Audience | None = None) -> tuple[Job, ...]:
    """The daemon's jobs. Each may run at any moment, in any process, twice: the rows decide (DESIGN.md 9).

    `audience` is what this process's web server counts in.
    """
    return (
        Job(name="poll", every=timedelta(seconds=10), action=lambda: poll_due(press)),
        Job(name="build", every=timedelta(seconds=10), action=build_on_change(press)),
        Job(name="ping", every=timedelta(seconds=2), action=ping_on_change(press)),
        Job(name="tick", every=timedelta(seconds=5), action=ticking(press)),
        Job(name="clean up", every=timedelta(hours=1), action=lambda: clean_up(press)),
        flush_job(press, audience or Audience()),
    )


def flush_job(press: Press, audience: Audience) -> Job:
    """Writes down what the web server counted."""
    return Job(
        name="audience",
        every=timedelta(minutes=1),
        action=lambda: flush_audience(press, audience),
    )


def build_clock(jobs: Sequence[Job]) -> BackgroundScheduler:
    """A scheduler, not started, that runs each job by interval in UTC; a job that is slow is not run beside itself."""
    scheduler = BackgroundScheduler(
        timezone=UTC,
        executors={"default": ThreadPoolExecutor(max(1, len(jobs)))},
        # None: never skip because it is late; the rows know what is too late.
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
    )
    for job in jobs:
        scheduler.add_job(
            guarded(job),
            "interval",
            seconds=job.every.total_seconds(),
            id=job.name,
            name=job.name,
            next_run_time=datetime.now(UTC),
        )
    scheduler.add_listener(_on_job_error, EVENT_JOB_ERROR)
    scheduler.add_listener(_on_still_running, EVENT_JOB_MAX_INSTANCES)
    return scheduler


def stop_clock(scheduler: BackgroundScheduler, *, grace_s: float) -> bool:
    """Stops ticking and waits for the jobs that run; False where one still runs after `grace_s`."""
    waiter = threading.Thread(target=scheduler.shutdown, name="clock stop", daemon=True)
    waiter.start()
    waiter.join(grace_s)
    return not waiter.is_alive()


def guarded(job: Job) -> Callable[[], None]:
    """The job's action, whose errors are logged and end here: one failing action never stops the others."""

    def run() -> None:
        began = perf_counter()
        try:
            job.action()
        except DatelineError as error:
            log.error(
                "job failed", job=job.name, what=error.what, where=error.where, remedy=error.remedy
            )
        except Exception:
            log.exception("job failed", job=job.name)
        else:
            log.debug("job done", job=job.name, took_s=round(perf_counter() - began, 3))

    return run


def _on_job_error(event: JobExecutionEvent) -> None:
    log.error(
        "job failed outside its guard", job=event.job_id, error=type(event.exception).__name__
    )


def _on_still_running(event: JobExecutionEvent) -> None:
    log.debug("job still running", job=event.job_id)
