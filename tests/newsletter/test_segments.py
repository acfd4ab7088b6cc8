"""Programs as they are stored, and marks outside a template."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.marks import FIELDS, Mark, Marks, MarkUsed, Reader
from newsletter.segments import packed_program, unpacked_program
from tests.newsletter.mail_samples import a_week, sealed

PROGRAMS = st.lists(st.one_of(st.integers(0, 40), st.sampled_from(sorted(FIELDS)), st.just("new")))


@given(PROGRAMS)
def test_a_stored_program_is_read_back(program: list[int | str]) -> None:
    assert unpacked_program(packed_program(program)) == program


@given(st.lists(st.integers(0, 9), max_size=4), st.integers(0, 9), st.integers(1, 30))
def test_a_run_of_parts_is_stored_as_two_numbers(before: list[int], first: int, count: int) -> None:
    run = list(range(first, first + count))
    packed = packed_program([*before, "to", *run])
    assert packed[-2:] == ([first, 1 - count] if count > 1 else ["t", first])


def test_a_program_stored_in_full_is_itself() -> None:
    for edition in sealed(a_week(), languages=("en", "es")).editions:
        stored_once = list(edition.program)
        assert unpacked_program(stored_once) == stored_once
        assert len(repr(packed_program(stored_once))) < len(repr(stored_once)) / 2


def test_every_field_is_stored_under_a_name_of_its_own() -> None:
    packed = packed_program(sorted(FIELDS))
    assert len(set(packed)) == len(FIELDS)
    assert max(len(str(one)) for one in packed) <= 2


@pytest.mark.parametrize("use", [str, bool, len, hash, iter, lambda m: m == m, lambda m: f"{m}"])
def test_a_mark_can_be_used_by_nothing_but_a_template(
    use: Callable[[object], object],
) -> None:
    mark = Reader("html", Marks("0" * 24)).name
    assert isinstance(mark, Mark)
    with pytest.raises(MarkUsed):
        use(mark)
