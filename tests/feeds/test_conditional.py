"""Which representation a request means, and whether its reader has it: against a model of RFC 9110 12.5.3 and 13."""

import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from feeds.conditional import (
    ANY,
    CODINGS,
    IDENTITY,
    MAX_TAGS,
    acceptable_codings,
    chosen_coding,
    document_hash,
    entity_tag,
    http_date,
    is_unchanged_since,
    listed_tags,
    matched_coding,
    split_tag,
)
from tests.feeds.arrange import NOON

HASH = document_hash(b"<feed/>")
CHANGED = "Tue, 15 Sep 2009 12:00:00 GMT"


def test_rfc9110_5_6_7_an_http_date_is_in_gmt() -> None:
    assert http_date(NOON) == CHANGED


@pytest.mark.parametrize("coding", CODINGS)
def test_a_tag_names_hash_and_coding(coding: str) -> None:
    assert split_tag(entity_tag(HASH, coding).strip('"')) == (HASH, coding)


@pytest.mark.parametrize(
    ("if_none_match", "expected"),
    [
        pytest.param('"a"', ["a"], id="one"),
        pytest.param('"x", "a" ,"y"', ["x", "a", "y"], id="a list"),
        pytest.param('W/"a"', ["a"], id="weak comparison"),
        pytest.param('W/"a", "b"', ["a", "b"], id="both kinds"),
        pytest.param("*", [ANY], id="any"),
        pytest.param(" * ", [ANY], id="any, with spaces"),
        pytest.param('"*"', ["*"], id="a tag that looks like any"),
        pytest.param("a", ["a"], id="a reader that dropped the quotes"),
        pytest.param("W/a, b", ["a", "b"], id="a list without quotes"),
        pytest.param('"a, b"', ["a, b"], id="a comma inside a tag"),
        pytest.param("", [], id="nothing"),
        pytest.param('""', [], id="an empty tag"),
        pytest.param('"a', [], id="a quote that does not end"),
        pytest.param(",,,", [], id="commas"),
    ],
)
def test_rfc9110_13_1_2_tags_are_read_as_a_list(if_none_match: str, expected: list[str]) -> None:
    assert listed_tags(if_none_match) == expected


@pytest.mark.parametrize(
    "absurd",
    [
        ", ".join(f'"{number}"' for number in range(10_000)),
        ",".join(map(str, range(10_000))),
        '"' * 1_000_000,
        '"' + "x" * 1_000_000,
        "," * 1_000_000,
        'W/"' * 300_000,
    ],
    ids=["tags", "no quotes", "quotes", "one long tag", "commas", "beginnings"],
)
def test_an_absurd_list_costs_little(absurd: str) -> None:
    began = time.perf_counter()
    tags = listed_tags(absurd)
    assert len(tags) <= MAX_TAGS
    assert time.perf_counter() - began < 1


@pytest.mark.parametrize(
    ("accept_encoding", "expected"),
    [
        pytest.param(None, (IDENTITY, "br", "gzip"), id="says nothing: any, plain first"),
        pytest.param("", (IDENTITY,), id="empty: plain alone"),
        pytest.param("gzip", ("gzip", IDENTITY), id="gzip"),
        pytest.param("gzip, deflate, br", ("br", "gzip", IDENTITY), id="smallest of equals"),
        pytest.param("GZIP;Q=0.5 , Br ; q=0.3", ("gzip", "br", IDENTITY), id="weights and case"),
        pytest.param("x-gzip", ("gzip", IDENTITY), id="the old name"),
        pytest.param("*", (IDENTITY, "br", "gzip"), id="any: plain first"),
        pytest.param("br, *;q=0", ("br",), id="nothing but br"),
        pytest.param("*;q=0", (IDENTITY,), id="nothing at all: plain all the same"),
        pytest.param("identity;q=0, gzip", ("gzip",), id="not plain"),
        pytest.param("identity, gzip;q=0.5", (IDENTITY, "gzip"), id="plain rather"),
        pytest.param("gzip;q=0", (IDENTITY,), id="not gzip"),
        pytest.param("gzip;q=2, br;q=x, deflate", (IDENTITY,), id="weights that are none"),
        pytest.param("gzip;level=9", (IDENTITY,), id="a parameter that there is not"),
        pytest.param(";;;,,q=1,", (IDENTITY,), id="rubbish"),
    ],
)
def test_rfc9110_12_5_3_codings_are_taken_in_the_order_of_their_weights(
    accept_encoding: str | None, expected: tuple[str, ...]
) -> None:
    assert acceptable_codings(accept_encoding) == expected


@pytest.mark.parametrize(
    ("tags", "accept_encoding", "available", "expected"),
    [
        pytest.param([HASH], "gzip", CODINGS, IDENTITY, id="plain is taken too"),
        pytest.param([f"{HASH}-gzip"], "gzip", CODINGS, "gzip", id="its own coding"),
        pytest.param([f"{HASH}-gzip"], "br", CODINGS, None, id="another coding"),
        pytest.param([f"{HASH}-br"], None, CODINGS, "br", id="says nothing: takes any"),
        pytest.param([f"{HASH}-gzip"], "", [IDENTITY], IDENTITY, id="Apache added -gzip"),
        pytest.param(["x", HASH, "y"], "gzip", CODINGS, IDENTITY, id="one of a list"),
        pytest.param(["x", "y"], "gzip", CODINGS, None, id="none of a list"),
        pytest.param([HASH[:-1]], "gzip", CODINGS, None, id="a beginning is not the tag"),
        pytest.param([ANY], "gzip", CODINGS, "gzip", id="any"),
        pytest.param([], "gzip", CODINGS, None, id="an empty list"),
    ],
)
def test_rfc9110_13_1_2_the_reader_has_what_its_tag_names_and_the_request_takes(
    tags: list[str], accept_encoding: str | None, available: list[str], expected: str | None
) -> None:
    acceptable = acceptable_codings(accept_encoding)
    assert matched_coding(tags, HASH, acceptable, available) == expected


@pytest.mark.parametrize(
    ("if_modified_since", "expected"),
    [
        pytest.param(CHANGED, True, id="what we sent"),
        pytest.param(f" {CHANGED} ", True, id="with spaces"),
        pytest.param("Mon, 14 Sep 2009 12:00:00 GMT", False, id="before the change"),
        pytest.param("Wed, 16 Sep 2009 12:00:00 GMT", False, id="made up later"),
        pytest.param("Mon, 01 Jan 1800 00:00:00 GMT", False, id="nonsense"),
        pytest.param("yesterday", False, id="no date"),
    ],
)
def test_rfc9110_13_1_3_only_our_own_date_means_unchanged(
    if_modified_since: str, *, expected: bool
) -> None:
    assert is_unchanged_since(if_modified_since, CHANGED) is expected


# The model: the rules as the RFC says them, slowly, for well-formed headers.

_WEIGHTS = st.sampled_from(["", ";q=0", ";q=0.001", ";q=0.5", ";q=1", " ; q=1.000", ";q=0.0"])
_ELEMENTS = st.tuples(st.sampled_from([*CODINGS, "deflate", "zstd", ANY]), _WEIGHTS)
_ACCEPTED = st.none() | st.lists(_ELEMENTS, max_size=6, unique_by=lambda one: one[0])
_AVAILABLE = st.sets(st.sampled_from(["gzip", "br"])).map(lambda found: {IDENTITY, *found})
_NAMED = st.sampled_from([entity_tag(HASH, coding) for coding in CODINGS] + ['"other"', '"o-gzip"'])
_TAGS = st.lists(st.tuples(st.sampled_from(["", "W/"]), _NAMED), max_size=5)


def _model_weight(elements: list[tuple[str, str]] | None, coding: str) -> float:
    """RFC 9110 12.5.3: the weight of a coding, 0 where it is not acceptable."""
    if elements is None:
        return 1.0
    given_weights = {name: float(re.sub(r"[^0-9.]", "", weight) or 1) for name, weight in elements}
    if coding in given_weights:
        return given_weights[coding]
    if ANY in given_weights:
        return given_weights[ANY]
    return 0.0001 if coding == IDENTITY else 0.0


def _header(elements: list[tuple[str, str]] | None) -> str | None:
    return None if elements is None else ", ".join(name + weight for name, weight in elements)


@given(elements=_ACCEPTED, available=_AVAILABLE)
@example(elements=[("identity", ";q=0")], available={IDENTITY})
def test_rfc9110_12_5_3_what_is_sent_is_acceptable_where_anything_is(
    elements: list[tuple[str, str]] | None, available: set[str]
) -> None:
    sent = chosen_coding(acceptable_codings(_header(elements)), available)
    assert sent in available
    weights = {coding: _model_weight(elements, coding) for coding in available}
    if max(weights.values()) > 0:
        assert weights[sent] > 0
    else:
        assert sent == IDENTITY
    named = {name for name, _ in elements or ()}
    if sent not in named:
        # What is named with a weight is sent rather than what is not.
        assert all(weights[coding] == 0 for coding in named & available)
    else:
        assert weights[sent] == max(weights[coding] for coding in named & available)


@given(elements=_ACCEPTED, available=_AVAILABLE, listed=_TAGS)
@example(
    elements=[("br", ""), ("identity", ";q=0")],
    available={IDENTITY},
    listed=[("", entity_tag(HASH, IDENTITY))],
)
def test_rfc9110_13_1_2_a_304_is_for_a_representation_that_the_reader_named_and_takes(
    elements: list[tuple[str, str]] | None, available: set[str], listed: list[tuple[str, str]]
) -> None:
    if_none_match = ", ".join(weak + tag for weak, tag in listed)
    acceptable = acceptable_codings(_header(elements))
    found = matched_coding(listed_tags(if_none_match), HASH, acceptable, available)
    named = {tag for _, tag in listed}
    takes = {coding for coding in available if _model_weight(elements, coding) > 0} or {IDENTITY}
    has = {coding for coding in takes if entity_tag(HASH, coding) in named}
    if found is not None and entity_tag(HASH, found) in named:
        assert found in has
    elif found is not None:
        # The suffix of a coding that we have no file of: somebody on the way compressed it.
        assert any(
            entity_tag(HASH, coding) in named for coding in CODINGS if coding not in available
        )
    else:
        assert not has


@given(if_none_match=st.text(max_size=200), accept_encoding=st.text(max_size=200))
def test_no_header_makes_it_fail(if_none_match: str, accept_encoding: str) -> None:
    acceptable = acceptable_codings(accept_encoding)
    assert acceptable
    found = matched_coding(listed_tags(if_none_match), HASH, acceptable, CODINGS)
    assert found is None or HASH in if_none_match or if_none_match.strip() == ANY
