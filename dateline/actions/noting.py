"""The delivery program's part of the counterfoil: what a turn at the ledger leases, settles and suppresses is noted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
import structlog

from newsletter.counterfoil import Entry, What
from newsletter.flusher import Answer, Flusher, Request
from newsletter.suppression import hash_address
from posts.errors import StoreError

log = structlog.get_logger()


@dataclass(slots=True, kw_only=True)
class NotingFlusher(Flusher):
    """A flusher whose turns are noted: suppressions before the commit, batches behind it and before any mail.

    `note_before` is called when only the commit is left, `note_after` when it is done; either may raise OSError or StoreError.
    """

    note_before: Callable[[sa.Connection, Sequence[Entry]], None]
    note_after: Callable[[Sequence[Entry]], None]

    def turn(self, request: Request) -> Answer:
        """A turn. A lease that cannot be noted is let go of: nothing of it goes out, and it lapses."""
        answer = Flusher.turn(self, request)
        entries = [
            _settled(work.batch.issue, work.batch.id, work.batch.attempt)
            for work in request.works
            if work.batch.id in answer.settled
        ]
        if answer.leased is not None:
            batch = answer.leased
            entries.append(
                Entry(what=What.LEASED, issue=batch.issue, batch=batch.id, attempt=batch.attempt)
            )
        try:
            self.note_after(entries)
        except (OSError, StoreError) as error:
            answer.broken = f"the counterfoil cannot be written: {error}"
            answer.leased, answer.deliveries = None, []
        return answer

    def _write(self, conn: sa.Connection, request: Request, answer: Answer) -> None:
        Flusher._write(self, conn, request, answer)
        try:
            self.note_before(conn, self._suppressed(request))
        except StoreError as error:
            raise OSError(str(error)) from error  # a turn that failed: all of it is tried again

    def _suppressed(self, request: Request) -> list[Entry]:
        """Addresses that the relay called dead. One that was suppressed before is noted again, which does no harm."""
        dead = [
            result.delivery.address_hash
            for work in request.works
            for result in work.results
            if result.verdict.dead and result.delivery.address_hash
        ]
        dead += [
            hash_address(self.keys, result.notice.recipient)
            for result in request.notice_results
            if result.verdict.dead
        ]
        return [Entry(what=What.SUPPRESSED, who=who, reason="dead") for who in dead]


def _settled(issue: int, batch: int, attempt: int) -> Entry:
    return Entry(what=What.SETTLED, issue=issue, batch=batch, attempt=attempt)
