"""`newsletter/progress.py`: the rate is that of the last seconds, and no time left is told without samples."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.progress import (
    RateMeter,
    RelayReport,
    Reporter,
    SenderReport,
    parse_report,
    report_as_plain,
    times_left,
    total_rate,
)


def a_meter(*spells: tuple[float, float], step_s: float = 0.1) -> tuple[RateMeter, float]:
    """A meter after spells of (seconds, rate), and the time it is then."""
    meter, now, count = RateMeter(), 1000.0, 0.0
    meter.note(0, now)
    for seconds, rate in spells:
        for _ in range(round(seconds / step_s)):
            now += step_s
            count += rate * step_s
            meter.note(int(count + 1e-6), now)
    return meter, now


def rate(*spells: tuple[float, float], step_s: float = 0.1) -> float | None:
    """What the meter says after them."""
    meter, now = a_meter(*spells, step_s=step_s)
    return meter.rate_per_s(now)


def test_there_is_no_rate_before_there_are_samples() -> None:
    assert RateMeter().rate_per_s(5.0) is None
    assert rate((1, 500)) is None
    assert rate((60, 0)) is None


def test_the_rate_is_that_of_the_last_seconds() -> None:
    assert rate((5, 500)) == pytest.approx(500, rel=0.05)
    assert rate((60, 1000), (12, 50)) == pytest.approx(50, rel=0.05)


def test_an_hour_of_rest_before_does_not_make_it_slower() -> None:
    assert rate((3600, 0), (3, 400), step_s=0.25) == pytest.approx(400, rel=0.1)


def test_a_slow_rate_is_measured_over_a_minute() -> None:
    assert rate((120, 0.2)) == pytest.approx(0.2, rel=0.2)


def test_what_was_fast_and_has_stopped_has_the_rate_nought() -> None:
    assert rate((30, 400), (11, 0)) == 0.0


def test_what_has_stopped_for_a_minute_has_no_rate() -> None:
    assert rate((30, 400), (75, 0)) is None


def test_a_meter_that_is_asked_all_the_time_stays_small() -> None:
    meter, _ = a_meter((200, 10), step_s=0.001)
    assert len(meter._samples) < 300


def test_two_issues_that_take_turns_share_the_rate() -> None:
    assert times_left({1: 1000, 2: 100}, 10.0) == {2: 20.0, 1: 110.0}
    assert times_left({7: 300}, 10.0) == {7: 30.0}


def test_without_a_rate_no_time_is_told() -> None:
    assert times_left({1: 5}, None) == {1: None}
    assert times_left({1: 5}, 0.0) == {1: None}


@given(
    st.dictionaries(st.integers(1, 20), st.integers(0, 10**7), min_size=1), st.floats(0.01, 10**5)
)
def test_the_last_issue_ends_when_all_is_sent(left: dict[int, int], rate_per_s: float) -> None:
    found = times_left(left, rate_per_s)
    assert found.keys() == left.keys()
    longest = max(found.values(), key=lambda time: time or 0.0)
    assert longest == pytest.approx(sum(left.values()) / rate_per_s)


def test_rates_of_several_processes_add_up() -> None:
    assert total_rate([None, None]) is None
    assert total_rate([2.5, None, 1.5]) == 4.0


def test_a_report_comes_back_from_json_as_it_was() -> None:
    report = SenderReport(
        sent=3,
        rate_per_s=1.5,
        trouble="relay: 421 later",
        relays=(RelayReport(name="mx.example:587", state="in use", rate_per_s=0.5),),
    )
    assert parse_report(json.loads(json.dumps(report_as_plain(report)))) == report


def test_a_report_of_another_release_is_read_as_far_as_it_is_known() -> None:
    assert parse_report({"sent": 2, "mood": "good"}) == SenderReport(sent=2)


def written(reporter: Reporter, seconds: range, *, sent: int | None, rests: bool) -> list[int]:
    """The seconds at which it wrote a report; `sent` None: one more each second."""
    found = []
    for second in seconds:
        reporter.note(SenderReport(sent=second if sent is None else sent), second, rests=rests)
        if reporter.due(second) is not None:
            found.append(second)
    return found


def test_a_process_that_sends_reports_every_second_and_one_that_rests_seldom() -> None:
    reporter = Reporter()
    assert written(reporter, range(5), sent=None, rests=False) == [0, 1, 2, 3, 4]
    assert written(reporter, range(5, 8), sent=4, rests=False) == [5, 6, 7]
    assert written(reporter, range(8, 50), sent=4, rests=True) == [27, 47]


def test_the_last_results_are_reported_also_when_nothing_follows() -> None:
    reporter = Reporter()
    reporter.note(SenderReport(), 0.0, rests=True)
    assert reporter.due(0.0) is not None
    reporter.note(SenderReport(sent=3), 0.5, rests=True)
    assert reporter.due(0.5) is None
    last = reporter.due(1.0)
    assert last is not None
    assert last.sent == 3


def test_a_report_says_the_rate() -> None:
    reporter = Reporter()
    for step in range(50):
        reporter.note(SenderReport(sent=step * 10, notices=step), step / 10, rests=False)
    report = reporter.due(4.9)
    assert report is not None
    assert report.rate_per_s == pytest.approx(110, rel=0.05)
