"""What a turn at the ledger has to say for the counterfoil (pure): suppressions before its commit, batches after it."""

from collections.abc import Collection, Iterable, Iterator, Sequence

from newsletter.counterfoil import Entry, What
from newsletter.ledger import Batch, Work
from newsletter.notices import Notice
from newsletter.retry import Verdict
from newsletter.suppression import hash_address
from newsletter.tokens import Keys


def suppressed_entries(
    works: Iterable[Work], notices: Iterable[tuple[Notice, Verdict]], keys: Keys
) -> list[Entry]:
    """Addresses that a relay called dead. One that was suppressed before is noted again, which does no harm."""
    return [
        Entry(what=What.SUPPRESSED, who=who, reason="dead")
        for who in _dead_hashes(works, notices, keys)
    ]


def _dead_hashes(
    works: Iterable[Work], notices: Iterable[tuple[Notice, Verdict]], keys: Keys
) -> Iterator[str]:
    for work in works:
        for result in work.results:
            if result.verdict.dead and result.delivery.address_hash:
                yield result.delivery.address_hash
    for notice, verdict in notices:
        if verdict.dead:
            yield hash_address(keys, notice.recipient)


def batch_entries(
    works: Sequence[Work], settled: Collection[int], leased: Batch | None
) -> list[Entry]:
    """Which batches were given back and which one was leased."""
    entries = [_entry(What.SETTLED, work.batch) for work in works if work.batch.id in settled]
    return entries if leased is None else [*entries, _entry(What.LEASED, leased)]


def _entry(what: What, batch: Batch) -> Entry:
    return Entry(what=what, issue=batch.issue, batch=batch.id, attempt=batch.attempt)
