"""Several relays and a limit, from config.toml to the mail: who gets what through which, and what a run by hand says."""

import re
import socket
from pathlib import Path

import pytest

from dateline.actions.deliver import Progress, deliver
from dateline.config import load_config
from dateline.press import Press, open_press
from newsletter.books import books
from posts.database import reading
from tests.actions.mailing import Clock, a_post, a_press, a_released_issue, readers
from tests.actions.relay import a_relay

NAMES = [f"reader{n:02}" for n in range(1, 13)]


@pytest.fixture
def nobody() -> int:
    """A port at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert isinstance(port, int)
    return port


def with_mail(press: Press, clock: Clock, more: str) -> Press:
    """The same press with more in `[mail]`."""
    path = press.folder / "config.toml"
    path.write_text(path.read_text("utf-8") + more, "utf-8")
    return open_press(load_config(path, {}), press.folder, clock=clock)


def test_while_the_first_relay_is_gone_the_second_carries_all(tmp_path: Path, nobody: int) -> None:
    clock = Clock()
    with a_relay() as board:
        second = f'\n[[mail.relays]]\nhost = "localhost"\nport = {board.port}\ntls = "none"\n'
        press = with_mail(a_press(tmp_path, clock, port=nobody), clock, second)
        a_post(press, "Bridge")
        readers(press, *NAMES)
        issue = a_released_issue(press)
        result = deliver(press)
        assert (result.sent, result.trouble) == (12, None)
        assert sorted(board.recipients) == [f"{name}@example.net" for name in NAMES]
        with reading(press.engine) as conn:
            assert books(conn, issue).sent == 12


def test_a_limit_of_the_settings_holds_over_runs_and_a_run_by_hand_says_until_when(
    tmp_path: Path,
) -> None:
    clock = Clock()
    with a_relay() as board:
        press = a_press(tmp_path, clock, port=board.port)
        press = with_mail(press, clock, 'limits = ["5 in 1h"]\n')
        a_post(press, "Bridge")
        readers(press, *NAMES)
        issue = a_released_issue(press)
        for expected in (5, 5):
            seen: list[Progress] = []
            result = deliver(
                press,
                stop=lambda seen=seen: any(one.trouble for one in seen),  # type: ignore[misc]
                progress=seen.append,
            )
            assert len(board.messages) == expected
            assert result.waiting == 12 - expected
            told = next(one.trouble for one in seen if one.trouble)
            assert re.search(r"limit \(5 in 1h\) is used up until 24 November 18:0\d UTC", told)
        for expected in (10, 12):
            clock.turn(minutes=63)
            seen = []
            deliver(
                press,
                stop=lambda seen=seen: any(one.trouble for one in seen),  # type: ignore[misc]
                progress=seen.append,
            )
            assert len(board.messages) == expected
        assert sorted(board.recipients) == [f"{name}@example.net" for name in NAMES]
        with reading(press.engine) as conn:
            found = books(conn, issue)
        assert found.balance
        assert found.sent == 12
