"""The errors of this program, cut by what the caller can do about them."""


class DatelineError(Exception):
    """Something a person must know: what is wrong, where, and what to do, in that order.

    Messages never carry a secret or a mail address.
    """

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.remedy = remedy

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        end = f" {self.remedy}" if self.remedy else ""
        stop = "" if self.what.endswith((".", "?", "!")) or not end else "."
        return f"{place}{self.what}{stop}{end}"


class SourceError(DatelineError):
    """A source could not be read; it is asked again in the next round."""


class PostError(DatelineError):
    """One post is bad; it is quarantined and the rest goes on (DESIGN.md 8.2)."""


class TemplateError(DatelineError):
    """A template is bad; the previous output is kept."""


class StoreError(DatelineError):
    """The database is not what it should be; stop (exit 1)."""


class NotFound(DatelineError):
    """What was asked for by name or number is not there."""


class Refused(DatelineError):
    """An action that its rules do not allow now; says which rule and what to do."""
