"""A file of readers as other programs write it: any delimiter and encoding, the columns found by name or content. Pure."""

import csv
import re
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from newsletter.addresses import Address, parse_address
from posts.text import valid_language

_DELIMITERS = (",", ";", "\t", "|")
_SAMPLE = 200
_QUOTED_LINES = 20
_LOOKS = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+\.[^\s@<>,;]+")
_IN_ANGLES = re.compile(r"^(?P<name>[^<>]*)<(?P<address>[^<>]+)>$")
_NAMES = {
    "address": {"email", "e-mail", "mail", "email address", "e-mail address", "emailaddress", "address",
                "subscriber", "correo", "correo electrónico", "correo electronico", "adresse", "adresse e-mail",
                "courriel"},
    "name": {"name", "full name", "nombre", "nom"},
    "first": {"first name", "firstname", "given name", "nombre de pila", "prénom"},
    "last": {"last name", "lastname", "surname", "family name", "apellido", "apellidos"},
    "language": {"language", "lang", "locale", "idioma", "langue"},
    "status": {"status", "state", "estado", "subscription status", "statut"},
    "since": {"since", "subscribed", "subscribed at", "subscription date", "created at", "optin time",
              "confirm time", "date", "fecha"},
}  # fmt: skip
_ACTIVE = {"active", "subscribed", "confirmed", "enabled", "activo", "activa", "yes", "true", "1"}
_DATES = ("%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M", "%m/%d/%Y", "%d.%m.%Y")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRow:
    """One row that can be taken. `line` is its line in the file."""

    line: int
    address: Address
    name: str | None = None
    language: str | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """One row that cannot be taken, and why, as the end of a sentence; it never carries the address."""

    line: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How a file is laid out: its encoding and delimiter, whether it begins with names, which column is what."""

    encoding: str
    delimiter: str | None
    has_header: bool
    columns: dict[str, int]


def decoded(body: bytes) -> tuple[str, str]:
    """The text of a file and the encoding it is in: what its first bytes say, else UTF-8, else Windows-1252."""
    for mark, encoding in (
        (b"\xef\xbb\xbf", "utf-8-sig"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if body.startswith(mark):
            return body.decode(encoding, "replace"), encoding
    if b"\0" in body[:200]:
        encoding = "utf-16-le" if body[1:2] == b"\0" else "utf-16-be"
        return body.decode(encoding, "replace"), encoding
    try:
        return body.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        text = body.decode("cp1252", "replace")
        return text, "cp1252"


def find_layout(text: str, encoding: str) -> Layout:
    """How the file is laid out; raises ValueError where no column holds addresses."""
    lines = [line for line in text[:200_000].splitlines() if line.strip()][:_SAMPLE]
    if not lines:
        raise ValueError("is empty")
    delimiter = _find_delimiter(lines)
    rows = [_cells(line, delimiter) for line in lines]
    has_header = not any(_LOOKS.search(cell) for cell in rows[0])
    columns = _named_columns(rows[0]) if has_header else {}
    body = rows[1:] if has_header else rows
    held = Counter(place for row in body for place, cell in enumerate(row) if _LOOKS.search(cell))
    if columns.get("address") not in held:
        if not held and body:
            raise ValueError("has no column with mail addresses")
        if held:
            columns["address"] = max(held, key=lambda place: (held[place], -place))
    if "address" not in columns:
        raise ValueError("has no column with mail addresses")
    return Layout(encoding=encoding, delimiter=delimiter, has_header=has_header, columns=columns)


def parse_rows(text: str, layout: Layout) -> Iterator[ImportRow | RefusedRow]:
    """Each row of the file, in order, with its line; empty lines are skipped. A second row of an address is refused."""
    first_lines = _FirstLines(text.count("\n") + 1)
    rows = _rows(text, layout.delimiter)
    if layout.has_header:
        next(rows, None)
    for line, cells in rows:
        if cells is None:
            yield RefusedRow(line, "has a quotation mark that is never closed")
            continue
        row = _parse_row(line, cells, layout.columns)
        if isinstance(row, ImportRow):
            first = first_lines.note(row.address.key, line)
            if first != line:
                row = RefusedRow(line, f"has the address of line {first} again")
        yield row


class _FirstLines:
    """The line that each address was first met on, in 24 bytes an address: a dictionary of a million takes 150 MB.

    Addresses are told apart by Python's own 64-bit hash: of a million, two are alike once in thirty million imports.
    """

    def __init__(self, most: int) -> None:
        size = 1 << (2 * most).bit_length()
        self._mask = size - 1
        self._hashes = array("q", bytes(8 * size))
        self._lines = array("I", bytes(4 * size))

    def note(self, key: str, line: int) -> int:
        """The line that `key` was first met on: `line` where it is new."""
        hashes, mask, wanted = self._hashes, self._mask, hash(key) or 1
        place = wanted & mask
        while found := hashes[place]:
            if found == wanted:
                return self._lines[place]
            place = (place + 1) & mask
        hashes[place] = wanted
        self._lines[place] = line
        return line


def unguarded(cell: str) -> str:
    """A cell without the `'` that keeps spreadsheets from taking it for a formula (our own exports have it)."""
    return cell[1:] if len(cell) > 1 and cell[0] == "'" and cell[1] in "=+-@\t\r" else cell


def guarded(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula (mail.md 7.1)."""
    return "'" + cell if cell[:1] in tuple("=+-@\t\r") else cell


def _parse_row(line: int, cells: Sequence[str], columns: dict[str, int]) -> ImportRow | RefusedRow:
    def cell(name: str) -> str:
        place = columns.get(name)
        return unguarded(cells[place].strip()) if place is not None and place < len(cells) else ""

    typed, name = cell("address"), cell("name")
    if not typed:
        return RefusedRow(line, "has no address")
    status = cell("status")
    if "status" in columns and status.casefold() not in _ACTIVE:
        return RefusedRow(line, f'is not active: its status is "{status[:40]}"')
    angles = _IN_ANGLES.match(typed)
    if angles:
        typed, name = angles["address"], name or angles["name"].strip(' "')
    try:
        address = parse_address(typed.removeprefix("mailto:"))
    except ValueError as error:
        return RefusedRow(line, str(error))
    if not name:
        name = f"{cell('first')} {cell('last')}".strip()
    return ImportRow(
        line=line,
        address=address,
        name=clean_name(name),
        language=valid_language(cell("language")) if "language" in columns else None,
        since=_date(cell("since")) if "since" in columns else None,
    )


def clean_name(name: str) -> str | None:
    """A name as a header may carry it: one line, no control characters, at most 100 characters; None for none."""
    kept = "".join(character for character in " ".join(name.split()) if character.isprintable())
    return kept[:100] or None


def _rows(text: str, delimiter: str | None) -> Iterator[tuple[int, list[str] | None]]:
    """Line number and cells of each row; None for a row whose quotation never ends.

    Line by line, so that one stray quotation mark costs one row and not the rest of the file.
    """
    lines = _Lines(text)
    while (line := lines.next()) is not None:
        number = lines.number
        if not line.strip():
            continue
        if '"' not in line:
            yield number, line.split(delimiter) if delimiter else [line]
            continue
        mark = lines.mark()
        while line.count('"') % 2 and lines.number < number + _QUOTED_LINES:
            more = lines.next()
            if more is None:
                break
            line += "\n" + more
        if line.count('"') % 2:
            lines.back_to(mark)
            yield number, None
            continue
        yield number, _cells(line, delimiter)


class _Lines:
    """A text line by line, with a way back; a list of a million lines takes 80 MB. Not `splitlines`: it would count
    form feeds and U+2028 inside cells as ends of lines."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self.number = 0

    def next(self) -> str | None:
        """The next line without its end, or None."""
        if self._at > len(self._text):
            return None
        end = self._text.find("\n", self._at)
        end = len(self._text) if end < 0 else end
        line = self._text[self._at : end].rstrip("\r")
        self._at = end + 1
        self.number += 1
        return line

    def mark(self) -> tuple[int, int]:
        """Where it stands."""
        return self._at, self.number

    def back_to(self, mark: tuple[int, int]) -> None:
        """Goes back to a mark."""
        self._at, self.number = mark


def _cells(line: str, delimiter: str | None) -> list[str]:
    if delimiter is None:
        return [line]
    try:
        return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:
        return [line]


def _find_delimiter(lines: Sequence[str]) -> str | None:
    """The delimiter by which most lines have equally many cells, more than one; None for a plain list."""
    best: tuple[float, int, str] | None = None
    for delimiter in _DELIMITERS:
        counts = Counter(len(_cells(line, delimiter)) for line in lines)
        cells, how_many = counts.most_common(1)[0]
        if cells > 1 and (best is None or (how_many / len(lines), cells) > best[:2]):
            best = (how_many / len(lines), cells, delimiter)
    return best[2] if best else None


def _named_columns(header: Sequence[str]) -> dict[str, int]:
    names = [
        " ".join(cell.strip().strip('"').replace("_", " ").casefold().split()) for cell in header
    ]
    found: dict[str, int] = {}
    for kind, known in _NAMES.items():
        for place, name in enumerate(names):
            if name in known and place not in found.values():
                found.setdefault(kind, place)
    return found


def _date(text: str) -> datetime | None:
    """A date of joining, where it is one that we know; a wrong guess would be worse than none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        for pattern in _DATES:
            try:
                moment = datetime.strptime(text, pattern)  # noqa: DTZ007  the file names no zone; UTC is set below
            except ValueError:
                continue
            break
        else:
            return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
