"""The press, opened: configuration, database, secret, templates and clock, as every action takes them."""

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2
import sqlalchemy as sa

from dateline.config import Config
from dateline.templating import build_templates
from newsletter.tokens import Keys
from posts.database import open_engine

if TYPE_CHECKING:
    from newsletter.transport.smtp import Timeouts


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long others are waited for. Operators have no say in it; fault tests bring a shorter one.

    `timeouts` None: those of RFC 5321 4.5.3.2. `first_wait_s`: how long a relay that took its leave is left alone
    first; `lease`: how long a batch belongs to whoever leased it; `lock_wait_s`: how long a daemon that starts waits for
    one that ends.
    """

    timeouts: "Timeouts | None" = None
    first_wait_s: float = 1.0
    lease: timedelta = timedelta(seconds=60)
    lock_wait_s: float = 15.0


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
    patience: Patience = Patience()

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
    patience: Patience = Patience(),
) -> Press:
    """Opens the database (without migrating it), reads or makes the secret."""
    operator_folder = folder / config.site.templates if config.site.templates else None
    return Press(
        config=config,
        folder=folder,
        engine=open_engine(_database_url(config, folder), power_safe=config.mail.power_safe),
        keys=Keys(_read_secret(folder / config.site.secret_file)),
        templates=build_templates(operator_folder),
        clock=clock,
        program=program,
        patience=patience,
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
