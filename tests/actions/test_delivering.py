"""An issue goes out through a relay, and things happen meanwhile: who gets what, and what the books say."""

import email
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from dateline.actions.books import report, resolve, retry_failed
from dateline.actions.deliver import deliver
from dateline.actions.explain import explain
from dateline.actions.release import send_test
from dateline.actions.subscribers import unsubscribe
from dateline.actions.suppress import list_suppressed, unsuppress_address
from dateline.cli.main import dateline
from newsletter.books import Books, books
from newsletter.issues import get_issue
from posts.database import reading
from posts.errors import NotFound
from tests.actions.mailing import Clock, a_post, a_press, a_released_issue, readers, withdraw
from tests.actions.relay import Board, a_relay

BOUND = 2 * 1 + 1
NAMES = [f"reader{n:02}" for n in range(1, 31)]


@pytest.fixture
def board() -> Iterator[Board]:
    """A relay."""
    with a_relay() as made:
        yield made


@pytest.fixture
def clock() -> Clock:
    """Turned by the test."""
    return Clock()


def the_books(press: object, issue: int) -> Books:
    """They balance, whatever the test is about."""
    with reading(press.engine) as conn:  # type: ignore[attr-defined]  # a Press
        found = books(conn, issue)
    assert found.balance
    return found


def test_a_post_withdrawn_while_its_issue_goes_out_reaches_nobody_after_the_next_flush(
    tmp_path: Path, clock: Clock, board: Board
) -> None:
    press = a_press(tmp_path, clock, port=board.port)
    a_post(press, "Bridge")
    a_post(press, "Rumour")
    readers(press, *NAMES)
    issue = a_released_issue(press)
    board.on_message = lambda count: withdraw(press, "Rumour") if count == 10 else None

    assert deliver(press).sent == 30

    assert sorted(board.recipients) == [f"{name}@example.net" for name in NAMES]
    with_it = [who for who, _ in board.messages if "Rumour" in board.texts(who)[0]]
    assert 10 <= len(with_it) <= 10 + BOUND
    assert board.recipients[: len(with_it)] == with_it
    assert all("All about Bridge" in board.texts(who)[0] for who in board.recipients)
    assert the_books(press, issue).sent == 30
    with reading(press.engine) as conn:
        assert get_issue(conn, issue).status == "done"
    ids = {email.message_from_bytes(body)["Message-ID"] for _, body in board.messages}
    assert len(ids) == 30
    assert {email.message_from_bytes(body)["Date"] for _, body in board.messages} == {
        email.message_from_bytes(board.messages[0][1])["Date"]
    }
    assert len(report(press, issue).sealed_anew) == 1
    config = str(press.folder / "config.toml")
    said = CliRunner().invoke(dateline, ["issues", "report", str(issue), "--config", config])
    assert "Sealed anew for the withdrawal in journal line" in said.output
    with reading(press.engine) as conn:
        from posts import store

        gone = next(
            p for p in store.list_all_posts(conn, limit=9, offset=0) if p.content.title == "Rumour"
        )
    had, had_not = board.recipients[0], board.recipients[-1]
    assert any("was sent" in line for line in explain(press, had, gone.guid))
    assert not any("was sent" in line for line in explain(press, had_not, gone.guid))


def test_a_reader_who_leaves_while_the_issue_is_being_sent_gets_nothing(
    tmp_path: Path, clock: Clock, board: Board
) -> None:
    press = a_press(tmp_path, clock, port=board.port)
    a_post(press, "Bridge")
    readers(press, *NAMES)
    issue = a_released_issue(press)
    board.on_message = lambda count: (
        unsubscribe(press, "reader30@example.net") if count == 5 else None
    )
    deliver(press)
    assert "reader30@example.net" not in board.offered
    found = the_books(press, issue)
    assert (found.sent, found.excluded) == (29, {"unsubscribed": 1})


def test_refusals_are_grouped_with_advice_and_a_retry_is_for_the_failed_alone(
    tmp_path: Path, clock: Clock, board: Board
) -> None:
    press = a_press(tmp_path, clock, port=board.port)
    a_post(press, "Bridge")
    readers(press, "ana", "ben", "carla", "dan", "eva")
    issue = a_released_issue(press)
    board.refuse = {
        "ben@example.net": "450 4.2.1 mailbox busy",
        "carla@example.net": "550 5.1.1 user unknown",
        "dan@example.net": "552 5.2.2 mailbox full",
        "eva@example.net": "552 5.2.2 mailbox full",
    }
    deliver(press)
    found = the_books(press, issue)
    assert (found.sent, found.deferred, found.failed) == (1, 1, 3)
    groups = {group.code: group for group in report(press, issue).errors}
    assert [(code, group.amount) for code, group in groups.items()] == [
        ("552 5.2.2", 2),
        ("450 4.2.1", 1),
        ("550 5.1.1", 1),
    ]
    assert "takes no mail" in groups["552 5.2.2"].advice
    assert "tried again" in groups["450 4.2.1"].advice
    assert "suppressed" in groups["550 5.1.1"].advice
    assert "@" not in groups["550 5.1.1"].example
    assert [one.reason for one in list_suppressed(press)] == ["dead"]

    board.refuse = {}
    assert retry_failed(press, issue) == 3
    deliver(press)
    assert board.recipients == ["ana@example.net", "dan@example.net", "eva@example.net"]
    found = the_books(press, issue)
    assert (found.sent, found.deferred, found.failed) == (3, 1, 0)
    assert found.excluded == {"suppressed": 1}

    # the deferred one comes when its time has come, and the issue is done
    clock.turn(minutes=6)
    deliver(press)
    assert board.recipients[-1] == "ben@example.net"
    with reading(press.engine) as conn:
        assert get_issue(conn, issue).status == "done"
    assert retry_failed(press, issue) == 0


def test_an_answer_that_was_lost_is_resent_with_the_same_bytes_and_named(
    tmp_path: Path, clock: Clock, board: Board
) -> None:
    press = a_press(tmp_path, clock, port=board.port)
    a_post(press, "Bridge")
    readers(press, "ana", "ben")
    issue = a_released_issue(press)
    board.lose = {"ana@example.net"}
    deliver(press)
    assert the_books(press, issue).in_doubt == 1
    board.lose = set()
    clock.turn(minutes=5)
    deliver(press)
    mine = [body for who, body in board.messages if who == "ana@example.net"]
    assert len(mine) == 2
    assert mine[0] == mine[1]
    assert the_books(press, issue).sent == 2
    assert [doubt.settled for doubt in report(press, issue).doubts] == ["resent, sent"]
    config = str(press.folder / "config.toml")
    said = CliRunner().invoke(dateline, ["issues", "report", str(issue), "--config", config])
    assert "ana@example.net was in doubt, then resent, sent (lost reply, " in said.output


@pytest.mark.parametrize("resend", [True, False])
def test_what_is_held_in_doubt_waits_for_a_person_who_settles_it_either_way(
    tmp_path: Path, clock: Clock, board: Board, resend: bool
) -> None:
    press = a_press(tmp_path, clock, port=board.port, in_doubt="hold")
    a_post(press, "Bridge")
    readers(press, "ana", "ben")
    issue = a_released_issue(press)
    board.lose = {"ana@example.net"}
    deliver(press)
    board.lose = set()
    clock.turn(hours=5)
    deliver(press)
    assert board.recipients.count("ana@example.net") == 1
    assert [line.address for line in report(press, issue).in_doubt] == ["ana@example.net"]
    with pytest.raises(NotFound, match="not in doubt"):
        resolve(press, issue, resend, ["ben@example.net"])
    assert resolve(press, issue, resend, ["ANA@example.net"]) == 1
    deliver(press)
    assert board.recipients.count("ana@example.net") == 1 + resend
    assert the_books(press, issue).sent == 2
    with reading(press.engine) as conn:
        assert get_issue(conn, issue).status == "done"


def test_a_notice_goes_out_is_put_off_and_fails_as_a_delivery_does(
    tmp_path: Path, clock: Clock, board: Board
) -> None:
    press = a_press(tmp_path, clock, port=board.port)
    a_post(press, "Bridge")
    readers(press, "ana")
    issue = a_released_issue(press)
    deliver(press)
    board.messages.clear()
    board.refuse = {"later@example.net": "450 4.2.1 busy", "nobody@example.net": "550 5.1.1 no"}
    for name in ("editor", "later", "nobody"):
        send_test(press, issue, f"{name}@example.net")
    result = deliver(press)
    assert result.notices == 1
    assert board.recipients == ["editor@example.net"]
    assert "All about Bridge" in board.texts("editor@example.net")[0]
    board.refuse = {}
    deliver(press)  # not before its time
    assert board.recipients == ["editor@example.net"]
    clock.turn(minutes=6)
    deliver(press)
    assert board.recipients == ["editor@example.net", "later@example.net"]
    # whom the relay called dead is suppressed, and no notice reaches him
    send_test(press, issue, "nobody@example.net")
    deliver(press)
    assert "nobody@example.net" not in board.recipients
    unsuppress_address(press, "nobody@example.net")
    send_test(press, issue, "nobody@example.net")
    deliver(press)
    assert board.recipients[-1] == "nobody@example.net"


def test_an_issue_that_does_not_exist_is_not_sent_in_silence(tmp_path: Path, clock: Clock) -> None:
    press = a_press(tmp_path, clock)
    with pytest.raises(NotFound, match="no issue 99"):
        deliver(press, issue=99)
