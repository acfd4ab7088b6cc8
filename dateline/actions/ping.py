"""Pings: after a build, the hubs are told which documents have changed; they fetch them and pass them on (WebSub).

It reads what is live under `public/`, so it never runs ahead of a build, and its cursor is its own: what a crash, a
hung hub or a night without network kept from being told is told later. Nothing waits for it.
"""

import fcntl
import random
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog

from dateline.actions.poll import build_fetcher
from dateline.press import Press
from feeds.websub import (
    Answer,
    HubState,
    Verdict,
    after_answer,
    changed_topics,
    due_topics,
    forget_gone,
    publish_form,
    read_answer,
)
from feeds.websub_state import (
    WEBSUB_FILE,
    WebsubState,
    list_topics,
    read_websub_state,
    write_websub_state,
)
from posts.errors import SourceError
from posts.fetch import Fetcher, Limits, shown_url

LIMITS = Limits(size_bytes=4096, connect_s=5.0, read_s=10.0, total_s=15.0, redirects=3)
"""What one ping may cost."""
ROUND_S = 30.0
"""After so long a hub gets no further ping in this round; the rest is told in the next."""

_SAVE_EVERY_S = 1.0
_LOOK_ANYWAY_S = 20.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinged:
    """What one round did for one hub: topics told, refused, and those that it is still to be told of."""

    hub: str
    told: int
    refused: int
    waiting: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HubStatus:
    """How it stands with one hub: its last answer, and how many topics it is to be told of. `next_try`: when, where it
    has trouble; `given_up`: topics that it refused so often that it is not told again before they change."""

    hub: str
    answered: datetime | None
    said: str
    waiting: int
    failures: int
    next_try: datetime | None
    given_up: int


def ping_hubs(
    press: Press,
    *,
    fetcher: Fetcher | None = None,
    limits: Limits = LIMITS,
    chance: Callable[[], float] = random.random,
) -> list[Pinged]:
    """Tells every hub of the topics whose bytes it does not know; safe to repeat. Hubs are told beside each other.

    A hub that does not answer, has trouble or redirects to where it must not costs this round one ping and is left
    alone for a while; the others do not notice. Where another process pings for this host, nothing is done.
    """
    hubs = press.config.websub.hubs
    if not hubs:
        return []
    path = press.var / "built" / WEBSUB_FILE
    with _lock(path.with_suffix(".lock")) as is_mine:
        if not is_mine:
            return []
        before = read_websub_state(path)
        topics = list_topics(press.public, before.topics)
        live = {name: topic.etag for name, topic in topics.items()}
        states = {hub: forget_gone(before.hubs.get(hub, HubState()), live) for hub in hubs}
        rounds = [
            _Round(press, hub, states, live, fetcher or build_fetcher(press), limits, chance)
            for hub in hubs
            if due_topics(live, states[hub], press.clock())
        ]

        def save() -> None:
            state = WebsubState(hubs=dict(states), topics=topics)
            if state != before:
                write_websub_state(path, state)

        try:
            _run_beside_each_other(rounds, save)
        finally:
            save()
    return [
        Pinged(
            hub=one.hub,
            told=one.told,
            refused=one.refused,
            waiting=len(changed_topics(live, states[one.hub])),
        )
        for one in rounds
    ]


def ping_on_change(press: Press) -> Callable[[], list[Pinged] | None]:
    """For the clock: an action that looks whether anything is to be told when a file has come into the folder of feeds
    since it last did, and now and then anyway: a hub with trouble is waited for."""
    folder = press.public / "feeds"
    seen: int | None = None
    looked_at = float("-inf")

    def act() -> list[Pinged] | None:
        nonlocal seen, looked_at
        began = time.monotonic()
        try:
            changed = folder.stat().st_mtime_ns
        except FileNotFoundError:
            return None
        if changed == seen and began - looked_at < _LOOK_ANYWAY_S:
            return None
        pinged = ping_hubs(press)
        is_cut_short = any(one.told and one.waiting for one in pinged)  # by ROUND_S
        seen, looked_at = None if is_cut_short else changed, began
        return pinged

    return act


def hub_statuses(press: Press) -> list[HubStatus]:
    """How it stands with each hub that config names."""
    hubs = press.config.websub.hubs
    if not hubs:
        return []
    state = read_websub_state(press.var / "built" / WEBSUB_FILE)
    live = {path: one.etag for path, one in list_topics(press.public, state.topics).items()}
    return [_status(hub, state.hubs.get(hub, HubState()), live) for hub in hubs]


def _status(hub: str, state: HubState, live: Mapping[str, str]) -> HubStatus:
    changed = changed_topics(live, state)
    given_up = [
        path
        for path in changed
        if (one := state.refused.get(path)) is not None
        and one.etag == live[path]
        and one.next_try is None
    ]
    return HubStatus(
        hub=hub,
        answered=state.answered,
        said=state.said,
        waiting=len(changed) - len(given_up),
        failures=state.failures,
        next_try=state.next_try,
        given_up=len(given_up),
    )


class _Round:
    """One hub's pings in this round; `states[hub]` is replaced after each answer, so that it can be saved at any time."""

    def __init__(
        self,
        press: Press,
        hub: str,
        states: dict[str, HubState],
        live: Mapping[str, str],
        fetcher: Fetcher,
        limits: Limits,
        chance: Callable[[], float],
    ) -> None:
        self._press = press
        self.hub = hub
        self._states = states
        self._live = live
        self._fetcher = fetcher
        self._limits = limits
        self._chance = chance
        self.told = self.refused = 0

    def run(self) -> None:
        """Tells the hub until it knows all, has trouble, or the time is up."""
        press = self._press
        end = time.monotonic() + ROUND_S
        for path in due_topics(self._live, self._states[self.hub], press.clock()):
            answer = self._ping(press.config.web.url.rstrip("/") + path)
            state = after_answer(
                self._states[self.hub],
                path,
                self._live[path],
                answer,
                now=press.clock(),
                chance=self._chance(),
            )
            self._states[self.hub] = state
            self.told += answer.verdict is Verdict.ACCEPTED
            if answer.verdict is not Verdict.ACCEPTED:
                self._tell_trouble(path, answer, state)
            if state.next_try is not None or time.monotonic() > end:
                break
        if self.told:
            said = self._states[self.hub].said
            log.info("hub told", hub=shown_url(self.hub), topics=self.told, said=said)

    def _ping(self, topic: str) -> Answer:
        try:
            answer = self._fetcher.post_form(
                self.hub,
                publish_form(topic),
                allow_private=self._press.config.websub.allow_private,
                limits=self._limits,
            )
        except SourceError as error:
            return Answer(verdict=Verdict.TROUBLE, said=str(error))
        return read_answer(
            answer.status, answer.body, answer.headers.get("Retry-After"), self._press.clock()
        )

    def _tell_trouble(self, path: str, answer: Answer, state: HubState) -> None:
        self.refused += answer.verdict is Verdict.REFUSED
        log.warning(
            "hub refused a topic" if answer.verdict is Verdict.REFUSED else "hub not told",
            hub=shown_url(self.hub),
            topic=path,
            said=answer.said,
            failures=state.failures,
            next_try=state.next_try.isoformat() if state.next_try else None,
        )


def _run_beside_each_other(rounds: list[_Round], save: Callable[[], None]) -> None:
    """Runs all, each in its own thread, and saves now and then, so that a process that is ended repeats little."""
    if not rounds:
        return
    with ThreadPoolExecutor(len(rounds), "ping") as pool:
        running = {pool.submit(one.run) for one in rounds}
        while running:
            done, running = wait(running, timeout=_SAVE_EVERY_S, return_when=FIRST_COMPLETED)
            save()
            for one in done:
                one.result()


@contextmanager
def _lock(path: Path) -> Iterator[bool]:
    """Whether this process pings now: the others need not. The system lets go of a dead process's lock."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
