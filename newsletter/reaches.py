"""How the released issues of a newsletter met one reader: his state then, and where his edition began. Pure."""

from dataclasses import dataclass

from newsletter.facts import ReaderFacts
from newsletter.issues import REGULAR, Issue
from newsletter.subscriptions import SubscriptionChange, SubscriptionStatus

READERS = (SubscriptionStatus.ACTIVE, SubscriptionStatus.PAUSED)
"""The states in which somebody is a reader."""


@dataclass(frozen=True, slots=True)
class Reach:
    """A released regular issue of the reader's frequency, as it met him: his state then, and the number that his
    edition began behind (the issue's own for whoever was no reader then)."""

    issue: Issue
    state: SubscriptionChange | None
    start: int


def was_active(reader: ReaderFacts, issue: Issue) -> bool:
    """True when somebody was an active reader at the release of `issue`, regular or special."""
    order = {one.id: place for place, one in enumerate(reader.released)}
    before = [
        change
        for change in reader.changes
        if order.get(change.after_issue or 0, -1) < order[issue.id]
    ]
    return bool(before) and before[-1].status is SubscriptionStatus.ACTIVE


def list_reaches(reader: ReaderFacts) -> list[Reach]:
    """The released regular issues of the frequency that the reader had each time, in the order of the releases.

    A reader's state at a release is that of his last change made after an earlier release; he was out of step if that
    change wrote a position which no issue of his frequency had reached by then.
    """
    order = {issue.id: place for place, issue in enumerate(reader.released)}
    changes = list(reader.changes)
    state: SubscriptionChange | None = None
    position: int | None = None
    found: list[Reach] = []
    for place, issue in enumerate(reader.released):
        while changes and order.get(changes[0].after_issue or 0, -1) < place:
            state = changes.pop(0)
            position = state.position
        frequency = state.frequency if state else reader.subscription.frequency
        if issue.kind != REGULAR or issue.frequency != frequency:
            continue
        is_reader = state is not None and state.status in READERS
        start = issue.start or 0
        if is_reader and position is not None:
            start = position
        found.append(Reach(issue, state, start))
        if is_reader and position is not None and position <= (issue.end or 0):
            position = None
    return found
