"""The press, opened: configuration, database, secret, templates and clock, as every action takes them."""

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import jinja2
import sqlalchemy as sa

from dateline.config import Config
from dateline.templating import build_templates
from newsletter.tokens import Keys
from posts.database import open_engine


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """What an action needs. `folder` holds config.toml; relative paths count from it. `program` names the
    command as it was called, for hints."""

    config: Config
    folder: Path
    engine: sa.Engine
    keys: Keys
    templates: jinja2.Environment
    clock: Callable[[], datetime]
    program: str = "dateline"

    def path(self, setting: str) -> Path:
        """The path that a setting names, counted from the folder of config.toml."""
        return self.folder / Path(setting).expanduser()

    @property
    def var(self) -> Path:
        """The folder of `[paths] var`."""
        return self.path(self.config.paths.var)

    @property
    def public(self) -> Path:
        """The folder of `[paths] public`."""
        return self.path(self.config.paths.public)


def utc_now() -> datetime:
    """The real clock; everything below floor 3 is told the time."""
    return datetime.now(UTC)


def open_press(
    config: Config,
    folder: Path,
    *,
    clock: Callable[[], datetime] = utc_now,
    program: str = "dateline",
) -> Press:
    """Opens the database (without migrating it), reads or makes the secret."""
    operator_folder = folder / config.site.templates if config.site.templates else None
    return Press(
        config=config,
        folder=folder,
        engine=open_engine(_database_url(config, folder)),
        keys=Keys(_read_secret(folder / config.site.secret_file)),
        templates=build_templates(operator_folder),
        clock=clock,
        program=program,
    )


def _database_url(config: Config, folder: Path) -> str:
    url = sa.make_url(config.database.url)
    if url.get_backend_name() == "sqlite" and url.database:
        return str(url.set(database=str(folder / url.database)))
    return url.render_as_string(hide_password=False)


def _read_secret(path: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return bytes.fromhex(path.read_text("ascii").strip())
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(32) + "\n")
    return bytes.fromhex(path.read_text("ascii").strip())
