"""Values from outside the file: environment variables and credential files, laid over what config.toml says."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from dateline.config_faults import Fault, unknown_setting
from dateline.config_tree import EACH, Setting, list_sections, list_settings

PREFIX = "DATELINE_"
NOT_SETTINGS = ("DATELINE_CONFIG",)
_LARGEST_CREDENTIAL_BYTES = 64 * 1024

Data = dict[str, Any]
"""A parsed TOML document: tables, lists and plain values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """One value from outside: `origin` is how messages call the place it came from, `name` its `MAIL__PORT`."""

    origin: str
    name: str
    value: str


def list_given(environ: Mapping[str, str]) -> tuple[list[Given], list[Fault]]:
    """What the environment, and after it the credential files, say; credentials that cannot be read are faults."""
    given = [
        Given(origin=name, name=name.removeprefix(PREFIX), value=value)
        for name, value in sorted(environ.items())
        if name.startswith(PREFIX) and name not in NOT_SETTINGS
    ]
    faults: list[Fault] = []
    folder = environ.get("CREDENTIALS_DIRECTORY")
    for path in sorted(Path(folder).iterdir()) if folder and Path(folder).is_dir() else ():
        if "__" not in path.name or not path.is_file():
            continue  # systemd's folder may hold what is meant for others
        try:
            value = path.read_bytes()[:_LARGEST_CREDENTIAL_BYTES].decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            faults.append(_unreadable(path, error))
            continue
        origin = f"credential {path.name}"
        given.append(Given(origin=origin, name=path.name.upper(), value=value.rstrip("\r\n")))
    return given, faults


def _unreadable(path: Path, error: Exception) -> Fault:
    why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
    return Fault(where=f"credential {path.name}", what=f"cannot be read: {why}.")


def laid_over(
    data: Data, given: list[Given], model: type[BaseModel]
) -> tuple[dict[tuple[str | int, ...], str], list[Fault]]:
    """Writes `given` into `data`; gives where each value came from, by path, and the names that are no setting."""
    settings = {setting.path: setting for setting in list_settings(model)}
    origins: dict[tuple[str | int, ...], str] = {}
    faults: list[Fault] = []
    for one in given:
        path = tuple(int(part) if part.isdigit() else part.lower() for part in one.name.split("__"))
        setting = settings.get(tuple(EACH if isinstance(part, int) else part for part in path))
        try:
            if setting is None:
                raise ValueError(_unknown(one, model))
            _write(data, path, _value(setting, one.value))
        except ValueError as error:
            faults.append(Fault(where=one.origin, what=str(error)))
        else:
            origins[path] = one.origin
    return origins, faults


def variable_name(setting: Setting, index: int = 0) -> str:
    """The environment variable of a setting: `DATELINE_NEWSLETTERS__0__SCHEDULE`."""
    return PREFIX + "__".join(str(index) if part == EACH else part.upper() for part in setting.path)


def _unknown(one: Given, model: type[BaseModel]) -> str:
    numbers = re.findall(r"__(\d+)__", one.name)
    index = int(numbers[0]) if numbers else 0
    known = [variable_name(setting, index) for setting in list_settings(model)]
    if one.origin.startswith("credential "):
        known = [name.removeprefix(PREFIX).lower() for name in known]
        return unknown_setting(one.name.lower(), known)
    sections = {path[0].upper() for path, _ in list_sections(model)}
    first = one.name.split("__")[0]
    if "__" not in one.name and first.split("_")[0] in sections:
        return f"{PREFIX}{one.name} is not a setting. Parts are joined by two underscores."
    return unknown_setting(PREFIX + one.name, known)


def _value(setting: Setting, text: str) -> object:
    if not setting.is_list:
        return text
    if not text.lstrip().startswith("["):
        return [part.strip() for part in text.split(",") if part.strip()]
    try:
        return tomllib.loads(f"list = {text}")["list"]
    except tomllib.TOMLDecodeError:
        raise ValueError(
            f'{setting.dotted} is not a list. Write it as one, two or ["one", "two"].'
        ) from None


def _write(data: Data, path: tuple[str | int, ...], value: object) -> None:
    node: Any = data  # tables and lists by turns
    for place, follower in pairwise(path):
        empty: Any = [] if isinstance(follower, int) else {}
        if isinstance(place, int):
            if place > len(node):
                raise ValueError(f"there is no number {place}: {path[0]} has {len(node)}, from 0.")
            if place == len(node):
                node.append(empty)
        elif not isinstance(node.get(place), type(empty)):
            node[place] = empty
        if not isinstance(node[place], type(empty)):
            node[place] = empty
        node = node[place]
    node[path[-1]] = value
