"""The audience, counted where feeds are served: how often, how many were 304s, who asks without validators.

No address, no hash of one and no User-Agent is kept, only what `feeds/user_agents.py` lets through. Until the next
`take()`, a minute, whole User-Agents are keys in memory, so that each is read once; hostile ones fill neither that nor
the database.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from feeds.spec import MEDIA_TYPES
from feeds.user_agents import BROWSER, KNOWN, NOBODY, OTHER, parse_user_agent

MAX_NAMES = 300
"""So many programs (name and version) have a name a day; further ones are `other`, known ones lose their version."""
MAX_TALLIES = 5_000
"""So many sums are kept between two `take()`; further programs are `other`, further feeds are not counted."""

MAX_DECLARED = 2_000
"""So many numbers of subscribers are kept between two `take()`."""

_LONGEST = 512
_DOCUMENT = re.compile(r"/feeds/([a-z0-9][a-z0-9-]*)\.(" + "|".join(MEDIA_TYPES) + ")")
_NAMELESS = frozenset((OTHER, NOBODY, BROWSER))
_ALWAYS_NAMED = frozenset((*KNOWN.values(), *_NAMELESS))


@dataclass(frozen=True, slots=True)
class TallyKey:
    """What requests are summed by."""

    feed: str
    program: str
    major: str


@dataclass(slots=True)
class Tally:
    """Requests of one program for one feed: all, those answered 304, those without validators."""

    requests: int = 0
    not_modified: int = 0
    unconditional: int = 0


@dataclass(frozen=True, slots=True)
class DeclaredKey:
    """Where a number of subscribers was declared: a service reads one document, perhaps under several ids of its own."""

    feed: str
    format: str
    service: str
    feed_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """What was noted since the last time."""

    tallies: Mapping[TallyKey, Tally]
    declared: Mapping[DeclaredKey, int]


class Audience:
    """Counts the requests for feeds; one a process, safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._names: set[tuple[str, str]] = set()
        self._day: date | None = None
        self._ignored = Tally()
        self._hot: dict[tuple[str, str], Tally] = {}
        self._tallies: dict[TallyKey, Tally] = {}
        self._declared: dict[DeclaredKey, int] = {}

    def note(self, path: str, status: int, user_agent: str, had_validators: bool) -> None:
        """Notes the answer to one GET. `user_agent` is the header as it came, empty where there was none;
        `had_validators`: the request had If-None-Match or If-Modified-Since. Archives, and what is no feed, do not
        count, nor do answers other than 200, 226 and 304."""
        with self._lock:
            # One look-up for a program that was here since the last take(): this runs for every request.
            tally = self._hot.get((path, user_agent)) or self._meet(path, user_agent)
            if status == 304:
                tally.not_modified += 1
            elif status != 200 and status != 226:
                return
            tally.requests += 1
            if not had_validators:
                tally.unconditional += 1

    def take(self, day: date) -> Noted:
        """All that was noted since the last call, to be written down for `day`; names are rationed by the day."""
        with self._lock:
            tallies, declared = self._tallies, self._declared
            self._hot, self._tallies, self._declared = {}, {}, {}
            if self._day not in (None, day):
                self._names = set()
            self._day = day
        counted = {key: tally for key, tally in tallies.items() if tally.requests}
        return Noted(tallies=counted, declared=declared)

    def give_back(self, noted: Noted) -> None:
        """Puts back what could not be written down; what was declared since then stands."""
        with self._lock:
            for key, tally in noted.tallies.items():
                mine = self._tallies.get(key)
                if mine is None and len(self._tallies) < 2 * MAX_TALLIES:
                    mine = self._tallies[key] = Tally()
                if mine is not None:
                    mine.requests += tally.requests
                    mine.not_modified += tally.not_modified
                    mine.unconditional += tally.unconditional
            self._declared = {**noted.declared, **self._declared}

    def _meet(self, path: str, user_agent: str) -> Tally:
        """The sums of a program that was not here yet, for one document."""
        document = _DOCUMENT.fullmatch(path)
        if document is None:
            tally = self._ignored
        elif (
            len(self._hot) >= MAX_TALLIES
        ):  # a flood of made-up names: reading each costs 20 times as much
            tally = self._tally(document[1], OTHER, "")
        else:
            agent = parse_user_agent(user_agent)
            program, major = self._named(agent.program, agent.major)
            tally = self._tally(document[1], program, major)
            if agent.subscribers is not None and program not in _NAMELESS:
                key = DeclaredKey(document[1], document[2], program, agent.feed_id)
                if key in self._declared or len(self._declared) < MAX_DECLARED:
                    self._declared[key] = agent.subscribers
        if len(self._hot) < MAX_TALLIES and len(user_agent) <= _LONGEST:
            self._hot[path, user_agent] = tally
        return tally

    def _tally(self, feed: str, program: str, major: str) -> Tally:
        for key in (TallyKey(feed, program, major), TallyKey(feed, OTHER, "")):
            tally = self._tallies.get(key)
            if tally is None and len(self._tallies) < MAX_TALLIES:
                tally = self._tallies[key] = Tally()
            if tally is not None:
                return tally
        return self._ignored

    def _named(self, program: str, major: str) -> tuple[str, str]:
        name = (program, major)
        if name in self._names:
            return name
        if len(self._names) < MAX_NAMES:
            self._names.add(name)
            return name
        return (program, "") if program in _ALWAYS_NAMED else (OTHER, "")
