"""What a newsroom tells its readers about a post in a sentence: a correction's note, a withdrawal's reason. Pure."""

from posts.errors import Refused
from posts.model import Post, Status
from posts.text import one_line

LONGEST_NOTE = 1000
"""A note is a sentence or two; what is longer belongs into the post."""

GONE_AT_SOURCE = "It is no longer at its source."
"""What readers are told of a post that no person took back (its file is gone, or a draft again)."""


def clean_note(text: str, what: str) -> str:
    """`text` as plain text in one line, safe to print beside text of either direction; raises Refused.

    `what` names it in the error ("The note of a correction"). It is refused, never cut: half a correction says another
    thing.
    """
    note = one_line(text)
    if not note:
        raise Refused(f"{what} is empty", remedy="Say in a sentence what was wrong, for readers.")
    if len(note) > LONGEST_NOTE:
        raise Refused(
            f"{what} has {len(note):,} characters; {LONGEST_NOTE:,} is the most",
            remedy="Say it in a sentence or two; what is longer belongs into the post itself.",
        )
    return note


def public_reason(post: Post) -> str | None:
    """What readers are told of why `post` was withdrawn, in feeds and on its page; None where nobody said why.

    What a hand gave as reason is written for readers. What a source did is ours to word: the stored words of it are
    for the editors.
    """
    if post.status is not Status.WITHDRAWN:
        return None
    return GONE_AT_SOURCE if post.withdrawn_by == "source" else post.withdrawal_reason
