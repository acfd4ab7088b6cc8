"""An issue that did not go as it should: stopped, cancelled, offered again, settled by hand, reported, let go of."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from dateline.actions import books as actions
from dateline.actions.books import OTHERS, group_errors, report, resolve, retry_failed
from dateline.actions.clean_up import clean_up
from dateline.actions.compose import compose
from dateline.actions.deliver import deliver
from dateline.actions.explain import explain
from dateline.actions.issues import get_record
from dateline.actions.poll import poll
from dateline.actions.release import cancel, pause, resume
from dateline.actions.status import status
from dateline.cli.main import dateline
from dateline.press import Press
from newsletter.books import Books, books
from newsletter.refusals import Refusal
from newsletter.tables import deliveries, doubts
from posts.database import reading, writing
from posts.errors import NotFound, Refused
from tests.actions.mailing import Clock, a_post, a_press, a_released_issue, readers
from tests.actions.relay import Board, a_relay


@pytest.fixture
def board() -> Iterator[Board]:
    """A relay."""
    with a_relay() as made:
        yield made


@pytest.fixture
def clock() -> Clock:
    """Turned by the test."""
    return Clock()


def the_books(press: Press, issue: int) -> Books:
    """They balance, whatever the test is about."""
    with reading(press.engine) as conn:
        found = books(conn, issue)
    assert found.balance
    return found


def said(press: Press, *words: str) -> tuple[int, str]:
    """Exit code and all that `dateline issues ...` says."""
    config = str(press.folder / "config.toml")
    called = CliRunner().invoke(dateline, ["issues", *words, "--config", config])
    return called.exit_code, called.output + str(called.exception or "")


def in_doubt(
    press: Press, board: Board, clock: Clock, *lost: str, others: tuple[str, ...] = ("ben",)
) -> int:
    """An issue whose answers to `lost` were lost, and that holds them."""
    a_post(press, "Bridge")
    readers(press, *lost, *others)
    issue = a_released_issue(press)
    board.lose = {f"{name}@example.net" for name in lost}
    deliver(press)
    board.lose = set()
    clock.turn(hours=5)
    deliver(press)
    assert the_books(press, issue).in_doubt == len(lost)
    return issue


def test_a_paused_issue_sends_nobody_anything_and_goes_on_where_it_stood(
    tmp_path: Path, clock: Clock, board: Board
) -> None:
    press = a_press(tmp_path, clock, port=board.port)
    a_post(press, "Bridge")
    readers(press, *(f"reader{n}" for n in range(9)))
    issue = a_released_issue(press)
    board.on_message = lambda count: pause(press, issue) if count == 3 else None
    deliver(press)
    sent = len(board.messages)
    assert sent <= 3 + 2 * 1 + 1
    assert the_books(press, issue).queued == 9 - sent
    deliver(press)
    assert len(board.messages) == sent
    board.on_message = lambda count: None
    resume(press, issue)
    deliver(press)
    assert sorted(board.recipients) == sorted(set(board.recipients))
    assert the_books(press, issue).sent == 9


def test_of_a_cancelled_issue_nobody_else_is_sent_to_and_doubt_is_neither_repeated_nor_resent(
    tmp_path: Path, clock: Clock, board: Board
) -> None:
    press = a_press(tmp_path, clock, port=board.port)
    a_post(press, "Bridge")
    readers(press, "ana", "ben", "carla")
    issue = a_released_issue(press)
    board.lose = {"ana@example.net"}
    board.refuse = {"ben@example.net": "552 5.2.2 mailbox full", "carla@example.net": "451 later"}
    deliver(press)
    board.lose, board.refuse = set(), {}
    cancel(press, issue)
    clock.turn(days=1)
    deliver(press)
    assert board.recipients == ["ana@example.net"]
    found = the_books(press, issue)
    assert (found.in_doubt, found.failed, found.excluded) == (1, 1, {"cancelled": 1})
    assert {(one.code, one.state) for one in report(press, issue).errors} == {
        ("552 5.2.2", "failed"),
        ("451", "excluded"),
    }
    for refused in (
        lambda: retry_failed(press, issue),
        lambda: resolve(press, issue, resend=True),
    ):
        with pytest.raises(Refused, match="is cancelled"):
            refused()
    assert the_books(press, issue) == found
    assert resolve(press, issue, resend=False) == 1
    assert the_books(press, issue).sent == 1


def test_doubts_are_settled_for_the_addresses_named_and_for_nobody_else(
    tmp_path: Path, clock: Clock, board: Board
) -> None:
    press = a_press(tmp_path, clock, port=board.port, in_doubt="hold")
    issue = in_doubt(press, board, clock, "ana", "eva", "ida")
    code, output = said(press, "resolve", str(issue), "--sent", "ANA@Example.net")
    assert (code, "1 delivery in doubt is taken as sent." in output) == (0, True)
    code, output = said(press, "resolve", str(issue), "eva@example.net", "--resend")
    assert (code, "1 delivery in doubt is offered again." in output) == (0, True)
    assert [line.address for line in report(press, issue).in_doubt] == ["ida@example.net"]
    assert deliver(press).waiting == 0  # who is held waits for a person, not for a sender
    need = status(press).needs[0]
    assert need.startswith(f"1 delivery of issue {issue} (daily No. 1) is in doubt: ")
    counts = [board.recipients.count(f"{name}@example.net") for name in ("ana", "eva", "ida")]
    assert counts == [1, 2, 1]
    assert said(press, "resolve", str(issue), "--sent")[0] == 0
    assert the_books(press, issue).sent == 4


@pytest.mark.parametrize(
    ("words", "code", "what"),
    [
        pytest.param(("--resend", "ben@example.net"), 1, "not in doubt", id="nobody's doubt"),
        pytest.param(("--resend", "ana@"), 1, "not a mail address", id="no address"),
        pytest.param(("ana@example.net",), 2, "--resend or --sent", id="neither way"),
    ],
)
def test_what_cannot_be_settled_changes_nothing(
    tmp_path: Path, clock: Clock, board: Board, words: tuple[str, ...], code: int, what: str
) -> None:
    press = a_press(tmp_path, clock, port=board.port, in_doubt="hold")
    issue = in_doubt(press, board, clock, "ana")
    assert said(press, "resolve", str(issue), *words)[0] == code
    assert what in said(press, "resolve", str(issue), *words)[1]
    with pytest.raises(NotFound):
        resolve(press, issue, True, ["ana@example.net", "ben@example.net"])
    assert the_books(press, issue).in_doubt == 1


def test_more_doubts_than_one_statement_can_name_are_settled_at_once(
    tmp_path: Path, clock: Clock
) -> None:
    press = a_press(tmp_path, clock)
    a_post(press, "Bridge")
    readers(press, "ana")
    issue, many = a_released_issue(press), 40_000
    with writing(press.engine) as conn:
        conn.execute(sa.delete(deliveries))
        rows = [
            {"issue": issue, "number": n, "subscription": n, "subscriber": n, "state": "in doubt"}
            for n in range(1, many + 1)
        ]
        conn.execute(sa.insert(deliveries), rows)
        named = [{"issue": issue, "number": n, "why": "x", "at": clock.now} for n in range(1, 151)]
        conn.execute(sa.insert(doubts), named)
    code, output = said(press, "report", str(issue))
    assert (code, output.count("is in doubt")) == (0, 100)
    assert f"And 50 more in doubt: `issues report {issue} --all` names each." in output
    assert said(press, "report", str(issue), "--all")[1].count("is in doubt") == 150
    short = json.loads(said(press, "report", str(issue), "--json")[1])
    assert (len(short["doubts"]), short["doubts_total"]) == (100, 150)
    whole = json.loads(said(press, "report", str(issue), "--json", "--all")[1])
    assert len(whole["doubts"]) == 150
    assert resolve(press, issue, resend=False) == many
    assert {doubt.settled for doubt in report(press, issue).doubts} == {"taken as sent by hand"}


def test_a_report_without_doubts_is_json_too(tmp_path: Path, clock: Clock) -> None:
    press = a_press(tmp_path, clock)
    a_post(press, "Bridge")
    readers(press, "ana")
    issue = a_released_issue(press)
    found = json.loads(said(press, "report", str(issue), "--json")[1])
    assert (found["doubts"], found["books"]["recipients"]) == ([], 1)


def _refused(reply: str | None, *, code: int | None = 550, number: int = 1) -> Refusal:
    return Refusal(number, 7, "failed", code, reply)


@pytest.mark.parametrize(
    ("reply", "code", "example"),
    [
        pytest.param("5.1.1 <ana@example.net>: gone", "550 5.1.1", "5.1.1 <(address removed)>: gone", id="address"),
        pytest.param("5.1.1 a\x1b[31m\u202eb\nc", "550 5.1.1", "5.1.1 a[31mb c", id="controls"),
        pytest.param("5.1.1", "550 5.1.1", "5.1.1", id="nothing but a code"),
        pytest.param("\u0665.1.1 gone", "550", "\u0665.1.1 gone", id="other digits"),
        pytest.param("5.1.1.9 gone", "550", "5.1.1.9 gone", id="too long a code"),
        pytest.param("5.99999.1 gone", "550", "5.99999.1 gone", id="too large a code"),
        pytest.param("x" * 5_000, "550", "x" * 200 + "...", id="endless"),
        pytest.param(None, "550", "no text", id="no text"),
        pytest.param("[bold]5.1.1[/bold]", "550", "[bold]5.1.1[/bold]", id="markup"),
    ],
)  # fmt: skip
def test_what_a_hostile_relay_answers_is_shown_in_one_plain_line(
    reply: str | None, code: str, example: str
) -> None:
    (group,) = group_errors([_refused(reply)])
    assert (group.code, group.example) == (code, f"subscriber 7: {example}")
    assert group.advice


def test_a_relay_that_invents_codes_fills_no_more_than_a_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(actions, "_MOST_GROUPS", 5)
    groups = group_errors(_refused(f"5.{n}.1 x") for n in range(500))
    assert len(groups) == 6
    assert (groups[0].code, groups[0].amount) == (OTHERS, 495)
    assert sum(group.amount for group in groups) == 500


def test_after_keep_deliveries_only_totals_are_kept_and_all_who_ask_are_told_so(
    tmp_path: Path, clock: Clock, board: Board
) -> None:
    press = a_press(tmp_path, clock, port=board.port)
    a_post(press, "Bridge")
    readers(press, "ana", "ben")
    issue = a_released_issue(press)
    board.refuse = {"ben@example.net": "552 5.2.2 mailbox full"}
    deliver(press)
    before, record = the_books(press, issue), get_record(press, issue)
    clock.turn(days=89)
    assert clean_up(press).deliveries == 0
    clock.turn(days=2)
    assert clean_up(press).deliveries == 2
    assert clean_up(press).deliveries == 0
    assert the_books(press, issue) == before
    assert get_record(press, issue) == {**record, "only_totals": True}
    assert "only totals are kept" in said(press, "show", str(issue))[1]
    code, output = said(press, "report", str(issue))
    assert (code, "Only totals are kept" in output) == (0, True)
    (last,) = [one.books for one in status(press).newsletters if one.books is not None]
    assert last == before
    for post in (None, "1"):
        (line,) = [one for one in explain(press, "ana@example.net", post) if "No. 1" in one]
        assert "only totals are kept" in line
    for act in (
        lambda: retry_failed(press, issue),
        lambda: resolve(press, issue, resend=False),
    ):
        with pytest.raises(Refused, match="only totals are kept"):
            act()


def test_a_cancelled_issue_gives_way_to_its_totals_unless_somebody_is_in_doubt(
    tmp_path: Path, clock: Clock, board: Board
) -> None:
    press = a_press(tmp_path, clock, port=board.port, in_doubt="hold")
    issue = in_doubt(press, board, clock, "ana")
    cancel(press, issue)
    clock.turn(days=100)
    assert clean_up(press).deliveries == 0
    assert [line.address for line in report(press, issue).in_doubt] == ["ana@example.net"]
    resolve(press, issue, resend=False)
    assert clean_up(press).deliveries == 2
    assert the_books(press, issue).sent == 2


def test_an_issue_for_nobody_is_done_at_once_and_says_so(tmp_path: Path, clock: Clock) -> None:
    press = a_press(tmp_path, clock)
    a_post(press, "Bridge")
    poll(press)
    made = compose(press, "daily").issue
    assert made is not None
    code, output = said(press, "release", str(made.id), "--yes")
    assert code == 0
    assert "0 recipients" in output
    assert "Nobody is to be mailed: the issue is done." in output
    assert "Nobody sends it yet" not in output
    assert get_record(press, made.id)["status"] == "done"
    assert said(press, "report", str(made.id))[0] == 0
    readers(press, "ana")
    (line,) = explain(press, "ana@example.net", "1")
    assert "before this reader had subscribed" in line


def test_a_list_that_was_cut_says_how_to_see_the_rest(tmp_path: Path, clock: Clock) -> None:
    press = a_press(tmp_path, clock)
    readers(press, "ana")
    for name in ("Bridge", "River"):
        a_post(press, name)
        a_released_issue(press)
    code, output = said(press, "list", "--limit", "1")
    assert (code, "And 1 older: `issues list --limit N` shows more." in output) == (0, True)
    assert "older" not in said(press, "list")[1]
