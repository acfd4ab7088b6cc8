"""A round: everything that is due now, in the order in which one thing leads to the next."""

from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from dateline.actions.build import BuildResult, build
from dateline.actions.clean_up import clean_up
from dateline.actions.compose import TickResult, tick
from dateline.actions.deliver import DeliverResult, deliver_once
from dateline.actions.poll import PollResult, poll_due
from dateline.press import Press
from posts.errors import DatelineError

log = structlog.get_logger()


@dataclass(slots=True, kw_only=True)
class Round:
    """What one round did; `errors` names the steps that failed, each with its message. One never stops the others."""

    polls: list[PollResult] = field(default_factory=list)
    built: BuildResult | None = None
    ticks: list[TickResult] = field(default_factory=list)
    delivered: DeliverResult | None = None
    errors: dict[str, str] = field(default_factory=dict)


def do_what_is_due(press: Press) -> Round:
    """Polls, publishes, composes and releases, builds, sends and cleans up once; for `run --once`."""
    done = Round()

    def step(name: str, action: Callable[[], None]) -> None:
        try:
            action()
        except DatelineError as error:
            log.error("step failed", step=name, what=str(error))
            done.errors[name] = str(error)
        except Exception as error:
            log.exception("step failed", step=name)
            done.errors[name] = f"a fault of the program ({type(error).__name__}), see the log"

    def poll_step() -> None:
        done.polls = poll_due(press)

    def tick_step() -> None:
        done.ticks = tick(press)

    def build_step() -> None:
        done.built = build(press)

    def deliver_step() -> None:
        done.delivered = deliver_once(press)

    step("poll", poll_step)
    step("tick", tick_step)
    step("build", build_step)
    step("deliver", deliver_step)
    step("clean up", lambda: _drop(clean_up(press)))
    return done


def _drop(_: object) -> None:
    return None
