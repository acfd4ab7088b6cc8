"""Files of readers as other programs write them (issue 3, section 7)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.import_csv import (
    ImportRow,
    RefusedRow,
    decoded,
    find_layout,
    guarded,
    parse_rows,
    unguarded,
)


def read(body: bytes) -> list[ImportRow | RefusedRow]:
    text, encoding = decoded(body)
    return list(parse_rows(text, find_layout(text, encoding)))


def taken(body: bytes) -> list[tuple[int, str, str | None]]:
    return [
        (row.line, row.address.address, row.name)
        for row in read(body)
        if isinstance(row, ImportRow)
    ]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("Name;Email\nAna Díaz;ana@x.org\nEva;eva@x.org\n".encode(), id="semicolons in UTF-8"),
        pytest.param("Name;Email\nAna Díaz;ana@x.org\nEva;eva@x.org\n".encode("cp1252"), id="Windows-1252"),
        pytest.param("\ufeffName;Email\nAna Díaz;ana@x.org\nEva;eva@x.org\n".encode(), id="UTF-8 with a mark"),
        pytest.param("Name\tEmail\r\nAna Díaz\tana@x.org\r\nEva\teva@x.org\r\n".encode("utf-16"), id="tabs in UTF-16"),
        pytest.param("Name|Email\nAna Díaz|ana@x.org\nEva|eva@x.org".encode("utf-16-le"), id="UTF-16 without a mark"),
        pytest.param('Name,Email\n"Ana Díaz","ana@x.org"\n"Eva",eva@x.org\n'.encode(), id="quoted fields"),
        pytest.param("nombre,correo\nAna Díaz,ana@x.org\nEva,eva@x.org\n".encode(), id="Spanish names of columns"),
    ],
)  # fmt: skip
def test_any_delimiter_and_encoding_is_read(body: bytes) -> None:
    assert taken(body) == [(2, "ana@x.org", "Ana Díaz"), (3, "eva@x.org", "Eva")]


def test_a_plain_list_has_one_address_a_line() -> None:
    assert [row[:2] for row in taken(b"ana@x.org\n\nEva <eva@x.org>\n")] == [
        (1, "ana@x.org"),
        (3, "eva@x.org"),
    ]


def test_of_feedburner_only_the_active_rows_are_taken() -> None:
    body = b"Email,Subscribed,Status\nana@x.org,1/2/2009 10:00:00 AM,Active\neva@x.org,1/3/2009 1:00:00 PM,Unverified\n"
    first, second = read(body)
    assert isinstance(first, ImportRow)
    assert first.since is not None
    assert first.since.year == 2009
    assert second == RefusedRow(3, 'is not active: its status is "Unverified"')


def test_the_address_column_is_found_by_its_content() -> None:
    assert [row[1] for row in taken(b"id,who,where\n1,ana,ana@x.org\n2,eva,eva@x.org\n")] == [
        "ana@x.org",
        "eva@x.org",
    ]


def test_refused_rows_are_named_by_line_with_the_reason_and_without_the_address() -> None:
    rows = read(b"Email\nana@x.org\nno address here\nANA@x.org\na\x01b@x.org\n")
    refused = [row for row in rows if isinstance(row, RefusedRow)]
    assert [row.line for row in refused] == [3, 4, 5]
    assert "line 2 again" in refused[1].why
    assert all("x.org" not in row.why for row in refused)


def test_a_stray_quotation_mark_costs_one_row() -> None:
    body = b'Email,Name\nana@x.org,"Ana\n' + b"".join(b"r%d@x.org,R\n" % n for n in range(40))
    rows = read(body)
    assert isinstance(rows[0], RefusedRow)
    assert sum(isinstance(row, ImportRow) for row in rows) == 40


@pytest.mark.parametrize("body", [b"", b"\n\n", b"Name\nAna\nEva\n"])
def test_a_file_without_addresses_says_so(body: bytes) -> None:
    text, encoding = decoded(body)
    with pytest.raises(ValueError, match=r"is empty|no column"):
        find_layout(text, encoding)


@given(st.binary(max_size=400))
def test_no_file_crashes_the_reader(body: bytes) -> None:
    text, encoding = decoded(body)
    try:
        layout = find_layout(text, encoding)
    except ValueError:
        return
    assert all(row.line >= 1 for row in parse_rows(text, layout))


@given(st.text(max_size=30))
def test_a_guarded_cell_is_no_formula_and_comes_back(cell: str) -> None:
    assert guarded(cell)[:1] not in tuple("=+-@\t\r")
    if not cell.startswith("'"):
        assert unguarded(guarded(cell)) == cell


def test_a_repeated_address_names_the_line_of_the_first_however_far_back() -> None:
    body = "".join(f"reader{n}@x.org\n" for n in range(5_000)) + "READER17@x.org\n"
    rows = read(body.encode())
    assert rows[-1] == RefusedRow(5_001, "has the address of line 18 again")
    assert all(isinstance(row, ImportRow) for row in rows[:-1])
