"""How sending stands in words, and the bar as a terminal of 80 or 60 columns shows it."""

import fcntl
import os
import pty
import re
import struct
import sys
import termios
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from dateline.actions.progress import Figures, IssueFigures, Pulse
from dateline.cli.sending import found_in_words, rate_in_words, time_in_words
from dateline.cli.status import sending_lines
from newsletter.books import Books
from newsletter.paces import FoundPace

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)
RELAY = FoundPace(kind="relay", name="mx.example:587", rate_per_s=2.5, slowed=NOW, raised=NOW)

SHOW = """
from datetime import UTC, datetime
from zoneinfo import ZoneInfo
from dateline.actions.follow import Progress
from dateline.cli.sending import showing
from newsletter.paces import FoundPace

now = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)
pace = FoundPace(kind="relay", name="mx.example:587", rate_per_s=2.5, slowed=now, raised=now)
with showing(ZoneInfo("Europe/Madrid")) as show:
    show(Progress(done=587_282, total=1_000_000, sent=580_000, deferred=10_206, failed=7_282, excluded=0, in_doubt=12,
        rate_per_s=1_234.5, time_left_s=700_000.0, next_retry=now, found_rates=(pace,)))
"""


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        (None, ""),
        (0.0, "0/s"),
        (1234.5, "1,234/s"),
        (9.96, "10/s"),
        (2.5, "2.5/s"),
        (0.5, "30/min"),
        (1 / 60, "1/min"),
    ],
)
def test_a_rate_is_as_exact_as_one_can_read(rate: float | None, words: str) -> None:
    assert rate_in_words(rate) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, ""),
        (0.2, "1 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (3599, "1 h 00 min"),
        (3 * 3600 + 300, "3 h 05 min"),
        (5 * 86400, "5 days"),
    ],
)
def test_a_time_left_is_as_exact_as_one_can_know(seconds: float | None, words: str) -> None:
    assert time_in_words(seconds) == words


def test_a_found_rate_says_whose_it_is() -> None:
    assert found_in_words([RELAY]) == ["mx.example:587 takes 2.5/s"]


@pytest.mark.parametrize("columns", [80, 60])
def test_the_bar_fits_the_terminal_and_says_the_most_important(columns: int) -> None:
    lines = shown(columns)
    assert all(len(line) <= columns for line in lines)
    bar = next(line for line in lines if "587,282/1,000,000" in line)
    assert bar.startswith("Sending ")
    assert "1,234/s" in bar
    assert bar.endswith("8 days left")
    rest = next(line for line in lines if "deferred" in line)
    assert rest.startswith("10,206 deferred (next try 18:00) · 7,282 failed")


def shown(columns: int) -> list[str]:
    """The lines that a terminal of so many columns got."""
    pid, terminal = pty.fork()
    if pid == 0:  # pragma: no cover  another program
        os.chdir(ROOT)
        fcntl.ioctl(2, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        environment = {
            k: v for k, v in os.environ.items() if k not in ("COLUMNS", "NO_COLOR", "CI")
        }
        os.execve(sys.executable, [sys.executable, "-c", SHOW], {**environment, "TERM": "xterm"})
    text = b""
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # Linux: the other end is closed
            break
        if not piece:
            break
        text += piece
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, text.decode()
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text.decode())
    return [line.rstrip() for line in re.split(r"[\r\n]+", plain)]


def an_issue(number: int, books: Books, **values: object) -> IssueFigures:
    """An issue's figures."""
    given: dict[str, object] = {"status": "released", "finished": None, **values}
    return IssueFigures(
        issue=number,
        name=f"daily No. {number}",
        newsletter="daily",
        released=NOW,
        books=books,
        **given,  # type: ignore[arg-type]
    )


def test_status_says_what_is_being_sent_and_what_stands_still() -> None:
    figures = Figures(
        at=NOW,
        pulse=Pulse(workers=2, rate_per_s=40.0, found_rates=(RELAY,)),
        time_left_s=100.0,
        issues=(
            an_issue(
                1,
                Books(recipients=9000, sent=4900, deferred=100, queued=4000),
                rate_per_s=40.0,
                time_left_s=100.0,
                next_retry=NOW + timedelta(minutes=5),
            ),
            an_issue(2, Books(recipients=7, queued=7), status="paused"),
        ),
    )
    assert sending_lines(figures, ZoneInfo("Europe/Madrid")) == [
        "Sending: 40/s, about 2 min left, 2 workers.",
        "  Issue 1 (daily No. 1): 4,900 of 9,000 done, 100 deferred (next try 18:05), 40/s, about 2 min left",
        "  Issue 2 (daily No. 2): 0 of 7 done, paused",
        "Found rate: mx.example:587 takes 2.5/s.",
    ]


def test_status_names_what_holds_sending_up_and_tells_no_time() -> None:
    figures = Figures(
        at=NOW,
        pulse=Pulse(workers=1, rate_per_s=0.0, trouble="relay mx.example: connection refused"),
        issues=(an_issue(1, Books(recipients=7, queued=7)),),
    )
    assert sending_lines(figures, ZoneInfo("UTC")) == [
        "Sending: 0/s, 1 worker.",
        "  Issue 1 (daily No. 1): 0 of 7 done",
        "Held up: relay mx.example: connection refused",
    ]
