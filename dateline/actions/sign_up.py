"""Signing up: asking an address for its consent, by mail, within limits.

What `sign_up` answers is the same for every address, so that nobody learns who subscribes (mail.md 7.1).
"""

import secrets
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
import structlog

from dateline.actions.sealing import find_newsletter
from dateline.press import Press
from newsletter import sign_up_limits, subscribers, subscriptions
from newsletter.addresses import Address, parse_address
from newsletter.headers import domain_of
from newsletter.message import PREFERENCES
from newsletter.notices import queue_notice
from newsletter.notices_render import Kind, notice_message_id, render_notice
from newsletter.spec import NewsletterSettings
from newsletter.subscribers import NewSubscriber, Subscriber
from newsletter.subscriptions import Subscription, SubscriptionStatus
from newsletter.suppression import is_suppressed
from posts.database import writing
from posts.text import valid_language

CONFIRM = "confirm"
FORM_AT_LEAST = timedelta(seconds=3)
FORM_AT_MOST = timedelta(hours=24)

_NOBODY = "nobody@nowhere.invalid"

log = structlog.get_logger()


def form_stamp(press: Press) -> str:
    """A signed time for a hidden field of our own sign-up form: who fills it in within three seconds is a robot."""
    moment = str(int(press.clock().timestamp()))
    return f"{moment}.{press.keys.mac('form', moment.encode()).hex()[:32]}"


def sign_up(
    press: Press,
    *,
    address: str,
    newsletter: str,
    language: str,
    network: str,
    form_url: str,
    wording: str,
    honeypot: str = "",
    stamp: str | None = None,
) -> None:
    """Asks an address for its consent by mail, if the limits allow it. Says nothing and raises nothing about the
    address; raises NotFound for a newsletter that is not there.

    `wording` is what the form said as it was shown, `network` the visitor's host address, `stamp` what `form_stamp`
    gave (None for a form on another site, which has stricter limits). Whatever the address is, the same work is done:
    a mail is rendered, and queued or dropped; it is sent by the delivery program.
    """
    settings = find_newsletter(press, newsletter)
    now = press.clock()
    signed = _stamp_age(press, stamp, now)
    tongue = valid_language(language) or press.config.site.language
    try:
        parsed = parse_address(address)
    except ValueError:
        _pretend(press, settings, tongue, now)
        return
    if honeypot or (signed is not None and signed < FORM_AT_LEAST):
        log.info("sign-up dropped", newsletter=newsletter, why="robot")
        return
    consent = {"method": "form", "form": form_url, "wording": wording, "asked": now.isoformat()}
    on_time = signed is not None and signed <= FORM_AT_MOST
    with writing(press.engine) as conn:
        _ask(
            press,
            conn,
            settings,
            parsed,
            name=None,
            language=tongue,
            consent=consent,
            network=sign_up_limits.network_of(network),
            signed=on_time,
            now=now,
        )


def _pretend(press: Press, settings: NewsletterSettings, language: str, now: datetime) -> None:
    """The work that a good address makes, for one that is none: the answer must not come sooner. It leaves nothing."""
    with writing(press.engine) as conn:
        sign_up_limits.count_sign_ups(
            conn, press.keys, address_key=_NOBODY, network=_NOBODY, now=now
        )
        is_suppressed(conn, press.keys, _NOBODY)
        subscribers.find_subscriber(conn, _NOBODY)
        _render(press, "confirm", settings, _NOBODY, language, "", now)


def ask_by_mail(
    press: Press,
    conn: sa.Connection,
    settings: NewsletterSettings,
    address: Address,
    *,
    name: str | None,
    language: str,
    consent: subscriptions.Consent,
    now: datetime,
) -> bool:
    """Asks an address for consent on an editor's word (`add --ask`); the address's own limits hold. True: mailed."""
    return _ask(
        press,
        conn,
        settings,
        address,
        name=name,
        language=language,
        consent=consent,
        network=None,
        signed=True,
        now=now,
    )


def _ask(
    press: Press,
    conn: sa.Connection,
    settings: NewsletterSettings,
    address: Address,
    *,
    name: str | None,
    language: str,
    consent: subscriptions.Consent,
    network: str | None,
    signed: bool,
    now: datetime,
) -> bool:
    """Decides by the address's state and the limits which mail goes out, if any, and queues it."""
    counts = sign_up_limits.count_sign_ups(
        conn, press.keys, address_key=address.key, network=network or "", now=now
    )
    if network is None:
        counts = sign_up_limits.Counts(
            address_day=counts.address_day,
            address_month=counts.address_month,
            network_hour=0,
            network_day=0,
            domain_hour=0,
            mailed_hour=0,
        )
    allowed = sign_up_limits.may_mail(counts, signed=signed)
    suppressed = is_suppressed(conn, press.keys, address.address)
    mailed = False
    reader = subscribers.find_subscriber(conn, address.key)
    found = subscriptions.find_subscription(conn, reader.id, settings.slug) if reader else None
    known = found is not None and found.status in (
        SubscriptionStatus.ACTIVE,
        SubscriptionStatus.PAUSED,
    )
    if known and reader is not None and found is not None:
        mailed = allowed and not suppressed
        mailed = mailed and not sign_up_limits.was_told_lately(conn, reader.id, "known", now)
        send_notice(press, conn, "known", settings, reader, found, now, drop=not mailed)
    elif allowed and not suppressed:
        new = NewSubscriber(address=address, name=name, language=language)
        subscribers.save_subscribers(conn, [new], now)
        reader = subscribers.find_subscriber(conn, address.key)
        assert reader is not None
        found = subscriptions.ask_consent(
            conn,
            reader.id,
            settings.slug,
            next(iter(settings.frequencies)),
            consent=consent,
            via=consent.get("method", "form"),
            now=now,
        )
        send_notice(press, conn, "confirm", settings, reader, found, now)
        mailed = True
    else:  # the same work as for an address that is mailed, and nothing to show for it
        _render(press, "confirm", settings, address.address, language, "", now)
    sign_up_limits.record_sign_up(
        conn,
        press.keys,
        address_key=address.key,
        network=network or "",
        mailed=mailed,
        now=now,
    )
    return mailed


def send_notice(
    press: Press,
    conn: sa.Connection,
    kind: Kind,
    settings: NewsletterSettings,
    reader: Subscriber,
    subscription: Subscription,
    now: datetime,
    *,
    drop: bool = False,
) -> None:
    """Queues a notice to a reader, its link made for this subscription; `drop` only does the work."""
    purpose = CONFIRM if kind == "confirm" else PREFERENCES
    token = press.keys.token(purpose, subscription.id, generation=subscription.generation, made=now)
    url = f"{press.config.web.url.rstrip('/')}/{purpose}/{token}"
    body = _render(press, kind, settings, reader.address, reader.language, url, now)
    if not drop:
        queue_notice(conn, kind, reader.id, reader.address, body, now)


def _render(
    press: Press,
    kind: Kind,
    settings: NewsletterSettings,
    address: str,
    language: str,
    url: str,
    now: datetime,
) -> bytes:
    config = press.config
    return render_notice(
        kind,
        language=language,
        site=config.site,
        web_url=config.web.url,
        mail=config.mail,
        templates=press.templates,
        values={
            "address": address,
            "newsletter": settings.title,
            "url": url or config.web.url,
            "date": now,
            "message_id": notice_message_id(secrets.token_bytes(20), domain_of(config.mail.from_)),
        },
    )


def _stamp_age(press: Press, stamp: str | None, now: datetime) -> timedelta | None:
    """How long ago a form was shown; None without a stamp of ours."""
    moment, _, mac = (stamp or "").partition(".")
    if not moment.isascii() or not moment.isdigit() or len(moment) > 12:
        return None
    if not secrets.compare_digest(
        mac.encode(), press.keys.mac("form", moment.encode()).hex()[:32].encode()
    ):
        return None
    return now - datetime.fromtimestamp(int(moment), UTC)
