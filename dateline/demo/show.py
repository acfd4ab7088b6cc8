"""What the demo does with its newsroom: the same actions as the real commands, one after the other."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from dateline.actions.build import build
from dateline.actions.compose import compose, tick
from dateline.actions.deliver import deliver
from dateline.actions.migrate import migrate_database
from dateline.actions.poll import poll
from dateline.actions.release import release
from dateline.actions.subscribers import import_file
from dateline.config import load_config
from dateline.demo.newsroom import (
    CONSENT,
    NEWSLETTER,
    readers_path,
    write_later_post,
    write_newsroom,
)
from dateline.press import Press, open_press, utc_now
from newsletter.issues import Issue, IssueStatus, count_posts, list_issues
from newsletter.subscriptions import count_by_status
from posts import store
from posts.database import reading
from posts.errors import StoreError

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What lies in the newsroom. `issues`: each with the number of its posts."""

    posts: int
    languages: int
    documents: int
    subscribers: int
    issues: tuple[tuple[Issue, int], ...]
    mails: int


def open_newsroom(folder: Path, *, port: int, program: str) -> tuple[Press, Path]:
    """Writes the sample newsroom into `folder` and opens it; no setting of the environment reaches it."""
    config_path = write_newsroom(folder, now=utc_now(), port=port)
    press = open_press(load_config(config_path, {}), folder, program=program)
    migrate_database(press)
    return press, config_path


def show_first_digest(press: Press, say: Say) -> None:
    """Reads the posts, signs the readers up, builds the feeds, sends the first digest; raises what an action raises."""
    say("Reading the posts")
    poll(press)
    say("Signing the readers up")
    import_file(press, readers_path(press.folder), newsletter=NEWSLETTER, consent=CONSENT)
    say("Building the feeds")
    build(press)
    say("Composing and releasing a digest")
    composed = compose(press, NEWSLETTER)
    if composed.issue is None:
        raise StoreError("the demo's first digest came out empty", remedy="Please report this.")
    release(press, composed.issue.id)
    say("Delivering it into the maildir")
    deliver(press)


def show_second_digest(press: Press, say: Say) -> None:
    """A further post comes in, and the clock's own step sends it: as if the minute had passed."""
    say("A further post comes in")
    publish_later_post(press)
    say("The clock finds a digest due")
    later = replace(press, clock=lambda: utc_now() + timedelta(seconds=65))
    tick(later)
    build(later)
    deliver(later)


def publish_later_post(press: Press) -> str:
    """Puts the further post into the content folder; gives its title."""
    return write_later_post(press.folder, now=utc_now())


def find_second_digest(press: Press) -> Issue | None:
    """The digest that the clock sent, once it has gone out to everybody."""
    with reading(press.engine) as conn:
        done = list_issues(conn, newsletter=NEWSLETTER, status=IssueStatus.DONE)
    return next((issue for issue in done if issue.number == 2), None)


def outbox(press: Press) -> Path:
    """The maildir that the demo's mails go to."""
    return press.var / "outbox"


def made(press: Press) -> Made:
    """What there is now, counted where it lies."""
    with reading(press.engine) as conn:
        issues = [issue for issue in reversed(list_issues(conn)) if issue.released]
        counts = count_posts(conn, [issue.id for issue in issues])
        subscribers = sum(
            count for *_, status, count in count_by_status(conn) if status == "active"
        )
        posts, languages = store.count_posts(conn), len(store.list_languages(conn))
    return Made(
        posts=posts,
        languages=languages,
        documents=sum(1 for file in press.public.rglob("*") if file.is_file()),
        subscribers=subscribers,
        issues=tuple((issue, counts.get(issue.id, 0)) for issue in issues),
        mails=sum(1 for part in ("new", "cur") for _ in (outbox(press) / part).glob("*")),
    )
