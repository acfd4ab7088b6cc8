"""Hostile names and addresses by the ways in that an operator has, and what their mails look like."""

import csv
import mailbox
from pathlib import Path

import pytest
import sqlalchemy as sa

from dateline.actions.deliver import deliver
from dateline.actions.subscribers import add, import_file
from dateline.press import Press
from newsletter.import_csv import clean_name
from newsletter.tables import subscribers
from posts.database import reading
from posts.errors import Refused
from tests.actions.mailing import Clock, a_post, a_press, a_released_issue
from tests.newsletter.test_hostile_values import (
    HOSTILE_ADDRESSES,
    HOSTILE_NAMES,
    REFUSED_ADDRESSES,
    REFUSED_NAMES,
    assert_headers,
)

CONSENT = "asked at the office"


@pytest.fixture
def press(tmp_path: Path) -> Press:
    """A press that mails into a maildir."""
    return a_press(tmp_path, Clock())


def list_stored(press: Press) -> dict[str, str | None]:
    """Name by address."""
    with reading(press.engine) as conn:
        query = sa.select(subscribers.c.address, subscribers.c.name)
        return {row.address: row.name for row in conn.execute(query)}


def mails(press: Press) -> list[bytes]:
    """What was mailed, as it would be on the wire."""
    box = mailbox.Maildir(press.var / "outbox", create=False)
    return [
        box.get_bytes(key).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") for key in box.iterkeys()
    ]


def mail_all(press: Press) -> None:
    a_post(press, "News")
    a_released_issue(press)
    outcome = deliver(press)
    assert outcome.sent == len(list_stored(press))


@pytest.mark.parametrize(
    "address", [one for one in REFUSED_ADDRESSES if one.strip() == one], ids=lambda a: ascii(a)[:30]
)
def test_adding_an_address_that_is_none_is_refused_and_not_repeated(
    press: Press, address: str
) -> None:
    with pytest.raises(Refused) as refused:
        add(press, address, "daily", consent=CONSENT)
    assert list_stored(press) == {}
    assert len(str(refused.value)) < 300


def test_a_reader_added_under_any_name_is_mailed_well(press: Press) -> None:
    names = [*HOSTILE_NAMES, *REFUSED_NAMES]
    for number, name in enumerate(names):
        add(press, f"reader-{number}@example.net", "daily", name=name, consent=CONSENT)
    stored = list_stored(press)
    assert all(
        name is None or (name.isprintable() and len(name) <= 100) for name in stored.values()
    )
    mail_all(press)
    sent = mails(press)
    assert len(sent) == len(names)
    for body in sent:
        assert_headers(body, stored)


def test_a_file_of_hostile_rows_gives_each_line_its_fault_and_mails_the_rest(press: Press) -> None:
    good = [one for one in HOSTILE_ADDRESSES if not one.startswith((".", "a.."))]
    bad = [one for one in REFUSED_ADDRESSES if one.isprintable() and one.strip() == one and one]
    bad = [one for one in bad if "<" not in one or not one.endswith("example.org>")]
    path = press.folder / "readers.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["email", "name"])
        for place, address in enumerate(good):
            writer.writerow([address, HOSTILE_NAMES[place % len(HOSTILE_NAMES)]])
        for address in bad:
            writer.writerow([address, "Ana"])
    result = import_file(press, path, "daily", consent=CONSENT)
    first = 2 + len(good)
    assert [row.line for row in result.refused] == list(range(first, first + len(bad)))
    assert all(row.why for row in result.refused)
    stored = list_stored(press)
    assert len(stored) == result.added == len(good)
    wanted = {clean_name(name) for name in HOSTILE_NAMES[: len(good)]}
    assert set(stored.values()) == wanted
    mail_all(press)
    for body in mails(press):
        assert_headers(body, stored)
