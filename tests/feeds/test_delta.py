"""Cutting a delta out of a document, whatever the document and whatever the headers."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.conditional import document_hash
from feeds.delta import build_delta, delta_base, parse_sidecar, wants_delta

ENTRIES = st.lists(st.tuples(st.integers(0, 99), st.integers(1, 20)), max_size=8)


def _document(entries: list[tuple[int, int]]) -> tuple[bytes, bytes]:
    """A JSON document of entries (id, number of the last change), and its sidecar."""
    body, spans = b'{"items":[\n', []
    for index, (id_, number) in enumerate(entries):
        body += b",\n" if index else b""
        text = json.dumps({"id": id_, "n": number}).encode()
        spans.append([len(body), len(text), number])
        body += text
    sidecar = {
        "etag": document_hash(body + b"]}"),
        "tail_at": len(body),
        "entries": spans,
        "history": [["now", 20], ["old", 7], ["old", 5], ["older", 3]],
    }
    return body + b"]}", json.dumps(sidecar).encode()


@given(entries=ENTRIES, since=st.integers(0, 21))
def test_a_delta_is_the_document_with_only_what_is_newer(
    entries: list[tuple[int, int]], since: int
) -> None:
    body, raw = _document(entries)
    sidecar = parse_sidecar(raw, len(body))
    assert sidecar is not None
    delta = build_delta(body, sidecar, since)
    newer = [{"id": id_, "n": number} for id_, number in entries if number > since]
    if len(newer) == len(entries):
        assert delta is None
    else:
        assert delta is not None
        assert json.loads(delta) == {"items": newer}


def test_bytes_that_came_again_stand_for_their_later_number() -> None:
    body, raw = _document([(1, 1)])
    sidecar = parse_sidecar(raw, len(body))
    assert sidecar is not None
    assert delta_base(sidecar, ["older", "old-gzip", "other"]) == ("old-gzip", 7)
    assert delta_base(sidecar, ["other"]) is None


@given(raw=st.binary(max_size=200) | st.from_type(dict).map(lambda _: b"{}"))
def test_no_sidecar_makes_it_fail(raw: bytes) -> None:
    assert parse_sidecar(raw, 10) is None


@pytest.mark.parametrize("wrong", [None, [], "x", -1, {"a": 1}, 1e999])
@pytest.mark.parametrize("key", ["tail_at", "entries", "history"])
def test_a_sidecar_with_a_value_of_another_type_is_none(key: str, wrong: object) -> None:
    body, raw = _document([(1, 1)])
    if wrong == [] and key != "tail_at":
        return
    assert parse_sidecar(json.dumps({**json.loads(raw), key: wrong}).encode(), len(body)) is None


@given(a_im=st.text(max_size=100))
def test_no_a_im_makes_it_fail(a_im: str) -> None:
    assert not wants_delta(a_im) or "feed" in a_im.lower()
