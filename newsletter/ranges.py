"""Reads a range of the journal as candidates for an issue. The rules are in `compose.py`."""

import sqlalchemy as sa

from newsletter import issues
from newsletter.compose import Candidate, life
from newsletter.counterfoil import post_hash
from newsletter.counterfoil_marks import list_covered
from posts import journal, store
from posts.model import ChangeKind

_ENTERS = (ChangeKind.PUBLISHED, ChangeKind.RESTORED)


def list_candidates(conn: sa.Connection, newsletter: str, after: int, upto: int) -> list[Candidate]:
    """The posts that were published or restored in `(after, upto]`, as they are now, with what decides on them."""
    changes = [change for change in journal.list_changes(conn, after) if change.kind in _ENTERS]
    inside = {change.post for change in changes if change.number <= upto}
    restored = {
        change.post
        for change in changes
        if change.kind is ChangeKind.RESTORED and change.post in inside
    }
    numbers: dict[int, int] = {}
    for change in changes:
        numbers.setdefault(change.post, change.number)
    sealed = issues.list_seals_holding(conn, newsletter, restored)
    found = store.list_by_ids(conn, sorted(inside))
    covered = list_covered(conn, newsletter)
    candidates = []
    for post_id, post in found.items():
        number, held = numbers[post_id], False
        if post_id in restored:
            lines = journal.list_post_changes(conn, post_id)
            number, held = life(lines, sealed.get(post_id, ()))
        candidates.append(
            Candidate(
                post=post,
                life=number,
                held=held,
                restored=post_id in restored,
                covered=bool(covered) and post_hash(post.guid) in covered,
            )
        )
    return candidates
