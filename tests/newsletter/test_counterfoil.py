"""Lines of the counterfoil: written, read back, torn, summed up; a place told from another (DESIGN.md 8.12)."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.counterfoil import (
    Entry,
    Line,
    Place,
    What,
    erased_hash,
    format_lines,
    last_place,
    parse_lines,
    post_hash,
    subscription_hash,
    sum_up,
    was_adopted,
    writes,
)
from newsletter.tokens import Keys

AT = datetime(2026, 11, 26, 18, 0, tzinfo=UTC)
KEYS = Keys(b"a secret of the tests")
EVERY = [
    Entry(what=What.MADE, place=Place(inode=7, generation=9, machine="ab")),
    Entry(
        what=What.RELEASED,
        issue=5,
        newsletter="daily",
        frequency="scheduled",
        number=3,
        end=42,
        due="2026-11-26T18:00",
        seal="5ea1",
        recipients=5000,
        posts=(post_hash("urn:a"), post_hash("urn:b")),
    ),
    Entry(what=What.LEFT, row=17, who="abc", newsletter="daily"),
    Entry(what=What.SUPPRESSED, who="def", reason="dead"),
    Entry(what=What.LEASED, issue=5, batch=2, attempt=1),
    Entry(what=What.ADOPTED, reason="skip", place=Place(inode=8)),
]


def lines(*entries: Entry, n: int = 1) -> list[Line]:
    """Entries of one write."""
    return [Line(n=n, file="f", at=AT, entry=entry) for entry in entries]


def test_what_was_written_is_read_back() -> None:
    body = format_lines(EVERY, n=4, file="c0ffee", at=AT)
    assert parse_lines(body) == [Line(n=4, file="c0ffee", at=AT, entry=entry) for entry in EVERY]
    assert body.count(b"\n") == len(EVERY)


def test_a_line_holds_no_address_and_not_the_hash_of_a_suppression() -> None:
    key = "lupe@example.org"
    hashes = {
        subscription_hash(KEYS, "daily", key),
        subscription_hash(KEYS, "weekly", key),
        erased_hash(KEYS, key),
        KEYS.address_hash(key)[:32],
    }
    assert len(hashes) == 4
    assert not any("lupe" in one for one in hashes)


def test_a_torn_line_is_passed_over_and_the_next_one_counts() -> None:
    whole = format_lines(EVERY[2:4], n=4, file="f", at=AT)
    first = whole.split(b"\n")[0]
    for cut in range(1, len(first)):
        body = first[:cut] + b"\n" + whole
        assert [line.entry for line in parse_lines(body)] == EVERY[2:4]


@given(st.binary(max_size=200))
def test_no_bytes_make_reading_fail(body: bytes) -> None:
    parse_lines(body)
    parse_lines(b'{"n":1,"file":"f","at":"2026-11-26T18:00:00+00:00","what":' + body)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param(Place(inode=1), Place(inode=1), True, id="the same file"),
        pytest.param(Place(inode=1), Place(inode=2), False, id="a copy beside it"),
        pytest.param(
            Place(inode=1, generation=4),
            Place(inode=1, generation=5),
            False,
            id="a copy that got the inode of a deleted file",
        ),
        pytest.param(
            Place(inode=1, generation=4), Place(inode=1), True, id="a file system that cannot say"
        ),
        pytest.param(
            Place(inode=1, machine="a"), Place(inode=1, machine="b"), False, id="a cloned machine"
        ),
        pytest.param(
            Place(inode=1, machine="a"), Place(inode=1), True, id="a container, without a machine"
        ),
    ],
)
def test_a_place_is_told_by_what_both_know(one: Place, other: Place, same: bool) -> None:
    assert one.is_same(other) is same
    assert other.is_same(one) is same


def test_the_last_word_on_the_place_counts() -> None:
    assert last_place(lines(*EVERY)) == Place(inode=8)
    assert last_place(lines(EVERY[2])) is None
    assert was_adopted(lines(*EVERY))
    assert not was_adopted(lines(*EVERY[:5]))


def test_writes_are_counted_without_the_delivery_programs_and_the_first_line() -> None:
    noted = lines(EVERY[0], EVERY[2], EVERY[3], n=1) + lines(EVERY[4], n=2)
    assert writes(noted) == 1
    assert writes([*noted, *lines(EVERY[2], n=3)]) == 2
    assert writes(lines(EVERY[0], n=1)) == 0


def test_whoever_left_and_came_back_has_not_left() -> None:
    left, back = Entry(what=What.LEFT, who="a"), Entry(what=What.BACK, who="a")
    assert sum_up(lines(left)).left == (left,)
    assert sum_up(lines(left, back)).left == ()
    assert sum_up(lines(left, back)).came_back == 1
    assert sum_up(lines(left, back, left)).left == (left,)


def test_pauses_and_suppressions_are_taken_back_too() -> None:
    pause, resume = Entry(what=What.PAUSED, who="a"), Entry(what=What.RESUMED, who="a")
    bad, good = Entry(what=What.SUPPRESSED, who="b"), Entry(what=What.UNSUPPRESSED, who="b")
    since = sum_up(lines(pause, resume, bad, good))
    assert (since.paused, since.suppressed, since.unsuppressed) == ((), (), 1)
    since = sum_up(lines(resume, pause, good, bad))
    assert (since.paused, since.suppressed, since.unsuppressed) == ((pause,), (bad,), 0)


def test_issues_that_something_went_out_of_are_named_by_their_batches() -> None:
    since = sum_up(
        lines(
            EVERY[1],
            Entry(what=What.LEASED, issue=5, batch=1, attempt=1),
            Entry(what=What.SETTLED, issue=5, batch=1, attempt=1),
            Entry(what=What.LEASED, issue=5, batch=2, attempt=1),
            Entry(what=What.CANCELLED, issue=4),
        )
    )
    assert since.mailed == {5}
    assert since.leased == {5: {1, 2}}
    assert since.cancelled == {4}
    assert since.released[5].entry.end == 42
