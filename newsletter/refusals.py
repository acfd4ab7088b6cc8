"""The SQL of refusals: the deliveries of an issue that a relay refused, as a report groups them."""

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from newsletter.tables import deliveries

_PAGE = 5_000


@dataclass(frozen=True, slots=True)
class Refusal:
    """One delivery that was refused for good (failed) or for now (deferred), and the relay's answer."""

    number: int
    subscriber: int
    state: str
    code: int | None
    reply: str | None


def list_refusals(conn: sa.Connection, issue_id: int) -> Iterator[Refusal]:
    """The refusals of an issue by number, a page at a time: they may be a million."""
    last = 0
    columns = (deliveries.c[name] for name in Refusal.__slots__)
    query = sa.select(*columns).where(
        deliveries.c.issue == issue_id, deliveries.c.state.in_(("failed", "deferred"))
    )
    while True:
        page = conn.execute(
            query.where(deliveries.c.number > last).order_by(deliveries.c.number).limit(_PAGE)
        ).all()
        yield from (Refusal(*row) for row in page)
        if len(page) < _PAGE:
            return
        last = page[-1].number
