"""`dateline suppress`: on the list, off it, and what can be read of it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dateline.actions.deliver import deliver
from dateline.cli.main import dateline
from dateline.press import Press
from posts.errors import NotFound, Refused
from tests.actions.mailing import Clock, a_post, a_press, a_released_issue, readers


@pytest.fixture
def press(tmp_path: Path) -> Press:
    """A press that mails into a maildir."""
    return a_press(tmp_path, Clock())


def run(press: Press, *words: str) -> Result:
    """`dateline suppress WORDS --config ...`."""
    return CliRunner().invoke(
        dateline, ["suppress", *words, "--config", str(press.folder / "config.toml")]
    )


def test_whoever_is_on_the_list_is_not_mailed_and_off_it_is_again(press: Press) -> None:
    readers(press, "ana", "ben")
    a_post(press, "Bridge")
    said = run(press, "add", "Ana@example.net", "--note", "asked by telephone").stdout
    assert said == "Ana@example.net: suppressed.\n"
    a_released_issue(press)
    result = deliver(press)
    assert result.sent == 1
    said = run(press, "remove", "ana@example.net").stdout
    assert said == "ana@example.net: not suppressed any more.\n"
    a_post(press, "Court")
    a_released_issue(press)
    assert deliver(press).sent == 2


def test_the_list_says_why_and_since_when_and_holds_no_address(press: Press) -> None:
    assert run(press, "list").stdout == "Nobody is suppressed.\n"
    run(press, "add", "ana@example.net", "--note", "asked by telephone")
    said = run(press, "list").stdout
    assert "by hand" in said
    assert "asked by telephone" in said
    assert "ana" not in said
    (one,) = json.loads(run(press, "list", "--json").stdout)
    assert (one["reason"], one["detail"]) == ("by hand", "asked by telephone")


def test_twice_is_said_and_harmless(press: Press) -> None:
    run(press, "add", "ana@example.net")
    assert run(press, "add", "ana@example.net").stdout == (
        "ana@example.net: was suppressed before.\n"
    )


def test_what_is_no_address_or_not_on_the_list_is_refused(press: Press) -> None:
    assert isinstance(run(press, "add", "not an address").exception, Refused)
    assert isinstance(run(press, "remove", "ana@example.net").exception, NotFound)
