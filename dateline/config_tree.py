"""The settings as a flat list: what each is called, of what type, with which default; read from the settings types."""

import types
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

EACH = "*"
"""Stands in a path for the number of a list's element."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting. `path` has `EACH` where a list element's number stands; `default` is None for none or no value."""

    path: tuple[str, ...]
    annotation: Any  # whatever a field may be annotated with
    field: FieldInfo

    @property
    def dotted(self) -> str:
        """Its name in messages and in the docs: `mail.port`, `newsletters.schedule`."""
        return ".".join(part for part in self.path if part != EACH)

    @property
    def is_secret(self) -> bool:
        """True when its value is never to be shown."""
        return SecretStr in (self.annotation, *get_args(self.annotation))

    @property
    def is_list(self) -> bool:
        """True for a list of texts."""
        return get_origin(self.annotation) is tuple

    @property
    def is_required(self) -> bool:
        """True when there is no default."""
        return self.field.is_required()

    @property
    def type_text(self) -> str:
        """Its type in an editor's words."""
        return _type_text(self.annotation)


@cache
def list_settings(model: type[BaseModel]) -> tuple[Setting, ...]:
    """Every setting of `model`, in the order of its fields."""
    return tuple(_walk(model, ()))


@cache
def list_sections(model: type[BaseModel]) -> tuple[tuple[tuple[str, ...], type[BaseModel]], ...]:
    """Every section (`("mail",)`, `("newsletters", "*")`, `("newsletters", "*", "select")`) with its type."""
    return tuple(_sections(model, ()))


def _walk(model: type[BaseModel], path: tuple[str, ...]) -> Iterator[Setting]:
    for name, field in model.model_fields.items():
        key = field.alias or name
        inner, element = _section_of(field.annotation)
        if inner is None:
            yield Setting(path=(*path, key), annotation=_bare(field.annotation), field=field)
        else:
            yield from _walk(inner, (*path, key, *element))


def _sections(
    model: type[BaseModel], path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], type[BaseModel]]]:
    for name, field in model.model_fields.items():
        inner, element = _section_of(field.annotation)
        if inner is not None:
            here = (*path, field.alias or name, *element)
            yield here, inner
            yield from _sections(inner, here)


def _section_of(annotation: Any) -> tuple[type[BaseModel] | None, tuple[str, ...]]:
    """The settings type behind an annotation, and `(EACH,)` where it is a list of them."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, ()
    arguments = get_args(annotation)
    if get_origin(annotation) is tuple and isinstance(arguments[0], type):
        if issubclass(arguments[0], BaseModel):
            return arguments[0], (EACH,)
        return None, ()
    return None, ()


def _bare(annotation: Any) -> Any:
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _type_text(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type_text(arguments[0])
    if origin is Literal:
        return " or ".join(f'"{choice}"' for choice in arguments)
    if origin is tuple:
        return "list of texts"
    if origin in (Union, types.UnionType):
        return _type_text(next(part for part in arguments if part is not type(None)))
    names = {
        str: "text",
        SecretStr: "text, secret",
        int: "whole number",
        float: "number",
        bool: "true or false",
        timedelta: "length of time",
    }
    return names.get(annotation, str(annotation))
