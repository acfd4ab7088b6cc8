"""What a reading brought goes into the store: cleaned outside the transaction, saved a hundred posts at a time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import sqlalchemy as sa
import structlog

from dateline.actions.media import media_base_url
from dateline.press import Press
from posts import store
from posts.clean import cleaned
from posts.database import writing
from posts.errors import DatelineError, PostError
from posts.model import Content, IncomingPost, SourceFault
from posts.reconcile import Insert, Revise, decision
from posts.settings import SourceSettings
from posts.sources.deletions import deletions_held
from posts.sources.reading import Reading

log = structlog.get_logger()

_POSTS_A_TRANSACTION = 100


@dataclass(slots=True, kw_only=True)
class Arrived:
    """The count of one reading; `unsaved` are the external ids of the posts that were bad."""

    new: int = 0
    revised: int = 0
    unchanged: int = 0
    faults: list[SourceFault] = field(default_factory=list)
    unsaved: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """What became of the posts whose files are gone."""

    withdrawn: int = 0
    held: int = 0
    faults: tuple[SourceFault, ...] = ()


def save_posts(
    press: Press,
    settings: SourceSettings,
    read: Reading,
    progress: Callable[[str, int, int], None] | None,
) -> Arrived:
    """Saves every post of a reading; a bad one is a fault, and the version that the store has of it stays."""
    arrived = Arrived()
    done = 0
    for some in _hundreds(read.posts):
        contents = [(one, _content(press, one, arrived)) for one in some]
        with writing(press.engine) as conn:
            for incoming, content in contents:
                if content is not None:
                    _save(conn, press, incoming, content, read, arrived)
        done += len(some)
        if progress is not None:
            progress(settings.name, done, len(read.posts))
    return arrived


def note_missing(
    conn: sa.Connection,
    settings: SourceSettings,
    seen: frozenset[str],
    *,
    accept: bool,
    press: Press,
    now: datetime,
) -> Gone:
    """Withdraws the posts that two polls did not find, unless too many are gone at once (DESIGN.md 8.10).

    `accept` withdraws all that are gone, at once.
    """
    known = store.list_external_ids(conn, settings.name)
    missing = {key: post for key, post in known.items() if key not in seen}
    reason = deletions_held(known=len(known), missing=len(missing), is_empty=not seen)
    if reason is not None and not accept:
        remedy = (
            f"If they are meant to go: `{press.program} poll {settings.name} --accept-deletions`."
        )
        fault = SourceFault(
            source=settings.name, place=settings.location, what=reason, remedy=remedy
        )
        return Gone(held=len(missing), faults=(fault,))
    counted = store.mark_missing(conn, list(missing.values()), source=settings.name)
    gone = list(missing.values()) if accept else counted
    for post in store.list_by_ids(conn, gone).values():
        store.withdraw_post(conn, post.guid, now=now, by="source", reason="its file is gone")
    return Gone(withdrawn=len(gone))


def _hundreds(posts: Sequence[IncomingPost]) -> Iterator[Sequence[IncomingPost]]:
    for start in range(0, len(posts), _POSTS_A_TRANSACTION):
        yield posts[start : start + _POSTS_A_TRANSACTION]


def _content(press: Press, incoming: IncomingPost, arrived: Arrived) -> Content | None:
    """What a post says, cleaned; None, and a fault, where it is bad.

    Relative addresses in a file count from where its neighbours are served, so that its pictures are found.
    """
    beside = media_base_url(press.config.web.url, incoming.source, incoming.external_id)
    try:
        based = replace(incoming, base_url=incoming.base_url or beside)
        return cleaned(based, language=press.config.site.language)
    except DatelineError as error:
        _refuse(arrived, incoming, error)
    except Exception as error:
        log.exception("post not cleaned", place=incoming.place)
        what = f"made the program stumble ({type(error).__name__})."
        _refuse(arrived, incoming, PostError(what, where=incoming.place))
    return None


def _save(
    conn: sa.Connection,
    press: Press,
    incoming: IncomingPost,
    content: Content,
    read: Reading,
    arrived: Arrived,
) -> None:
    names = frozenset(one.name for one in press.config.sources)
    now = press.clock()
    try:
        stored = store.find_stored(conn, incoming, content, present=read.seen, sources=names)
        verdict = decision(
            incoming,
            content,
            stored,
            now=now,
            site=press.config.site,
            first_poll=read.is_first,
        )
        store.save_post(conn, incoming, verdict, now=now)
    except PostError as error:
        _refuse(arrived, incoming, error)
        return
    if isinstance(verdict, Insert):
        arrived.new += 1
    elif isinstance(verdict, Revise):
        arrived.revised += 1
    else:
        arrived.unchanged += 1


def _refuse(arrived: Arrived, incoming: IncomingPost, error: DatelineError) -> None:
    arrived.faults.append(
        SourceFault(
            source=incoming.source,
            place=error.where or incoming.place,
            what=error.what,
            remedy=error.remedy,
        )
    )
    arrived.unsaved |= {incoming.external_id}
