"""`dateline/config_lines.py`: the line of every key, as another parser finds it."""

import json
import tomllib
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dateline.config_lines import line_numbers


def test_keys_in_tables_lists_and_inline_tables_have_their_lines() -> None:
    text = """\
# a = 1
a = '''
b = 2
[c]
''' # the end
[d.e]  # [x]
"f g" = [
  1, # one
  { h = 2, i = [3] },
]
[[j]]
k = "]\\"=#"
[j.l]
m.n = 2009-09-15 08:00:00
[[j]]
k = 1.5
"""
    tomllib.loads(text)
    assert line_numbers(text) == {
        ("a",): 2,
        ("d",): 6,
        ("d", "e"): 6,
        ("d", "e", "f g"): 7,
        ("d", "e", "f g", 0): 8,
        ("d", "e", "f g", 1): 9,
        ("d", "e", "f g", 1, "h"): 9,
        ("d", "e", "f g", 1, "i"): 9,
        ("d", "e", "f g", 1, "i", 0): 9,
        ("j",): 11,
        ("j", 0): 11,
        ("j", 0, "k"): 12,
        ("j", 0, "l"): 13,
        ("j", 0, "l", "m"): 14,
        ("j", 0, "l", "m", "n"): 14,
        ("j", 1): 15,
        ("j", 1, "k"): 16,
    }


_KEYS = st.text("abcxyz-_", min_size=1, max_size=4)
_TEXTS = st.text("ab #=[]{}\"'\\\n,.é", max_size=12)
_VALUES = st.recursive(
    _TEXTS | st.integers() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=6,
)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[\n" + ",\n".join(_toml(inner) for inner in value) + "\n]"
    return json.dumps(value, ensure_ascii=False)


def _paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    members = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in members:
        yield (*path, key)
        if isinstance(inner, dict | list):
            yield from _paths(inner, (*path, key))


@given(st.dictionaries(_KEYS, st.dictionaries(_KEYS, _VALUES, max_size=3), max_size=3))
def test_every_path_that_the_parser_gives_has_a_line_and_no_other(
    document: dict[str, dict[str, Any]],
) -> None:
    text = ""
    for name, table in document.items():
        text += f"[{name}]\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in table.items())
    parsed = tomllib.loads(text)
    assert set(line_numbers(text)) == set(_paths(parsed))
