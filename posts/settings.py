"""The settings that the post store needs: the site, the server's address, the database, the sources."""

import re
from datetime import timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from posts.model import Post

_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION = re.compile(r"(\d+)\s*(s|min|m|h|d|w)")


def parse_duration(value: object) -> object:
    """A length of time as an editor writes it (`20m`, `6h`, `14d`, `0`); raises ValueError for anything else."""
    if isinstance(value, timedelta):
        return value
    if value in (0, "0"):
        return timedelta(0)
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError("is not a length of time; write it as 30s, 20m, 6h or 14d")
    return timedelta(seconds=int(match[1]) * _UNITS[match[2]])


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]


class Settings(BaseModel):
    """Base of every settings type: frozen, and a key that is not a setting is a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class Site(Settings):
    """`[site]`: the newsroom itself."""

    title: Annotated[str, Field(min_length=1, max_length=200, description="The newsroom's name.")]
    tagline: Annotated[str, Field(max_length=300, description="One line under the name.")] = ""
    url: Annotated[str, Field(description="The newsroom's home; a living blog's own address.")]
    language: Annotated[
        str, Field(description="BCP 47 tag of the site and of posts that name none.")
    ] = "en"
    timezone: Annotated[
        str, Field(description="IANA zone in which dates are read and schedules count.")
    ] = "UTC"
    contact: Annotated[
        str, Field(description="Address readers may write to; shown in mails and pages.")
    ] = ""
    postal_address: Annotated[str, Field(description="Postal address in the mail's footer.")] = ""
    tips: Annotated[str, Field(description="How to send a tip; text or an address.")] = ""
    policy: Annotated[str, Field(description="Comment policy; text or an address.")] = ""
    rights: Annotated[
        str, Field(max_length=300, description="Who holds the rights, in a line; shown in feeds.")
    ] = ""
    icon: Annotated[
        str,
        Field(
            pattern=r"^(https?://\S+)?$",
            description="Address of a square picture for feed readers, best a PNG of 512 by 512.",
        ),
    ] = ""
    logo: Annotated[
        str,
        Field(
            pattern=r"^(https?://\S+)?$",
            description="Address of a picture twice as wide as it is high, for feed readers.",
        ),
    ] = ""
    max_age: Annotated[
        Duration,
        Field(
            description="A post older than this when it enters the journal is history: never mailed."
        ),
    ] = timedelta(days=14)
    accent: Annotated[
        str,
        Field(
            pattern=r"^#[0-9a-fA-F]{6}$", description="The one accent colour of mails and pages."
        ),
    ] = "#9c2a1f"
    templates: Annotated[
        str | None, Field(description="Folder whose files replace templates of the same name.")
    ] = None
    secret_file: Annotated[
        str,
        Field(
            description="The one secret that keys signatures and Message-IDs; made at first use, 0600."
        ),
    ] = "var/secret"

    @property
    def zone(self) -> ZoneInfo:
        """The site's time zone."""
        return ZoneInfo(self.timezone)


class Web(Settings):
    """`[web]`: this server's public address and where it listens."""

    url: Annotated[
        str,
        Field(
            description="This server's public address: unsubscribe, preferences, issue pages, feeds."
        ),
    ] = "http://127.0.0.1:8300"
    listen: Annotated[str, Field(description="Address and port to listen on.")] = "127.0.0.1:8300"
    metrics_token: Annotated[
        SecretStr | None,
        Field(
            min_length=16,
            description="Who sends it as a bearer token gets `/metrics` and `/progress` from elsewhere too.",
        ),
    ] = None


class DatabaseSettings(Settings):
    """`[database]`: where everything is kept."""

    url: Annotated[
        # It may hold a password, so no repr shows it.
        str, Field(repr=False, description="SQLAlchemy URL; SQLite by default.")
    ] = "sqlite:///var/dateline.db"


class Paths(Settings):
    """`[paths]`: folders that Dateline writes."""

    public: Annotated[
        str, Field(description="Feeds and other files that any web server may serve.")
    ] = "public"
    media: Annotated[str, Field(description="Pictures and other media of folder posts.")] = "media"
    var: Annotated[str, Field(description="Database, outbox, locks, build state.")] = "var"


class SourceSettings(Settings):
    """`[[sources]]`: one place that posts come from."""

    kind: Annotated[
        Literal["folder", "feed"], Field(description="`folder` of files, or a remote `feed`.")
    ]
    location: Annotated[
        str, Field(description="The folder, or the address of a feed or of a page that names one.")
    ]
    every: Annotated[Duration, Field(description="How often it is read.")] = timedelta(minutes=10)
    link: Annotated[
        str | None,
        Field(
            description="Address pattern of folder posts that live elsewhere: `{slug}`, `{year}`, `{month}`."
        ),
    ] = None
    allow_private: Annotated[
        bool,
        Field(
            description="Fetch from a private address; `init --from` writes it when one was typed."
        ),
    ] = False

    @property
    def name(self) -> str:
        """What the source is called in tables, logs and errors: its location."""
        return self.location


class Selection(Settings):
    """Which posts: of these tags, authors and languages. An empty list asks for nothing; all must agree."""

    tags: Annotated[tuple[str, ...], Field(description="Any of these tags.")] = ()
    authors: Annotated[tuple[str, ...], Field(description="Any of these authors.")] = ()
    languages: Annotated[tuple[str, ...], Field(description="Any of these languages.")] = ()

    def matches(self, post: Post) -> bool:
        """True when the post's tags, authors and language satisfy every list that is not empty."""
        content = post.content
        return (
            (not self.tags or not set(self.tags).isdisjoint(content.tags))
            and (not self.authors or not set(self.authors).isdisjoint(content.authors))
            and (not self.languages or content.language in self.languages)
        )
