"""How sending stands, over a real server: as JSON, as events, for Prometheus; and who gets to see it."""

import asyncio
import json
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from dateline.actions.progress import Figures, FiguresReader, Pulse
from dateline.deliver_lock import DeliverLock
from dateline.press import Press
from dateline.web.metrics import render_metrics
from dateline.web.progress import SharedReading, stream_events
from newsletter.issues import Issue
from newsletter.progress import SenderReport
from newsletter.senders import record_sender
from newsletter.tables import deliveries, paces
from posts.database import writing
from tests.dateline.web.arrange import NOW, WEB, a_post, a_press, a_reader, an_issue
from tests.dateline.web.server import Served, served

TOKEN = "a-token-of-the-newsroom"
ROOT = Path(__file__).parents[3]


@pytest.fixture
def press(tmp_path: Path) -> Press:
    """A press with three readers."""
    made = a_press(tmp_path, web={"url": WEB, "metrics_token": TOKEN})
    a_post(made)
    for name in ("ana", "ben", "carla"):
        a_reader(made, f"{name}@example.org")
    return made


@pytest.fixture
def issue(press: Press) -> Issue:
    """An issue to all three."""
    return an_issue(press)


@pytest.fixture
def server(press: Press, issue: Issue) -> Iterator[Served]:
    """Its pages."""
    with served(press) as running:
        yield running


def a_verdict(press: Press, issue: Issue, number: int, **values: object) -> None:
    """What became of one delivery."""
    with writing(press.engine) as conn:
        conn.execute(
            deliveries.update()
            .where(deliveries.c.issue == issue.id, deliveries.c.number == number)
            .values(**values)
        )


def a_report(press: Press, report: SenderReport) -> None:
    """A process that sends says this of itself now."""
    with writing(press.engine) as conn:
        record_sender(conn, "host:1:abcd", report, press.clock())


def a_found_rate(press: Press, key: str, rate_per_s: float) -> None:
    """A relay or provider asked to be spared."""
    values = {"key": key, "rate": rate_per_s, "slowed": NOW, "raised": NOW}
    with writing(press.engine) as conn:
        conn.execute(paces.insert().values(**values))


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample of a metrics page, by name and labels."""
    return {
        (one.name, tuple(sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def test_the_figures_are_there_as_json(press: Press, issue: Issue, server: Served) -> None:
    a_verdict(press, issue, 1, state="sent")
    a_verdict(press, issue, 2, state="failed", code=550, reply="5.1.1 nobody here")
    with DeliverLock(press.var) as lock:
        assert lock.acquire("a test")
        a_report(press, SenderReport(sent=1, failed=1, rate_per_s=0.5))
        status, text = server.get("/progress.json")
    assert status == 200
    said = json.loads(text)
    assert (said["workers"], said["rate_per_s"], said["time_left_s"]) == (1, 0.5, 2.0)
    (one,) = said["issues"]
    assert (one["id"], one["status"]) == (issue.id, "released")
    assert (one["recipients"], one["sent"], one["failed"], one["queued"]) == (3, 1, 1, 1)
    assert one["failures"] == {"5.1": 1}


def test_the_metrics_say_the_same(press: Press, issue: Issue, server: Served) -> None:
    a_verdict(press, issue, 1, state="sent")
    a_verdict(press, issue, 2, state="failed", code=550, reply="no such user")
    with DeliverLock(press.var) as lock:
        assert lock.acquire("a test")
        a_report(press, SenderReport(rate_per_s=12.0))
        a_found_rate(press, "relay mx.example:25", 2.5)
        status, text = server.get("/metrics")
    assert status == 200
    found = samples(text)
    of_issue = (("issue", str(issue.id)), ("newsletter", "daily"))
    by_state = {
        state: found["dateline_deliveries", (*of_issue, ("state", state))]
        for state in ("queued", "leased", "sent", "deferred", "failed", "excluded", "in_doubt")
    }
    assert by_state == dict.fromkeys(by_state, 0) | {"queued": 1, "sent": 1, "failed": 1}
    assert found["dateline_failed", (("code_class", "550"), *of_issue)] == 1
    assert found["dateline_send_rate", ()] == 12.0
    assert found["dateline_workers", ()] == 1
    assert found["dateline_queue_age_seconds", ()] == 0
    named = (("kind", "relay"), ("name", "mx.example:25"))
    assert found["dateline_found_rate", named] == 2.5


def test_the_queue_gets_older(press: Press, issue: Issue) -> None:
    later = replace(press, clock=lambda: NOW + timedelta(hours=1))
    assert FiguresReader(later).read().queue_age_s == 3600
    for number in (1, 2, 3):
        a_verdict(press, issue, number, state="sent")
    assert FiguresReader(later).read().queue_age_s == 0


def test_every_metric_is_in_the_docs() -> None:
    page = (ROOT / "docs" / "monitoring.md").read_text()
    text, _ = render_metrics(Figures(at=NOW, pulse=Pulse()))
    names = set(re.findall(r"^# TYPE (\S+)", text.decode(), re.MULTILINE))
    assert len(names) >= 8
    assert {name for name in names if f"`{name}`" not in page} == set()
    assert set(re.findall(r"dateline_[a-z_]+", page)) == names


def test_an_event_comes_when_the_figures_change(press: Press, issue: Issue, server: Served) -> None:
    connection, answer = server.open("/progress")
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert _next_event(answer)["issues"][0]["sent"] == 0
    a_verdict(press, issue, 1, state="sent")
    assert _next_event(answer)["issues"][0]["sent"] == 1
    connection.close()


def test_a_server_that_stops_ends_the_stream_and_is_not_kept_waiting(server: Served) -> None:
    _, answer = server.open("/progress")
    _next_event(answer)
    began = time.monotonic()
    assert server.stop()
    assert time.monotonic() - began < 1.8  # uvicorn's patience is two seconds
    answer.read()  # a chunked answer that was cut off would raise


def test_a_viewer_that_goes_away_leaves_nothing_behind(server: Served) -> None:
    for _ in range(3):
        connection, answer = server.open("/progress")
        _next_event(answer)
        answer.close()
        connection.close()
    deadline = time.monotonic() + 10
    while server.server.server_state.tasks and time.monotonic() < deadline:
        threading.Event().wait(0.02)
    assert not server.server.server_state.tasks


def _next_event(answer: object) -> dict[str, list[dict[str, object]]]:
    while True:
        line = answer.readline().decode()  # type: ignore[attr-defined]
        assert line, "the stream ended"
        if line.startswith("data: "):
            return json.loads(line.removeprefix("data: "))  # type: ignore[no-any-return]


@pytest.mark.parametrize("path", ["/progress", "/progress.json", "/metrics"])
@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"X_Forwarded_For": "203.0.113.7"}, id="through a proxy"),
        pytest.param({"X_Forwarded_For": "127.0.0.1"}, id="through a proxy, from this machine"),
        pytest.param({"Forwarded": "for=203.0.113.7"}, id="through a proxy of RFC 7239"),
        pytest.param({"Host": "press.example"}, id="by a public name"),
        pytest.param({"Host": "[::1"}, id="by a broken name"),
        pytest.param({"Authorization": "Bearer wrong"}, id="with a wrong token"),
        pytest.param({"Authorization": "Bearer "}, id="with an empty token"),
    ],
)
def test_nobody_else_sees_them(server: Served, path: str, headers: dict[str, str]) -> None:
    status, text = server.get(path, **headers)
    assert status == 404
    assert "daily" not in text.partition("<main")[2]


def test_a_proxy_that_says_nothing_of_itself_is_known_by_its_old_protocol(server: Served) -> None:
    import socket

    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as plain:
        plain.sendall(b"GET /metrics HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
        assert b" 404 " in plain.recv(100)


def test_who_knows_the_token_sees_them_from_anywhere(server: Served) -> None:
    headers = {
        "Host": "press.example",
        "X_Forwarded_For": "203.0.113.7",
        "Authorization": f"Bearer {TOKEN}",
    }
    assert server.get("/progress.json", **headers)[0] == 200


def test_without_a_token_in_the_settings_no_token_opens(tmp_path: Path) -> None:
    with served(a_press(tmp_path)) as server:
        assert server.get("/metrics")[0] == 200
        assert server.get("/metrics", Host="press.example", Authorization="Bearer None")[0] == 404


def a_reading(counted: list[int], took_s: float = 0.0) -> Figures:
    """Counts that it was asked, and takes a while."""
    counted.append(1)
    threading.Event().wait(took_s)
    return Figures(at=NOW + timedelta(seconds=len(counted)), pulse=Pulse())


def test_many_viewers_cost_one_reading() -> None:
    counted: list[int] = []
    shared = SharedReading(lambda: a_reading(counted, 0.05))

    async def look() -> None:
        await asyncio.gather(*(shared.latest() for _ in range(200)))
        await shared.latest()

    asyncio.run(look())
    assert len(counted) == 1


def test_a_reading_that_took_long_is_kept_for_long() -> None:
    counted: list[int] = []
    shared = SharedReading(lambda: a_reading(counted, 0.1), least_age_s=0.0, share=0.5)

    async def look() -> None:
        for _ in range(40):
            await shared.latest()
            await asyncio.sleep(0.01)

    began = time.monotonic()
    asyncio.run(look())
    # a reading of 0.1 s and as long a rest take turns, however slow this machine is just now
    assert 1 <= len(counted) <= (time.monotonic() - began) / 0.2 + 1


def test_a_viewer_that_leaves_does_not_take_the_reading_with_it() -> None:
    counted: list[int] = []
    shared = SharedReading(lambda: a_reading(counted, 0.1))

    async def look() -> None:
        first = asyncio.create_task(shared.latest())
        await asyncio.sleep(0.02)
        second = asyncio.create_task(shared.latest())
        await asyncio.sleep(0)
        first.cancel()
        assert (await second).figures.at > NOW

    asyncio.run(look())
    assert len(counted) == 1


def test_where_nothing_changes_a_comment_keeps_the_line_open() -> None:
    shared = SharedReading(lambda: a_reading([]))
    stopping = threading.Event()

    async def look() -> list[str]:
        found = []
        async for text in stream_events(shared, stopping.is_set, comment_after_s=0.0, every_s=0.01):
            found.append(text)
            if text.startswith(":"):
                stopping.set()
        return found

    retry, event, comment = asyncio.run(look())
    assert retry.startswith("retry:")
    assert event.startswith("event: progress\ndata: {")
    assert comment.startswith(": ")
