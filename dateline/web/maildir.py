"""Reading a maildir: which mails lie there, and what one of them says."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=,:@+-]*")
_HEAD_BYTES = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A mail in a list. `name` is its file's name."""

    name: str
    subject: str
    to: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A whole mail; `html` is empty where it has no HTML part."""

    message: EmailMessage
    headers_text: str
    text: str
    html: str

    @property
    def subject(self) -> str:
        """The subject, decoded."""
        return self.header("Subject")

    def header(self, name: str) -> str:
        """One header, decoded; empty where there is none."""
        return str(self.message.get(name, ""))


def list_mails(folder: Path, *, containing: str = "") -> list[Envelope]:
    """The mails of a maildir, newest first; `containing` narrows by subject or recipient."""
    wanted = containing.casefold()
    found = [_envelope(file) for file in _files(folder)]
    chosen = [mail for mail in found if wanted in f"{mail.subject} {mail.to}".casefold()]
    return sorted(chosen, key=lambda mail: (mail.at, mail.name), reverse=True)


def read_mail(folder: Path, name: str) -> Mail | None:
    """The mail whose file has this name, or None; a name cannot climb out of the folder."""
    if not _NAME.fullmatch(name):
        return None
    file = next(
        (folder / part / name for part in ("new", "cur") if (folder / part / name).is_file()), None
    )
    if file is None:
        return None
    raw = file.read_bytes()
    message = BytesParser(policy=policy.default).parsebytes(raw)
    assert isinstance(message, EmailMessage)  # what policy.default makes
    head = re.split(rb"\r?\n\r?\n", raw, maxsplit=1)[0]
    return Mail(
        message=message,
        headers_text=head.decode("utf-8", "replace").replace("\r\n", "\n"),
        text=_body(message, "plain"),
        html=_body(message, "html"),
    )


def _files(folder: Path) -> Iterator[Path]:
    for part in ("new", "cur"):
        if (folder / part).is_dir():
            yield from (file for file in (folder / part).iterdir() if _NAME.fullmatch(file.name))


def _envelope(file: Path) -> Envelope:
    with file.open("rb") as opened:
        head = opened.read(_HEAD_BYTES)
    message = BytesParser(policy=policy.default).parsebytes(head, headersonly=True)
    return Envelope(
        name=file.name,
        subject=str(message.get("Subject", "")),
        to=str(message.get("To", "")),
        at=datetime.fromtimestamp(file.stat().st_mtime, UTC),
    )


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body(preferencelist=(kind,))
    return str(part.get_content()) if part is not None else ""
