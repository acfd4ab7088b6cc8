"""WebSub, as far as it decides: which addresses are told to which hub now, and what an answer means. Pure.

A publisher tells its hubs that a topic has changed; each fetches the topic and passes the bytes on. How they are told
is left to the two of them (W3C WebSub 6); every hub takes `hub.mode=publish` (PubSubHubbub 0.3, 7.1).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated

from pydantic import Field

from posts.settings import Settings

FIRST_WAIT = timedelta(seconds=30)
"""So long a hub is left alone after its first failure; twice as long after each further one in a row."""
LONGEST_WAIT = timedelta(hours=1)
LONGEST_ASKED_WAIT = timedelta(days=1)
"""What a hub asks for (Retry-After) counts up to this."""
REFUSED_WAITS = (timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1))
"""How long to wait before a hub is told again of a topic that it refused; then not before the topic changes."""
REFUSED_IN_A_ROW = 3
"""So many refusals without an acceptance are the hub's trouble, or a wrong address for a hub, and no topic's."""

_ACCEPTED_TOO = frozenset((303,))
_WEATHER = frozenset((408, 421, 425, 429))


class WebsubSettings(Settings):
    """`[websub]`: the hubs that pass on at once what is new."""

    hubs: Annotated[
        tuple[str, ...],
        Field(
            max_length=8,
            description="Addresses of hubs: each document names them, and they are told of every change.",
        ),
    ] = ()
    allow_private: Annotated[
        bool, Field(description="The hubs may be at private addresses, one's own hub for instance.")
    ] = False


class Verdict(StrEnum):
    """What an answer to a ping means: the topic is told, the topic is not wanted, or the hub has trouble."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    TROUBLE = "trouble"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of one ping. `said`: in words, for people; `retry_after`: how long the hub asks us to wait."""

    verdict: Verdict
    said: str
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A topic that a hub refused, as it was then. `next_try` None: not again before it changes."""

    etag: str
    times: int
    next_try: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HubState:
    """What is remembered of one hub: its cursor (`announced`: topic path to the ETag it was last told of), its
    refusals, how often in a row it had trouble and until when it is left alone, and its last answer."""

    announced: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    refused: Mapping[str, Refused] = field(default_factory=lambda: MappingProxyType({}))
    failures: int = 0
    next_try: datetime | None = None
    refused_in_a_row: int = 0
    answered: datetime | None = None
    said: str = ""


def changed_topics(live: Mapping[str, str], hub: HubState) -> list[str]:
    """The paths of which the hub does not know the newest bytes, the main feed first; refused ones are among them."""
    changed = [path for path, etag in live.items() if hub.announced.get(path) != etag]
    return sorted(changed, key=lambda path: (not path.startswith("/feeds/all."), path))


def due_topics(live: Mapping[str, str], hub: HubState, now: datetime) -> list[str]:
    """Those of them that the hub is told now: none while it is left alone, no refused one before its time."""
    if hub.next_try is not None and now < hub.next_try:
        return []
    return [path for path in changed_topics(live, hub) if _is_due(live[path], hub, path, now)]


def _is_due(etag: str, hub: HubState, path: str, now: datetime) -> bool:
    refused = hub.refused.get(path)
    if refused is None or refused.etag != etag:
        return True
    return refused.next_try is not None and refused.next_try <= now


def forget_gone(hub: HubState, live: Mapping[str, str]) -> HubState:
    """The same without topics that are no more."""
    if hub.announced.keys() <= live.keys() and hub.refused.keys() <= live.keys():
        return hub
    return replace(
        hub,
        announced={path: etag for path, etag in hub.announced.items() if path in live},
        refused={path: one for path, one in hub.refused.items() if path in live},
    )


def publish_form(topic: str) -> Sequence[tuple[str, str]]:
    """The form that tells a hub of a topic. Most hubs look for `hub.url`, some for `hub.topic`; both ignore the other."""
    return (("hub.mode", "publish"), ("hub.url", topic), ("hub.topic", topic))


def read_answer(status: int, body: bytes, retry_after: str | None, now: datetime) -> Answer:
    """What a hub's answer means. 2xx: it knows (W3C names none, hubs send 202 or 204). 303 too: the form was taken.

    Other 4xx refuse this topic; 5xx, redirects that lead nowhere and requests to come later are the hub's trouble.
    """
    words = " ".join(re.sub(r"[^\x20-\x7e]+", " ", body[:400].decode("utf-8", "replace")).split())
    said = f"{status} {words}"[:200].strip()
    if 200 <= status < 300 or status in _ACCEPTED_TOO:
        return Answer(verdict=Verdict.ACCEPTED, said=str(status))
    if 400 <= status < 500 and status not in _WEATHER:
        return Answer(verdict=Verdict.REFUSED, said=said)
    return Answer(
        verdict=Verdict.TROUBLE, said=said, retry_after=asked_wait(retry_after or "", now)
    )


def asked_wait(retry_after: str, now: datetime) -> timedelta | None:
    """What Retry-After asks for (RFC 9110 10.2.3: seconds or a date), None where it asks for nothing sensible."""
    text = retry_after.strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return min(timedelta(seconds=int(text)), LONGEST_ASKED_WAIT)
    try:
        moment = parsedate_to_datetime(text)
        wait = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return min(wait, LONGEST_ASKED_WAIT) if wait > timedelta(0) else None


def after_answer(
    hub: HubState, path: str, etag: str, answer: Answer, *, now: datetime, chance: float
) -> HubState:
    """The hub's state after one ping. `chance` in [0, 1) spreads waits over half their length, so that a hub that
    comes back is not asked by everybody in the same second."""
    hub = replace(hub, answered=now, said=answer.said, next_try=None)
    if answer.verdict is Verdict.ACCEPTED:
        return replace(
            hub,
            announced={**hub.announced, path: etag},
            refused={key: one for key, one in hub.refused.items() if key != path},
            failures=0,
            refused_in_a_row=0,
        )
    if answer.verdict is Verdict.REFUSED:
        hub = replace(
            hub,
            refused={**hub.refused, path: _refused_again(hub, path, etag, now=now, chance=chance)},
            refused_in_a_row=hub.refused_in_a_row + 1,
        )
        if hub.refused_in_a_row % REFUSED_IN_A_ROW:
            return hub
    failures = hub.failures + 1
    wait = min(FIRST_WAIT * 2 ** min(failures - 1, 20), LONGEST_WAIT)
    wait = max(_spread(wait, chance), answer.retry_after or timedelta(0))
    return replace(hub, failures=failures, next_try=now + wait)


def _refused_again(hub: HubState, path: str, etag: str, *, now: datetime, chance: float) -> Refused:
    before = hub.refused.get(path)
    times = before.times if before is not None and before.etag == etag else 0
    again = now + _spread(REFUSED_WAITS[times], chance) if times < len(REFUSED_WAITS) else None
    return Refused(etag=etag, times=times + 1, next_try=again)


def _spread(wait: timedelta, chance: float) -> timedelta:
    return wait * (0.5 + chance / 2)
