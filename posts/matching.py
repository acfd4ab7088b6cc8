"""Which stored post an incoming one is: by id, by the source's own key, else by canonical link and text. Pure.

A blog that moves to https or to another domain gives all its posts new ids (feeds.md 4.6); taken for new posts, they
would be mailed again to everybody.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from posts.errors import PostError
from posts.identity import link_key, link_path, text_hash
from posts.model import Content, IncomingPost, Post


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What is known beside the post: the external ids that its source has now, and all configured sources.

    None where it is not known; then nothing is taken from a place that may still have it.
    """

    present: Collection[str] | None = None
    sources: Collection[str] | None = None


def stored_match(
    incoming: IncomingPost,
    content: Content,
    candidates: Sequence[Post],
    around: Surroundings,
) -> Post | None:
    """The candidate that `incoming` is, or None where it is new; raises PostError when its id is another post's."""
    for post in candidates:
        if incoming.guid and post.guid == incoming.guid:
            if _is_same_place(incoming, post) or _has_moved(incoming, content, post, around):
                return post
            raise id_taken(incoming, post)
    for post in candidates:
        if _is_same_place(incoming, post):
            return post
    for post in candidates:
        if _may_have_left(incoming, post, around) and (
            _is_same_article(content, post.content) or _is_renamed(content, post, around)
        ):
            return post
    return None


def id_taken(incoming: IncomingPost, holder: Post) -> PostError:
    """The fault of a second post with an id that is taken: both are named, the first stays as it is."""
    where = holder.external_id
    if holder.source != incoming.source:
        where = f"{where} in {holder.source}"
    return PostError(
        f'the id "{holder.guid}" is already that of "{holder.content.title}" ({where}).',
        where=incoming.place,
        remedy="Give one of the two another id.",
    )


def _is_same_place(incoming: IncomingPost, post: Post) -> bool:
    return (post.source, post.external_id) == (incoming.source, incoming.external_id)


def _has_moved(incoming: IncomingPost, content: Content, post: Post, around: Surroundings) -> bool:
    """True when the post with this very id is no longer where it was: its file was renamed, its source replaced."""
    if post.source == incoming.source and around.present is None:
        return text_hash(post.content) == text_hash(content)
    return _may_have_left(incoming, post, around)


def _may_have_left(incoming: IncomingPost, post: Post, around: Surroundings) -> bool:
    if post.withdrawn_by == "source":
        return True
    if post.source == incoming.source:
        return around.present is None or post.external_id not in around.present
    return around.sources is not None and post.source not in around.sources


def _is_same_article(new: Content, old: Content) -> bool:
    """At the same canonical address with title or text kept, or on another host at the same path with the same text."""
    if not new.link or not old.link:
        return False
    same_text = text_hash(new) == text_hash(old)
    if link_key(new.link) == link_key(old.link):
        return same_text or new.title == old.title
    return same_text and link_path(new.link) == link_path(old.link)


def _is_renamed(new: Content, post: Post, around: Surroundings) -> bool:
    """A file whose name is gone and whose text came again under another name, in one poll.

    Only a file: a feed shows its newest entries, and one with an old one's words ("Good morning!") is another post.
    """
    if "://" in post.source or around.present is None:
        return False
    return text_hash(new) == text_hash(post.content)
