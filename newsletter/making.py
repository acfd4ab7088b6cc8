"""From a named job to the parcel that a transport takes: made when it is taken, or ahead of that where it is slow."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor

from newsletter.ahead import Ahead
from newsletter.headers import envelope_address
from newsletter.on_hand import Job, OnHand
from newsletter.sealed import Messages
from newsletter.transport.base import Parcel


class Maker:
    """Makes parcels for one sender address. `most`: how many messages may be made ahead, by the threads of `begin`."""

    def __init__(self, messages: Messages, hand: OnHand, *, sender: str, most: int) -> None:
        self._messages = messages
        self._hand = hand
        self._sender = sender
        self._most = most
        self._ahead: Ahead | None = None

    def begin(self, threads: Executor, ready: Callable[[], object]) -> None:
        """From now on messages are made ahead, where that is worth it; `ready` is called when some are."""
        if self._messages.helpers:
            self._ahead = Ahead(self._messages.build, threads, most=self._most, ready=ready)

    def parcel(self, job: Job) -> Parcel:
        """What goes on the wire; raises HeaderError for an address that cannot stand in an envelope or a header."""
        dot_free = False
        if job.delivery is not None and job.held is not None:
            recipient = envelope_address(job.delivery.address)
            if self._ahead is None:
                body, dot_free = self._messages.build(job.delivery)
            else:
                body, dot_free, fault = self._ahead.take(job.held.batch.id, job.delivery)
                if fault is not None:
                    raise fault
        else:
            assert job.notice is not None
            recipient, body = envelope_address(job.notice.recipient), job.notice.body
        return Parcel(
            sender=self._sender, recipient=recipient, body=body, key=job, dot_free=dot_free
        )

    def is_at(self, job: Job) -> bool:
        """True while a thread makes it: worth waiting for."""
        if self._ahead is None or job.delivery is None or job.held is None:
            return False
        return self._ahead.is_underway(job.held.batch.id, job.delivery)

    def order(self) -> None:
        """Has those made that come next: the named ones, then the first of each batch in hand."""
        if self._ahead is None:
            return
        going = {number: held for number, held in self._hand.held.items() if not held.is_over}
        self._ahead.keep(going)
        for job in self._hand.reserve:
            if job.delivery is not None and job.held is not None:
                self._ahead.order(job.held.batch.id, [job.delivery])
        for number, held in going.items():
            self._ahead.order(number, self._hand.upcoming(held, self._most // 2))
