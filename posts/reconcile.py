"""What to do with an incoming post: insert, revise, refresh or leave (DESIGN.md 2 and 3). Pure.

The store carries the decision out (`store.save_post`); everything that is a rule about it stands here.
"""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from posts.identity import content_hash, moves_updated, post_guid
from posts.model import ChangeKind, Content, IncomingPost, Post, Status
from posts.settings import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Insert:
    """A post never seen before. `slug` is what it asks for; the store makes it ASCII and numbers it when taken."""

    content: Content
    content_hash: str
    guid: str
    slug: str
    month: str
    status: Status
    published: datetime
    updated: datetime
    history: bool

    @property
    def kind(self) -> ChangeKind | None:
        """The journal line it gets: none for what is not public yet."""
        return ChangeKind.PUBLISHED if self.status is Status.PUBLISHED else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Revise:
    """A stored post that changes: its content (`is_new_revision`), its date or its status.

    `kind` is the journal line, None for what readers do not see. A revision mends a quarantined post until it proves
    bad again, so its fault goes.
    """

    stored: Post
    content: Content
    content_hash: str
    is_new_revision: bool
    status: Status
    published: datetime
    updated: datetime
    history: bool
    kind: ChangeKind | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refresh:
    """The same revision with other comment counts, or a post that its source calls by another name now."""

    stored: Post
    comment_count: int | None
    comments_url: str | None
    comments_feed_url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """Nothing changed."""

    stored: Post


Decision = Insert | Revise | Refresh | Leave


def decision(
    incoming: IncomingPost,
    content: Content,
    stored: Post | None,
    *,
    now: datetime,
    site: Site,
    first_poll: bool,
) -> Decision:
    """What saving `incoming` means; `stored` is what `store.find_stored` found, `first_poll` of its source."""
    if stored is None:
        return _insertion(incoming, content, now=now, site=site, first_poll=first_poll)
    if stored.status is Status.WITHDRAWN:
        return _return(incoming, content, stored, now=now, site=site)
    if stored.status is Status.PUBLISHED:
        return _public_change(incoming, content, stored, now=now)
    return _waiting_change(incoming, content, stored, now=now, site=site)


def is_history(published: datetime, *, now: datetime, site: Site) -> bool:
    """True when a post that enters the journal at `now` is old news: in feeds and pages, owed to nobody by mail."""
    return published < now - site.max_age


def publication_kind(post: Post) -> ChangeKind:
    """The line of a post that becomes public: published the first time, restored ever after."""
    return ChangeKind.PUBLISHED if post.number is None else ChangeKind.RESTORED


def _insertion(
    incoming: IncomingPost, content: Content, *, now: datetime, site: Site, first_poll: bool
) -> Insert:
    status, published = _standing(incoming, now=now)
    old = (first_poll and _is_remote(incoming)) or is_history(published, now=now, site=site)
    return Insert(
        content=content,
        content_hash=content_hash(content),
        guid=post_guid(incoming, urlsplit(site.url).hostname or "", now),
        slug=incoming.slug or content.title,
        month=published.astimezone(site.zone).strftime("%Y/%m"),
        status=status,
        published=published,
        updated=_first_updated(incoming, published, now=now),
        history=status is Status.PUBLISHED and old,
    )


def _public_change(
    incoming: IncomingPost, content: Content, stored: Post, *, now: datetime
) -> Decision:
    if incoming.draft and not _is_remote(incoming):
        return _status_change(stored, Status.WITHDRAWN, kind=_unless_never_public(stored))
    published = _corrected_date(incoming, stored, now=now)
    new_hash = content_hash(content)
    if new_hash == stored.content_hash and published == stored.published:
        return _refreshed(incoming, content, stored)
    mended = stored.fault is not None and stored.number is not None
    return Revise(
        stored=stored,
        content=content,
        content_hash=new_hash,
        is_new_revision=True,
        status=Status.PUBLISHED,
        published=published,
        updated=_moved_updated(incoming, content, stored, now=now),
        history=stored.history,
        kind=ChangeKind.RESTORED if mended else ChangeKind.REVISED,
    )


def _waiting_change(
    incoming: IncomingPost, content: Content, stored: Post, *, now: datetime, site: Site
) -> Decision:
    """A draft or scheduled post: no reader has seen it, so its date may still move and no line is written for it."""
    status, published = _standing(incoming, now=now)
    if incoming.published is None and status is not Status.PUBLISHED:
        published = stored.published
    new_hash = content_hash(content)
    if (new_hash, status, published) == (stored.content_hash, stored.status, stored.published):
        return _refreshed(incoming, content, stored)
    public = status is Status.PUBLISHED
    return Revise(
        stored=stored,
        content=content,
        content_hash=new_hash,
        is_new_revision=new_hash != stored.content_hash,
        status=status,
        published=published,
        updated=_first_updated(incoming, published, now=now),
        history=_entering_history(stored, published, now=now, site=site) if public else False,
        kind=publication_kind(stored) if public else None,
    )


def _return(
    incoming: IncomingPost, content: Content, stored: Post, *, now: datetime, site: Site
) -> Decision:
    """A withdrawn post that its source has (again): what a hand took back stays back."""
    if stored.withdrawn_by == "hand" or (incoming.draft and stored.number is not None):
        return Leave(stored=stored)
    if stored.number is None:
        return _waiting_change(incoming, content, stored, now=now, site=site)
    new_hash = content_hash(content)
    changed = new_hash != stored.content_hash
    return Revise(
        stored=stored,
        content=content,
        content_hash=new_hash,
        is_new_revision=changed,
        status=Status.PUBLISHED,
        published=_corrected_date(incoming, stored, now=now),
        updated=_moved_updated(incoming, content, stored, now=now),
        history=stored.history,
        kind=ChangeKind.RESTORED,
    )


def _standing(incoming: IncomingPost, *, now: datetime) -> tuple[Status, datetime]:
    """The status and date that the source asks for. Only a folder can schedule: a remote feed shows the post already."""
    published = incoming.published or now
    if incoming.draft and not _is_remote(incoming):
        return Status.DRAFT, published
    if published > now and not _is_remote(incoming):
        return Status.SCHEDULED, published
    return Status.PUBLISHED, min(published, now)


def _corrected_date(incoming: IncomingPost, stored: Post, *, now: datetime) -> datetime:
    """A folder may correct a date that is out; remote feeds date posts anew at will, so theirs is the first one seen."""
    if incoming.published is None or _is_remote(incoming) or incoming.published > now:
        return stored.published
    return incoming.published


def _first_updated(incoming: IncomingPost, published: datetime, *, now: datetime) -> datetime:
    updated = incoming.updated
    return updated if updated and published <= updated <= now else published


def _moved_updated(
    incoming: IncomingPost, content: Content, stored: Post, *, now: datetime
) -> datetime:
    """Moves only with what readers read; then to the source's own time of it where that is believable."""
    if not moves_updated(stored.content, content):
        return stored.updated
    updated = incoming.updated
    return updated if updated and stored.updated < updated <= now else max(now, stored.updated)


def _entering_history(stored: Post, published: datetime, *, now: datetime, site: Site) -> bool:
    """Judged when the post enters the journal, once and for ever."""
    if stored.number is not None:
        return stored.history
    return is_history(published, now=now, site=site)


def _status_change(stored: Post, status: Status, *, kind: ChangeKind | None) -> Revise:
    return Revise(
        stored=stored,
        content=stored.content,
        content_hash=stored.content_hash,
        is_new_revision=False,
        status=status,
        published=stored.published,
        updated=stored.updated,
        history=stored.history,
        kind=kind,
    )


def _unless_never_public(stored: Post) -> ChangeKind | None:
    return None if stored.number is None else ChangeKind.WITHDRAWN


def _refreshed(incoming: IncomingPost, content: Content, stored: Post) -> Refresh | Leave:
    then = (
        stored.content.comment_count,
        stored.content.comments_url,
        stored.content.comments_feed_url,
        stored.source,
        stored.external_id,
        stored.missing_polls,
    )
    now = (
        content.comment_count,
        content.comments_url,
        content.comments_feed_url,
        incoming.source,
        incoming.external_id,
        0,
    )
    if then == now:
        return Leave(stored=stored)
    return Refresh(
        stored=stored,
        comment_count=content.comment_count,
        comments_url=content.comments_url,
        comments_feed_url=content.comments_feed_url,
    )


def _is_remote(incoming: IncomingPost) -> bool:
    """True for posts of a remote feed, whose source is an address; a folder's is a path."""
    return "://" in incoming.source
