"""`dateline/logs.py` and `redact.py`: JSON lines off a terminal, and never a mail address."""

import io
import json
import logging

import pytest
import structlog

from dateline.logs import configure_logs
from dateline.redact import redacted


def _lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_off_a_terminal_a_log_is_json_lines_with_the_values_as_keys() -> None:
    stream = io.StringIO()
    configure_logs(stream=stream)
    structlog.get_logger().info("issue released", issue=812, newsletter="daily")
    [line] = _lines(stream)
    assert line["event"] == "issue released"
    assert line["issue"] == 812
    assert line["level"] == "info"
    assert str(line["timestamp"]).endswith("Z")


def test_no_address_gets_into_a_log_however_deep_it_lies() -> None:
    stream = io.StringIO()
    configure_logs(stream=stream)
    try:
        raise ValueError("550 <ann@example.org>: no such user")
    except ValueError:
        structlog.get_logger().exception(
            "refused ann@example.org", replies=[{"to ann@example.org": ("ann@example.org",)}]
        )
    logging.getLogger("anyone").error("cannot mail %s", "ann@example.org")
    assert "ann@" not in stream.getvalue()
    first, second = _lines(stream)
    assert "no such user" in str(first["exception"])
    assert second["logger"] == "anyone"


def test_a_log_follows_standard_error_when_that_is_replaced(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = io.StringIO()
    monkeypatch.setattr("sys.stderr", gone)
    configure_logs()
    monkeypatch.undo()
    gone.close()
    structlog.get_logger().info("still here")
    assert "still here" in capsys.readouterr().err


def test_third_parties_are_quiet_below_an_error() -> None:
    stream = io.StringIO()
    configure_logs(stream=stream)
    logging.getLogger("apscheduler.scheduler").warning("run time of job was missed")
    logging.getLogger("urllib3.connectionpool").info("starting new connection")
    assert stream.getvalue() == ""


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        pytest.param("to <ann@example.org>.", "to <(address removed)>.", id="in brackets"),
        pytest.param("ann+x@exämple.org", "(address removed)", id="an international domain"),
        pytest.param("http://me:pw@host/x", "http://host/x", id="a login in an address"),
        pytest.param("@mention and a @ b", "@mention and a @ b", id="no address at all"),
        pytest.param("a@[192.0.2.1]", "(address removed)", id="a domain literal"),
    ],
)
def test_an_address_is_removed_and_the_rest_stays(text: str, clean: str) -> None:
    assert redacted(text) == clean
