"""`feeds/websub.py`: which topics a hub is told of, and what its answers mean."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.websub import (
    LONGEST_ASKED_WAIT,
    LONGEST_WAIT,
    Answer,
    HubState,
    Verdict,
    after_answer,
    asked_wait,
    changed_topics,
    due_topics,
    forget_gone,
    publish_form,
    read_answer,
)
from feeds.websub_state import (
    LiveTopic,
    WebsubState,
    list_topics,
    read_websub_state,
    write_websub_state,
)

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
ACCEPTED = Answer(verdict=Verdict.ACCEPTED, said="204")
REFUSED = Answer(verdict=Verdict.REFUSED, said="400 no such topic")
TROUBLE = Answer(verdict=Verdict.TROUBLE, said="503")
ALL, TAG = "/feeds/all.atom", "/feeds/tag-air.atom"


def after(
    hub: HubState, answer: Answer, path: str = ALL, etag: str = "1", *, now: datetime = NOW
) -> HubState:
    return after_answer(hub, path, etag, answer, now=now, chance=0.0)


def test_a_topic_is_told_until_the_hub_has_taken_it_and_again_when_its_bytes_change() -> None:
    hub = HubState()
    assert due_topics({ALL: "1"}, hub, NOW) == [ALL]
    hub = after(hub, ACCEPTED)
    assert due_topics({ALL: "1"}, hub, NOW) == []
    assert due_topics({ALL: "2"}, hub, NOW) == [ALL]


def test_the_main_feed_is_told_first() -> None:
    live = {TAG: "1", "/feeds/a.rss": "1", "/feeds/all.rss": "1", ALL: "1"}
    assert due_topics(live, HubState(), NOW) == [ALL, "/feeds/all.rss", "/feeds/a.rss", TAG]


def test_a_topic_that_is_no_more_is_forgotten() -> None:
    hub = after(after(HubState(), ACCEPTED), REFUSED, TAG)
    assert forget_gone(hub, {ALL: "1", TAG: "1"}) is hub
    left = forget_gone(hub, {TAG: "1"})
    assert (left.announced, list(left.refused)) == ({}, [TAG])


def test_trouble_leaves_a_hub_alone_longer_each_time_and_an_acceptance_ends_it() -> None:
    hub, waits = HubState(), []
    for _ in range(12):
        hub = after(hub, TROUBLE)
        assert hub.next_try is not None
        waits.append(hub.next_try - NOW)
        assert due_topics({ALL: "1"}, hub, hub.next_try - SECOND) == []
        assert due_topics({ALL: "1"}, hub, hub.next_try) == [ALL]
    assert waits[:3] == [15 * SECOND, 30 * SECOND, 60 * SECOND]
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_WAIT / 2
    hub = after(hub, ACCEPTED)
    assert (hub.failures, hub.next_try, hub.said) == (0, None, "204")


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_chance_spreads_a_wait_over_half_its_length(failures: int, chance: float) -> None:
    hub = HubState(failures=failures - 1)
    hub = after_answer(hub, ALL, "1", TROUBLE, now=NOW, chance=chance)
    assert hub.next_try is not None
    assert 15 * SECOND <= hub.next_try - NOW <= LONGEST_WAIT
    longest = after_answer(
        HubState(failures=failures - 1), ALL, "1", TROUBLE, now=NOW, chance=0.999
    )
    assert longest.next_try is not None
    assert hub.next_try - NOW >= (longest.next_try - NOW) / 2 - SECOND


def test_a_hub_that_asks_to_wait_is_given_the_time() -> None:
    answer = read_answer(429, b"", "600", NOW)
    assert answer.verdict is Verdict.TROUBLE
    assert after(HubState(), answer).next_try == NOW + timedelta(minutes=10)


def test_a_refused_topic_is_told_again_later_and_later_and_then_only_when_it_changes() -> None:
    hub, times = HubState(), 0
    now = NOW
    while due_topics({ALL: "1"}, hub, now):
        hub = after(hub, REFUSED, now=now)
        times += 1
        now = now + timedelta(hours=2)
    assert times == 4
    assert changed_topics({ALL: "1"}, hub) == [ALL]
    assert due_topics({ALL: "1"}, hub, now + timedelta(days=99)) == []
    assert due_topics({ALL: "2"}, hub, now) == [ALL]


def test_a_refused_topic_holds_no_other_up() -> None:
    hub = after(HubState(), REFUSED)
    assert due_topics({ALL: "1", TAG: "1"}, hub, NOW) == [TAG]


def test_a_hub_that_refuses_everything_is_left_alone_like_one_with_trouble() -> None:
    hub = HubState()
    for number in range(3):
        hub = after(hub, REFUSED, f"/feeds/tag-{number}.atom")
    assert hub.failures == 1
    assert due_topics({TAG: "1"}, hub, NOW) == []
    later = NOW + LONGEST_WAIT
    for number in range(2):
        assert due_topics({TAG: "1"}, hub, later) == [TAG]
        hub = after(hub, REFUSED, f"/feeds/tag-{number}.atom", now=later)
    assert due_topics({TAG: "1"}, after(hub, REFUSED, now=later), later) == []


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        *((status, Verdict.ACCEPTED) for status in (200, 202, 204, 303)),
        *((status, Verdict.REFUSED) for status in (400, 401, 403, 404, 405, 410, 422)),
        *((status, Verdict.TROUBLE) for status in (301, 307, 408, 425, 429, 500, 502, 503, 599)),
    ],
)
def test_what_a_status_means(status: int, verdict: Verdict) -> None:
    assert read_answer(status, b"", None, NOW).verdict is verdict


def test_what_a_hub_says_is_kept_short_and_plain() -> None:
    said = read_answer(404, b"no\r\n\x1b[31mtopic\xff " + b"x" * 10_000, None, NOW).said
    assert said.startswith("404 no [31mtopic ")
    assert len(said) <= 200


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        ("120", timedelta(minutes=2)),
        ("Thu, 26 Nov 2026 12:01:00 GMT", timedelta(minutes=1)),
        ("99999999", LONGEST_ASKED_WAIT),
        ("Thu, 26 Nov 2099 12:01:00 GMT", LONGEST_ASKED_WAIT),
        ("Thu, 26 Nov 2020 12:01:00 GMT", None),
        ("-5", None),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, wait: timedelta | None) -> None:
    assert asked_wait(text, NOW) == wait


@given(st.text(max_size=60), st.binary(max_size=500), st.integers(100, 999))
def test_no_answer_of_a_hub_makes_us_stumble(retry: str, body: bytes, status: int) -> None:
    hub = after(HubState(), read_answer(status, body, retry, NOW))
    assert hub.next_try is None or hub.next_try - NOW <= LONGEST_ASKED_WAIT


def test_the_form_says_what_hubs_look_for() -> None:
    assert dict(publish_form("https://x.example/feeds/all.atom")) == {
        "hub.mode": "publish",
        "hub.url": "https://x.example/feeds/all.atom",
        "hub.topic": "https://x.example/feeds/all.atom",
    }


def test_the_state_comes_back_as_it_was(tmp_path: Path) -> None:
    hub = after(after(after(HubState(), ACCEPTED), REFUSED, TAG), TROUBLE, "/feeds/x.json")
    state = WebsubState(
        hubs={"https://hub.example/": hub}, topics={ALL: LiveTopic((1, 2, 3), "etag")}
    )
    write_websub_state(tmp_path / "built/websub.json", state)
    assert read_websub_state(tmp_path / "built/websub.json") == state


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        '{"version": 1, "hubs": [], "topics": {}}',
        '{"version": 1, "hubs": {"x": {}}, "topics": {}}',
        '{"version": 2, "hubs": {}, "topics": {}}',
        '{"version": 1, "hubs": {}, "topics": {"/feeds/all.atom": [1]}}',
    ],
)
def test_a_state_that_cannot_be_read_is_an_empty_one(tmp_path: Path, text: str) -> None:
    (tmp_path / "websub.json").write_text(text)
    assert read_websub_state(tmp_path / "websub.json") == WebsubState()


def test_topics_are_the_subscription_documents_that_lie_there_whole(tmp_path: Path) -> None:
    feeds = tmp_path / "feeds"
    (feeds / "all/archive").mkdir(parents=True)
    for name in ("all.atom", "all.rss", "all.json", "all.atom.gz", "all.atom.br", ".all.atom.tmp"):
        (feeds / name).write_bytes(b"x")
    (feeds / "all/archive/00001.atom").write_bytes(b"x")
    found = list_topics(tmp_path, {})
    assert sorted(found) == [ALL, "/feeds/all.json", "/feeds/all.rss"]
    assert list_topics(tmp_path / "nowhere", {}) == {}
    again = list_topics(tmp_path, found)
    assert again[ALL] is found[ALL]
    replaced = feeds / "new"
    replaced.write_bytes(b"y")
    replaced.replace(feeds / "all.atom")
    changed = list_topics(tmp_path, found)
    assert changed[ALL].etag != found[ALL].etag
    assert changed["/feeds/all.rss"] is found["/feeds/all.rss"]


steps = st.lists(
    st.tuples(
        st.sampled_from(["change", "gone", "wait", "accepted", "refused", "trouble"]),
        st.sampled_from([ALL, TAG, "/feeds/x.json"]),
        st.integers(0, 4_000),
    ),
    max_size=60,
)


@given(steps)
def test_whatever_a_hub_answers_it_is_told_of_the_newest_bytes_in_the_end(
    taken: list[tuple[str, str, int]],
) -> None:
    """And of no bytes twice once it has taken them."""
    answers = {"accepted": ACCEPTED, "refused": REFUSED, "trouble": TROUBLE}
    hub, now, live = HubState(), NOW, {ALL: "0", TAG: "0"}
    taken_by_hub: set[tuple[str, str]] = set()
    for number, (what, path, seconds) in enumerate(taken):
        if what == "change":
            live[path] = f"{number + 1}"
        elif what == "gone":
            live.pop(path, None)
            hub = forget_gone(hub, live)
            taken_by_hub = {one for one in taken_by_hub if one[0] != path}
        elif what == "wait":
            now += seconds * SECOND
        elif due := due_topics(live, hub, now):
            assert (due[0], live[due[0]]) not in taken_by_hub
            hub = after_answer(hub, due[0], live[due[0]], answers[what], now=now, chance=0.5)
            if what == "accepted":
                taken_by_hub.add((due[0], live[due[0]]))
    live = {path: f"last {path}" for path in live}
    now += LONGEST_WAIT
    for path in due_topics(live, hub, now):
        hub = after_answer(hub, path, live[path], ACCEPTED, now=now, chance=0.5)
    assert changed_topics(live, hub) == []
    assert not live or (hub.failures, hub.next_try) == (0, None)
