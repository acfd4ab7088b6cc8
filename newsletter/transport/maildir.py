"""The maildir transport: each message a file, made safe in `tmp` and moved to `new`; nobody is really mailed.

A file is named after its bytes, so that a message repeated out of doubt is the same file: here once is exactly once.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from newsletter.transport.base import Kind, Outcome, Parcel, Supply, Trouble

GROUP = 32
"""So many messages share one synchronisation of the folder."""

_WAIT_S = 5.0


class MaildirTransport:
    """Writes into the maildir at `folder`, which it makes. All calls come from one event loop; files from a thread."""

    def __init__(self, folder: Path, *, wait_s: float = _WAIT_S) -> None:
        self._folder = folder
        self._wait_s = wait_s
        self._loop = asyncio.get_running_loop()
        self._supply: Supply | None = None
        self._task: asyncio.Task[None] | None = None
        self._trouble: Trouble | None = None
        self._is_closing = False

    def start(self, supply: Supply) -> None:
        """Begins to take from `supply` whenever woken."""
        self._supply = supply

    @property
    def trouble(self) -> Trouble | None:
        """Why files cannot be written; None again once it is time to try."""
        if self._trouble is not None and self._trouble.until <= self._loop.time():
            return None
        return self._trouble

    @property
    def rate_per_s(self) -> None:
        """As many as it can."""
        return None

    @property
    def gates(self) -> None:
        """Nothing bounds it."""
        return None

    def wake(self) -> None:
        """There may be something to take."""
        busy = self._task is not None and not self._task.done()
        if busy or self._is_closing or self._supply is None or self.trouble is not None:
            return
        if self._supply.has_parcels:
            self._task = self._loop.create_task(self._work(self._supply))

    async def close(self, grace_s: float) -> None:
        """Takes nothing more and waits for the group in hand: a file is written or it is not."""
        self._is_closing = True
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _work(self, supply: Supply) -> None:
        while not self._is_closing and self.trouble is None:
            group: list[Parcel] = []
            while len(group) < GROUP and (parcel := supply.take()) is not None:
                group.append(parcel)
            if not group:
                return
            # the flush may have lost some of them while the group before was written
            allowed = [supply.may_finish(parcel) for parcel in group]
            bodies = [p.body for p, may in zip(group, allowed, strict=True) if may]
            written = iter(await asyncio.to_thread(write_messages, self._folder, bodies))
            for parcel, may in zip(group, allowed, strict=True):
                outcome = next(written) if may else _revoked()
                if outcome.kind is not Kind.ACCEPTED and may:
                    until = self._loop.time() + self._wait_s
                    self._trouble = Trouble(what=outcome.text, until=until)
                    self._loop.call_later(self._wait_s + 0.01, self.wake)
                supply.done(parcel, outcome)


def _revoked() -> Outcome:
    return Outcome(kind=Kind.WEATHER, text="no longer ours to send")


def write_messages(folder: Path, bodies: Sequence[bytes]) -> list[Outcome]:
    """Writes messages into a maildir and says of each what came of it; a full disk is weather.

    One that was moved to `new` and could not be made safe there is in doubt.
    """
    outcomes: list[Outcome] = []
    moved: list[int] = []
    for body in bodies:
        try:
            _write_one(folder, body)
        except OSError as error:
            outcomes.append(Outcome(kind=Kind.WEATHER, text=_text(error)))
            continue
        moved.append(len(outcomes))
        outcomes.append(Outcome(kind=Kind.ACCEPTED, code=250, text="written"))
    if moved:
        try:
            _sync(folder / "new")
        except OSError as error:
            for place in moved:
                outcomes[place] = Outcome(kind=Kind.UNKNOWN, text=_text(error))
    return outcomes


def _write_one(folder: Path, body: bytes) -> None:
    name = hashlib.sha256(body).hexdigest()[:32] + ".dateline"
    if not (folder / "new").is_dir():
        for part in ("tmp", "new", "cur"):
            (folder / part).mkdir(parents=True, exist_ok=True)
    draft = folder / "tmp" / f"{name}.{os.getpid()}"
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(folder / "new" / name)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _text(error: OSError) -> str:
    return f"the maildir cannot be written: {error.strerror or error}"
