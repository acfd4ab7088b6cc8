"""What became of an issue, and the two ways to set right what did not go: send again, and settle doubts."""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

import sqlalchemy as sa

from dateline.press import Press
from dateline.redact import redacted
from newsletter import books as store
from newsletter import issues
from newsletter.addresses import address_key
from newsletter.books import Books, Doubt, Line
from newsletter.issues import IssueStatus
from newsletter.refusals import Refusal, list_refusals
from newsletter.resealing import list_reseals
from posts.database import reading, writing
from posts.errors import NotFound, Refused

_PAGE = 1_000
_MOST_GROUPS = 100
_EXAMPLE_LENGTH = 200
_ENHANCED = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}(?=\s|:|$)")
OTHERS = "others"
"""The code of the group that takes what is left when a relay has answered with a hundred codes."""


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
    """The books of an issue, its refusals by code, and the deliveries that were ever in doubt, `limit` at most of
    `doubts_total`. `sealed_anew`: each time that a post was withdrawn from it, the seal before, the number of the
    journal, the seal after. Where there are `only_totals`, nothing is left of it but the books."""

    issue: int
    books: Books
    errors: tuple[ErrorGroup, ...] = ()
    in_doubt: tuple[Line, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    doubts_total: int = 0
    sealed_anew: tuple[tuple[str, int, str], ...] = ()
    only_totals: bool = False


def report(press: Press, issue_id: int, *, limit: int | None = None) -> Report:
    """What became of an issue, at one moment; raises NotFound."""
    with reading(press.engine) as conn:
        books = store.books(conn, issue_id)
        resealed = tuple(list_reseals(conn, issue_id))
        issue = issues.get_issue(conn, issue_id)
        if issue.has_only_totals:
            return Report(issue=issue_id, books=books, sealed_anew=resealed, only_totals=True)
        return Report(
            issue=issue_id,
            books=books,
            errors=group_errors(_in_books(list_refusals(conn, issue_id), issue.status)),
            in_doubt=tuple(store.list_in_doubt(conn, issue_id, limit=limit)),
            doubts=tuple(store.list_doubts(conn, issue_id, limit=limit)),
            doubts_total=store.count_doubts(conn, issue_id),
            sealed_anew=resealed,
        )


def list_all_doubts(press: Press, issue_id: int) -> Iterator[Doubt]:
    """Every time that a delivery of an issue came into doubt, oldest first, a page at a time."""
    last = 0
    while True:
        with reading(press.engine) as conn:
            page = store.list_doubts(conn, issue_id, after=last, limit=_PAGE)
        yield from page
        if len(page) < _PAGE:
            return
        last = page[-1].id


def _in_books(refusals: Iterable[Refusal], status: IssueStatus) -> Iterator[Refusal]:
    """Refusals with the state that the books give them: of a cancelled issue nobody is tried again."""
    for one in refusals:
        over = status is IssueStatus.CANCELLED and one.state == "deferred"
        yield replace(one, state="excluded") if over else one


def group_errors(refusals: Iterable[Refusal]) -> tuple[ErrorGroup, ...]:
    """Refusals grouped by code, the most frequent first, each with the first answer as an example.

    The answers are a stranger's: what is shown of them is one line, printable, bounded, and without an address.
    """
    amounts: dict[tuple[str, str], int] = {}
    examples: dict[tuple[str, str], str] = {}
    for one in refusals:
        key = (_code_of(one), one.state)
        if key not in amounts and len(amounts) >= _MOST_GROUPS:
            key = (OTHERS, one.state)
        if key not in amounts:
            examples[key] = f"subscriber {one.subscriber}: {_shown(one.reply)}"
        amounts[key] = amounts.get(key, 0) + 1
    found = [
        ErrorGroup(
            code=code,
            state=state,
            amount=amount,
            example=examples[code, state],
            advice=_advice(code, state),
        )
        for (code, state), amount in amounts.items()
    ]
    return tuple(sorted(found, key=lambda group: (-group.amount, group.code)))


def _shown(reply: str | None) -> str:
    line = "".join(one for one in " ".join((reply or "").split()) if one.isprintable())
    line = redacted(line)
    return (line[:_EXAMPLE_LENGTH] + "..." if len(line) > _EXAMPLE_LENGTH else line) or "no text"


def _code_of(one: Refusal) -> str:
    enhanced = _ENHANCED.match(one.reply or "")
    parts = (str(one.code or "none"), enhanced[0] if enhanced else "")
    return " ".join(part for part in parts if part)


_ADVICE = {
    "5.1": "Nobody is there; such addresses are suppressed and need no more care.",
    "4.2": "The mailbox does not take mail just now; it is tried again.",
    "5.2": "The mailbox takes no mail; ask the reader another way.",
    "5.7": "The receiver refuses our mail by policy; check SPF, DKIM and the sender's reputation.",
    "4.7": "The receiver holds us back; it is tried again, later and slower.",
}


def _advice(code: str, state: str) -> str:
    if state == "excluded":
        return "The issue was cancelled before these were tried again."
    enhanced = code.partition(" ")[2]
    known = _ADVICE.get(enhanced.rpartition(".")[0])
    if known is not None:
        return known
    if state == "deferred":
        return "It is tried again by itself."
    return "Read the answer; `issues retry N --failed` offers them again once the cause is gone."


def retry_failed(press: Press, issue_id: int) -> int:
    """Offers every failed delivery of an issue once more, and says how many; the suppressed stay excluded.

    Raises Refused where nothing of the issue is sent any more.
    """
    with writing(press.engine) as conn:
        _refuse_without_deliveries(conn, issue_id)
        _refuse_cancelled(conn, issue_id, "Whoever it failed for does not get it any more.")
        return store.requeue_failed(conn, issue_id, press.clock())


def resolve(press: Press, issue_id: int, resend: bool, addresses: Collection[str] = ()) -> int:
    """Settles what is in doubt: offered again, or taken as sent; all of the issue or only `addresses`.

    Says how many; raises NotFound for an address that is not in doubt, Refused to send what was cancelled.
    """
    with writing(press.engine) as conn:
        _refuse_without_deliveries(conn, issue_id)
        if resend:
            _refuse_cancelled(conn, issue_id, "--sent takes them as sent, where you know better.")
        numbers = None
        if addresses:
            keys = {_key(address) for address in addresses}
            numbers = store.find_in_doubt(conn, issue_id, keys)
            if len(numbers) < len(keys):
                missing = len(keys) - len(numbers)
                raise NotFound(
                    f"{missing} of these addresses {'is' if missing == 1 else 'are'} not in doubt",
                    where=f"issue {issue_id}",
                    remedy=f"`issues report {issue_id}` names those that are. Nothing was changed.",
                )
        return store.resolve_doubts(conn, issue_id, numbers, resend=resend, now=press.clock())


def _key(address: str) -> str:
    try:
        return address_key(address)
    except ValueError as error:
        raise Refused(f"one of the addresses {error}") from error


def _refuse_without_deliveries(conn: sa.Connection, issue_id: int) -> None:
    issues.get_issue(conn, issue_id)
    if store.has_only_totals(conn, issue_id):
        raise Refused(
            f"only totals are kept of issue {issue_id}: who failed or was in doubt is not on record any more",
            remedy="How long deliveries are kept is [privacy] keep_deliveries.",
        )


def _refuse_cancelled(conn: sa.Connection, issue_id: int, remedy: str) -> None:
    if issues.get_issue(conn, issue_id).status is IssueStatus.CANCELLED:
        raise Refused(
            f"issue {issue_id} is cancelled: nothing of it is sent any more", remedy=remedy
        )
