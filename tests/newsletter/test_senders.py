"""`newsletter/senders.py`: who sends is known while it lives, and no longer."""

from datetime import timedelta

import sqlalchemy as sa

from newsletter.progress import RelayReport, SenderReport
from newsletter.senders import (
    FRESH_FOR,
    LIVE_FOR,
    forget_all_senders,
    forget_sender,
    list_senders,
    record_sender,
)
from newsletter.tables import senders
from posts.database import reading, writing
from tests.newsletter.ledger_builders import NOW

SECOND = timedelta(seconds=1)


def test_the_last_report_stands_and_the_beginning_stays(engine: sa.Engine) -> None:
    relay = RelayReport(name="mx.example:587", state="in use", rate_per_s=2.5)
    with writing(engine) as conn:
        record_sender(conn, "one", SenderReport(sent=1), NOW)
        record_sender(conn, "one", SenderReport(sent=5, relays=(relay,)), NOW + SECOND)
        record_sender(conn, "two", SenderReport(), NOW + SECOND)
    with reading(engine) as conn:
        one, two = list_senders(conn, NOW + SECOND)
    assert (one.owner, one.began, one.at) == ("one", NOW, NOW + SECOND)
    assert one.report == SenderReport(sent=5, relays=(relay,))
    assert two.owner == "two"


def test_who_has_not_reported_for_a_minute_is_gone(engine: sa.Engine) -> None:
    with writing(engine) as conn:
        record_sender(conn, "one", SenderReport(), NOW)
    with reading(engine) as conn:
        assert len(list_senders(conn, NOW + LIVE_FOR)) == 1
        assert list_senders(conn, NOW + LIVE_FOR + SECOND) == []


def test_the_first_report_of_a_process_removes_the_rows_of_the_dead(engine: sa.Engine) -> None:
    with writing(engine) as conn:
        record_sender(conn, "dead", SenderReport(), NOW)
        record_sender(conn, "new", SenderReport(), NOW + LIVE_FOR + SECOND)
    with reading(engine) as conn:
        assert conn.execute(sa.select(senders.c.owner)).scalars().all() == ["new"]


def test_who_ends_in_good_order_is_gone_at_once(engine: sa.Engine) -> None:
    with writing(engine) as conn:
        record_sender(conn, "one", SenderReport(), NOW)
        record_sender(conn, "two", SenderReport(), NOW)
        record_sender(conn, "three", SenderReport(), NOW)
        forget_sender(conn, "one")
        forget_sender(conn, "one")
        assert [one.owner for one in list_senders(conn, NOW)] == ["three", "two"]
        forget_all_senders(conn)
        assert list_senders(conn, NOW) == []


def test_a_report_from_a_while_ago_has_no_rate(engine: sa.Engine) -> None:
    with writing(engine) as conn:
        record_sender(conn, "one", SenderReport(rate_per_s=40.0), NOW)
        (one,) = list_senders(conn, NOW)
    assert one.rate_per_s(NOW) == 40.0
    assert one.rate_per_s(NOW + FRESH_FOR) is None
