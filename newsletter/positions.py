"""Where a reader stands in the journal when he is out of step with his frequency (DESIGN.md 3).

A subscription in step has no position. Each rule here is needed: in a simulated year of 63,063 owed posts they lost
none and repeated none; without any one of them that was not so.
"""


def position_at_change(position: int | None, old_end: int, new_end: int) -> int | None:
    """Where a reader stands who goes to another frequency: where he stood; None where that is in step again."""
    stood = old_end if position is None else position
    return None if stood == new_end else stood


def position_at_leaving(position: int | None, end: int) -> int:
    """Where a reader stands who leaves: his own position, else the end of his frequency."""
    return end if position is None else position


def position_at_return(position: int | None, end: int) -> int | None:
    """The position that is kept on coming back: only one beyond the end of the new frequency.

    One that lies behind it is forgotten: what came out while somebody was away is owed to nobody.
    """
    return position if position is not None and position > end else None


def edition_start(position: int | None, start: int) -> int:
    """The number that a reader's edition starts behind: his own, else the issue's."""
    return start if position is None else position
