"""What became of an issue, and the two ways to set right what did not go: send again, and settle doubts."""

from collections.abc import Collection
from dataclasses import dataclass

from dateline.press import Press
from newsletter import books as store
from newsletter.books import Books, Doubt, Line
from newsletter.resealing import list_reseals
from posts.database import reading, writing
from posts.errors import NotFound


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorGroup:
    """Refusals of one kind: how often, one as an example, and what to do about them."""

    code: str
    state: str
    amount: int
    example: str
    advice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The books of an issue, its refusals by code, and every delivery that was ever in doubt. `sealed_anew`: each time
    that a post was withdrawn from it, the seal before, the number of the journal, the seal after."""

    issue: int
    books: Books
    errors: tuple[ErrorGroup, ...] = ()
    in_doubt: tuple[Line, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    sealed_anew: tuple[tuple[str, int, str], ...] = ()


def report(press: Press, issue_id: int) -> Report:
    """What became of an issue, at one moment; raises NotFound."""
    with reading(press.engine) as conn:
        return Report(
            issue=issue_id,
            books=store.books(conn, issue_id),
            errors=group_errors(store.list_refusals(conn, issue_id)),
            in_doubt=tuple(store.list_in_doubt(conn, issue_id)),
            doubts=tuple(store.list_doubts(conn, issue_id)),
            sealed_anew=tuple(list_reseals(conn, issue_id)),
        )


def group_errors(lines: Collection[Line]) -> tuple[ErrorGroup, ...]:
    """Refusals grouped by code, the most frequent first."""
    groups: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        groups.setdefault((_code_of(line), line.state), []).append(line)
    found = [
        ErrorGroup(
            code=code,
            state=state,
            amount=len(members),
            example=f"subscriber {members[0].subscriber}: {members[0].reply or 'no text'}",
            advice=_advice(code, state),
        )
        for (code, state), members in groups.items()
    ]
    return tuple(sorted(found, key=lambda group: (-group.amount, group.code)))


def _code_of(line: Line) -> str:
    first = (line.reply or "").split(" ", 1)[0]
    enhanced = first if first.count(".") == 2 and first.replace(".", "").isdigit() else ""
    return " ".join(part for part in (str(line.code or "none"), enhanced) if part)


_ADVICE = {
    "5.1": "Nobody is there; such addresses are suppressed and need no more care.",
    "4.2": "The mailbox does not take mail just now; it is tried again.",
    "5.2": "The mailbox takes no mail; ask the reader another way.",
    "5.7": "The receiver refuses our mail by policy; check SPF, DKIM and the sender's reputation.",
    "4.7": "The receiver holds us back; it is tried again, later and slower.",
}


def _advice(code: str, state: str) -> str:
    enhanced = code.partition(" ")[2]
    known = _ADVICE.get(enhanced.rpartition(".")[0])
    if known is not None:
        return known
    if state == "deferred":
        return "It is tried again by itself."
    return "Read the answer; `issues retry N --failed` offers them again once the cause is gone."


def retry_failed(press: Press, issue_id: int) -> int:
    """Offers every failed delivery of an issue once more, and says how many; the suppressed stay excluded."""
    with writing(press.engine) as conn:
        store.books(conn, issue_id)
        return store.requeue_failed(conn, issue_id, press.clock())


def resolve(press: Press, issue_id: int, resend: bool, addresses: Collection[str] = ()) -> int:
    """Settles what is in doubt: offered again, or taken as sent; all of the issue or only `addresses`.

    Says how many; raises NotFound for an address that is not in doubt.
    """
    with writing(press.engine) as conn:
        store.books(conn, issue_id)
        lines = store.list_in_doubt(conn, issue_id)
        if addresses:
            wanted = {address.strip().casefold() for address in addresses}
            chosen = [line for line in lines if (line.address or "").casefold() in wanted]
            if len(chosen) < len(wanted):
                raise NotFound(
                    f"{len(wanted) - len(chosen)} of these addresses are not in doubt",
                    where=f"issue {issue_id}",
                    remedy=f"`issues report {issue_id}` names those that are.",
                )
            lines = chosen
        numbers = [line.number for line in lines]
        return store.resolve_doubts(conn, issue_id, numbers, resend=resend, now=press.clock())
