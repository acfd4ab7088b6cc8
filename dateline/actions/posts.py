"""The store by hand: look at posts, correct one, take one back, bring it back."""

from dataclasses import dataclass

from dateline.press import Press
from posts import journal, store
from posts.database import reading, writing
from posts.errors import NotFound
from posts.model import Change, Post, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class PostStory:
    """A post and all that happened to it."""

    post: Post
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HandChange:
    """What correcting, withdrawing or restoring by hand came to; `change` is None where readers see no difference."""

    post: Post
    change: Change | None


def list_all(press: Press, *, status: Status | None = None, limit: int | None = None) -> list[Post]:
    """The posts of any status, or of one, newest first."""
    with reading(press.engine) as conn:
        return store.list_all_posts(conn, status=status, limit=limit)


def show(press: Press, name: str) -> PostStory:
    """The post with this id or slug, and its lines of the journal; raises NotFound."""
    with reading(press.engine) as conn:
        post = store.find_post(conn, name) or store.find_by_slug(conn, name)
        if post is None:
            raise NotFound(
                f'there is no post with the id or slug "{name}"',
                remedy=f"`{press.program} posts list` shows them.",
            )
        return PostStory(post=post, changes=tuple(journal.list_post_changes(conn, post.id)))


def correct(press: Press, name: str, *, note: str) -> HandChange:
    """Adds a note to a public post that readers see with it; safe to repeat. Raises NotFound, and Refused for a post
    that is not public and a note that is none."""
    guid = show(press, name).post.guid
    with writing(press.engine) as conn:
        change = store.correct_post(conn, guid, note, now=press.clock())
        return HandChange(post=store.get_post(conn, guid), change=change)


def withdraw(press: Press, name: str, *, reason: str | None = None) -> HandChange:
    """Takes a post back until a hand restores it; `reason` is for readers. Safe to repeat. Raises NotFound, Refused."""
    guid = show(press, name).post.guid
    with writing(press.engine) as conn:
        change = store.withdraw_post(conn, guid, now=press.clock(), reason=reason)
        return HandChange(post=store.get_post(conn, guid), change=change)


def restore(press: Press, name: str) -> HandChange:
    """Makes a withdrawn post public again; safe to repeat. Raises NotFound."""
    guid = show(press, name).post.guid
    with writing(press.engine) as conn:
        change = store.restore_post(conn, guid, now=press.clock())
        return HandChange(post=store.get_post(conn, guid), change=change)
