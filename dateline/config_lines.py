"""Where each key of a TOML text stands: the line numbers that no parser gives (tomlkit has none in its API)."""

import re
from bisect import bisect_right
from dataclasses import dataclass, field

_Path = tuple[str | int, ...]

_TOKEN = re.compile(
    r"""(?P<text>\"{3}(?:[^\\]|\\.)*?\"{3,5}|'{3}.*?'{3,5}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')"""
    r"""|(?P<comment>\#[^\n]*)|(?P<newline>\n)|(?P<mark>[\[\]{},=.])|(?P<bare>[^\s\[\]{},=.#"']+)""",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    line: int


@dataclass(slots=True)
class _Scanner:
    """A cursor over the tokens of one valid TOML text."""

    tokens: list[_Token]
    place: int = 0
    lines: dict[_Path, int] = field(default_factory=dict)
    counts: dict[_Path, int] = field(default_factory=dict)

    def peek(self) -> _Token:
        """The next token, not taken; of kind "end" behind the last."""
        return self.tokens[self.place] if self.place < len(self.tokens) else _Token("end", "", 0)

    def take(self) -> _Token:
        """The next token, taken."""
        token = self.peek()
        self.place += 1
        return token

    def skip_blank(self) -> None:
        """Goes past line ends and comments."""
        while self.peek().kind in ("newline", "comment"):
            self.place += 1

    def note(self, path: _Path, line: int) -> None:
        """Notes the line of a path and, where they have none, of what it lies in."""
        for end in range(1, len(path) + 1):
            self.lines.setdefault(path[:end], line)


def line_numbers(text: str) -> dict[tuple[str | int, ...], int]:
    """The line of every table, key and list element of `text`, by its path (`("newsletters", 0, "schedule")`).

    `text` must have passed a TOML parser; anything else gives no error, only fewer lines.
    """
    newlines = [match.start() for match in re.finditer("\n", text)]
    tokens = [
        _Token(str(match.lastgroup), match[0], bisect_right(newlines, match.start() - 1) + 1)
        for match in _TOKEN.finditer(text)
    ]
    scanner = _Scanner(tokens)
    table: _Path = ()
    while True:
        scanner.skip_blank()
        token = scanner.peek()
        if token.kind == "end":
            return scanner.lines
        if token.text == "[" and token.kind == "mark":
            table = _scan_header(scanner)
        else:
            _scan_pair(scanner, table)


def _scan_header(scanner: _Scanner) -> _Path:
    line = scanner.take().line
    is_list = scanner.peek().text == "["
    if is_list:
        scanner.take()
    keys = _scan_key(scanner, until="]")
    if is_list:
        scanner.take()
    path: _Path = ()
    for key in keys[:-1]:
        path = (*path, key)
        if path in scanner.counts:
            path = (*path, scanner.counts[path])
    path = (*path, *keys[-1:])
    if is_list:
        scanner.counts[path] = scanner.counts.get(path, -1) + 1
        path = (*path, scanner.counts[path])
    elif path in scanner.counts:
        path = (*path, scanner.counts[path])
    scanner.note(path, line)
    return path


def _scan_pair(scanner: _Scanner, table: _Path) -> None:
    line = scanner.peek().line
    path = (*table, *_scan_key(scanner, until="="))
    scanner.note(path, line)
    _scan_value(scanner, path)


def _scan_key(scanner: _Scanner, *, until: str) -> tuple[str, ...]:
    parts: list[str] = []
    while (token := scanner.take()).kind != "end":
        if token.kind == "mark" and token.text == until:
            break
        if token.kind == "text":
            parts.append(token.text[1:-1])
        elif token.kind == "bare":
            parts.append(token.text)
    return tuple(parts)


def _scan_value(scanner: _Scanner, path: _Path) -> None:
    opener = scanner.peek()
    if opener.kind == "mark" and opener.text in "[{":
        scanner.take()
        _scan_members(scanner, path, closer="]" if opener.text == "[" else "}")
        return
    while (token := scanner.peek()).kind not in ("newline", "comment", "end"):
        if token.kind == "mark" and token.text in ",]}":
            return
        scanner.take()


def _scan_members(scanner: _Scanner, path: _Path, *, closer: str) -> None:
    index = 0
    while True:
        scanner.skip_blank()
        token = scanner.peek()
        if token.kind == "end":
            return
        if token.kind == "mark" and token.text in (closer, ","):
            scanner.take()
            if token.text == closer:
                return
            index += 1
        elif closer == "]":
            scanner.note((*path, index), token.line)
            _scan_value(scanner, (*path, index))
        else:
            _scan_pair(scanner, path)
