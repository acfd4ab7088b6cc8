"""What can be wrong with a configuration, and how it is told; light enough for `dateline --help`."""

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from posts.errors import DatelineError

_USERINFO = re.compile(r"//[^/@\s]*@")
_ADDRESS = re.compile(r"[^\s@<>\"',;:/]+@[^\s@<>\"',;:/]+")
_LONGEST_SHOWN = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong: `where` is `config.toml:33`, a variable's or a credential's name."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


class ConfigError(DatelineError):
    """The configuration is wrong; nothing is started (exit 2). `faults` has one for each line of the message."""

    def __init__(
        self, what: str, *, where: str = "", remedy: str = "", faults: Sequence[Fault] = ()
    ) -> None:
        super().__init__(what, where=where, remedy=remedy)
        self.faults = tuple(faults)

    @classmethod
    def of(cls, faults: Iterable[Fault]) -> "ConfigError":
        """All faults in one error, a line each."""
        kept = tuple(faults)
        return cls("\n".join(str(fault) for fault in kept), faults=kept)


def shown(value: object) -> str:
    """A value as messages quote it: short, without a login in an address, without a mail address."""
    text = value if isinstance(value, str) else _plain(value)
    text = _ADDRESS.sub("...@...", _USERINFO.sub("//...@", text))
    text = "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in text)
    short = text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 3] + "..."
    return f'"{short}"' if isinstance(value, str) else short


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list | tuple):
        return "a list"
    return str(value)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known key that was most likely meant, or None: the closest spelling, else the same last word elsewhere."""
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.75)
    close += [
        other for other in names if sorted(other) == sorted(name)
    ]  # wbe: too short to be close
    if close:
        return close[0]
    last = re.split(r"\.|__", name)[-1]
    same = [other for other in names if re.split(r"\.|__", other)[-1] == last]
    return same[0] if len(same) == 1 else None


def unknown_setting(name: str, known: Iterable[str]) -> str:
    """The sentence for a key that is not a setting, with the nearest one named."""
    meant = nearest(name, known)
    end = f" Did you mean {meant}?" if meant else " See docs/config.md for all of them."
    return f"{name} is not a setting.{end}"
