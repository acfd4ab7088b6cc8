"""What the delivery program says of itself: its counts, its trouble, how its relays stand."""

from newsletter.progress import RelayReport, SenderReport
from newsletter.runs import Counts, State
from newsletter.transport.base import Transport
from newsletter.transport.relays import RelayChain, RelayStanding


def build_report(state: State, counts: Counts, transport: Transport) -> SenderReport:
    """The report of a run as it stands; its rate is measured by whoever writes it."""
    standings = transport.standings() if isinstance(transport, RelayChain) else []
    return SenderReport(
        sent=counts.sent,
        deferred=counts.deferred,
        failed=counts.failed,
        excluded=counts.excluded,
        in_doubt=counts.in_doubt,
        notices=counts.notices,
        trouble=state.trouble,
        relays=tuple(_relay(standing) for standing in standings),
    )


def _relay(standing: RelayStanding) -> RelayReport:
    if standing.trouble is not None:
        state = f"set aside: {standing.trouble}"
    else:
        state = "in use" if standing.is_used else "in reserve"
    found = standing.rate_per_s if standing.is_slowed else None
    return RelayReport(name=standing.name, state=state, rate_per_s=found)
