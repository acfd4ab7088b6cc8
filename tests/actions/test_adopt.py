"""A database that is older than what its press has done mails nobody, until somebody adopts it (DESIGN.md 8.12)."""

import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dateline.actions.adopt import adopt, survey
from dateline.actions.check import check
from dateline.actions.compose import compose, tick
from dateline.actions.deliver import deliver
from dateline.actions.explain import explain
from dateline.actions.holding import Held, Why, find_hold
from dateline.actions.poll import poll
from dateline.actions.release import cancel, release, resume, send_test
from dateline.actions.status import status
from dateline.actions.subscriber_links import (
    find_token,
    set_preferences,
    undo_unsubscribe,
    unsubscribe_token,
)
from dateline.actions.subscribers import erase, unsubscribe
from dateline.actions.suppress import list_suppressed, suppress_address, unsuppress_address
from dateline.cli.main import dateline
from dateline.config import load_config, read_config
from dateline.counterfoil import Counterfoil
from dateline.press import Press, open_press
from newsletter import subscribers, subscriptions
from newsletter.counterfoil import What, parse_lines
from newsletter.issues import list_issues
from newsletter.subscriptions import Subscription
from posts.database import reading
from tests.actions.mailing import Clock, a_post, a_press, a_released_issue, readers

NAMES = ("ana", "bo", "chus", "dolo")


@pytest.fixture
def clock() -> Clock:
    """Turned by the test."""
    return Clock()


@pytest.fixture
def press(tmp_path: Path, clock: Clock) -> Press:
    """Four readers, a post, and nothing sent yet; mails go into a maildir."""
    folder = tmp_path / "press"
    folder.mkdir()
    made = a_press(folder, clock)
    readers(made, *NAMES)
    a_post(made, "Bridge")
    return made


def again(press: Press, folder: Path | None = None) -> Press:
    """The press opened anew, as another process would; or a copy of it elsewhere."""
    press.engine.dispose()
    home = folder or press.folder
    return open_press(load_config(home / "config.toml", {}), home, clock=press.clock)


def database(press: Press) -> Path:
    """The file of its database."""
    return Path(press.engine.url.database or "")


def backup(press: Press) -> Path:
    """A copy of the database as it is now."""
    path = press.folder / "backup.db"
    path.unlink(missing_ok=True)
    with sqlite3.connect(path) as copy, sqlite3.connect(database(press)) as original:
        original.backup(copy)
    return path


def restored(press: Press, path: Path) -> Press:
    """The press with the copy in the place of its database."""
    press.engine.dispose()
    for ending in ("", "-wal", "-shm"):
        Path(f"{database(press)}{ending}").unlink(missing_ok=True)
    shutil.copy(path, database(press))
    return again(press)


def copied(press: Press, name: str = "copy") -> Press:
    """The whole folder, copied with everything in it."""
    press.engine.dispose()
    folder = press.folder.parent / name
    shutil.copytree(press.folder, folder)
    return again(press, folder)


def outbox(press: Press) -> int:
    """How many messages lie in the maildir."""
    return sum(1 for _ in (press.var / "outbox" / "new").glob("*"))


def entries(press: Press) -> list[What]:
    """What the counterfoil's lines say, in order."""
    return [line.entry.what for line in parse_lines(Counterfoil(press.var).read())]


def subscription(press: Press, name: str) -> Subscription | None:
    """A reader's, or None where he is not there."""
    with reading(press.engine) as conn:
        reader = subscribers.find_subscriber(conn, f"{name}@example.net")
        return subscriptions.find_subscription(conn, reader.id, "daily") if reader else None


def standing(press: Press, name: str) -> str:
    """The status of a reader's subscription."""
    found = subscription(press, name)
    return found.status.value if found else "gone"


def link(press: Press, name: str, purpose: str) -> str:
    """The token of a reader's link."""
    found = subscription(press, name)
    assert found is not None
    return press.keys.token(purpose, found.id, generation=found.generation, made=press.clock())


def run(press: Press, *words: str) -> Result:
    """A verb on the command line."""
    config = ["--config", str(press.folder / "config.toml")]
    return CliRunner().invoke(dateline, [*words, *config])


# what is noted


def test_each_release_and_batch_is_noted_with_mode_0600_and_without_an_address(
    press: Press,
) -> None:
    a_released_issue(press)
    assert deliver(press).sent == 4
    unsubscribe(press, "ana@example.net")
    assert entries(press) == [
        What.MADE,
        What.RELEASED,
        What.LEASED,
        What.SETTLED,
        What.LEFT,
    ]
    path = press.var / "counterfoil"
    assert path.stat().st_mode & 0o777 == 0o600
    assert b"@" not in path.read_bytes()
    assert b"ana" not in path.read_bytes()
    assert find_hold(press) is None


def test_every_act_that_a_restored_database_would_undo_is_noted(press: Press) -> None:
    token = link(press, "ana", "unsubscribe")
    unsubscribe_token(press, token, via="page")
    unsubscribe_token(press, token, via="page")
    undo_unsubscribe(press, token)
    set_preferences(press, link(press, "bo", "preferences"), paused=True)
    set_preferences(press, link(press, "bo", "preferences"), paused=False)
    suppress_address(press, "x@example.net")
    suppress_address(press, "x@example.net")
    unsuppress_address(press, "x@example.net")
    erase(press, "chus@example.net", suppress=True)
    poll(press)
    issue = compose(press, "daily").issue
    assert issue is not None
    cancel(press, issue.id)
    assert entries(press) == [
        What.MADE,
        What.LEFT,
        What.BACK,
        What.PAUSED,
        What.RESUMED,
        What.SUPPRESSED,
        What.UNSUPPRESSED,
        What.ERASED,
        What.SUPPRESSED,
        What.CANCELLED,
    ]
    assert find_hold(again(press)) is None


def test_looking_at_a_link_notes_nothing(press: Press) -> None:
    find_token(press, link(press, "ana", "unsubscribe"), "unsubscribe")
    assert not (press.var / "counterfoil").exists()
    assert find_hold(press) is None


# an older database


def test_an_older_database_holds_all_mail_and_lets_readers_leave(
    press: Press, clock: Clock
) -> None:
    poll(press)
    draft = compose(press, "daily").issue
    assert draft is not None
    before = backup(press)
    release(press, draft.id)
    deliver(press)
    press = restored(press, before)
    for act in (
        lambda: deliver(press),
        lambda: release(press, draft.id),
        lambda: send_test(press, draft.id, "editor@example.org"),
    ):
        with pytest.raises(Held, match=r"older than what this press has done.*adopt"):
            act()
    clock.turn(days=1)
    assert tick(press) == []
    assert unsubscribe(press, "ana@example.net") == 1
    assert standing(press, "ana") == "unsubscribed"
    assert outbox(press) == 4
    assert "Nothing is mailed" in status(press).needs[0]
    loaded = read_config(press.folder / "config.toml", {})
    assert [one.part for one in check(press, loaded)] == ["database"]


def test_skip_counts_as_mailed_what_was_and_the_next_issue_goes_to_all_who_stayed(
    press: Press, clock: Clock
) -> None:
    before = backup(press)
    a_released_issue(press)  # polled after the copy: the old journal knows nothing of the post
    deliver(press)
    unsubscribe(press, "ana@example.net")
    erase(press, "bo@example.net")
    suppress_address(press, "chus@example.net")
    press = restored(press, before)
    assert (standing(press, "ana"), standing(press, "bo")) == ("active", "active")

    found = survey(press)
    assert found is not None
    assert (found.why, found.is_whole) == (Why.OLDER, True)
    assert [(one.recipients, one.was_mailed) for one in found.released] == [(4, True)]
    assert (found.left, found.erased, found.suppressed) == (1, 1, 1)

    done = adopt(press, skip=True)
    assert done is not None
    assert (done.replayed.left, done.replayed.erased, done.replayed.suppressed) == (1, 1, 1)
    assert (standing(press, "ana"), standing(press, "bo")) == ("unsubscribed", "gone")
    assert len(list_suppressed(press)) == 1
    assert adopt(press, skip=True) is None

    poll(press)
    assert (
        compose(press, "daily").issue is None
    )  # the post was mailed, though this journal has it only now
    (why,) = explain(press, "dolo@example.net", "1")
    assert '"Bridge" counts as mailed: an issue held it that this database has lost' in why
    a_post(press, "Ferry")
    issue = a_released_issue(press)
    assert issue > 1  # a Message-ID is made of it
    assert outbox(press) == 4
    result = deliver(press)
    assert (result.sent, result.excluded) == (1, 0)
    assert find_hold(again(press)) is None


def test_mail_again_sends_again_what_this_database_has_not_sent(press: Press) -> None:
    poll(press)
    draft = compose(press, "daily").issue
    assert draft is not None
    before = backup(press)
    release(press, draft.id)
    deliver(press)
    unsubscribe(press, "ana@example.net")
    press = restored(press, before)
    done = adopt(press, skip=False)
    assert done is not None
    assert (done.replayed.left, done.ends, done.drafts_taken_back) == (1, {}, ())
    release(press, draft.id)
    assert deliver(press).sent == 3
    assert (
        outbox(press) == 4
    )  # with the same Message-IDs: a maildir, as many mail programs, keeps one


def test_a_copy_made_in_the_middle_of_an_issue_holds_when_it_comes_back(press: Press) -> None:
    issue = a_released_issue(press)
    before = backup(press)
    deliver(press)
    press = restored(press, before)
    found = survey(press)
    assert found is not None
    assert [(one.issue, one.open, one.batches) for one in found.unfinished] == [(issue, 4, 1)]
    done = adopt(press, skip=True)
    assert done is not None
    assert (done.paused_issues, done.doubts) == ((issue,), {issue: 4})
    resume(press, issue)
    assert deliver(press).sent == 0
    assert outbox(press) == 4


def test_a_release_that_nobody_was_mailed_of_is_not_counted_as_mailed(press: Press) -> None:
    poll(press)
    draft = compose(press, "daily").issue
    assert draft is not None
    before = backup(press)
    release(press, draft.id)
    unsubscribe(press, "ana@example.net")
    press = restored(press, before)
    found = survey(press)
    assert found is not None
    assert [one.was_mailed for one in found.released] == [False]
    done = adopt(press, skip=True)
    assert done is not None
    assert done.ends == {}
    release(press, draft.id)
    assert deliver(press).sent == 3


def test_one_act_behind_the_databases_back_is_done_at_once_and_holds_nothing(press: Press) -> None:
    before = backup(press)
    unsubscribe(press, "ana@example.net")
    press = restored(press, before)
    assert standing(press, "ana") == "active"
    assert find_hold(press) is None
    assert standing(press, "ana") == "unsubscribed"
    unsubscribe(press, "bo@example.net")
    assert find_hold(again(press)) is None


def test_whoever_came_back_since_is_not_made_to_leave_again(press: Press) -> None:
    before = backup(press)
    token = link(press, "ana", "unsubscribe")
    unsubscribe_token(press, token, via="page")
    undo_unsubscribe(press, token)
    press = restored(press, before)
    adopt(press, skip=True)
    assert standing(press, "ana") == "active"


def test_a_cancelled_issue_stays_cancelled(press: Press) -> None:
    issue = a_released_issue(press)
    before = backup(press)
    cancel(press, issue)
    unsubscribe(press, "ana@example.net")
    press = restored(press, before)
    adopt(press, skip=False)
    with reading(press.engine) as conn:
        assert [one.status.value for one in list_issues(conn)] == ["cancelled"]


def test_a_database_from_before_an_adoption_holds(press: Press) -> None:
    a_released_issue(press)
    before = backup(press)
    (press.var / "counterfoil").unlink()
    adopt(press, skip=True)
    press = restored(press, before)
    hold = find_hold(press)
    assert hold is not None
    adopt(press, skip=True)
    assert find_hold(again(press)) is None


# the file


def test_a_missing_file_holds_where_the_database_has_noted_something(press: Press) -> None:
    path = press.var / "counterfoil"
    issue = a_released_issue(press)
    path.unlink()
    hold = find_hold(press)
    assert hold is not None
    assert hold.why is Why.MISSING
    unsubscribe(press, "ana@example.net")
    assert not path.exists()  # it would hide that the file is gone
    found = survey(press)
    assert found is not None
    assert not found.is_whole
    done = adopt(press, skip=False)
    assert done is not None
    assert done.paused_issues == (issue,)
    assert entries(press) == [What.MADE, What.ADOPTED]
    resume(press, issue)
    assert deliver(press).sent == 3


def test_an_older_file_holds_and_so_does_another_ones(press: Press, tmp_path: Path) -> None:
    path = press.var / "counterfoil"
    unsubscribe(press, "ana@example.net")
    older = path.read_bytes()
    unsubscribe(press, "bo@example.net")
    path.write_bytes(older)  # in place: the same inode
    hold = find_hold(press)
    assert hold is not None
    assert hold.why is Why.OTHER
    adopt(press, skip=True)
    assert find_hold(press) is None

    other = tmp_path / "other"
    other.mkdir()
    stranger = a_press(other, press.clock)  # type: ignore[arg-type]  # the test's own clock
    readers(stranger, "ana")
    unsubscribe(stranger, "ana@example.net")
    path.write_bytes((stranger.var / "counterfoil").read_bytes())
    hold = find_hold(press)
    assert hold is not None
    assert hold.why is Why.OTHER


def test_a_torn_line_is_no_hold_and_the_next_line_is_whole(press: Press) -> None:
    unsubscribe(press, "ana@example.net")
    with (press.var / "counterfoil").open("ab") as file:
        file.write(b'{"n":2,"file":"')
    assert find_hold(press) is None
    unsubscribe(press, "bo@example.net")
    assert find_hold(again(press)) is None
    assert entries(press) == [What.MADE, What.LEFT, What.LEFT]


def test_a_copied_folder_holds_and_a_moved_one_does_not(press: Press, tmp_path: Path) -> None:
    issue = a_released_issue(press)
    copy = copied(press)
    hold = find_hold(copy)
    assert hold is not None
    assert hold.why is Why.COPIED
    with pytest.raises(Held):
        deliver(copy)
    press.engine.dispose()
    shutil.move(press.folder, tmp_path / "elsewhere")
    moved = again(press, tmp_path / "elsewhere")
    assert find_hold(moved) is None
    assert deliver(moved).sent == 4

    done = adopt(copy, skip=True)
    assert done is not None
    assert done.doubts == {issue: 4}
    resume(copy, issue)
    assert deliver(copy).sent == 0
    assert find_hold(again(copy, copy.folder)) is None


def test_the_originals_file_says_what_was_done_since_the_copy_was_made(press: Press) -> None:
    a_released_issue(press)
    copy = copied(press)
    deliver(press)
    unsubscribe(press, "ana@example.net")
    shutil.copy(press.var / "counterfoil", copy.var / "counterfoil")
    adopt(copy, skip=False)
    assert standing(copy, "ana") == "unsubscribed"


def test_a_press_that_has_sent_before_there_were_counterfoils_is_not_held(press: Press) -> None:
    a_released_issue(press)
    (press.var / "counterfoil").unlink()
    with sqlite3.connect(database(press)) as conn:
        conn.execute("DELETE FROM press WHERE key LIKE 'counterfoil %'")
    assert find_hold(press) is None
    assert deliver(press).sent == 4
    assert entries(press) == [What.MADE, What.LEASED, What.SETTLED]
    (press.var / "counterfoil").unlink()
    assert find_hold(press) is not None


# on the command line


def test_the_command_shows_first_and_asks_before_it_acts(press: Press) -> None:
    assert "nothing to adopt" in run(press, "adopt").output
    poll(press)
    draft = compose(press, "daily").issue
    assert draft is not None
    before = backup(press)
    release(press, draft.id)
    deliver(press)
    unsubscribe(press, "ana@example.net")
    press = restored(press, before)

    shown = run(press, "adopt")
    assert shown.exit_code == 0
    assert "Issue 1 (daily No. 1) was released 2026-11-24 17:00 to 4 recipients" in shown.output
    assert "1 reader left; done again." in shown.output
    assert "--mail-again" in shown.output
    plain = json.loads(run(press, "adopt", "--json").output)
    assert (plain["held"], plain["adopted"], plain["left"]) == (True, False, 1)
    assert run(press, "adopt", "--skip").exit_code == 2  # no terminal, no --yes
    assert find_hold(press) is not None

    done = run(press, "adopt", "--skip", "--yes")
    assert done.exit_code == 0, done.output
    assert "Done again: 1 unsubscribed." in done.output
    assert f"Draft {draft.id} is taken back" in done.output
    assert "nothing to adopt" in run(press, "adopt", "--skip", "--yes").output
    assert json.loads(run(press, "adopt", "--json").output) == {"held": False, "adopted": False}


def test_delivering_by_hand_says_what_is_held_and_what_to_do(press: Press) -> None:
    a_released_issue(press)
    (press.var / "counterfoil").unlink()
    ended = run(press, "deliver")
    assert ended.exit_code == 1
    assert isinstance(ended.exception, Held)
    assert "adopt` shows what is known" in str(ended.exception)
