"""Asking an address for its consent, and the links of those mails: limits, silence, tokens (mail.md 7)."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from dateline.actions.sign_up import CONFIRM, form_stamp, sign_up
from dateline.actions.subscriber_links import (
    confirm,
    find_token,
    preferences,
    set_preferences,
    undo_unsubscribe,
    unsubscribe_token,
)
from dateline.actions.suppress import suppress_address
from dateline.press import Press
from newsletter.message import PREFERENCES, UNSUBSCRIBE
from newsletter.subscriptions import Subscription, find_by_id
from newsletter.tables import notices, subscribers, subscription_changes, subscriptions
from posts.database import reading
from tests.actions.mailing import Clock
from tests.dateline.web.arrange import a_press, a_reader

LUPE = "lupe@example.org"
DAY = timedelta(days=1)


@pytest.fixture
def clock() -> Clock:
    """The press's clock."""
    return Clock()


@pytest.fixture
def press(tmp_path: Path, clock: Clock) -> Press:
    """A press with one newsletter and no reader."""
    return replace(a_press(tmp_path), clock=clock)


def ask(
    press: Press, address: str = LUPE, *, network: str = "192.0.2.7", **changes: object
) -> None:
    """A form is sent in, ten seconds after it was shown."""
    stamp = form_stamp(replace(press, clock=lambda: press.clock() - timedelta(seconds=10)))
    values = {
        "newsletter": "daily",
        "language": "en",
        "form_url": "https://press.example/subscribe",
        "wording": "Yes, mail me.",
        "stamp": stamp,
        **changes,
    }
    sign_up(press, address=address, network=network, **values)  # type: ignore[arg-type]  # as above


def mailed(press: Press) -> list[tuple[str, str]]:
    """Kind and recipient of every notice."""
    with reading(press.engine) as conn:
        query = sa.select(notices.c.kind, notices.c.recipient).order_by(notices.c.id)
        return [(kind, recipient) for kind, recipient in conn.execute(query)]


def subscription(press: Press) -> Subscription:
    """The only one."""
    with reading(press.engine) as conn:
        found = find_by_id(conn, conn.execute(sa.select(subscriptions.c.id)).scalar_one())
    assert found is not None
    return found


def token(press: Press, purpose: str, *, made: datetime | None = None) -> str:
    """The link of a mail to the only subscription."""
    found = subscription(press)
    return press.keys.token(
        purpose, found.id, generation=found.generation, made=made or press.clock()
    )


def rows(press: Press) -> list[object]:
    """All that a link could change."""
    with reading(press.engine) as conn:
        return [
            conn.execute(sa.select(*table.c)).all()
            for table in (subscribers, subscriptions, subscription_changes)
        ]


def test_a_form_queues_one_confirmation_and_makes_nobody_a_reader(press: Press) -> None:
    ask(press)
    assert mailed(press) == [("confirm", LUPE)]
    assert subscription(press).status == "pending"


def test_consent_keeps_the_form_and_its_wording_as_shown(press: Press) -> None:
    ask(press, form_url="https://blog.example/", wording="Ja, bitte.")
    confirm(press, token(press, CONFIRM))
    consent = dict(subscription(press).consent or {})
    assert (consent["form"], consent["wording"]) == ("https://blog.example/", "Ja, bitte.")
    assert consent["at"] == press.clock().isoformat()


def test_an_address_is_asked_once_a_day_and_three_times_in_thirty(
    press: Press, clock: Clock
) -> None:
    counts = []
    for hours in (0, 23, 2, 25, 25, 24 * 31):
        clock.turn(hours=hours)
        ask(press)
        counts.append(len(mailed(press)))
    assert counts == [1, 1, 2, 3, 3, 4]


def test_an_address_is_the_same_whatever_its_case(press: Press) -> None:
    ask(press)
    ask(press, "LUPE@Example.ORG")
    assert len(mailed(press)) == 1


@pytest.mark.parametrize(
    ("hosts", "stamped", "allowed"),
    [
        pytest.param([f"192.0.2.{n}" for n in range(9)], True, 5, id="one network of IPv4"),
        pytest.param([f"2001:db8::{n}" for n in range(9)], True, 5, id="one network of IPv6"),
        pytest.param([f"192.0.2.{n}" for n in range(9)], False, 3, id="a form on another site"),
        pytest.param([f"198.51.{n}.1" for n in range(9)], True, 9, id="nine networks"),
    ],
)
def test_a_network_may_ask_so_often_an_hour(
    press: Press, hosts: list[str], *, stamped: bool, allowed: int
) -> None:
    for number, host in enumerate(hosts):
        extra = {} if stamped else {"stamp": None}
        ask(press, f"r{number}@d{number}.example", network=host, **extra)
    assert len(mailed(press)) == allowed


def test_a_network_may_ask_again_an_hour_later_up_to_twenty_a_day(
    press: Press, clock: Clock
) -> None:
    for number in range(30):
        ask(press, f"r{number}@d{number}.example")
        clock.turn(minutes=13)
    assert len(mailed(press)) == 20


def test_one_domain_is_mailed_a_hundred_times_an_hour_and_others_all_the_same(
    press: Press, clock: Clock
) -> None:
    for number in range(102):
        ask(press, f"r{number}@big.example", network=f"198.{number}.1.1")
    ask(press, "r@small.example", network="203.0.113.1")
    assert len(mailed(press)) == 101
    assert mailed(press)[-1] == ("confirm", "r@small.example")
    clock.turn(minutes=61)
    ask(press, "late@big.example", network="203.0.113.2")
    assert mailed(press)[-1] == ("confirm", "late@big.example")


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"honeypot": "buy"}, id="the field that people do not see"),
        pytest.param({"address": "no address"}, id="no address"),
        pytest.param({"address": "a@example.org\r\nBcc: b@example.org"}, id="a line break"),
    ],
)
def test_a_robot_gets_no_mail_and_no_error(press: Press, changes: dict[str, str]) -> None:
    ask(press, **changes)  # type: ignore[arg-type]  # all are text
    assert mailed(press) == []
    assert rows(press)[1] == []


def test_a_form_filled_in_within_three_seconds_is_dropped(press: Press) -> None:
    ask(press, stamp=form_stamp(press))
    assert mailed(press) == []


def test_a_stamp_that_was_made_up_counts_as_none(press: Press) -> None:
    for number in range(9):
        ask(press, f"r{number}@d{number}.example", stamp=f"1.{'0' * 32}")
    assert len(mailed(press)) == 3


def test_an_active_reader_is_told_once_in_thirty_days(press: Press, clock: Clock) -> None:
    a_reader(press, LUPE)
    counts = []
    for days in (0, 2, 20, 9):
        clock.turn(days=days)
        ask(press)
        counts.append(mailed(press).count(("known", LUPE)))
    assert counts == [1, 1, 1, 2]
    assert subscription(press).status == "active"


def test_a_suppressed_address_is_never_mailed_and_leaves_nothing_behind(press: Press) -> None:
    suppress_address(press, LUPE)
    ask(press)
    assert mailed(press) == []
    assert rows(press)[:2] == [[], []]


def test_who_had_left_gets_a_new_generation_and_old_links_do_nothing(press: Press) -> None:
    a_reader(press, LUPE)
    old = token(press, UNSUBSCRIBE)
    unsubscribe_token(press, old, "page")
    ask(press)
    assert subscription(press).status == "pending"
    assert confirm(press, token(press, CONFIRM)) is not None
    assert unsubscribe_token(press, old, "one-click") is None
    assert subscription(press).status == "active"


def test_a_confirmation_counts_once_and_pressing_twice_is_no_error(press: Press) -> None:
    ask(press)
    link = token(press, CONFIRM)
    assert confirm(press, link) is not None
    again = confirm(press, link)
    assert again is not None
    assert again.status == "active"
    with reading(press.engine) as conn:
        whats = conn.execute(sa.select(subscription_changes.c.what)).scalars().all()
    assert whats == ["asked", "confirmed"]


def test_a_used_confirmation_brings_nobody_back_who_left(press: Press) -> None:
    ask(press)
    link = token(press, CONFIRM)
    confirm(press, link)
    unsubscribe_token(press, token(press, UNSUBSCRIBE), "page")
    assert confirm(press, link) is None
    assert subscription(press).status == "unsubscribed"


@pytest.mark.parametrize(("days", "works"), [(6, True), (7, True), (9, False)])
def test_a_confirmation_works_for_seven_days(
    press: Press, clock: Clock, *, days: int, works: bool
) -> None:
    ask(press)
    link = token(press, CONFIRM)
    clock.turn(days=days)
    assert (confirm(press, link) is not None) is works
    assert subscription(press).status == ("active" if works else "pending")


def test_reading_a_link_changes_nothing(press: Press) -> None:
    ask(press)
    before = rows(press)
    for purpose in (CONFIRM, UNSUBSCRIBE, PREFERENCES):
        view = find_token(press, token(press, purpose), purpose)
        assert view is not None
        assert view.address == LUPE
    assert preferences(press, token(press, PREFERENCES)) is not None
    assert rows(press) == before


def test_leaving_twice_is_leaving_once(press: Press, clock: Clock) -> None:
    a_reader(press, LUPE)
    link = token(press, UNSUBSCRIBE)
    unsubscribe_token(press, link, "one-click")
    before = rows(press)
    clock.turn(days=400)
    view = unsubscribe_token(press, link, "page")
    assert view is not None
    assert view.status == "unsubscribed"
    assert rows(press) == before


@pytest.mark.parametrize(("days", "works"), [(0, True), (29, True), (31, False)])
def test_leaving_can_be_undone_for_thirty_days(
    press: Press, clock: Clock, *, days: int, works: bool
) -> None:
    a_reader(press, LUPE)
    link = token(press, UNSUBSCRIBE)
    unsubscribe_token(press, link, "page")
    clock.turn(days=days)
    assert (undo_unsubscribe(press, link) is not None) is works
    assert subscription(press).status == ("active" if works else "unsubscribed")


def test_undoing_does_not_bring_back_an_address_that_was_suppressed(press: Press) -> None:
    a_reader(press, LUPE)
    link = token(press, UNSUBSCRIBE)
    unsubscribe_token(press, link, "page")
    suppress_address(press, LUPE)
    assert undo_unsubscribe(press, link) is None


def test_an_old_link_to_the_settings_changes_nothing(press: Press, clock: Clock) -> None:
    a_reader(press, LUPE)
    link = token(press, PREFERENCES)
    assert set_preferences(press, link, paused=True) is not None
    clock.turn(days=32)
    before = rows(press)
    view = preferences(press, link)
    assert view is not None
    assert view.expired
    assert set_preferences(press, link, paused=False, language="es") is None
    assert rows(press) == before


@pytest.mark.parametrize("text", ["", "x", "é" * 34, "A" * 34, "../../etc/passwd"])
def test_what_is_no_token_of_ours_is_nothing(press: Press, text: str) -> None:
    for purpose in (CONFIRM, UNSUBSCRIBE, PREFERENCES):
        assert find_token(press, text, purpose) is None
    assert confirm(press, text) is None
    assert unsubscribe_token(press, text, "page") is None
    assert undo_unsubscribe(press, text) is None
