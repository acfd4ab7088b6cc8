"""`explain`: what a reader got, will get and did not get, and why, in sentences (DESIGN.md 3)."""

import sqlalchemy as sa

from dateline.actions.sealing import find_newsletter
from dateline.press import Press
from newsletter import frequencies, subscribers, subscriptions, suppression
from newsletter.addresses import parse_address
from newsletter.explain import Frame, explain_post, explain_reader
from newsletter.facts import ReaderFacts, get_post_facts, get_reader_facts
from newsletter.subscriptions import Subscription
from posts import store
from posts.database import reading
from posts.errors import NotFound, Refused
from posts.model import Post


def explain(press: Press, address: str, post: str | None = None) -> list[str]:
    """Sentences about one reader: of one post (its guid, link, path or row id), or of all that he had lately.

    Raises Refused for an address that is none, NotFound for a post that is not there.
    """
    try:
        parsed = parse_address(address)
    except ValueError as error:
        raise Refused(f"the address {error}", remedy="Write it as reader@example.org.") from error
    with reading(press.engine) as conn:
        found_post = _find_post(conn, post) if post is not None else None
        reader = subscribers.find_subscriber(conn, parsed.key)
        if reader is None:
            return [_unknown(press, conn, parsed.address)]
        lines: list[str] = []
        for subscription in subscriptions.list_subscriptions(conn, reader.id):
            facts = get_reader_facts(
                conn,
                press.keys,
                subscription,
                address=reader.address,
                language=reader.language,
            )
            lines += _explain_one(press, conn, facts, subscription, found_post)
        return lines or ["This reader subscribes to nothing."]


def _explain_one(
    press: Press,
    conn: sa.Connection,
    facts: ReaderFacts,
    subscription: Subscription,
    post: Post | None,
) -> list[str]:
    try:
        newsletter = find_newsletter(press, subscription.newsletter)
    except NotFound:
        return [f"{subscription.newsletter} is not configured any more; nothing comes of it."]
    frame = Frame(newsletter=newsletter, zone=press.config.site.zone, now=press.clock())
    if post is None:
        return explain_reader(facts, frame)
    about = get_post_facts(conn, post, subscription.newsletter)
    return [answer.sentence for answer in explain_post(facts, about, frame)]


def _unknown(press: Press, conn: sa.Connection, address: str) -> str:
    if suppression.is_suppressed(conn, press.keys, address):
        return "Nobody subscribes with that address, and it is suppressed: it is never mailed."
    if not frequencies.list_frequencies(conn):
        return "Nobody subscribes with that address; no newsletter has begun yet."
    return "Nobody subscribes with that address, so nothing is sent to it."


def _find_post(conn: sa.Connection, name: str) -> Post:
    found = (
        store.find_post(conn, name)
        or store.find_by_link(conn, name)
        or store.find_by_path(conn, name)
        or store.find_by_slug(conn, name)
        or (store.find_by_id(conn, int(name)) if name.isascii() and name.isdigit() else None)
    )
    if found is None:
        raise NotFound(
            f'there is no post "{name}"',
            remedy="Name it by its id, its link or its slug; `posts list` shows them.",
        )
    return found
