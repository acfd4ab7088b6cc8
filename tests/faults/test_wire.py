"""What reaches the wire, whatever stands in the database; and what the disk is asked for before it (DESIGN.md 8.6)."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from dateline.actions.books import report
from dateline.actions.deliver import deliver
from newsletter.tables import subscribers
from posts.database import writing
from tests.faults.manners import Plan
from tests.faults.press import a_press, a_sink
from tests.newsletter.ledger_builders import a_released_issue, issue_status, row

pytestmark = pytest.mark.faults

LONG_PART = "a" * 70
NEVER_SENT = {
    "CRLF and a command": "ann@example.net>\r\nRCPT TO:<eve@example.net",
    "a bare line feed": "ann\n@example.net",
    "a bare carriage return": "ann@exa\rmple.net",
    "a text": "ann@example.net>\r\nDATA\r\nSubject: forged\r\n\r\n.\r\n",
    "NUL": "ann\0@example.net",
    "an angle": "ann@example.net> SIZE=1",
    "quotes": '"ann"@example.net',
    "a space": "ann smith@example.net",
    "a bidirectional override": "ann\u202e@example.net",
}
SENT = {
    "a long local part": (f"{LONG_PART}@example.net", f"{LONG_PART}@example.net"),
    "unicode": ("añn@example.net", "añn@example.net"),
    "a unicode domain": ("ann@españa.example", "ann@xn--espaa-rta.example"),
}


def test_no_address_brings_a_command_of_its_own_to_the_wire(tmp_path: Path) -> None:
    stored = [*NEVER_SENT.values(), *(typed for typed, _ in SENT.values())]
    with a_sink(tmp_path) as (port, received):
        press = a_press(tmp_path, port)
        issue = a_released_issue(press.engine, len(stored) + 20)
        with writing(press.engine) as conn:
            for id_, address in enumerate(stored, 1):
                # past every check of forms and imports: a row as an older version or a hand may have left it
                conn.execute(
                    subscribers.update()
                    .where(subscribers.c.id == id_)
                    .values(address=address, address_key=address)
                )
        deliver(press)
        got = set(received.order())
        verbs = received.misdeeds()
    plain = {f"reader{n}@example.net" for n in range(len(stored) + 1, len(stored) + 21)}
    assert got == plain | {spelt for _, spelt in SENT.values()}
    assert verbs == {}
    for number in range(1, len(NEVER_SENT) + 1):
        assert row(press.engine, issue, number).state == "failed"
    found = report(press, issue).books
    assert (found.failed, found.balance) == (len(NEVER_SENT), True)
    assert issue_status(press.engine, issue) == "done"


def test_a_relay_without_smtputf8_gets_no_such_address_and_the_report_says_why(
    tmp_path: Path,
) -> None:
    with a_sink(tmp_path, plan=Plan(smtputf8=False)) as (port, received):
        press = a_press(tmp_path, port)
        issue = a_released_issue(press.engine, 3)
        with writing(press.engine) as conn:
            change = subscribers.update().where(subscribers.c.id == 1)
            conn.execute(change.values(address="añn@example.net", address_key="añn@example.net"))
        deliver(press)
        assert set(received.order()) == {"reader2@example.net", "reader3@example.net"}
    assert "SMTPUTF8" in str(row(press.engine, issue, 1).reply)
    assert issue_status(press.engine, issue) == "done"


@pytest.mark.parametrize(
    ("setting", "synchronous"),
    [
        pytest.param("true", {2}, id="power-safe"),
        pytest.param("false", {1}, id="not power-safe"),
    ],
)
def test_each_commit_of_the_sender_is_as_safe_as_is_set(
    tmp_path: Path, setting: str, synchronous: set[int]
) -> None:
    """SQLite's synchronous: 2 is FULL (a committed flush survives a power cut), 1 is NORMAL (it survives a kill)."""
    with a_sink(tmp_path) as (port, received):
        press = a_press(tmp_path, port, more=f"power_safe = {setting}\n")
        a_released_issue(press.engine, 40)
        seen = set[int]()

        def commit(conn: sa.Connection) -> None:
            if conn.engine.pool is not press.engine.pool:
                seen.add(conn.exec_driver_sql("PRAGMA synchronous").scalar_one())

        sa.event.listen(sa.Engine, "commit", commit)
        try:
            deliver(press)
        finally:
            sa.event.remove(sa.Engine, "commit", commit)
        assert received.count() == 40
    assert seen == synchronous
