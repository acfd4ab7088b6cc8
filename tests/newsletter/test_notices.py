"""`newsletter/notices.py`: a mail outside issues is leased, answered, put in doubt and scrubbed as a delivery is."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from newsletter import notices as store
from newsletter.ledger import InDoubt
from newsletter.notices import Notice
from newsletter.retry import Verdict
from newsletter.suppression import is_suppressed, suppress
from newsletter.tables import notices
from newsletter.tokens import Keys
from posts.database import reading, writing

NOW = datetime(2026, 9, 15, 18, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
KEYS = Keys(b"a secret of the tests")
SENT = Verdict(state="sent", code=250, reply="2.0.0 queued", attempts=1)
DEFERRED = Verdict(
    state="deferred",
    code=450,
    reply="4.2.1",
    attempts=1,
    first_refused=NOW,
    not_before=NOW + MINUTE,
)


def queued(engine: sa.Engine, name: str = "ana") -> int:
    """A notice to `name`."""
    with writing(engine) as conn:
        return store.queue_notice(conn, "confirm", None, f"{name}@example.org", b"bytes", NOW)


def leased(
    engine: sa.Engine,
    owner: str = "one",
    now: datetime = NOW,
    in_doubt: InDoubt = "resend",
    limit: int = 10,
) -> list[Notice]:
    """What `owner` may put on the wire now."""
    with writing(engine) as conn:
        return store.lease_notices(
            conn, KEYS, owner, now, now + MINUTE, limit=limit, in_doubt=in_doubt
        )


def record(engine: sa.Engine, notice: Notice, found: Verdict, owner: str = "one") -> None:
    """The relay's answer."""
    with writing(engine) as conn:
        store.record_notice(conn, KEYS, owner, notice, found, NOW)


def row(engine: sa.Engine, id_: int) -> sa.Row[tuple[object, ...]]:
    """As it is stored."""
    with reading(engine) as conn:
        return conn.execute(sa.select(*notices.c).where(notices.c.id == id_)).one()


def test_a_queued_notice_is_leased_once(engine: sa.Engine) -> None:
    id_ = queued(engine)
    (notice,) = leased(engine)
    assert (notice.id, notice.recipient, notice.body) == (id_, "ana@example.org", b"bytes")
    assert leased(engine, "two") == []


def test_a_sent_one_keeps_neither_address_nor_bytes(engine: sa.Engine) -> None:
    id_ = queued(engine)
    (notice,) = leased(engine)
    record(engine, notice, SENT)
    kept = row(engine, id_)
    assert (kept.state, kept.recipient, bytes(kept.body), kept.owner) == ("sent", "", b"", None)
    assert leased(engine, now=NOW + 60 * MINUTE) == []


def test_a_deferred_one_keeps_all_and_comes_back_when_its_time_has_come(engine: sa.Engine) -> None:
    queued(engine)
    (notice,) = leased(engine)
    record(engine, notice, DEFERRED)
    assert leased(engine) == []
    (again,) = leased(engine, now=NOW + 2 * MINUTE)
    assert (again.attempts, again.first_refused, again.body) == (1, NOW, b"bytes")


def test_a_failed_one_is_over_and_a_dead_address_is_suppressed(engine: sa.Engine) -> None:
    id_ = queued(engine)
    (notice,) = leased(engine)
    dead = Verdict(state="failed", code=550, enhanced="5.1.1", reply="5.1.1", attempts=1, dead=True)
    record(engine, notice, dead)
    assert row(engine, id_).state == "failed"
    assert row(engine, id_).recipient == ""
    with reading(engine) as conn:
        assert is_suppressed(conn, KEYS, "ana@example.org")


def test_one_to_a_suppressed_address_is_excluded_and_scrubbed(engine: sa.Engine) -> None:
    id_ = queued(engine)
    queued(engine, "ben")
    with writing(engine) as conn:
        suppress(conn, KEYS, "Ana@example.org", "by hand", "", NOW)
    assert [notice.recipient for notice in leased(engine)] == ["ben@example.org"]
    kept = row(engine, id_)
    assert (kept.state, kept.reply, kept.recipient) == ("excluded", "suppressed", "")


def test_weather_gives_it_back_as_it_was(engine: sa.Engine) -> None:
    id_ = queued(engine)
    (notice,) = leased(engine)
    record(engine, notice, Verdict(state=None))
    assert (row(engine, id_).state, row(engine, id_).attempts) == (None, 0)
    assert leased(engine, "two") != []


@pytest.mark.parametrize(("in_doubt", "again"), [("resend", True), ("hold", False)])
def test_after_a_kill_it_is_in_doubt_and_the_setting_decides(
    engine: sa.Engine, in_doubt: InDoubt, again: bool
) -> None:
    id_ = queued(engine)
    leased(engine)
    with writing(engine) as conn:
        assert store.recover_notices(conn, NOW) == 0  # the lease has not lapsed
        assert store.recover_notices(conn, NOW + 2 * MINUTE) == 1
    assert row(engine, id_).state == "in doubt"
    found = leased(engine, "two", NOW + 2 * MINUTE, in_doubt)
    assert [bytes(notice.body) for notice in found] == ([b"bytes"] if again else [])


def test_a_late_answer_counts_until_another_has_leased_it(engine: sa.Engine) -> None:
    first, second = queued(engine), queued(engine, "ben")
    ana, ben = leased(engine)
    with writing(engine) as conn:
        store.recover_notices(conn, NOW, everyone=True)
    leased(engine, "two", limit=1)
    record(engine, ana, SENT)
    record(engine, ben, SENT)
    assert (row(engine, first).state, row(engine, first).owner) == ("in doubt", "two")
    assert row(engine, second).state == "sent"


def test_a_lease_that_was_lost_is_not_prolonged(engine: sa.Engine) -> None:
    id_ = queued(engine)
    leased(engine)
    with writing(engine) as conn:
        assert store.renew_notices(conn, "one", [id_], NOW + 2 * MINUTE) == {id_}
        store.recover_notices(conn, NOW, everyone=True)
        assert store.renew_notices(conn, "one", [id_], NOW + 3 * MINUTE) == frozenset()


def test_a_time_that_a_wrong_clock_put_a_year_ahead_has_come(engine: sa.Engine) -> None:
    id_ = queued(engine)
    (notice,) = leased(engine, now=NOW + timedelta(days=365))
    with writing(engine) as conn:
        assert store.recover_notices(conn, NOW) == 1
    (notice,) = leased(engine)
    record(engine, notice, DEFERRED._replace(not_before=NOW + timedelta(days=365)))
    assert [one.id for one in leased(engine)] == [id_]
