"""A press with posts, readers and a relay, its clock in the test's hand."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from dateline.actions.compose import compose
from dateline.actions.migrate import migrate_database
from dateline.actions.poll import poll
from dateline.actions.release import release
from dateline.actions.subscribers import add
from dateline.config import load_config
from dateline.press import Press, open_press
from posts import store
from posts.database import reading, writing

CONFIG = """\
[site]
title = "La Frontera"
url = "https://frontera.example"

[web]
url = "https://press.frontera.example"

[[sources]]
kind = "folder"
location = "content"

[[newsletters]]
slug = "daily"
title = "La Frontera Daily"
schedule = "0 18 * * *"

[mail]
from = "news@frontera.example"
"""
SMTP = """\
transport = "smtp"
host = "127.0.0.1"
port = {port}
tls = "none"
connections = {connections}
flush_every = {flush_every}
in_doubt = "{in_doubt}"
"""


class Clock:
    """A clock that tests turn."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        """The time that it shows."""
        return self.now

    def turn(self, **by: float) -> None:
        """Later by so much."""
        self.now += timedelta(**by)


def a_press(
    folder: Path,
    clock: Clock,
    *,
    port: int | None = None,
    connections: int = 1,
    flush_every: int = 1,
    in_doubt: str = "resend",
) -> Press:
    """A press in `folder`; it mails into a maildir where no port is given."""
    path = folder / "config.toml"
    smtp = SMTP.format(
        port=port, connections=connections, flush_every=flush_every, in_doubt=in_doubt
    )
    path.write_text(CONFIG + (smtp if port is not None else ""), "utf-8")
    (folder / "content").mkdir()
    press = open_press(load_config(path, {}), folder, clock=clock)
    migrate_database(press)
    return press


def a_post(press: Press, name: str) -> None:
    """A file whose title and text are its name."""
    moment = press.clock().isoformat()
    text = f"---\ntitle: {name}\ndate: {moment}\n---\nAll about {name}.\n"
    (press.folder / "content" / f"{name}.md").write_text(text, "utf-8")


def readers(press: Press, *names: str) -> None:
    """Active readers at example.net."""
    for name in names:
        add(press, f"{name}@example.net", "daily", consent="asked at the office", ask=False)


def a_released_issue(press: Press) -> int:
    """Polls, composes and releases; gives the issue's id."""
    poll(press)
    issue = compose(press, "daily").issue
    assert issue is not None
    release(press, issue.id)
    return issue.id


def withdraw(press: Press, title: str) -> None:
    """Takes the post of this title back."""
    with reading(press.engine) as conn:
        (guid,) = [one.guid for one in store.list_posts(conn) if one.content.title == title]
    with writing(press.engine) as conn:
        store.withdraw_post(conn, guid, now=press.clock())
