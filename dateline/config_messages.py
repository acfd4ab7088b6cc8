"""What pydantic finds, as sentences for an editor; never the value of a secret."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from dateline.config_faults import shown, unknown_setting
from dateline.config_tree import EACH, Setting, list_sections, list_settings

Path = tuple[str | int, ...]

_SENTENCES = {
    "int_parsing": "is not a whole number: {value}.",
    "int_type": "is not a whole number: {value}.",
    "int_from_float": "is not a whole number: {value}.",
    "float_parsing": "is not a number: {value}.",
    "float_type": "is not a number: {value}.",
    "bool_parsing": "is neither true nor false: {value}.",
    "bool_type": "is neither true nor false: {value}.",
    "string_type": "is not a text: {value}. Put it in quotation marks.",
    "tuple_type": 'is not a list: {value}. Write it as ["one", "two"].',
    "string_too_short": "is empty.",
    "string_too_long": "is too long; {max_length} letters are allowed.",
    "greater_than_equal": "is too small: {value}. The least is {ge}.",
    "greater_than": "is too small: {value}. It must be more than {gt}.",
    "less_than_equal": "is too large: {value}. The most is {le}.",
    "literal_error": "is {value}. It can be {choices}.",
}


def described(error: ValidationError, model: type[BaseModel]) -> Iterator[tuple[Path, str]]:
    """Each of pydantic's findings: the path of the value, and the whole sentence with the setting's name."""
    settings = {setting.path: setting for setting in list_settings(model)}
    for found in error.errors(include_url=False):
        path = found["loc"]
        setting = settings.get(tuple(EACH if isinstance(part, int) else part for part in path))
        name = ".".join(part for part in path if isinstance(part, str))
        if found["type"] == "extra_forbidden":
            yield path, unknown_setting(name, _known(path, model))
        elif found["type"] == "missing":
            yield path, f"{name} is missing. {_example(setting, name)}"
        elif found["type"] in ("model_type", "model_attributes_type"):
            yield path, f"{name} is a section, not a value. {_section_example(path)}"
        elif found["type"] == "tuple_type" and setting is None:
            yield path, f"{name} is a list of sections. Begin each with [[{name}]]."
        else:
            yield path, f"{name} {_sentence(found, setting)}"


def _sentence(found: Mapping[str, Any], setting: Setting | None) -> str:
    if found["type"] == "value_error":
        reason = str(found["ctx"]["error"])
        return f"{reason}: {_value(found, setting)}."
    if found["type"] == "string_pattern_mismatch":
        return f"is not allowed: {_value(found, setting)}. {_pattern_hint(found['ctx']['pattern'])}"
    template = _SENTENCES.get(found["type"])
    if template is None:
        return f"is wrong: {found['msg']}."
    context = dict(found.get("ctx") or {})
    choices = str(context.get("expected", "")).replace("'", '"')
    return template.format(value=_value(found, setting), choices=choices, **context)


def _value(found: Mapping[str, Any], setting: Setting | None) -> str:
    if setting is not None and setting.is_secret:
        return "(a secret)"
    return shown(found["input"])


def _pattern_hint(pattern: str) -> str:
    if "#" in pattern:
        return "Write a colour as #9c2a1f."
    if " in " in pattern:
        return "Write a limit as 10000 in 1h."
    return "Use small letters, digits and hyphens."


def _known(path: Path, model: type[BaseModel]) -> list[str]:
    """Names to choose the nearest from: for a first part the sections, else the settings of the same section first."""
    sections = [".".join(part for part in at if part != EACH) for at, _ in list_sections(model)]
    if len(path) == 1:
        return [name for name in sections if "." not in name]
    return [setting.dotted for setting in list_settings(model)] + sections


def _example(setting: Setting | None, name: str) -> str:
    last = name.rpartition(".")[2]
    section = name.rpartition(".")[0]
    if setting is None or not section:
        return f"Add a section [{name}]."
    return f'Add {last} = "..." under [{section}].'


def _section_example(path: Path) -> str:
    name = ".".join(part for part in path if isinstance(part, str))
    return f"Write [{name}] and its settings under it."
