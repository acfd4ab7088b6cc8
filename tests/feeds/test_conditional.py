"""Which requests get 304 and which get the bytes."""

import pytest

from feeds.conditional import http_date, not_modified
from tests.feeds.arrange import NOON

ETAG = '"abc"'
CHANGED = "Tue, 15 Sep 2009 12:00:00 GMT"


def test_an_http_date_is_in_gmt() -> None:
    assert http_date(NOON) == CHANGED


@pytest.mark.parametrize(
    ("if_none_match", "if_modified_since", "expected"),
    [
        pytest.param(None, None, False, id="an unconditional request never gets 304"),
        pytest.param(ETAG, None, True, id="the tag alone"),
        pytest.param(None, CHANGED, True, id="the date alone"),
        pytest.param('"old"', CHANGED, False, id="another tag wins over the same date"),
        pytest.param(
            ETAG, "Mon, 14 Sep 2009 12:00:00 GMT", True, id="the tag wins over an old date"
        ),
        pytest.param('"x", "abc" ,"y"', None, True, id="one of a list"),
        pytest.param('"x","y"', None, False, id="none of a list"),
        pytest.param("*", None, True, id="any"),
        pytest.param('W/"abc"', None, True, id="weak comparison"),
        pytest.param('"abc-gzip"', None, True, id="a suffix that Apache adds"),
        pytest.param("abc", None, True, id="a reader that dropped the quotes"),
        pytest.param('"ab"', None, False, id="a beginning is not the tag"),
        pytest.param("", None, False, id="an empty tag"),
        pytest.param(None, "Wed, 16 Sep 2009 12:00:00 GMT", False, id="a made-up later date"),
        pytest.param(None, "Mon, 01 Jan 1800 00:00:00 GMT", False, id="a nonsense date"),
        pytest.param(None, "yesterday", False, id="no date at all"),
    ],
)
def test_rfc9110_13_a_reader_gets_304_only_for_the_bytes_it_has(
    if_none_match: str | None, if_modified_since: str | None, *, expected: bool
) -> None:
    assert (
        not_modified(
            if_none_match=if_none_match,
            if_modified_since=if_modified_since,
            etag=ETAG,
            last_modified=CHANGED,
        )
        is expected
    )
