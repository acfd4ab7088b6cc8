"""The figures of sending: what terminal, JSON, events, metrics and `status` show."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from dateline.actions.deliver import deliver
from dateline.actions.follow import Progress
from dateline.actions.progress import FiguresReader, as_plain
from dateline.cli.main import dateline
from dateline.deliver_lock import DeliverLock
from dateline.press import Press
from newsletter.books import books
from newsletter.issues import IssueStatus, mark_status
from newsletter.progress import RelayReport, SenderReport
from newsletter.senders import SendingProcess, list_senders, record_sender
from posts.database import reading, writing
from tests.actions.mailing import Clock, a_post, a_press, a_released_issue, readers
from tests.actions.relay import Board, a_relay


@pytest.fixture
def board() -> Iterator[Board]:
    """A relay."""
    with a_relay() as made:
        yield made


@pytest.fixture
def clock() -> Clock:
    """A clock in the test's hand."""
    return Clock()


@pytest.fixture
def press(tmp_path: Path, clock: Clock, board: Board) -> Press:
    """A press with an issue to six readers that nobody sends yet."""
    made = a_press(tmp_path, clock, port=board.port)
    a_post(made, "Bridge")
    readers(made, "ana", "ben", "carla", "dora", "emil", "fay")
    return made


@pytest.fixture
def issue(press: Press) -> int:
    """The issue."""
    return a_released_issue(press)


@pytest.fixture
def running(press: Press) -> Iterator[None]:
    """Somebody holds the lock of who sends."""
    with DeliverLock(press.var) as lock:
        assert lock.acquire("the daemon's delivery program")
        yield


def say(press: Press, **values: object) -> None:
    """The sending process says this of itself now."""
    with writing(press.engine) as conn:
        record_sender(conn, "host:1", SenderReport(**values), press.clock())  # type: ignore[arg-type]


@pytest.mark.usefixtures("running")
def test_no_time_left_is_told_before_there_are_samples(press: Press, issue: int) -> None:
    say(press, sent=0)
    (one,) = FiguresReader(press).read().issues
    assert (one.issue, one.left, one.rate_per_s, one.time_left_s) == (issue, 6, None, None)
    say(press, rate_per_s=2.0)
    (one,) = FiguresReader(press).read().issues
    assert (one.rate_per_s, one.time_left_s) == (2.0, 3.0)


@pytest.mark.usefixtures("running", "issue")
def test_a_report_from_a_while_ago_gives_no_rate(press: Press, clock: Clock) -> None:
    say(press, rate_per_s=2.0)
    clock.turn(seconds=10)
    figures = FiguresReader(press).read()
    assert (figures.pulse.workers, figures.pulse.rate_per_s, figures.time_left_s) == (1, None, None)


@pytest.mark.usefixtures("running")
def test_a_paused_issue_has_no_rate_and_takes_no_share_of_it(press: Press, issue: int) -> None:
    a_post(press, "Court")
    second = a_released_issue(press)
    say(press, rate_per_s=2.0)
    shares = {one.issue: one.rate_per_s for one in FiguresReader(press).read().issues}
    assert shares == {issue: 1.0, second: 1.0}
    with writing(press.engine) as conn:
        mark_status(conn, issue, IssueStatus.PAUSED, old=[IssueStatus.RELEASED])
    paused, sending = FiguresReader(press).read().issues
    assert (paused.status, paused.rate_per_s, paused.time_left_s) == ("paused", None, None)
    assert (sending.rate_per_s, sending.time_left_s) == (2.0, 3.0)


@pytest.mark.usefixtures("running", "issue")
def test_while_trouble_lasts_no_time_left_is_told(press: Press) -> None:
    say(press, rate_per_s=2.0, trouble="relay: connection refused")
    figures = FiguresReader(press).read()
    assert (figures.pulse.trouble, figures.time_left_s) == ("relay: connection refused", None)


def test_where_nobody_holds_the_lock_nobody_sends(press: Press, issue: int) -> None:
    say(press, rate_per_s=2.0)
    figures = FiguresReader(press).read()
    assert (figures.pulse.workers, figures.pulse.rate_per_s) == (0, None)
    assert figures.issues[0].issue == issue


@pytest.mark.usefixtures("running")
def test_a_process_that_has_not_reported_yet_is_a_worker(press: Press) -> None:
    assert FiguresReader(press).read().pulse.workers == 1


def test_who_is_put_off_is_shown_with_the_next_try(
    press: Press, issue: int, board: Board, clock: Clock
) -> None:
    board.refuse = {"ben@example.net": "450 4.2.1 busy", "carla@example.net": "550 5.1.1 no"}
    deliver(press)
    (one,) = FiguresReader(press).read().issues
    assert (one.issue, one.books.sent, one.books.deferred, one.left) == (issue, 4, 1, 0)
    assert one.books.failures == {"5.1": 1}
    assert one.next_retry is not None
    assert 240 < (one.next_retry - clock.now).total_seconds() < 360


def test_an_issue_is_shown_for_a_day_after_its_end(press: Press, issue: int, clock: Clock) -> None:
    deliver(press)
    reader = FiguresReader(press)
    for _ in range(2):
        (one,) = reader.read().issues
        assert (one.issue, one.status, one.books.sent) == (issue, "done", 6)
    clock.turn(hours=25)
    assert reader.read().issues == ()


def test_the_books_of_a_done_issue_are_read_once(press: Press, issue: int) -> None:
    deliver(press)
    reader = FiguresReader(press)
    before = reader.read()
    with writing(press.engine) as conn:
        conn.exec_driver_sql(f"DELETE FROM deliveries WHERE issue = {issue}")
    assert reader.read() == before


def test_the_books_balance_at_every_reading_while_an_issue_is_sent(
    press: Press, issue: int, board: Board
) -> None:
    board.refuse = {"ben@example.net": "450 4.2.1 busy", "carla@example.net": "550 5.1.1 no"}
    board.lose = {"dora@example.net"}
    seen = []

    def look(_count: int) -> None:
        with reading(press.engine) as conn:
            seen.append(books(conn, issue))

    board.on_message = look
    deliver(press, progress=lambda progress: look(progress.done))
    assert len({(one.sent, one.leased) for one in seen}) >= 3
    assert [one for one in seen if not one.balance or one.recipients != 6] == []


def test_a_run_by_hand_shows_its_rate_and_what_was_found(press: Press, issue: int) -> None:
    with writing(press.engine) as conn:
        conn.exec_driver_sql(
            "INSERT INTO paces (key, rate, slowed, raised) VALUES ('relay 127.0.0.1:9', 2.5, "
            "'2026-11-24 16:00:00.000000', '2026-11-24 16:00:00.000000')"
        )
    seen: list[Progress] = []
    deliver(press, issue=issue, progress=seen.append)
    assert (seen[-1].done, seen[-1].total) == (6, 6)
    assert [pace.name for pace in seen[-1].found_rates] == ["127.0.0.1:9"]


@pytest.mark.usefixtures("running", "issue")
def test_beside_another_sender_its_figures_are_shown(press: Press) -> None:
    say(press, rate_per_s=2.0)
    seen: list[Progress] = []
    deliver(press, progress=seen.append, stop=lambda: bool(seen))
    assert (seen[0].done, seen[0].total) == (0, 6)
    assert (seen[0].rate_per_s, seen[0].time_left_s) == (2.0, 3.0)


def test_status_carries_the_same_figures(press: Press, issue: int, tmp_path: Path) -> None:
    words = ["status", "--json", "--config", str(tmp_path / "config.toml")]
    said = json.loads(CliRunner().invoke(dateline, words).stdout)["sending"]
    assert said["issues"][0]["id"] == issue
    assert (said["issues"][0]["queued"], said["rate_per_s"], said["workers"]) == (6, None, 0)
    assert said.keys() == as_plain(FiguresReader(press).read()).keys()


@pytest.mark.usefixtures("running", "issue")
def test_each_relay_is_shown_once_as_it_was_seen_last(press: Press, clock: Clock) -> None:
    for owner, state in (("host:1", "in use"), ("host:2", "set aside")):
        relay = RelayReport(name="mx.example:25", state=state)
        with writing(press.engine) as conn:
            record_sender(conn, owner, SenderReport(relays=(relay,)), press.clock())
        clock.turn(seconds=1)
    figures = FiguresReader(replace(press, clock=clock)).read()
    assert [(one.name, one.state) for one in figures.pulse.relays] == [
        ("mx.example:25", "set aside")
    ]
    assert figures.pulse.workers == 2


def test_who_sends_says_so_while_it_sends_and_no_longer(
    press: Press, issue: int, board: Board
) -> None:
    seen: list[list[SendingProcess]] = []

    def look(_count: int) -> None:
        with reading(press.engine) as conn:
            seen.append(list_senders(conn, press.clock()))

    board.on_message = look
    deliver(press, issue=issue)
    assert [len(alive) for alive in seen] == [1] * 6
    assert [relay.name for relay in seen[-1][0].report.relays] == [f"127.0.0.1:{board.port}"]
    assert seen[-1][0].report.relays[0].state == "in use"
    look(0)
    assert seen[-1] == []
