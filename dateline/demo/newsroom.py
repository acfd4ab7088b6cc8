"""The sample newsroom on disk: its config, its posts with dates counted back from now, its pictures."""

import re
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from dateline.demo.readers import readers_csv

NEWSLETTER = "daily"
CONSENT = "Signed up at the cooperative's stall; invented for the demo."
_ZONE = ZoneInfo("America/Chicago")
_SAMPLES = Path(__file__).parent / "samples"
_HOURS_AGO = re.compile(r'^date: "@(\d+)h"$', re.MULTILINE)

_CONFIG = """\
# The demo's newsroom. Everything in it is invented: the towns, the people, the addresses.

[site]
title = "La Garita"
tagline = "News from both banks of the river · Noticias de las dos orillas"
url = "{url}"
language = "en"
timezone = "America/Chicago"
contact = "editors@lagarita.example.org"
postal_address = "14 Customs Street, Paso Viejo"
tips = "Knock at the bakery and ask for the letters desk."

[web]
url = "{url}"
listen = "127.0.0.1:{port}"

[[sources]]
kind = "folder"
location = "content"
every = "5s"

[[feeds]]
slug = "river-and-bridge"
title = "The river and the bridge"
select = {{ tags = ["river", "bridge", "puente"] }}

# A newsroom would write "0 18 * * *": every day at six in the evening. Here the clock is to be seen at work:
# each minute it looks whether there is anything new, and nothing rests before it goes out.
[[newsletters]]
slug = "daily"
title = "La Garita Daily"
schedule = "* * * * *"
settle = "0"

[mail]
from = "news@lagarita.example.org"
reply_to = "editors@lagarita.example.org"
transport = "maildir"
"""


def write_newsroom(folder: Path, *, now: datetime, port: int) -> Path:
    """Writes config.toml, `content/`, `media/` and the readers' CSV; gives the config's path."""
    url = f"http://127.0.0.1:{port}"
    (folder / "content").mkdir(parents=True)
    shutil.copytree(_SAMPLES / "media", folder / "media")
    for sample in sorted((_SAMPLES / "content").glob("*.md")):
        _write_post(sample, folder, now)
    readers_path(folder).write_text(readers_csv(), "utf-8")
    config = folder / "config.toml"
    config.write_text(_CONFIG.format(url=url, port=port), "utf-8")
    return config


def readers_path(folder: Path) -> Path:
    """Where the readers are written."""
    return folder / "readers.csv"


def write_later_post(folder: Path, *, now: datetime) -> str:
    """Writes the post that comes in while one watches, dated `now`; gives its title."""
    (sample,) = (_SAMPLES / "later").glob("*.md")
    text = _write_post(sample, folder, now)
    match = re.search(r'^title: "(.*)"$', text, re.MULTILINE)
    assert match is not None  # our own sample
    return match[1]


def _write_post(sample: Path, folder: Path, now: datetime) -> str:
    """Writes one sample; the number its name begins with is only the order on our shelf."""
    text = _HOURS_AGO.sub(
        lambda match: f"date: {_written(now - timedelta(hours=int(match[1])))}",
        sample.read_text("utf-8"),
    )
    unfinished = folder / f".{sample.name}"
    unfinished.write_text(text, "utf-8")
    # Renamed into place: a poll that comes between must not find half a post.
    unfinished.replace(folder / "content" / sample.name.partition("-")[2])
    return text


def _written(moment: datetime) -> str:
    return moment.astimezone(_ZONE).isoformat(timespec="seconds")
