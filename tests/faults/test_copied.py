"""Copies of a press, and processes killed between a line of the counterfoil and its commit (DESIGN.md 8.12)."""

import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from dateline.actions.adopt import adopt
from dateline.actions.compose import compose
from dateline.actions.deliver import deliver
from dateline.actions.holding import Why, find_hold
from dateline.actions.poll import poll
from dateline.actions.release import release, resume
from dateline.config import load_config
from dateline.counterfoil import Counterfoil
from dateline.press import Press, open_press
from newsletter import issues, subscribers, subscriptions
from newsletter.books import books
from newsletter.counterfoil import What, parse_lines
from newsletter.suppression import is_suppressed
from posts.database import reading, writing
from tests.actions import mailing
from tests.faults.press import (
    ROOT,
    Received,
    a_press,
    a_sink,
    delivery_program,
    kill,
    wait_until,
)
from tests.newsletter.ledger_builders import a_released_issue, issue_status

pytestmark = pytest.mark.faults

READERS = 400


def again(press: Press, folder: Path | None = None) -> Press:
    """The press, or a copy of it elsewhere, opened anew."""
    press.engine.dispose()
    home = folder or press.folder
    return open_press(load_config(home / "config.toml", {}), home, clock=press.clock)


def backup(press: Press, path: Path) -> Path:
    """A copy of the database as it is now, whoever writes meanwhile."""
    with (
        sqlite3.connect(path) as copy,
        sqlite3.connect(press.engine.url.database or "") as original,
    ):
        original.backup(copy)
    return path


def put_back(press: Press, path: Path) -> Press:
    """The copy in the place of the database."""
    press.engine.dispose()
    name = press.engine.url.database or ""
    for ending in ("", "-wal", "-shm"):
        Path(f"{name}{ending}").unlink(missing_ok=True)
    shutil.copy(path, name)
    return again(press)


def log_of(press: Press) -> str:
    """What its delivery program has said."""
    path = press.folder / "deliver.log"
    return path.read_text() if path.exists() else ""


def finish(press: Press, issue: int) -> None:
    """The delivery program, until the issue is done."""
    process = delivery_program(press)
    wait_until(lambda: issue_status(press.engine, issue) == "done")
    process.terminate()
    assert process.wait(timeout=20) == 0


def assert_mails_nobody(press: Press, received: Received) -> None:
    """The delivery program starts, says why it sends nothing, and sends nothing."""
    before = received.count()
    process = delivery_program(press)
    wait_until(lambda: "nothing is sent" in log_of(press) or process.poll() is not None)
    assert "adopt" in log_of(press)
    assert log_of(press).count("nothing is sent") == 1
    process.terminate()
    assert process.wait(timeout=20) == 0
    assert received.count() == before


def everybody(amount: int = READERS) -> set[str]:
    """All who are to get it."""
    return {f"reader{n}@example.net" for n in range(1, amount + 1)}


def test_the_folder_copied_in_the_middle_and_started_beside_the_original_mails_nobody(
    tmp_path: Path,
) -> None:
    with a_sink(tmp_path, delay_s=0.004) as (port, received):
        folder = tmp_path / "original"
        folder.mkdir()
        press = a_press(folder, port)
        issue = a_released_issue(press.engine, READERS, batch=50)
        process = delivery_program(press)
        wait_until(lambda: received.count() >= READERS // 4)
        process.send_signal(signal.SIGSTOP)  # so that the copy is of one moment
        shutil.copytree(folder, tmp_path / "copy")
        process.send_signal(signal.SIGCONT)
        copy = again(press, tmp_path / "copy")
        (copy.folder / "deliver.log").unlink()
        hold = find_hold(copy)
        assert hold is not None
        assert hold.why is Why.COPIED
        beside = delivery_program(copy)
        wait_until(lambda: "nothing is sent" in log_of(copy))
        assert "adopt" in log_of(copy)
        wait_until(lambda: issue_status(press.engine, issue) == "done")
        for one in (process, beside):
            one.terminate()
            assert one.wait(timeout=20) == 0
        assert {who for who, _, _ in received.lines()} == everybody()
        assert received.repeats() == {}

        done = adopt(copy, skip=True)
        assert done is not None
        assert done.paused_issues == (issue,)
        resume(copy, issue)
        deliver(copy)
        with reading(copy.engine) as conn:
            found = books(conn, issue)
        assert found.balance
        assert (found.queued, found.leased, found.deferred) == (0, 0, 0)
        assert received.repeats() == {}


def test_the_database_copied_in_the_middle_and_put_back_later_mails_nobody_twice(
    tmp_path: Path,
) -> None:
    with a_sink(tmp_path, delay_s=0.004) as (port, received):
        press = a_press(tmp_path, port)
        issue = a_released_issue(press.engine, READERS, batch=50)
        process = delivery_program(press)
        wait_until(lambda: received.count() >= READERS // 4)
        copy = backup(press, tmp_path / "copy.db")
        wait_until(lambda: issue_status(press.engine, issue) == "done")
        process.terminate()
        assert process.wait(timeout=20) == 0
        assert received.count() == READERS

        (tmp_path / "deliver.log").unlink()
        press = put_back(press, copy)
        assert issue_status(press.engine, issue) == "released"
        assert_mails_nobody(press, received)
        done = adopt(press, skip=True)
        assert done is not None
        assert done.doubts[issue] > 0
        resume(press, issue)
        deliver(press)
        assert received.count() == READERS
        assert received.repeats() == {}
        with reading(press.engine) as conn:
            assert books(conn, issue).balance


def test_a_file_that_goes_while_the_program_sends_stops_it_and_adopting_lets_it_go_on(
    tmp_path: Path,
) -> None:
    with a_sink(tmp_path, delay_s=0.01) as (port, received):
        press = a_press(tmp_path, port, connections=2)
        issue = a_released_issue(press.engine, READERS, batch=50)
        process = delivery_program(press)
        path = tmp_path / "var" / "counterfoil"
        wait_until(lambda: received.count() >= 20)
        path.unlink()
        wait_until(lambda: "nothing is sent" in log_of(press))
        stopped = received.count()
        assert stopped < READERS
        with reading(press.engine) as conn:
            assert books(conn, issue).in_doubt == 0
        adopt(press, skip=False)
        resume(press, issue)
        wait_until(lambda: issue_status(press.engine, issue) == "done")
        process.terminate()
        assert process.wait(timeout=20) == 0
    assert received.repeats() == {}
    assert {who for who, _, _ in received.lines()} == everybody()


def test_a_delivery_program_killed_at_any_moment_is_no_hold(tmp_path: Path) -> None:
    with a_sink(tmp_path, delay_s=0.004) as (port, received):
        press = a_press(tmp_path, port)
        issue = a_released_issue(press.engine, READERS, batch=20)
        for turn in range(1, 5):
            process = delivery_program(press)
            wait_until(lambda goal=turn * READERS // 5: received.count() >= goal)  # type: ignore[misc]  # a lambda of nothing
            kill(process)
            assert find_hold(press) is None
        finish(press, issue)
    assert {who for who, _, _ in received.lines()} == everybody()


# killed between the line and the commit


@pytest.fixture
def newsroom(tmp_path: Path) -> Press:
    """Three readers, a draft of one post; mails into a maildir."""
    press = mailing.a_press(tmp_path, mailing.Clock())
    mailing.readers(press, "ana", "bo", "chus")
    mailing.a_post(press, "Bridge")
    poll(press)
    assert compose(press, "daily").issue is not None
    return press


def dying(press: Press, point: str, *words: str) -> subprocess.CompletedProcess[str]:
    """A verb that ends at that point."""
    press.engine.dispose()
    config = ["--config", str(press.folder / "config.toml")]
    return subprocess.run(
        [sys.executable, "-m", "tests.faults.dying", point, *words, *config],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def told(press: Press) -> list[What]:
    """What the file says that an act was."""
    path = press.var / "counterfoil"
    lines = parse_lines(Counterfoil(press.var).read()) if path.exists() else []
    return [line.entry.what for line in lines if line.entry.what is not What.MADE]


def standing(press: Press, name: str) -> str:
    """The status of a reader's subscription, or "gone"."""
    with reading(press.engine) as conn:
        reader = subscribers.find_subscriber(conn, f"{name}@example.net")
        found = subscriptions.find_subscription(conn, reader.id, "daily") if reader else None
    return found.status.value if found else "gone"


def suppressed(press: Press, name: str) -> bool:
    """True where the address is never to be mailed."""
    with reading(press.engine) as conn:
        return is_suppressed(conn, press.keys, f"{name}@example.net")


ACTS = {
    "leaving": ("subscribers", "unsubscribe", "ana@example.net"),
    "erasing": ("subscribers", "erase", "ana@example.net", "--yes"),
    "suppressing": ("suppress", "add", "ana@example.net"),
}


def is_done(press: Press, act: str) -> bool:
    """True where an act stands in the database."""
    if act == "suppressing":
        return suppressed(press, "ana")
    return standing(press, "ana") == {"leaving": "unsubscribed", "erasing": "gone"}[act]


def test_an_act_killed_before_its_line_was_never_done(newsroom: Press) -> None:
    assert dying(newsroom, "before-line", *ACTS["leaving"]).returncode == -signal.SIGKILL
    assert told(newsroom) == []
    assert find_hold(newsroom) is None
    assert not is_done(newsroom, "leaving")


@pytest.mark.parametrize("act", ACTS)
def test_an_act_killed_between_its_line_and_its_commit_is_done_at_once(
    newsroom: Press, act: str
) -> None:
    assert dying(newsroom, "before-commit", *ACTS[act]).returncode == -signal.SIGKILL
    assert len(told(newsroom)) == 1
    assert not is_done(newsroom, act)
    assert find_hold(newsroom) is None
    assert is_done(newsroom, act)
    assert find_hold(again(newsroom)) is None


def test_an_act_whose_line_is_cut_short_fails_and_was_never_done(newsroom: Press) -> None:
    release(newsroom, 1)  # there is a file with lines
    before = told(newsroom)
    ended = dying(newsroom, "torn", *ACTS["leaving"])
    assert ended.returncode == 1, ended.stderr
    assert not is_done(newsroom, "leaving")
    assert told(newsroom) == before
    assert find_hold(newsroom) is None


def test_a_release_killed_between_its_line_and_its_commit_mailed_nobody_and_is_a_draft(
    newsroom: Press,
) -> None:
    words = ("issues", "release", "1", "--yes")
    assert dying(newsroom, "before-commit", *words).returncode == -signal.SIGKILL
    assert told(newsroom) == [What.RELEASED]
    assert find_hold(newsroom) is None
    with reading(newsroom.engine) as conn:
        assert issues.get_issue(conn, 1).status.value == "draft"
    release(newsroom, 1)
    assert deliver(newsroom).sent == 3


def test_crashes_one_after_another_are_made_good_one_by_one(newsroom: Press) -> None:
    for name in ("ana", "bo", "chus"):
        words = ("subscribers", "unsubscribe", f"{name}@example.net")
        assert dying(newsroom, "before-commit", *words).returncode == -signal.SIGKILL
        assert find_hold(newsroom) is None
    assert [standing(newsroom, name) for name in ("ana", "bo", "chus")] == ["unsubscribed"] * 3


def test_the_next_who_notes_something_makes_good_what_a_crash_has_left(newsroom: Press) -> None:
    words = ("subscribers", "unsubscribe", "ana@example.net")
    assert dying(newsroom, "before-commit", *words).returncode == -signal.SIGKILL
    again(newsroom)
    assert dying(newsroom, "none", "subscribers", "unsubscribe", "bo@example.net").returncode == 0
    assert [standing(newsroom, name) for name in ("ana", "bo")] == ["unsubscribed"] * 2


def test_an_adoption_killed_before_its_commit_still_holds_and_can_be_done_again(
    newsroom: Press,
) -> None:
    release(newsroom, 1)
    (newsroom.var / "counterfoil").unlink()
    words = ("adopt", "--skip", "--yes")
    assert dying(newsroom, "before-commit", *words).returncode == -signal.SIGKILL
    assert find_hold(newsroom) is not None
    done = adopt(newsroom, skip=True)
    assert done is not None
    assert done.paused_issues == (1,)
    assert find_hold(again(newsroom)) is None


def test_an_adoption_of_a_copied_folder_killed_before_its_commit_still_holds(
    newsroom: Press, tmp_path: Path
) -> None:
    release(newsroom, 1)
    newsroom.engine.dispose()
    shutil.copytree(newsroom.folder, tmp_path / "copy")
    copy = again(newsroom, tmp_path / "copy")
    words = ("adopt", "--mail-again", "--yes")
    assert dying(copy, "before-commit", *words).returncode == -signal.SIGKILL
    hold = find_hold(copy)
    assert hold is not None
    assert hold.why is Why.CUT_SHORT
    with writing(copy.engine) as conn:
        assert issues.get_issue(conn, 1).status.value == "released"
    done = adopt(copy, skip=False)
    assert done is not None
    assert done.paused_issues == (1,)
