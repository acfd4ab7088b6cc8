"""What a reader does with the link of a mail: confirm, leave, come back, change preferences.

Nothing here but `find_token` and `preferences` may be called by a GET (DESIGN.md 8.7).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog

from dateline.actions.holding import note_subscription
from dateline.actions.sealing import find_newsletter
from dateline.actions.sign_up import CONFIRM, send_notice
from dateline.press import Press
from newsletter import sign_up_limits, subscribers, subscriptions
from newsletter.counterfoil import What
from newsletter.message import PREFERENCES, UNSUBSCRIBE
from newsletter.subscriptions import Subscription, SubscriptionStatus
from newsletter.suppression import is_suppressed
from posts.database import reading, writing
from posts.text import valid_language

CONFIRM_FOR = timedelta(days=7)
PREFERENCES_FOR = timedelta(days=30)
UNDO_FOR = timedelta(days=30)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionView:
    """A subscription as a page about it needs it. `expired`: the link was good but is too old to act.

    `address` is whole; a page shows it masked (`newsletter.addresses.masked`).
    """

    subscription: int
    subscriber: int
    newsletter: str
    title: str
    frequency: str
    frequencies: tuple[str, ...]
    status: SubscriptionStatus
    address: str
    name: str | None
    language: str
    since: datetime | None
    changed: datetime
    expired: bool = False


def confirm(press: Press, token: str) -> SubscriptionView | None:
    """Makes a pending subscription active; once, within seven days. Called by a POST only.

    None for a token that is not ours, is used up or too old. Somebody who is active already gets the same view again,
    so that pressing twice is no error.
    """
    now = press.clock()
    claim = press.keys.claim(CONFIRM, token)
    if claim is None or now - claim.made > CONFIRM_FOR + timedelta(days=1):
        return None
    with writing(press.engine) as conn:
        found = subscriptions.find_by_id(conn, claim.subject)
        if found is None or found.generation % 256 != claim.generation:
            return None
        if found.status is SubscriptionStatus.PENDING:
            consent = {**(found.consent or {}), "at": now.isoformat()}
            found = subscriptions.activate(
                conn, found, what="confirmed", via="confirm link", now=now, consent=consent
            )
            note_subscription(press, conn, What.BACK, found)
            log.info("subscription confirmed", subscriber=found.subscriber)
        elif found.status is SubscriptionStatus.UNSUBSCRIBED:
            return None
        return _view(press, conn, found)


def unsubscribe_token(press: Press, token: str, via: str) -> SubscriptionView | None:
    """Ends the subscription that a mail's link names; `via` says which way ("one-click", "page"). Idempotent.

    None for a token that is not ours or of an earlier subscription. Works for years (mail.md 7.2).
    """
    with writing(press.engine) as conn:
        found = _claimed(press, conn, UNSUBSCRIBE, token)
        if found is None:
            return None
        if found.status is not SubscriptionStatus.UNSUBSCRIBED:
            found = subscriptions.leave(conn, found, via=via, now=press.clock())
            note_subscription(press, conn, What.LEFT, found)
            log.info("subscription ended", subscriber=found.subscriber, via=via)
        return _view(press, conn, found)


def undo_unsubscribe(press: Press, token: str) -> SubscriptionView | None:
    """Takes leaving back within 30 days, by the same link; None where that is not possible (any more)."""
    now = press.clock()
    with writing(press.engine) as conn:
        found = _claimed(press, conn, UNSUBSCRIBE, token)
        if found is None:
            return None
        if found.status is SubscriptionStatus.UNSUBSCRIBED:
            subscriber = subscribers.get_subscriber(conn, found.subscriber)
            if now - found.changed > UNDO_FOR or is_suppressed(
                conn, press.keys, subscriber.address
            ):
                return None
            found = subscriptions.activate(conn, found, what="came back", via="undo", now=now)
            note_subscription(press, conn, What.BACK, found)
            log.info("subscription restored", subscriber=found.subscriber)
        return _view(press, conn, found)


def find_token(press: Press, token: str, purpose: str) -> SubscriptionView | None:
    """The subscription that a link names, without changing anything: what a GET may show.

    `purpose` is "confirm", "unsubscribe" or "preferences". None for a token that is not ours.
    """
    now = press.clock()
    claim = press.keys.claim(purpose, token)
    with reading(press.engine) as conn:
        found = _claimed(press, conn, purpose, token)
        if found is None or claim is None:
            return None
        bound = {CONFIRM: CONFIRM_FOR, PREFERENCES: PREFERENCES_FOR}.get(purpose)
        expired = bound is not None and now - claim.made > bound + timedelta(days=1)
        return _view(press, conn, found, expired=expired)


def preferences(press: Press, token: str) -> SubscriptionView | None:
    """What a preferences link shows; `expired` where a new one must be asked for (`send_preferences_link`)."""
    return find_token(press, token, PREFERENCES)


def set_preferences(
    press: Press,
    token: str,
    *,
    language: str | None = None,
    name: str | None = None,
    frequency: str | None = None,
    paused: bool | None = None,
) -> SubscriptionView | None:
    """Changes what is given; None for a link that is not ours or is too old. Called by a POST only.

    Raises NotFound for a frequency that the newsletter has not.
    """
    view = preferences(press, token)
    if view is None or view.expired:
        return None
    now = press.clock()
    with writing(press.engine) as conn:
        found = subscriptions.get_subscription(conn, view.subscription)
        reader = subscribers.get_subscriber(conn, found.subscriber)
        subscribers.save_preferences(
            conn,
            reader.id,
            language=valid_language(language or "") or reader.language,
            name=reader.name if name is None else _clean_name(name),
        )
        if frequency is not None:
            found = subscriptions.change_frequency(
                conn, found, frequency, via="preferences", now=now
            )
        if paused is not None:
            step = subscriptions.pause if paused else subscriptions.resume
            before, found = found, step(conn, found, via="preferences", now=now)
            if found.status is not before.status:
                what = What.PAUSED if paused else What.RESUMED
                note_subscription(press, conn, what, found)
        return _view(press, conn, found)


def send_preferences_link(press: Press, token: str) -> None:
    """Mails a fresh preferences link to the reader whose old link has expired; at most one a day."""
    now = press.clock()
    with writing(press.engine) as conn:
        found = _claimed(press, conn, PREFERENCES, token)
        if found is None or found.status is SubscriptionStatus.UNSUBSCRIBED:
            return
        settings = find_newsletter(press, found.newsletter)
        reader = subscribers.get_subscriber(conn, found.subscriber)
        counts = sign_up_limits.count_sign_ups(
            conn, press.keys, address_key=reader.address_key, network="", now=now
        )
        if counts.address_day or is_suppressed(conn, press.keys, reader.address):
            return
        sign_up_limits.record_sign_up(
            conn, press.keys, address_key=reader.address_key, network="", mailed=True, now=now
        )
        send_notice(press, conn, "preferences_link", settings, reader, found, now)


def _claimed(press: Press, conn: sa.Connection, purpose: str, token: str) -> Subscription | None:
    claim = press.keys.claim(purpose, token)
    if claim is None:
        return None
    found = subscriptions.find_by_id(conn, claim.subject)
    if found is None or found.generation % 256 != claim.generation:
        return None
    return found


def _view(
    press: Press, conn: sa.Connection, found: Subscription, *, expired: bool = False
) -> SubscriptionView:
    reader = subscribers.get_subscriber(conn, found.subscriber)
    settings = next((one for one in press.config.newsletters if one.slug == found.newsletter), None)
    return SubscriptionView(
        subscription=found.id,
        subscriber=reader.id,
        newsletter=found.newsletter,
        title=settings.title if settings else found.newsletter,
        frequency=found.frequency,
        frequencies=tuple(settings.frequencies) if settings else (found.frequency,),
        status=found.status,
        address=reader.address,
        name=reader.name,
        language=reader.language,
        since=found.since,
        changed=found.changed,
        expired=expired,
    )


def _clean_name(name: str) -> str | None:
    """A reader's name as a header may carry it: one line, no controls, 100 characters."""
    kept = "".join(character for character in " ".join(name.split()) if character.isprintable())
    return kept[:100] or None
