"""`dateline deliver` as an operator sees it: what it says, its exit code, and beside another sender."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dateline.cli.main import dateline
from dateline.deliver_lock import DeliverLock
from tests.actions.mailing import Clock, a_post, a_press, a_released_issue, readers
from tests.actions.relay import Board, a_relay


@pytest.fixture
def board() -> Iterator[Board]:
    """A relay."""
    with a_relay() as made:
        yield made


def run(folder: Path, *words: str) -> Result:
    """`dateline WORDS --config ...`."""
    found = CliRunner().invoke(dateline, [*words, "--config", str(folder / "config.toml")])
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    return found


def test_it_says_what_was_sent_and_where_the_messages_are(tmp_path: Path) -> None:
    press = a_press(tmp_path, Clock())
    a_post(press, "Bridge")
    readers(press, "ana", "ben")
    a_released_issue(press)
    found = run(tmp_path, "deliver")
    assert found.exit_code == 0
    assert found.stdout == "2 sent.\n"
    assert f"the messages are files in {tmp_path}/var/outbox" in found.stderr
    assert len(list((press.var / "outbox" / "new").iterdir())) == 2
    again = run(tmp_path, "deliver")
    assert again.stdout == "0 sent.\n"


def test_as_json_it_is_numbers(tmp_path: Path) -> None:
    press = a_press(tmp_path, Clock())
    a_post(press, "Bridge")
    readers(press, "ana")
    issue = a_released_issue(press)
    found = run(tmp_path, "deliver", "--json", "--issue", str(issue))
    said = json.loads(found.stdout)
    assert (said["sent"], said["waiting"], said["trouble"], said["by"]) == (1, 0, None, None)


def test_who_was_put_off_is_said_and_that_waiting_is_possible(tmp_path: Path, board: Board) -> None:
    press = a_press(tmp_path, Clock(), port=board.port)
    a_post(press, "Bridge")
    readers(press, "ana", "ben", "carla")
    a_released_issue(press)
    board.refuse = {"ben@example.net": "450 4.2.1 busy", "carla@example.net": "550 5.1.1 no"}
    found = run(tmp_path, "deliver")
    assert found.exit_code == 0
    assert found.stdout == "1 sent, 1 deferred, 1 failed.\n"
    assert "1 reader is still to be sent to; `--until-done` waits for them." in found.stderr


def test_of_two_issues_one_can_be_sent_alone(tmp_path: Path, board: Board) -> None:
    clock = Clock()
    press = a_press(tmp_path, clock, port=board.port)
    readers(press, "ana")
    a_post(press, "Bridge")
    first = a_released_issue(press)
    a_post(press, "Court")
    second = a_released_issue(press)
    assert run(tmp_path, "deliver", "--issue", str(second)).stdout == "1 sent.\n"
    assert "All about Court" in board.texts("ana@example.net")[0]
    assert run(tmp_path, "deliver", "--issue", str(first)).stdout == "1 sent.\n"
    assert "All about Bridge" in board.texts("ana@example.net")[1]


def test_a_relay_that_refuses_us_is_named_and_the_exit_code_says_so(
    tmp_path: Path, board: Board
) -> None:
    press = a_press(tmp_path, Clock(), port=board.port)
    a_post(press, "Bridge")
    names = [f"reader{number}" for number in range(12)]
    readers(press, *names)
    a_released_issue(press)
    refusal = "550 5.7.1 Sender address rejected: not allowed"
    board.refuse = {f"{name}@example.net": refusal for name in names}
    found = run(tmp_path, "deliver")
    assert found.exit_code == 1
    assert "Stopped: " in found.stderr
    assert "@" not in found.stderr
    assert "12 readers are still to be sent to." in found.stderr


def test_beside_another_sender_it_sends_nothing_and_names_it(tmp_path: Path, board: Board) -> None:
    press = a_press(tmp_path, Clock(), port=board.port)
    with DeliverLock(press.var) as lock:
        assert lock.acquire("the daemon's delivery program")
        found = run(tmp_path, "deliver")
    assert found.exit_code == 0
    assert "Mail is sent by the daemon's delivery program, process" in found.stdout
    assert board.offered == []
