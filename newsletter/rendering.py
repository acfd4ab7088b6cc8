"""One template filled in, within bounds: it ends, it is of a bearable size, and every fault has file and line."""

import traceback
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass

import jinja2

from newsletter.marks import EditionNeeded, EditionText, Mark, MarkUsed
from posts.errors import DatelineError, TemplateError

STEPS = 200_000
"""Turns of loops and calls that one rendering may take; the longest of ours takes under 2,000."""
SIZE = 2_000_000
"""Characters that one rendering may give."""


@dataclass(slots=True)
class _Allowance:
    steps: int
    salt: str


_allowance: ContextVar[_Allowance | None] = ContextVar("_allowance", default=None)


class TooMuch(jinja2.TemplateRuntimeError):
    """A template that goes on and on."""


def rendered(templates: jinja2.Environment, name: str, salt: str = "", /, **values: object) -> str:
    """A template filled in; raises TemplateError with file and line where it cannot be.

    `salt` is that of the marks among the values, if there are any.
    """
    try:
        return bounded(lambda: templates.get_template(name), salt, **values)
    except EditionNeeded:
        raise
    except jinja2.TemplateSyntaxError as error:
        where = f"{error.filename or name}:{error.lineno}"
        raise TemplateError(f"a template with an error: {error.message}", where=where) from error
    except jinja2.TemplateNotFound as error:
        raise TemplateError(
            f"there is no template {error}",
            where=name,
            remedy="Name one of those in templates/mail or in the folder of [site] templates.",
        ) from error
    except DatelineError as error:
        raise TemplateError(
            error.what, where=error.where or template_place(error, name), remedy=error.remedy
        ) from error
    except Exception as error:  # whatever an operator's template can raise: the others go on
        raise TemplateError(_reason(error), where=template_place(error, name)) from error


def bounded(template: Callable[[], jinja2.Template], salt: str = "", /, **values: object) -> str:
    """A template filled in within the bounds; raises whatever it raises."""
    before = _allowance.set(_Allowance(STEPS, salt))
    try:
        text = "".join(_bounded(template().generate(**values)))
        text.encode()  # a lone surrogate can be written in a template
        return text
    finally:
        _allowance.reset(before)


def _bounded(pieces: Iterable[str]) -> Iterator[str]:
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > SIZE:
            raise TooMuch(f"it gives more than {SIZE:,} characters")
        yield piece


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "a template that calls itself without end"
    if isinstance(error, jinja2.TemplateError):
        return str(error) or type(error).__name__
    return f"a template that cannot be rendered: {type(error).__name__}: {error}"


def template_place(error: BaseException, name: str) -> str:
    """File and line of the template that failed; Jinja puts its frames into the trace."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename.endswith((".j2", name))
    ]
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else name


def spend(steps: int = 1) -> None:
    """Notes turns that a template takes; raises TooMuch when it has had its share."""
    allowance = _allowance.get()
    if allowance is None:
        return
    allowance.steps -= steps
    if allowance.steps < 0:
        raise TooMuch(f"it takes more than {STEPS:,} turns of loops and calls")


def counted(items: Iterable[object]) -> Iterable[object]:
    """What a loop goes through, each turn counted."""
    return items if _allowance.get() is None else _turns(items)


def _turns(items: Iterable[object]) -> Iterator[object]:
    for item in items:
        spend()
        yield item


def holds_mark(value: object) -> bool:
    """True for a mark, and for text that one was printed into."""
    if isinstance(value, Mark):
        return True
    allowance = _allowance.get()
    return (
        allowance is not None
        and allowance.salt != ""
        and isinstance(value, str)
        and allowance.salt in value
    )


def whole(value: object) -> object:
    """`value` itself, on its way into a filter, a test or a variable; raises MarkUsed where it holds a mark."""
    if isinstance(value, Mark):
        value.refuse("joins, formats or filters it")
    if holds_mark(value):
        raise MarkUsed(
            "text with a personal field in it is used in a filter, a test or a {% set %} block; no reader is known "
            "when a template is rendered, so it can only be printed. A macro can hold it"
        )
    return value


def known(value: object) -> object:
    """`value` on its way to `is defined`: of a reader each field is, whether he has a name or not. Raises MarkUsed."""
    return value if isinstance(value, EditionText) else whole(value)


def only_printed(value: object) -> object:
    """What a macro or a block gave: where a mark was printed into it, it can be printed and nothing else."""
    if isinstance(value, str) and holds_mark(value):
        return Mark(value, "text with a personal field in it")
    return value
