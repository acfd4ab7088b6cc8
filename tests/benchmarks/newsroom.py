"""A newsroom for measuring: posts in a folder, any number of readers, and an issue that the product itself composed,
sealed and released, about 32 kB on the wire.

It is built once; each run sends from a copy of it.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from dateline.actions.compose import compose
from dateline.actions.migrate import migrate_database
from dateline.actions.poll import poll
from dateline.actions.release import release
from dateline.config import load_config
from dateline.counterfoil import FILE_NAME
from dateline.press import Press, open_press
from newsletter.counterfoil_marks import forget_marks, list_marks
from newsletter.headers import domain_of
from newsletter.message import Recipient, build_message, load_edition
from newsletter.tables import editions, issues, sealed_parts, subscribers, subscriptions
from posts.database import reading, writing

NEWSLETTER = "daily"
POSTS = 8
_DOMAINS = ("mail.example", "post.example", "inbox.example", "correo.example", "letters.example")
_NAMES = (None, "Ada Quintero", None, "José Ángel Núñez", None, "Quinn, of the ferry")
_CHUNK = 50_000

_SENTENCES = (
    "The ferry crossed the river twice before the fog came, and the third time it waited.",
    "Nadie en la colonia recordaba un otoño tan seco; el río se cruzaba a pie.",
    "“We count what nobody else would count,” said Señora Núñez, who keeps the list.",
    "The council met behind closed doors on Tuesday & spent <em>$1,200,000</em> in an hour.",
    "A spokesman said that the bridge would open in spring; the bridge's owner said nothing.",
    "See [the earlier report](https://frontera.example/2026/08/the-earlier-report/) for the names.",
)

_CONFIG = """\
[site]
title = "La Frontera"
tagline = "News from both banks of the river"
url = "https://frontera.example/"
timezone = "America/Chicago"
contact = "desk@frontera.example"
postal_address = "12 Ferry Street, El Paso, Texas"

[web]
url = "https://letters.frontera.example"
listen = "127.0.0.1:{web_port}"

[[sources]]
kind = "folder"
location = "content"
link = "https://frontera.example/{{year}}/{{month}}/{{slug}}/"

[[newsletters]]
slug = "daily"
title = "La Frontera, the daily"
schedule = "0 18 * * *"
length = "smart"

[mail]
from = "digest@news.frontera.example"
reply_to = "desk@frontera.example"
transport = "smtp"
host = "127.0.0.1"
port = {port}
tls = "none"
connections = {connections}
flush_every = {flush_every}
power_safe = {power_safe}
{dkim}"""

_DKIM = """
[[mail.dkim]]
domain = "news.frontera.example"
selector = "{selector}"
key_file = "{key_file}"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Newsroom:
    """A folder with config.toml, and the issue in its database that waits to be sent."""

    folder: Path
    issue: int
    readers: int

    @property
    def config(self) -> Path:
        """Its config.toml."""
        return self.folder / "config.toml"

    def open(self) -> Press:
        """The press of this folder, in this process."""
        return open_press(load_config(self.config, {}), self.folder)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailing:
    """The settings of `[mail]` that a run is about; `dkim`: key file by selector."""

    port: int = 25
    connections: int = 20
    flush_every: int = 20
    power_safe: bool = True
    dkim: Mapping[str, Path] | None = None


def build_newsroom(
    folder: Path, readers: int, *, posts: int = POSTS, is_released: bool = True
) -> Newsroom:
    """A newsroom whose issue of the latest posts is released to `readers` (or a draft, to be released later). It may
    be copied: it has no counterfoil, which would tell that a copy is one, and its next act begins one."""
    content = folder / "content"
    content.mkdir(parents=True)
    now = datetime.now(UTC)
    for number in range(1, posts + 1):
        (content / f"{number:04}.md").write_text(_post(number, now), "utf-8")
    write_config(folder, Mailing())
    press = open_press(load_config(folder / "config.toml", {}), folder)
    try:
        migrate_database(press)
        poll(press)
        with writing(press.engine) as conn:
            _add_readers(conn, readers, now)
        issue = compose(press, NEWSLETTER, latest=POSTS).issue
        assert issue is not None
        if is_released:
            release(press, issue.id)
        _forget_counterfoil(press)
    finally:
        press.engine.dispose()
    return Newsroom(folder=folder, issue=issue.id, readers=readers)


def _forget_counterfoil(press: Press) -> None:
    with writing(press.engine) as conn:
        forget_marks(conn, list(list_marks(conn)))
    (press.var / FILE_NAME).unlink(missing_ok=True)


def copied(newsroom: Newsroom, folder: Path, mailing: Mailing, *, web_port: int = 8300) -> Newsroom:
    """A copy to send from, its settings changed; it lies on the disk, so that the first flush need not write it."""
    shutil.copytree(newsroom.folder, folder)
    for file in (folder / "var").glob("dateline.db*"):
        with file.open("rb+") as opened:
            os.fsync(opened.fileno())
    write_config(folder, mailing, web_port=web_port)
    return replace(newsroom, folder=folder)


def write_config(folder: Path, mailing: Mailing, *, web_port: int = 8300) -> None:
    """Writes config.toml."""
    keys = mailing.dkim or {}
    text = _CONFIG.format(
        web_port=web_port,
        port=mailing.port,
        connections=mailing.connections,
        flush_every=mailing.flush_every,
        power_safe=str(mailing.power_safe).lower(),
        dkim="".join(_DKIM.format(selector=name, key_file=path) for name, path in keys.items()),
    )
    (folder / "config.toml").write_text(text, "utf-8")


def a_message(newsroom: Newsroom) -> bytes:
    """The first reader's message, unsigned, made the plain way."""
    press = newsroom.open()
    try:
        with reading(press.engine) as conn:
            issue = conn.execute(sa.select(issues).where(issues.c.id == newsroom.issue)).one()
            edition = conn.execute(
                sa.select(editions).where(editions.c.issue == newsroom.issue).limit(1)
            ).one()
            parts = dict(
                conn.execute(
                    sa.select(sealed_parts.c.part, sealed_parts.c.body).where(
                        sealed_parts.c.issue == newsroom.issue
                    )
                )
                .tuples()
                .all()
            )
        return build_message(
            load_edition(edition.program, parts, language=edition.language, seal=edition.seal),
            _first_reader(),
            issue_id=newsroom.issue,
            date=issue.date,
            keys=press.keys,
            web_url=press.config.web.url,
            from_domain=domain_of(press.config.mail.from_),
            zone=press.config.site.zone,
        )
    finally:
        press.engine.dispose()


def segments(newsroom: Newsroom) -> tuple[int, int]:
    """How many segments the issue's edition has, and how many of them are personal fields."""
    press = newsroom.open()
    try:
        with reading(press.engine) as conn:
            program: Sequence[int | str] = conn.execute(
                sa.select(editions.c.program).where(editions.c.issue == newsroom.issue).limit(1)
            ).scalar_one()
    finally:
        press.engine.dispose()
    return len(program), sum(isinstance(item, str) for item in program)


def _first_reader() -> Recipient:
    return Recipient(
        subscriber=1,
        subscription=1,
        generation=0,
        address=_address(1),
        name=_NAMES[1],
        since=datetime(2026, 3, 5, 18, tzinfo=UTC),
        language="en",
    )


def _post(number: int, now: datetime) -> str:
    """A story of a length one to four paragraphs."""
    written = now - timedelta(hours=number % (24 * 12), minutes=number)
    paragraphs = [
        " ".join(_SENTENCES[(number + at + step) % len(_SENTENCES)] for step in range(2))
        for at in range(1 + number * 5 % 4)
    ]
    front = (
        f'---\ntitle: "Story {number}: what the river said — y lo que calló"\n'
        f'date: "{written:%Y-%m-%dT%H:%M:%S+00:00}"\nauthor: "Ada Quintero"\n'
        f"tags: [river, story-{number % 7}]\nid: story-{number}\n---\n"
    )
    return front + "\n\n".join(paragraphs) + "\n"


def _address(reader: int) -> str:
    return f"reader.{reader}@{_DOMAINS[reader % len(_DOMAINS)]}"


def _add_readers(conn: sa.Connection, count: int, now: datetime) -> None:
    """Active readers, over some domains, a part of them with names, none of whose dates of subscription is new."""
    for start in range(1, count + 1, _CHUNK):
        ids = range(start, min(start + _CHUNK, count + 1))
        conn.execute(
            subscribers.insert(),
            [
                {
                    "id": one,
                    "address": _address(one),
                    "address_key": _address(one),
                    "name": _NAMES[one % len(_NAMES)],
                    "language": "en",
                    "created": now,
                }
                for one in ids
            ],
        )
        conn.execute(
            subscriptions.insert(),
            [
                {
                    "id": one,
                    "subscriber": one,
                    "newsletter": NEWSLETTER,
                    "frequency": "scheduled",
                    "status": "active",
                    "since": now - timedelta(days=20 + one % 900),
                    "changed": now,
                }
                for one in ids
            ],
        )
