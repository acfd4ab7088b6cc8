"""Marks: what stands in a rendered text for something that is put in later. They can be printed, and nothing else.

A template knows no reader, so it may print a personal field and must not decide by one: every other use raises, and
the issue is refused with the template's file and line (docs/templates.md).
"""

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import NoReturn

import jinja2

from posts.errors import TemplateError

READER_FIELDS = ("address", "name", "since", "unsubscribe_url", "preferences_url")
"""What a template may print of a reader."""

FIELDS = frozenset(
    {
        "to",
        "message_id",
        "list_unsubscribe",
        *(f"{part}.{name}" for part in ("html", "text") for name in READER_FIELDS),
    }
)
"""Every personal field; the part before the dot says for where its value is escaped."""


class MarkUsed(jinja2.TemplateRuntimeError):
    """A template did something with a personal field other than print it."""


class EditionNeeded(Exception):
    """A template looked at something that editions do not have in common: it is rendered for each of them."""


class Mark:
    """Text with marks in it. A template can print it; whatever else it does with it raises `refusal`."""

    __slots__ = ("_refusal", "_text", "_what")

    def __init__(
        self, text: str, what: str, refusal: Callable[[str], Exception] = MarkUsed
    ) -> None:
        self._text = text
        self._what = what
        self._refusal = refusal

    def __str__(self) -> str:
        """The mark, for the template that prints it."""
        return self._printed(sys._getframe(1))

    def __html__(self) -> str:
        """The mark; its value is escaped when it is put in."""
        return self._printed(sys._getframe(1))

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        self.refuse(f"asks for its {name}")

    def refuse(self, how: str) -> NoReturn:
        """Raises; `how` says what the template does."""
        raise self._refusal(
            f"{self._what} is {how if how.startswith('used') else f'used in logic (the template {how})'}; no reader is "
            "known when a template is rendered, so it can only be printed. What differs by language or by posts is an "
            "edition of its own: decide by those"
        )

    def _printed(self, frame: FrameType | None) -> str:
        while frame is not None and str(frame.f_globals.get("__name__", "")).startswith(
            "markupsafe"
        ):
            frame = frame.f_back
        if frame is None or not _is_template(frame):
            self.refuse("joins, formats or filters it")
        return self._text


def _is_template(frame: FrameType) -> bool:
    """True for the code that Jinja makes of a template: only that prints."""
    return frame.f_globals.get("__file__") == frame.f_code.co_filename and (
        "debug_info" in frame.f_globals
    )


def _refused(how: str) -> Callable[..., NoReturn]:
    def operation(self: Mark, *_arguments: object) -> NoReturn:
        self.refuse(how)

    return operation


_OPERATIONS = {
    "compares it": ("eq", "ne", "lt", "le", "gt", "ge", "hash"),
    "branches on it": ("bool",),
    "measures or walks through it": ("len", "iter", "getitem", "contains", "reversed", "next"),
    "calls it": ("call",),
    "joins, formats or filters it": (
        *("add", "radd", "mul", "rmul", "mod", "rmod", "format"),
        *("sub", "rsub", "truediv", "rtruediv", "floordiv", "rfloordiv", "pow", "rpow"),
        *("neg", "pos", "int", "float", "index", "round"),
    ),
}
for _how, _names in _OPERATIONS.items():
    for _name in _names:
        setattr(Mark, f"__{_name}__", _refused(_how))


class EditionText(Mark):
    """A text that editions differ in: printed it is a mark, looked at it makes the template one for each edition."""

    __slots__ = ()

    def __init__(self, text: str) -> None:
        super().__init__(text, "", _edition_needed)

    def __bool__(self) -> bool:
        return True


class EditionList(EditionText):
    """A list that editions differ in; it is not empty, and that is all a template may know of it."""

    __slots__ = ()

    def _printed(self, frame: FrameType | None) -> str:
        self.refuse("")


def _edition_needed(_what: str) -> EditionNeeded:
    return EditionNeeded()


@dataclass(frozen=True, slots=True)
class Marks:
    """Writes the marks of one issue; `salt` is a hash over all that is in it, so that no post can hold one."""

    salt: str

    def field(self, name: str) -> str:
        """The mark of a personal field."""
        if name not in FIELDS:
            raise TemplateError(
                f"{name} is not a personal field",
                remedy=f"There are: {', '.join(sorted(FIELDS))}.",
            )
        return f"@@{self.salt}:field:{name}@@"

    def slot(self, name: str) -> str:
        """The mark of a text that is encoded apart from its surroundings."""
        return f"@@{self.salt}:slot:{name}@@"

    def cut(self) -> str:
        """The mark of a place where the text is cut in two segments."""
        return f"@@{self.salt}:cut:@@"

    def split(self, text: str) -> list[tuple[str, str]]:
        """`text` as pairs of kind (text, field, slot, cut) and value."""
        pieces = re.split(rf"@@{self.salt}:(field|slot|cut):([a-z0-9._-]*)@@", text)
        pairs = [("text", pieces[0])]
        for at in range(1, len(pieces), 3):
            pairs += [(pieces[at], pieces[at + 1]), ("text", pieces[at + 2])]
        return [(kind, value) for kind, value in pairs if kind != "text" or value]


@dataclass(frozen=True, slots=True)
class Reader:
    """The reader as a template of one part (`html` or `text`) sees him: fields to be printed."""

    part: str
    marks: Marks

    def field(self, name: str) -> Mark:
        """A personal field by its whole name, `html.address`; raises TemplateError for one of another part."""
        if not name.startswith(f"{self.part}."):
            raise MarkUsed(
                f"{name} is not a personal field of this part: its value would not be escaped for where it stands. "
                f"There are: {', '.join(f'{self.part}.{one}' for one in READER_FIELDS)}"
            )
        return Mark(self.marks.field(name), f"the personal field {name.partition('.')[2]}")

    @property
    def address(self) -> Mark:
        """The address as it was typed."""
        return self.field(f"{self.part}.address")

    @property
    def name(self) -> Mark:
        """The name, nothing where nobody knows it."""
        return self.field(f"{self.part}.name")

    @property
    def since(self) -> Mark:
        """` since March 5, 2009`, in the edition's language; nothing where nobody knows it."""
        return self.field(f"{self.part}.since")

    @property
    def unsubscribe_url(self) -> Mark:
        """The reader's link to leave."""
        return self.field(f"{self.part}.unsubscribe_url")

    @property
    def preferences_url(self) -> Mark:
        """The reader's link to change or pause."""
        return self.field(f"{self.part}.preferences_url")
