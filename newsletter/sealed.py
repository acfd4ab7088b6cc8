"""The SQL of sealed editions, as the sender loads them: stored parts to editions whose messages are a join."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from newsletter.dkim import Signing, compile_signing, sign_message
from newsletter.dkim_keys import SigningKey
from newsletter.ledger import Delivery
from newsletter.message import Joiner, LoadedEdition, compile_joiner, load_edition
from newsletter.notices import Notice
from newsletter.tables import editions, issues, sealed_parts
from newsletter.tokens import Keys
from posts.errors import StoreError


@dataclass(frozen=True, slots=True)
class _Sealed:
    joiner: Joiner
    signing: Signing | None
    seal: str
    dot_free: bool


@dataclass(slots=True, kw_only=True)
class Messages:
    """Makes the bytes of deliveries; holds the editions of the issues that are being sent.

    `load` belongs to whoever reads the database, `build` to whoever sends, in as many threads as he likes; editions
    are only ever replaced whole. With `signing_keys` every message is signed (DKIM).
    """

    keys: Keys
    web_url: str
    from_domain: str
    zone: ZoneInfo
    signing_keys: Sequence[SigningKey] = ()
    _held: dict[tuple[int, int], _Sealed] = field(default_factory=dict)

    def load(self, conn: sa.Connection, issue: int, wanted: Iterable[int]) -> None:
        """Loads the editions `wanted` of an issue where their seal is not the one held; raises StoreError where the
        stored bytes are not what was sealed."""
        chosen = set(wanted)
        rows = conn.execute(
            sa.select(
                editions.c.edition,
                editions.c.language,
                editions.c.program,
                editions.c.seal,
                issues.c.date,
            )
            .join(issues, issues.c.id == editions.c.issue)
            .where(editions.c.issue == issue, editions.c.edition.in_(chosen))
        ).all()
        if len(rows) < len(chosen):
            raise StoreError("an edition that readers wait for is missing")
        for row in rows:
            held = self._held.get((issue, row.edition))
            if held is not None and held.seal == row.seal:
                continue
            edition = load_edition(
                row.program, _parts(conn, issue, row.program), language=row.language, seal=row.seal
            )
            self._held[issue, row.edition] = _Sealed(
                self._joiner(edition, issue, row.date),
                compile_signing(edition, self.signing_keys, row.date),
                row.seal,
                _is_dot_free(edition),
            )

    def _joiner(self, edition: LoadedEdition, issue: int, date: datetime) -> Joiner:
        return compile_joiner(
            edition,
            issue_id=issue,
            date=date,
            keys=self.keys,
            web_url=self.web_url,
            from_domain=self.from_domain,
            zone=self.zone,
        )

    def forget(self, issue: int) -> None:
        """Lets go of an issue's editions."""
        for key in list(self._held):  # a copy: another thread may load meanwhile
            if key[0] == issue:
                self._held.pop(key, None)

    def build(self, delivery: Delivery) -> tuple[bytes, bool]:
        """The message of one delivery, and whether it is known that no line of it begins with a dot; raises
        HeaderError for an address that cannot stand in a header."""
        sealed = self._held[delivery.issue, delivery.edition]
        if sealed.signing is None:
            return sealed.joiner.message(delivery), sealed.dot_free
        values = sealed.joiner.values(delivery)
        return sealed.signing.sign(values) + sealed.joiner.joined(values), sealed.dot_free

    def signed(self, notice: Notice) -> Notice:
        """A notice as it goes on the wire: the same bytes at each attempt, for as long as the keys are the same."""
        if not self.signing_keys:
            return notice
        return replace(notice, body=sign_message(notice.body, self.signing_keys, notice.created))

    @property
    def helpers(self) -> int:
        """How many threads may help to make messages: none where that is quicker than to send one; one for Ed25519, two
        for RSA, which lets go of the interpreter's lock long enough to keep two cores busy."""
        if not self.signing_keys:
            return 0
        return 1 if all(key.algorithm == "ed25519-sha256" for key in self.signing_keys) else 2


def _is_dot_free(edition: LoadedEdition) -> bool:
    """True when no line of any message of this edition begins with a dot: looked up once in what is the same for all.

    Personal fields do not begin with a dot, nor do the lines they are broken into (quoted_printable.py); but an
    address in a header may, and must stand behind the header's name.
    """
    if any(piece.startswith(b".") or b"\n." in piece for piece in edition.pieces):
        return False
    in_headers = (place for place, name in edition.holes if "." not in name)
    return not any(edition.pieces[place - 1].endswith(b"\n") for place in in_headers)


def _parts(conn: sa.Connection, issue: int, program: Iterable[int | str]) -> dict[int, bytes]:
    numbers = {item for item in program if isinstance(item, int)}
    rows = conn.execute(
        sa.select(sealed_parts.c.part, sealed_parts.c.body).where(
            sealed_parts.c.issue == issue, sealed_parts.c.part.in_(numbers)
        )
    )
    return {row.part: bytes(row.body) for row in rows}
