"""The head of a file: YAML between `---`, or TOML between `+++`, with the line of every key. Pure.

Read by its own rules and not by a library's: values stay as they were typed (a title `No` is no boolean, a date no
half-understood one), and every fault has its line.
"""

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo

import yaml

from posts.dates import FIRST_YEAR, LAST_YEAR, has_strange_year, parse_date
from posts.errors import PostError

_MAX_HEAD = 64_000
_TOML_LINE = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)")
_NOTHING = frozenset(("", "~", "null", "Null", "NULL"))
_YES = frozenset(("true", "yes", "on", "1"))
_NO = frozenset(("false", "no", "off", "0"))

Value = str | list[str] | None
"""None stands for a table or a list of lists: nothing that any field of ours may hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontMatter:
    """The fields of a file's head and the text below it; `place` is the file, as messages name it."""

    place: str
    values: Mapping[str, Value]
    lines: Mapping[str, int]
    body: str

    def at(self, key: str) -> str:
        """The file and the line of `key`, as a message names it."""
        return f"{self.place}:{self.lines.get(key, 1)}"

    def text(self, *keys: str) -> str | None:
        """The text of the first of `keys` that is there; raises PostError for a list or a table."""
        for key in keys:
            if key in self.values:
                value = self.values[key]
                if not isinstance(value, str):
                    raise PostError(
                        f'"{key}" is not a text.', where=self.at(key), remedy=f"Write one {key}."
                    )
                return value or None
        return None

    def names(self, *keys: str, split: bool = True) -> tuple[str, ...]:
        """The names under the first of `keys` that is there: a list, or a text (with commas, where `split`)."""
        for key in keys:
            if key in self.values:
                value = self.values[key]
                if value is None:
                    raise PostError(
                        f'"{key}" is not a list of names.',
                        where=self.at(key),
                        remedy=f"Write it as {key}: [one, two].",
                    )
                listed = (
                    value if isinstance(value, list) else value.split(",") if split else [value]
                )
                return tuple(name.strip() for name in listed if name.strip())
        return ()

    def flag(self, key: str, *, default: bool = False) -> bool:
        """True or false as `key` says; raises PostError for anything else."""
        value = self.text(key)
        if value is None:
            return default
        if value.lower() in _YES | _NO:
            return value.lower() in _YES
        raise PostError(
            f'"{key}" is neither true nor false: "{value}".',
            where=self.at(key),
            remedy=f"Write it as {key}: true or leave it out.",
        )

    def date(self, zone: tzinfo, *keys: str) -> datetime | None:
        """The moment under the first of `keys` that is there; raises PostError for what is no date."""
        for key in keys:
            value = self.text(key)
            if value is None:
                continue
            moment = parse_date(value, zone)
            if moment is None and has_strange_year(value, zone):
                raise PostError(
                    f'"{key}" lies outside the years {FIRST_YEAR} to {LAST_YEAR}: "{value}".',
                    where=self.at(key),
                    remedy="Write the right year.",
                )
            if moment is None:
                raise PostError(
                    f'"{key}" is not a date: "{value}".',
                    where=self.at(key),
                    remedy="Write it as 2009-09-15 or 2009-09-15T08:00-06:00.",
                )
            return moment
        return None


def parse_front_matter(text: str, place: str) -> FrontMatter:
    """The head and the body of `text` (whose lines may end any way); raises PostError, naming file and line."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    fence = lines[0].rstrip()
    readers: dict[str, Callable[[str, str], tuple[dict[str, Value], dict[str, int]]]] = {
        "---": _yaml,
        "+++": _toml,
    }
    if fence not in readers:
        return FrontMatter(place=place, values={}, lines={}, body="\n".join(lines))
    ends = ("---", "...") if fence == "---" else ("+++",)
    end = next((n for n, line in enumerate(lines[1:], 1) if line.rstrip() in ends), None)
    if end is None:
        raise PostError(
            f"the front matter begins with {fence} and never ends.",
            where=f"{place}:1",
            remedy=f"Close it with a line {fence}.",
        )
    head = "\n".join(lines[1:end]) + "\n"
    if len(head) > _MAX_HEAD:
        raise PostError(
            f"the front matter is longer than {_MAX_HEAD:,} characters", where=f"{place}:1"
        )
    values, found = readers[fence](head, place)
    # The body keeps its place in the file, so that a message about it could name the right line.
    return FrontMatter(place=place, values=values, lines=found, body="\n".join(lines[end + 1 :]))


def _yaml(head: str, place: str) -> tuple[dict[str, Value], dict[str, int]]:
    try:
        node = yaml.compose(head, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line if mark else 0
        raise _yaml_fault(head, line, error.problem or "cannot be read", place) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise PostError("the front matter is not YAML", where=f"{place}:1") from error
    if node is None:
        return {}, {}
    if not isinstance(node, yaml.MappingNode):
        raise PostError(
            "the front matter is not a list of fields.",
            where=f"{place}:2",
            remedy='Write one field a line: title: "The title".',
        )
    values: dict[str, Value] = {}
    lines: dict[str, int] = {}
    for key, value in node.value:
        name = str(key.value).strip().lower() if isinstance(key, yaml.ScalarNode) else ""
        line = key.start_mark.line + 2
        if name in values:
            raise PostError(
                f'"{name}" is there twice.', where=f"{place}:{line}", remedy="Keep one of them."
            )
        typed = _yaml_value(value)
        if name and typed != "":
            values[name], lines[name] = typed, line
    return values, lines


def _yaml_value(node: yaml.Node) -> Value:
    if isinstance(node, yaml.ScalarNode):
        text = str(node.value).strip()
        return "" if node.style is None and text in _NOTHING else text
    if isinstance(node, yaml.SequenceNode) and all(
        isinstance(item, yaml.ScalarNode) for item in node.value
    ):
        return [str(item.value) for item in node.value]
    return None


def _yaml_fault(head: str, line: int, problem: str, place: str) -> PostError:
    lines = head.split("\n")
    written = lines[line] if line < len(lines) else ""
    key, colon, value = written.partition(":")
    where = f"{place}:{line + 2}"
    if problem == "mapping values are not allowed here" and colon and ":" in value:
        quoted = value.strip().replace('"', '\\"')
        return PostError(
            f'"{key.strip()}" holds a colon and is not quoted.',
            where=where,
            remedy=f'Write it as {key.strip()}: "{quoted}".',
        )
    if "\t" in written:
        return PostError(
            "a tab stands where YAML wants spaces.", where=where, remedy="Write spaces."
        )
    return PostError(
        f"the front matter is not YAML: {problem}.",
        where=where,
        remedy="Quote what holds : # [ { or a quotation mark.",
    )


def _toml(head: str, place: str) -> tuple[dict[str, Value], dict[str, int]]:
    try:
        table = tomllib.loads(head)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        at = _TOML_LINE.search(str(error))
        line = int(at[1]) if at and at[1] else head.count("\n")
        what = _TOML_LINE.sub("", str(error))
        raise PostError(
            f"the front matter is not TOML: {what}", where=f"{place}:{line + 1}"
        ) from error
    values: dict[str, Value] = {}
    lines: dict[str, int] = {}
    for name, value in table.items():
        key = name.lower()
        typed = _toml_value(value)
        if typed == "":
            continue
        values[key] = typed
        found = re.search(rf"^[ \t]*\"?{re.escape(name)}\"?\s*=", head, re.MULTILINE)
        lines[key] = head.count("\n", 0, found.start()) + 2 if found else 1
    return values, lines


def _toml_value(value: object) -> Value:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return (
            None
            if any(isinstance(item, list | dict) for item in value)
            else [str(item) for item in value]
        )
    if isinstance(value, dict):
        return None
    return value.isoformat() if isinstance(value, datetime) else str(value)
