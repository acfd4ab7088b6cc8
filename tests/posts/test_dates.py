"""`posts/dates.py`: strict about what it reads, at home in two languages in what it writes."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posts.dates import (
    date_line,
    has_strange_year,
    parse_date,
    short_date,
    time_of_day,
)

DENVER = ZoneInfo("America/Denver")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2009-09-15", "2009-09-15T06:00:00+00:00"),
        ("2009-09-15T08:00-06:00", "2009-09-15T14:00:00+00:00"),
        ("2009-09-15 08:00", "2009-09-15T14:00:00+00:00"),
        ("2009-09-15 8:00:30 -0600", "2009-09-15T14:00:30+00:00"),
        ("2009-09-15T08:00:00Z", "2009-09-15T08:00:00+00:00"),
        ("2009-09-15T08:00:00.123456789Z", "2009-09-15T08:00:00.123456+00:00"),
        ("  2009-09-15T08:00:00Z\n", "2009-09-15T08:00:00+00:00"),
        ("Tue, 15 Sep 2009 08:00:00 -0600", "2009-09-15T14:00:00+00:00"),
        ("15 Sep 2009 08:00 GMT", "2009-09-15T08:00:00+00:00"),
        ("Tue, 15 Sep 2009 08:00:00 EST", "2009-09-15T13:00:00+00:00"),
        ("Tue, 15 September 2009 08:00:00 +0000 (UTC)", "2009-09-15T08:00:00+00:00"),
        ("Tue, 15 Sep 2009 08:00:00", "2009-09-15T14:00:00+00:00"),
        ("2009-03-08 02:30", "2009-03-08T09:30:00+00:00"),
        ("2009-11-01 01:30", "2009-11-01T07:30:00+00:00"),
    ],
)
def test_a_date_in_a_known_spelling_is_read(text: str, expected: str) -> None:
    assert parse_date(text, DENVER) == datetime.fromisoformat(expected)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "15/9",
        "01/02/2026",
        "jue, 01 ene 2026 08:00:00 GMT",
        "31 Feb 2009 08:00:00 GMT",
        "2009-02-31",
        "2009-09-15T25:61",
        "2009-09-15T08:00+06:99",
        "-0001-11-30T00:00:00+00:00",
        "0000-00-00 00:00:00",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59-12:00",
        "Tue, 15 Sep 2009 08:00:00 LMT",
        "yesterday",
        "20090915",
    ],
)
def test_a_date_that_would_be_a_guess_is_none(text: str) -> None:
    assert parse_date(text, DENVER) is None


@given(st.text() | st.from_regex(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}[+-]\d{2}:\d{2}", fullmatch=True))
def test_no_text_crashes_the_reading(text: str) -> None:
    moment = parse_date(text, DENVER)
    assert moment is None or moment.tzinfo is UTC


@given(st.datetimes(datetime(1000, 1, 2), datetime(2999, 12, 30), timezones=st.just(UTC)))  # noqa: DTZ001  hypothesis wants its bounds naive
def test_what_isoformat_writes_is_read_back(moment: datetime) -> None:
    assert parse_date(moment.isoformat(), DENVER) == moment


@pytest.mark.parametrize(
    ("language", "line", "short", "hour"),
    [
        ("en", "Tuesday, September 15, 2009", "Sep 15, 2009", "8:00\u00a0PM"),
        ("es", "martes, 15 de septiembre de 2009", "15 sept 2009", "20:00"),
        ("es-MX", "martes, 15 de septiembre de 2009", "15 sep 2009", "8:00\u00a0p.m."),
        ("en-US", "Tuesday, September 15, 2009", "Sep 15, 2009", "8:00\u00a0PM"),
        ("tlh", "Tuesday, September 15, 2009", "Sep 15, 2009", "8:00\u00a0PM"),
    ],
)
def test_the_day_is_written_in_the_readers_language_and_the_sites_zone(
    language: str, line: str, short: str, hour: str
) -> None:
    moment = datetime(2009, 9, 16, 2, 0, tzinfo=UTC)
    assert date_line(moment, DENVER, language) == line
    assert short_date(moment, DENVER, language) == short
    assert time_of_day(moment, DENVER, language) == hour


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0001-01-01T00:00:00Z", True),
        ("9999-12-31", True),
        ("9999-12-31T23:59:59-12:00", True),
        ("0000-00-00 00:00:00", False),
        ("2009-09-15", False),
        ("2009-02-31", False),
        ("yesterday", False),
    ],
)
def test_a_whole_date_in_a_year_that_no_post_has_is_told_apart(text: str, expected: bool) -> None:
    assert has_strange_year(text, DENVER) is expected
