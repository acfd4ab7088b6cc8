"""An editor's issues: composed, looked at, released, stopped; through the actions and the command line."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from dateline.actions.compose import compose
from dateline.actions.issues import get_record, list_records
from dateline.actions.release import cancel, pause, preview, release, resume
from dateline.cli.issues import issues as issues_command
from dateline.deliver_lock import DeliverLock
from dateline.press import Press
from newsletter import frequencies
from posts import store
from posts.database import reading
from posts.errors import Refused
from tests.actions.mailing import Clock, a_post, poll, readers, withdraw
from tests.actions.mailing import a_press as a_mailing_press


@pytest.fixture
def clock() -> Clock:
    """The press's clock."""
    return Clock()


@pytest.fixture
def press(tmp_path: Path, clock: Clock) -> Press:
    """Two readers, two posts, nothing released."""
    made = a_mailing_press(tmp_path, clock)
    a_post(made, "Bridge")
    clock.turn(minutes=5)
    a_post(made, "River")
    poll(made)
    readers(made, "ana", "eva")
    return made


def end(press: Press) -> int:
    """How far released issues reach."""
    with reading(press.engine) as conn:
        return frequencies.get_frequency(conn, "daily", "scheduled").end


def draft(press: Press, **ways: object) -> int:
    """A draft's id."""
    issue = compose(press, "daily", **ways).issue  # type: ignore[arg-type]  # the options of a special issue
    assert issue is not None
    return issue.id


def guid(press: Press, title: str) -> str:
    """A post's id by its title."""
    with reading(press.engine) as conn:
        every = store.list_all_posts(conn, limit=9, offset=0)
    return next(post.guid for post in every if post.content.title == title)


def run(press: Press, *words: str) -> tuple[int, str, str]:
    """Exit code, output and errors of `dateline issues ...`."""
    called = CliRunner().invoke(
        issues_command, [*words, "--config", str(press.folder / "config.toml")]
    )
    return called.exit_code, called.stdout, called.stderr


@pytest.mark.parametrize(
    ("ways", "titles"),
    [
        pytest.param({"latest": 1}, ["River"], id="the newest"),
        pytest.param({"latest": 5}, ["River", "Bridge"], id="more than there are"),
        pytest.param({"posts": ["Bridge", "River"]}, ["Bridge", "River"], id="chosen, in order"),
        pytest.param({"since": 3}, ["River"], id="since"),
        pytest.param({"until": 3}, ["Bridge"], id="until"),
        pytest.param({"since": -1, "until": 9}, ["River", "Bridge"], id="between"),
    ],
)
def test_a_special_issue_holds_what_was_asked_for_and_moves_nothing(
    press: Press, ways: dict[str, object], titles: list[str]
) -> None:
    began = press.clock() - timedelta(minutes=5)
    asked: dict[str, object] = {}
    for name, value in ways.items():
        if name == "posts":
            asked[name] = [guid(press, title) for title in value]  # type: ignore[attr-defined]
        else:
            asked[name] = value if name == "latest" else began + timedelta(minutes=value)  # type: ignore[arg-type]
    made = compose(press, "daily", **asked)  # type: ignore[arg-type]
    assert made.issue is not None
    assert [post.content.title for post in made.posts] == titles
    before = end(press)
    assert release(press, made.issue.id).recipients == 2
    assert end(press) == before
    assert get_record(press, draft(press))["posts"] == 2


def test_an_empty_issue_says_what_was_left_out_and_how_to_mail_it(press: Press) -> None:
    release(press, draft(press))
    made = compose(press, "daily")
    assert made.issue is None
    assert [(one.post.content.title, one.why) for one in made.left_out] == [
        ("River", "was in daily No. 1"),
        ("Bridge", "was in daily No. 1"),
    ]
    assert "--latest" in made.remedy
    code, said, _ = run(press, "compose", "daily")
    assert code == 0
    assert "River: was in daily No. 1." in said


def test_a_release_is_refused_where_it_would_not_be_what_the_preview_showed(press: Press) -> None:
    issue = draft(press)
    before = preview(press, issue).files[0].read_text()
    changed = press.config.model_copy(
        update={"newsletters": [press.config.newsletters[0].model_copy(update={"title": "New"})]}
    )
    with pytest.raises(Refused, match=r"not what its preview showed.*issues preview"):
        release(replace(press, config=changed), issue)
    assert get_record(press, issue)["status"] == "draft"
    assert release(press, issue).recipients == 2
    assert preview(press, issue).files[0].read_text() == before


def test_a_release_is_refused_after_a_withdrawal_until_it_is_seen(press: Press) -> None:
    issue = draft(press)
    withdraw(press, "Bridge")
    with pytest.raises(Refused, match=r"withdrawn after it was composed.*ompose it anew"):
        release(press, issue)
    assert draft(press) == issue
    release(press, issue)
    assert get_record(press, issue)["posts"] == 1


def test_a_cancelled_draft_leaves_its_number_and_its_posts(press: Press) -> None:
    first = draft(press)
    assert get_record(press, first)["number"] == 1
    assert cancel(press, first).number is None
    second = draft(press)
    record = get_record(press, second)
    assert (record["number"], record["posts"]) == (1, 2)
    with pytest.raises(Refused):
        release(press, first)


def test_cancelled_after_its_release_the_rest_is_excluded_and_the_range_covered(
    press: Press,
) -> None:
    issue = draft(press)
    release(press, issue)
    cancel(press, issue)
    cancel(press, issue)
    record = get_record(press, issue)
    assert (record["status"], record["excluded"], record["queued"]) == ("cancelled", 2, 0)
    assert record["excluded_by"] == {"cancelled": 2}
    assert compose(press, "daily").issue is None


def test_pause_and_resume_can_be_repeated_and_refuse_what_is_not_being_sent(press: Press) -> None:
    issue = draft(press)
    for step in (pause, resume):
        with pytest.raises(Refused, match="issues list"):
            step(press, issue)
    release(press, issue)
    for step, status in ((pause, "paused"), (pause, "paused"), (resume, "released")):
        assert step(press, issue).status == status


def test_the_list_as_json_has_the_keys_that_scripts_rely_on(press: Press) -> None:
    release(press, draft(press))
    code, said, _ = run(press, "list", "--json")
    (record,) = json.loads(said)
    keys = (
        "id newsletter status posts recipients sent deferred failed excluded in_doubt queued leased"
    )
    assert code == 0
    assert {key: record[key] for key in keys.split()} == {
        **dict.fromkeys(keys.split(), 0),
        "id": record["id"],
        "newsletter": "daily",
        "status": "released",
        "posts": 2,
        "recipients": 2,
        "queued": 2,
    }


def test_off_a_terminal_a_release_wants_yes(press: Press) -> None:
    issue = draft(press)
    code, _, error = run(press, "release", str(issue))
    assert (code, "--yes" in error) == (2, True)
    assert list_records(press)[0]["status"] == "draft"
    code, said, _ = run(press, "release", str(issue), "--yes")
    assert (code, "2 recipients" in said, "Nobody sends it yet" in said) == (0, True, True)


def test_a_test_mail_goes_out_at_once_and_the_issue_does_not(press: Press) -> None:
    issue = draft(press)
    release(press, issue)
    code, said, hint = run(press, "test", str(issue), "editor@example.net")
    assert (code, said) == (0, "The test mail is sent.\n")
    assert "Nobody was really mailed" in hint
    assert get_record(press, issue)["queued"] == 2
    assert len(list((press.var / "outbox" / "new").iterdir())) == 1


def test_beside_a_daemon_a_test_mail_is_left_to_it(press: Press) -> None:
    issue = draft(press)
    with DeliverLock(press.var) as lock:
        assert lock.acquire("the daemon")
        code, said, _ = run(press, "test", str(issue), "editor@example.net")
    assert (code, said) == (0, "The test mail is queued. The running daemon sends it.\n")


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("--latest", "1", "--since", "2026-01-01"), id="two ways"),
        pytest.param(("--latest", "1", "--frequency", "scheduled"), id="a special one's frequency"),
        pytest.param(("--since", "2026-02-01", "--until", "2026-01-01"), id="backwards"),
        pytest.param(("--since", "yesterday"), id="no date"),
        pytest.param(("--latest", "0"), id="none"),
    ],
)
def test_options_that_make_no_sense_are_bad_usage(press: Press, words: tuple[str, ...]) -> None:
    code, _, error = run(press, "compose", "daily", *words)
    assert (code, list_records(press)) == (2, [])
    assert "Error: " in error


def test_nothing_to_retry_or_resolve_says_so(press: Press) -> None:
    issue = draft(press)
    release(press, issue)
    assert "has failed" in run(press, "retry", str(issue), "--failed")[1]
    assert "in doubt; nothing changed" in run(press, "resolve", str(issue), "--resend")[1]
    assert run(press, "resolve", str(issue))[0] == 2


def test_a_revision_after_composing_refuses_the_release(press: Press, clock: Clock) -> None:
    issue = draft(press)
    clock.turn(minutes=1)
    path = press.folder / "content" / "Bridge.md"
    path.write_text(path.read_text().replace("All about", "More about"))
    poll(press)
    with pytest.raises(Refused, match="revised after"):
        release(press, issue)
    preview(press, issue)
    assert release(press, issue).recipients == 2
