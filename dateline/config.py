"""The whole configuration: composed of the packages' settings types, read from config.toml."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from feeds.spec import FeedSettings
from newsletter.spec import MailSettings, NewsletterSettings
from posts.errors import DatelineError
from posts.settings import DatabaseSettings, Paths, Settings, Site, SourceSettings, Web


class ConfigError(DatelineError):
    """The configuration is wrong; nothing is started (exit 2)."""


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
    newsletters: Annotated[
        tuple[NewsletterSettings, ...], Field(description="What one subscribes to.")
    ] = ()
    mail: MailSettings


def load_config(path: Path, environ: Mapping[str, str]) -> Config:
    """The configuration at `path` with the environment laid over it; raises ConfigError with every fault."""
    try:
        with path.open("rb") as file:
            return Config.model_validate(tomllib.load(file))
    except (OSError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise ConfigError(str(error), where=str(path)) from error
