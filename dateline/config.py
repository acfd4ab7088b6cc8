"""The whole configuration: composed of the packages' settings types, read from config.toml.

Environment variables and credential files are laid over the file, then everything is validated once and every
fault is told at once, each with its file and line (or variable) and, for a wrong name, the nearest known one.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from dateline.config_faults import ConfigError, Fault
from dateline.config_layers import laid_over, list_given
from dateline.config_lines import line_numbers
from dateline.config_messages import described
from dateline.config_rules import findings
from dateline.redirects import RedirectSettings
from feeds.spec import FeedSettings
from feeds.websub import WebsubSettings
from newsletter.spec import MailSettings, NewsletterSettings, PrivacySettings
from posts.settings import DatabaseSettings, Paths, Settings, Site, SourceSettings, Web

__all__ = ["Config", "ConfigError", "Loaded", "Places", "load_config", "read_config"]


class Config(Settings):
    """All of config.toml."""

    site: Site
    web: Web = Web()
    database: DatabaseSettings = DatabaseSettings()
    paths: Paths = Paths()
    sources: Annotated[tuple[SourceSettings, ...], Field(description="Where posts come from.")] = ()
    feeds: Annotated[
        tuple[FeedSettings, ...], Field(description="Feeds beside those that always exist.")
    ] = ()
    redirects: Annotated[
        tuple[RedirectSettings, ...],
        Field(description="Old addresses and what took their place, for good."),
    ] = ()
    newsletters: Annotated[
        tuple[NewsletterSettings, ...], Field(description="What one subscribes to.")
    ] = ()
    mail: MailSettings
    websub: WebsubSettings = WebsubSettings()
    privacy: PrivacySettings = PrivacySettings()


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where each value of a configuration came from."""

    path: Path
    lines: Mapping[tuple[str | int, ...], int]
    origins: Mapping[tuple[str | int, ...], str]

    def origin(self, *path: str | int) -> str:
        """Where a value came from: `config.toml:33`, a variable's or credential's name, or `default`."""
        if path in self.origins:
            return self.origins[path]
        return f"{self.path}:{self.lines[path]}" if path in self.lines else "default"

    def nearest(self, *path: str | int) -> str:
        """Where a person would change a value: its origin, else that of the section around it, else the file."""
        for end in range(len(path), 0, -1):
            if (found := self.origin(*path[:end])) != "default":
                return found
        return str(self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A valid configuration, and where its values came from."""

    config: Config
    places: Places


def load_config(path: Path, environ: Mapping[str, str]) -> Config:
    """The configuration at `path` with `environ` laid over it; raises ConfigError with every fault."""
    return read_config(path, environ).config


def read_config(path: Path, environ: Mapping[str, str]) -> Loaded:
    """As `load_config`, with the place that each value came from."""
    text = _read(path)
    data = _parsed(text, path)
    given, faults = list_given(environ)
    origins, unknown = laid_over(data, given, Config)
    for required in ("site", "mail"):
        data.setdefault(required, {})  # so that what is missing inside is named
    places = Places(path=path, lines=line_numbers(text), origins=origins)
    config, wrong = _validated(data)
    faults += unknown + [Fault(where=places.nearest(*at), what=what) for at, what in wrong]
    if faults or config is None:
        raise ConfigError.of(sorted(faults, key=_in_file_order))
    return Loaded(config=config, places=places)


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except FileNotFoundError:
        raise ConfigError(
            "there is no configuration here",
            where=str(path),
            remedy="`dateline init` writes one; --config or DATELINE_CONFIG names another.",
        ) from None
    except UnicodeDecodeError:
        raise ConfigError("is not UTF-8", where=str(path), remedy="Save it as UTF-8.") from None
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(path)) from None


def _parsed(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r" \(at line (\d+), column \d+\)", str(error))
        # At the end of the document tomllib gives no line: the last one is where to look.
        line = int(place[1]) if place else text.count("\n") + 1
        reason = re.sub(r" \(at .*\)$", "", str(error))
        fault = Fault(where=f"{path}:{line}", what=f"is not TOML: {reason}.")
        raise ConfigError.of([fault]) from None


def _validated(
    data: dict[str, Any],
) -> tuple[Config | None, list[tuple[tuple[str | int, ...], str]]]:
    """The configuration, if its types are right, and what is wrong in types and rules, whole sentences by path."""
    config: Config | None = None
    wrong: list[tuple[tuple[str | int, ...], str]] = []
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        wrong = list(described(error, Config))
    told = {path for path, _ in wrong}
    for path, what in findings(data):
        if path not in told:
            wrong.append((path, f"{'.'.join(p for p in path if isinstance(p, str))} {what}"))
    return config, wrong


def _in_file_order(fault: Fault) -> tuple[str, int]:
    file, _, line = fault.where.rpartition(":")
    return (file, int(line)) if line.isdigit() else (fault.where, 0)
