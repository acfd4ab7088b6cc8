"""Who is never mailed: list, add, take off."""

from dateline.actions.holding import note as noted
from dateline.press import Press
from newsletter import suppression
from newsletter.addresses import parse_address
from newsletter.counterfoil import Entry, What
from newsletter.suppression import Suppression
from posts.database import reading, writing
from posts.errors import NotFound, Refused

BY_HAND = "by hand"


def list_suppressed(press: Press, *, limit: int | None = None) -> list[Suppression]:
    """All suppressions, newest first; addresses are kept as keyed hashes only."""
    with reading(press.engine) as conn:
        return suppression.list_suppressions(conn, limit=limit)


def suppress_address(press: Press, address: str, note: str = "") -> bool:
    """Never mail `address` again; False when it was suppressed before."""
    key = _key_of(address)
    with writing(press.engine) as conn:
        added = suppression.suppress(conn, press.keys, key, BY_HAND, note, press.clock())
        if added:
            who = suppression.hash_address(press.keys, key)
            noted(press, conn, Entry(what=What.SUPPRESSED, who=who, reason=BY_HAND))
        return added


def unsuppress_address(press: Press, address: str) -> None:
    """Takes `address` off the list; raises NotFound when it is not on it."""
    key = _key_of(address)
    with writing(press.engine) as conn:
        if not suppression.unsuppress(conn, press.keys, key):
            raise NotFound("this address is not suppressed")
        who = suppression.hash_address(press.keys, key)
        noted(press, conn, Entry(what=What.UNSUPPRESSED, who=who))


def _key_of(address: str) -> str:
    try:
        return parse_address(address).key
    except ValueError as error:
        raise Refused(f"the address {error}") from error
