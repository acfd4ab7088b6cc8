"""Hubs are told of what is new, after it is live, whatever they answer; a real hub and a real server."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from click.testing import CliRunner

from dateline.actions.build import build
from dateline.actions.migrate import migrate_database
from dateline.actions.ping import hub_statuses, ping_hubs, ping_on_change
from dateline.actions.status import status
from dateline.cli.main import dateline
from dateline.clock import list_jobs
from dateline.config import load_config
from dateline.daemon import open_listener
from dateline.press import Press, open_press
from posts.fetch import Fetcher, Limits
from tests.actions.hub import Hub, a_hub, answer
from tests.dateline.web.server import served
from tests.feeds.arrange import save

NOON = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
QUICK = Limits(size_bytes=4096, connect_s=1, read_s=0.3, total_s=0.5, redirects=3)

CONFIG = """
[site]
title = "The Border Reporter"
url = "https://border.example.org/"
[web]
url = "http://127.0.0.1:{port}"
[websub]
hubs = [{hubs}]
allow_private = {allow_private}
[mail]
from = "digest@border.example.org"
"""


class Clock:
    """A time that stands until it is moved."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def listens() -> Iterator[socket.socket]:
    """The socket that the press will serve on."""
    with open_listener("127.0.0.1:0") as listener:
        yield listener


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A hub that verifies what it is told."""
    with a_hub() as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    """The press's clock."""
    return Clock()


@pytest.fixture
def make(tmp_path: Path, listens: socket.socket, clock: Clock) -> Callable[..., Press]:
    """Makes a press with one post whose hubs are those given."""

    def made(*hubs: str, allow_private: bool = True) -> Press:
        path = tmp_path / "config.toml"
        port = listens.getsockname()[1]
        text = CONFIG.format(
            port=port, hubs=json.dumps(hubs)[1:-1], allow_private=str(allow_private).lower()
        )
        path.write_text(text)
        opened = open_press(load_config(path, {}), tmp_path, clock=clock)
        migrate_database(opened)
        save(opened.engine, 1)
        return opened

    return made


def topics(press: Press, *names: str) -> set[str]:
    """The addresses of feeds in all formats."""
    return {
        f"{press.config.web.url}/feeds/{name}.{format_}"
        for name in names
        for format_ in ("atom", "rss", "json")
    }


def test_a_hub_is_told_of_each_changed_topic_once_fetches_it_and_finds_the_new_bytes(
    make: Callable[..., Press], hub: Hub, listens: socket.socket
) -> None:
    press = make(hub.url)
    build(press)
    with served(press, listens):
        [first] = ping_hubs(press)
        assert hub.refusals == []
        assert topics(press, "all", "language-en") <= set(hub.pings)
        assert len(hub.pings) == len(set(hub.pings)) == first.told
        assert ping_hubs(press) == []
        save(press.engine, 2, title="The dam has burst")
        assert ping_hubs(press) == []  # the bytes are not live yet
        built = build(press)
        hub.pings.clear()
        [second] = ping_hubs(press)
    wanted = {press.config.web.url + path for path in built.written if path.count("/") == 2}
    wanted.discard(press.config.web.url + "/feeds.opml")
    assert set(hub.pings) == wanted >= topics(press, "all", "language-en")
    assert (second.told, second.waiting) == (len(wanted), 0)
    for topic in wanted:
        live = (press.public / topic.removeprefix(press.config.web.url + "/")).read_bytes()
        assert hub.passed_on[topic][-1] == live
    all_atom = f"{press.config.web.url}/feeds/all.atom"
    assert b"The dam has burst" in hub.passed_on[all_atom][-1]
    assert hub.forms[0]["hub.mode"] == ["publish"]


def test_a_build_that_changes_nothing_tells_nobody(make: Callable[..., Press], hub: Hub) -> None:
    hub.behaviour = lambda handler: answer(handler, 202)
    press = make(hub.url)
    build(press)
    ping_hubs(press)
    hub.pings.clear()
    for path in (press.public / "feeds").glob("all.*"):
        path.unlink()
    build(press)
    assert (press.public / "feeds/all.atom").exists()
    assert ping_hubs(press) == []
    assert hub.pings == []


def test_a_crash_between_build_and_ping_loses_nothing(make: Callable[..., Press], hub: Hub) -> None:
    hub.behaviour = lambda handler: answer(handler, 204)
    press = make(hub.url)
    build(press)
    ping_hubs(press)
    save(press.engine, 2)
    build(press)
    hub.pings.clear()
    # the process is gone; another one begins
    again = open_press(press.config, press.folder, clock=press.clock)
    ping_hubs(again)
    assert topics(press, "all") <= set(hub.pings)


def test_a_lost_cursor_tells_everything_once_more_and_harms_nobody(
    make: Callable[..., Press], hub: Hub
) -> None:
    hub.behaviour = lambda handler: answer(handler, 204)
    press = make(hub.url)
    build(press)
    ping_hubs(press)
    first = sorted(hub.pings)
    (press.var / "built/websub.json").write_text("{ torn")
    hub.pings.clear()
    ping_hubs(press)
    assert sorted(hub.pings) == first
    assert ping_hubs(press) == []


def test_a_hub_with_trouble_is_tried_later_and_is_told_everything_then(
    make: Callable[..., Press], hub: Hub, clock: Clock
) -> None:
    hub.behaviour = lambda handler: answer(handler, 503, b"overloaded")
    press = make(hub.url)
    build(press)
    [pinged] = ping_hubs(press, chance=lambda: 0.0)
    assert (len(hub.pings), pinged.told) == (1, 0)
    assert ping_hubs(press) == []
    clock.now += timedelta(seconds=16)
    [pinged] = ping_hubs(press, chance=lambda: 0.0)
    assert (len(hub.pings), pinged.told) == (2, 0)
    [stands] = hub_statuses(press)
    assert (stands.failures, stands.said) == (2, "503 overloaded")
    assert stands.waiting == pinged.waiting > 0
    hub.behaviour = lambda handler: answer(handler, 204)
    clock.now += timedelta(hours=1)
    [pinged] = ping_hubs(press)
    assert (pinged.told, pinged.waiting) == (stands.waiting, 0)
    assert hub_statuses(press)[0].failures == 0


def _hangs(release: threading.Event) -> Callable[[BaseHTTPRequestHandler], None]:
    return lambda handler: release.wait(20) and None


def test_a_hub_that_hangs_costs_one_ping_and_holds_no_other_hub_up(
    make: Callable[..., Press], hub: Hub
) -> None:
    release = threading.Event()
    with a_hub() as hung:
        hung.behaviour = _hangs(release)
        hub.behaviour = lambda handler: answer(handler, 204)
        press = make(hung.url, hub.url)
        build(press)
        began = time.monotonic()
        pinged = {one.hub: one for one in ping_hubs(press, limits=QUICK)}
        took_s = time.monotonic() - began
        release.set()
    assert took_s < 5
    assert len(hung.pings) == 1
    assert pinged[hung.url].told == 0
    assert pinged[hub.url].waiting == 0
    assert "0.3 seconds" in hub_statuses(press)[0].said or "0.5" in hub_statuses(press)[0].said


def test_a_build_does_not_wait_for_a_hub(make: Callable[..., Press], hub: Hub) -> None:
    release, reached = threading.Event(), threading.Event()

    def hang(handler: BaseHTTPRequestHandler) -> None:
        reached.set()
        release.wait(20)

    hub.behaviour = hang
    press = make(hub.url)
    build(press)
    [job] = [job for job in list_jobs(press) if job.name == "ping"]
    pinging = threading.Thread(target=job.action, daemon=True)
    pinging.start()
    assert reached.wait(10)
    save(press.engine, 2)
    assert "/feeds/all.atom" in build(press).written  # while the hub hangs
    release.set()
    pinging.join(20)
    assert not pinging.is_alive()


def test_the_clock_looks_again_when_a_document_was_written_and_not_before(
    make: Callable[..., Press], hub: Hub
) -> None:
    hub.behaviour = lambda handler: answer(handler, 204)
    press = make(hub.url)
    act = ping_on_change(press)
    assert act() is None  # nothing was ever built
    build(press)
    assert [one.waiting for one in act() or ()] == [0]
    assert act() is None
    save(press.engine, 2)
    assert act() is None
    build(press)
    hub.pings.clear()
    act()
    assert topics(press, "all") <= set(hub.pings)


@pytest.mark.parametrize("target", ["http://169.254.169.254/latest/", "http://inner.example/"])
def test_a_hub_that_redirects_to_where_it_must_not_is_left_alone(
    make: Callable[..., Press], hub: Hub, target: str
) -> None:
    hub.behaviour = lambda handler: answer(handler, 307, Location=target)
    asked: list[str] = []
    port = int(hub.url.rsplit(":", 1)[1].partition("/")[0])

    def resolve(host: str, _port: int) -> list[str]:
        return {"hub.example": ["93.184.216.34"], "inner.example": ["10.0.0.7"]}.get(host, [host])

    def connect(address: str, _port: int, timeout_s: float | None) -> socket.socket:
        asked.append(address)
        return socket.create_connection(("127.0.0.1", port), timeout_s)

    press = make("http://hub.example/", allow_private=False)
    build(press)
    [pinged] = ping_hubs(press, fetcher=Fetcher(resolve=resolve, connect=connect))
    assert asked == ["93.184.216.34"]
    assert (pinged.told, hub_statuses(press)[0].failures) == (0, 1)
    assert "private address" in hub_statuses(press)[0].said or "public server" in (
        hub_statuses(press)[0].said
    )


def test_a_hub_at_a_private_address_is_told_nothing_unless_config_says_so(
    make: Callable[..., Press], hub: Hub
) -> None:
    press = make(hub.url, allow_private=False)
    build(press)
    ping_hubs(press)
    assert hub.pings == []
    assert "allow_private = true" in hub_statuses(press)[0].said


def test_a_hub_that_finds_another_address_in_the_document_refuses_and_status_says_so(
    make: Callable[..., Press], hub: Hub, listens: socket.socket
) -> None:
    press = make(hub.url)
    build(press)
    wrong = press.public / "feeds/all.atom"
    wrong.write_bytes(wrong.read_bytes().replace(b'rel="self"', b'rel="related"'))
    with served(press, listens):
        [pinged] = ping_hubs(press)
    assert (pinged.refused, pinged.waiting) == (1, 1)
    assert "topic does not match" in hub.refusals[0]


def test_a_second_process_pings_nobody_meanwhile(make: Callable[..., Press], hub: Hub) -> None:
    release, reached = threading.Event(), threading.Event()

    def slow(handler: BaseHTTPRequestHandler) -> None:
        reached.set()
        release.wait(10)
        answer(handler, 204)

    hub.behaviour = slow
    press = make(hub.url)
    build(press)
    first = threading.Thread(target=ping_hubs, args=(press,), daemon=True)
    first.start()
    assert reached.wait(10)
    assert ping_hubs(press) == []
    release.set()
    first.join(20)
    assert len(hub.pings) == len(set(hub.pings))


def test_without_hubs_nothing_is_done_and_nothing_is_written(make: Callable[..., Press]) -> None:
    press = make()
    build(press)
    assert ping_hubs(press) == []
    assert hub_statuses(press) == []
    assert not (press.var / "built/websub.json").exists()


def test_a_removed_hub_and_a_removed_feed_are_forgotten(
    make: Callable[..., Press], hub: Hub
) -> None:
    hub.behaviour = lambda handler: answer(handler, 204)
    press = make(hub.url, "http://127.0.0.1:9/")
    build(press)
    (press.public / "feeds/extra.atom").write_bytes(b"<feed/>")
    ping_hubs(press, limits=QUICK)
    (press.public / "feeds/extra.atom").unlink()
    fewer = replace(press, config=make(hub.url).config)
    save(press.engine, 2)
    build(fewer)
    ping_hubs(fewer)
    stored = json.loads((press.var / "built/websub.json").read_text())
    assert list(stored["hubs"]) == [hub.url]
    assert "/feeds/extra.atom" not in stored["hubs"][hub.url]["announced"]


def test_status_says_what_a_hub_last_answered_and_when_it_needs_a_person(
    make: Callable[..., Press], hub: Hub, clock: Clock
) -> None:
    hub.behaviour = lambda handler: answer(handler, 404, b"no hub here")
    press = make(hub.url)
    build(press)
    for _ in range(5):
        ping_hubs(press)
        clock.now += timedelta(hours=2)
    found = status(press)
    assert found.hubs[0].said == "404 no hub here"
    assert any(hub.url in need and "404 no hub here" in need for need in found.needs)
    config = ["--config", str(press.folder / "config.toml")]
    plain = json.loads(CliRunner().invoke(dateline, ["status", "--json", *config]).output)
    assert plain["hubs"][0]["hub"] == hub.url
    text = CliRunner().invoke(dateline, ["status", *config]).output
    assert "404 no hub here" in text


def test_status_says_that_hubs_cannot_fetch_from_an_address_of_this_machine(
    make: Callable[..., Press],
) -> None:
    public = make("https://hub.example/", allow_private=False)
    assert any("Hubs cannot fetch the feeds" in need for need in status(public).needs)
    own = make("https://hub.example/", allow_private=True)
    assert not any("Hubs cannot fetch" in need for need in status(own).needs)


def test_by_hand_hubs_are_told_and_the_exit_code_says_whether_they_know(
    make: Callable[..., Press], hub: Hub
) -> None:
    press = make(hub.url)
    build(press)
    config = ["--config", str(press.folder / "config.toml")]
    hub.behaviour = lambda handler: answer(handler, 500, b"down")
    failed = CliRunner().invoke(dateline, ["feeds", "ping", *config])
    assert failed.exit_code == 1
    assert "500 down" in failed.stdout
    (press.var / "built/websub.json").unlink()
    hub.behaviour = lambda handler: answer(handler, 202)
    told = CliRunner().invoke(dateline, ["feeds", "ping", "--json", *config])
    assert told.exit_code == 0
    [found] = json.loads(told.stdout)
    assert (found["told"], found["waiting"], found["said"]) == (len(set(hub.pings)), 0, "202")


def test_by_hand_without_hubs_says_which_setting_names_them(make: Callable[..., Press]) -> None:
    press = make()
    config = ["--config", str(press.folder / "config.toml")]
    said = CliRunner().invoke(dateline, ["feeds", "ping", *config])
    assert (said.exit_code, said.stdout) == (0, "There are no hubs. [websub] hubs names them.\n")
