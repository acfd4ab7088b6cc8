"""Messages made ahead of their turn, in threads: a signature takes longer than all the rest of a message.

Made is not sent: nothing of what stands here goes anywhere before a flush has named it (DESIGN.md 8.6). Signing lets
go of the interpreter's lock, so that two threads sign nearly twice as many messages as one (performance.md 7).
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from concurrent.futures import Executor, Future
from typing import NamedTuple

from newsletter.headers import HeaderError
from newsletter.ledger import Delivery

CHUNK = 8
"""So many messages are one errand of a thread: fewer cost a wake-up each, more let the wire wait for the first."""


class Made(NamedTuple):
    """The bytes of a message, and whether it is known that no line of it begins with a dot; or why there are none."""

    body: bytes
    dot_free: bool
    fault: HeaderError | None = None


class Ahead:
    """The messages ordered and made, by batch; all its calls come from the loop that sends. `ready` is called from a
    thread whenever some are done."""

    def __init__(
        self,
        build: Callable[[Delivery], tuple[bytes, bool]],
        threads: Executor,
        *,
        most: int,
        ready: Callable[[], object],
    ) -> None:
        self._build = build
        self._threads = threads
        self._most = most
        self._ready = ready
        self._ordered: dict[int, dict[Delivery, tuple[Future[list[Made]], int]]] = {}

    def order(self, batch: int, deliveries: Iterable[Delivery]) -> None:
        """Has those of a batch made that are not ordered yet, in this order, while there is room."""
        ordered = self._ordered.setdefault(batch, {})
        room = self._most - sum(len(others) for others in self._ordered.values())
        new = [delivery for delivery in deliveries if delivery not in ordered][: max(0, room)]
        for start in range(0, len(new), CHUNK):
            chunk = new[start : start + CHUNK]
            future = self._threads.submit(self._make, chunk)
            for place, delivery in enumerate(chunk):
                ordered[delivery] = (future, place)
            future.add_done_callback(self._told)

    def is_underway(self, batch: int, delivery: Delivery) -> bool:
        """True while a thread is at it: its message is worth waiting for."""
        found = self._ordered.get(batch, {}).get(delivery)
        return found is not None and not found[0].done()

    def take(self, batch: int, delivery: Delivery) -> Made:
        """Its message: the one made, or made now where it was not ordered."""
        found = self._ordered.get(batch, {}).pop(delivery, None)
        if found is None:
            return self._one(delivery)
        future, place = found
        return future.result()[place]

    def keep(self, batches: Container[int]) -> None:
        """Lets go of the messages of all other batches."""
        for batch in [batch for batch in self._ordered if batch not in batches]:
            del self._ordered[batch]

    def _told(self, _: Future[list[Made]]) -> None:
        self._ready()

    def _make(self, deliveries: list[Delivery]) -> list[Made]:
        return [self._one(delivery) for delivery in deliveries]

    def _one(self, delivery: Delivery) -> Made:
        try:
            return Made(*self._build(delivery))
        except HeaderError as error:
            return Made(b"", False, error)
