"""Beginning: a commented config.toml, and a first post or a living blog as the source."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from dateline.config_faults import ConfigError, Fault
from dateline.config_rules import findings
from dateline.config_text import Beginning, config_text, quoted
from posts.errors import Refused

CONFIG_NAME = "config.toml"
FIRST_POST = "first-post.md"
_POST_ENDINGS = (".md", ".markdown", ".html", ".htm")

_NEWSLETTER_TITLES = {"es": "{title}: el boletín del día"}
_NEWSLETTER_TITLE = "{title}: the daily digest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """What was written and what was there already, as paths from the folder of config.toml."""

    folder: Path
    written: tuple[str, ...]
    kept: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a person said, or None where a default is to be taken."""

    title: str | None = None
    tagline: str | None = None
    language: str | None = None
    timezone: str | None = None
    web_url: str | None = None
    mail_from: str | None = None
    content: str | None = None
    blog_url: str | None = None
    feed_url: str | None = None
    allow_private: bool = False


def write_beginning(folder: Path, answers: Answers, *, now: datetime) -> Begun:
    """Writes config.toml and, without a blog, a first post; what exists is left as it is, so it is safe to repeat.

    Raises ConfigError where an answer could not stand in a configuration, before anything is written.
    """
    beginning = build_beginning(answers)
    _check(beginning)
    written: list[str] = []
    kept: list[str] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        made = _write_new(folder / CONFIG_NAME, config_text(beginning))
        (written if made else kept).append(CONFIG_NAME)
        if beginning.source_kind == "folder":
            post = _write_first_post(folder, beginning, now)
            name = post or f"{beginning.location} (it holds posts)"
            (written if post else kept).append(name)
    except OSError as error:
        raise Refused(
            f"cannot be written: {error.strerror}", where=str(error.filename or folder)
        ) from error
    return Begun(folder=folder, written=tuple(written), kept=tuple(kept))


def build_beginning(answers: Answers) -> Beginning:
    """What the new configuration says: the answers, and defaults for the rest."""
    title = answers.title or "My Newsroom"
    language = answers.language or "en"
    web_url = (answers.web_url or "http://127.0.0.1:8300").rstrip("/")
    site_url = answers.blog_url or web_url
    pattern = _NEWSLETTER_TITLES.get(language.split("-")[0].lower(), _NEWSLETTER_TITLE)
    return Beginning(
        title=title,
        tagline=answers.tagline or "",
        language=language,
        timezone=answers.timezone or "UTC",
        site_url=site_url,
        web_url=web_url,
        mail_from=answers.mail_from or default_from(site_url),
        source_kind="feed" if answers.feed_url else "folder",
        location=answers.feed_url or answers.content or "content",
        allow_private=answers.allow_private,
        newsletter_title=pattern.format(title=title),
    )


def default_from(site_url: str) -> str:
    """A first `[mail] from`: news at the newsroom's own host, or example.org where that is no name on the net."""
    host = (urlsplit(site_url).hostname or "").removeprefix("www.")
    has_name = "." in host and not host.replace(".", "").isdigit() and ":" not in host
    return f"news@{host}" if has_name else "news@example.org"


def local_timezone(environ: Mapping[str, str]) -> str:
    """The zone of this machine where it says one, else UTC."""
    named = environ.get("TZ", "").lstrip(":")
    candidates = [named, _from_link(Path("/etc/localtime")), _from_file(Path("/etc/timezone"))]
    for name in candidates:
        try:
            if name and ZoneInfo(name):
                return "UTC" if name in ("Etc/UTC", "Etc/UCT", "Zulu") else name
        except (KeyError, OSError, ValueError):
            continue
    return "UTC"


def _from_link(path: Path) -> str:
    return os.path.realpath(path).partition("zoneinfo/")[2] if path.is_symlink() else ""


def _from_file(path: Path) -> str:
    return path.read_text("utf-8", errors="replace").strip() if path.is_file() else ""


def _check(beginning: Beginning) -> None:
    """The same rules that will read the file, applied before it is written."""
    data = tomllib.loads(config_text(beginning))
    wrong = [
        Fault(where=".".join(part for part in path if isinstance(part, str)), what=what)
        for path, what in findings(data)
    ]
    if wrong:
        raise ConfigError.of(wrong)


def _write_new(path: Path, text: str) -> bool:
    """Writes `path` if it is not there; the kernel decides, so nothing is ever overwritten."""
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        return False
    return True


def _write_first_post(folder: Path, beginning: Beginning, now: datetime) -> str | None:
    content = folder / beginning.location
    content.mkdir(parents=True, exist_ok=True)
    if any(path.suffix.lower() in _POST_ENDINGS for path in content.rglob("*")):
        return None
    local = now.astimezone(ZoneInfo(beginning.timezone)).replace(second=0, microsecond=0)
    text = _FIRST_POST.format(title=quoted("Hello, readers"), date=local.isoformat())
    name = f"{local:%Y-%m-%d}-{FIRST_POST}"
    return str(Path(beginning.location) / name) if _write_new(content / name, text) else None


_FIRST_POST = """\
---
title: {title}
date: {date}
tags: [hello]
---
This is a first post, written by `dateline init`. Edit it, delete it, or write another file beside it: each
Markdown or HTML file in this folder is a post.

The lines between the dashes say what the post is called and when it was published. Other lines that they may
hold: `updated`, `summary`, `author`, `lang`, `slug`, `lead`, `draft`.

> A digest carries each new post once, to every reader, and says where to read it on the web.
"""
