"""The pages around a subscription: sign up, confirm, leave, preferences. A GET shows, a POST acts (DESIGN.md 8.7).

Rules live in `dateline/actions`. A link that is used up, too old or not ours gets a page like any other, with 200:
nobody learns from it who subscribes, and a reader is told what to do.
"""

from collections.abc import Sequence
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response

from dateline.actions import sign_up as sign_ups
from dateline.actions import subscriber_links
from dateline.actions.subscriber_links import SubscriptionView
from dateline.web.forms import build_form, invitation, language_choices, promise
from dateline.web.paper import Paper
from dateline.web.visit import Visit
from dateline.web.words import LANGUAGES, page_language
from newsletter.addresses import masked
from newsletter.message import PREFERENCES, UNSUBSCRIBE
from newsletter.subscriptions import SubscriptionStatus

_ONE_CLICK = ("List-Unsubscribe", "One-Click")
"""What a mail program posts (RFC 8058 3.1)."""
_ELSEWHERE = "(as the form on that site had it)"
"""Consent keeps the wording as it was shown (mail.md 7.4); another site's may have been edited."""


def sign_up(paper: Paper, visit: Visit) -> Response:
    """`/subscribe`: the form; a POST, from here or from any other site, asks the address by mail.

    The answer is one page for every address, valid or not, known or not.
    """
    newsletters = paper.press.config.newsletters
    if not newsletters:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    language = paper.language(visit)
    if not visit.acts:
        form = build_form(paper, language, chosen=visit.query.get("newsletter"))
        title = invitation(paper, language)
        return paper.answer("subscribe", visit, title=title, language=language, form=form)
    wished = visit.form.get("language", "")
    reader_language = page_language(wished) if wished else language
    chosen = visit.form.get("newsletter", "")
    if paper.newsletter(chosen) is None:
        chosen = newsletters[0].slug
    stamp = visit.form.get("stamp")
    sign_ups.sign_up(
        paper.press,
        address=visit.form.get("address", ""),
        newsletter=chosen,
        language=wished or language,
        network=visit.network,
        form_url=_form_url(paper, visit),
        wording=promise(paper, reader_language) if stamp else _ELSEWHERE,
        honeypot=visit.form.get("website", ""),
        stamp=stamp,
    )
    gettext = paper.words(reader_language).gettext
    return _notice(
        paper,
        visit,
        reader_language,
        gettext("Please look into your mail"),
        gettext("If the address can be mailed, a message is on its way to it. It holds a link."),
        gettext(
            "Only who opens that link and presses the button there is subscribed. "
            "If nothing comes within an hour, look into the folder for spam, or try again tomorrow."
        ),
    )


def _form_url(paper: Paper, visit: Visit) -> str:
    """Where the form stood, as far as the browser says: our own page, or the other site's origin."""
    return visit.origin if visit.origin not in ("", "null") else f"{paper.web_url}/subscribe"


def confirm(paper: Paper, visit: Visit) -> Response:
    """`/confirm/TOKEN`: one button; pressed, it makes the subscription active."""
    token = visit.parts["token"]
    if not visit.acts:
        view = subscriber_links.find_token(paper.press, token, sign_ups.CONFIRM)
        language = _language(paper, visit, view)
        gettext = paper.words(language).gettext
        return _notice(
            paper,
            visit,
            language,
            gettext("One press of a button"),
            *_about(paper, language, view),
            gettext("Press it, and the next issue comes to you by mail."),
            button={"action": visit.path, "fields": [], "text": gettext("Yes, subscribe me")},
        )
    view = subscriber_links.confirm(paper.press, token)
    language = _language(paper, visit, view)
    gettext = paper.words(language).gettext
    if view is None:
        return _notice(
            paper,
            visit,
            language,
            gettext("This link does not work any more"),
            gettext("It may be older than a week, or cut off. Nothing has changed."),
            links=[{"url": "/subscribe", "text": gettext("Ask for a new one")}],
        )
    return _notice(
        paper,
        visit,
        language,
        gettext("You are subscribed"),
        *_about(paper, language, view),
        gettext(
            "Every mail ends with a link to leave, and one to pause or to change the language."
        ),
        links=[{"url": "/", "text": gettext("To the front page")}],
    )


def unsubscribe(paper: Paper, visit: Visit) -> Response:
    """`/u/TOKEN`: one button. The POST of a mail program acts at once and gets plain text (RFC 8058 3.1)."""
    token = visit.parts["token"]
    name, value = _ONE_CLICK
    if visit.acts and visit.form.get(name) == value:
        subscriber_links.unsubscribe_token(paper.press, token, "one-click")
        return PlainTextResponse("Unsubscribed.\n")
    if visit.acts and visit.form.get("act") == "undo":
        return _came_back(paper, visit, subscriber_links.undo_unsubscribe(paper.press, token))
    if visit.acts:
        view = subscriber_links.unsubscribe_token(paper.press, token, "page")
        return _left(paper, visit, view, token)
    view = subscriber_links.find_token(paper.press, token, UNSUBSCRIBE)
    language = _language(paper, visit, view)
    gettext = paper.words(language).gettext
    return _notice(
        paper,
        visit,
        language,
        gettext("Leave?"),
        *_about(paper, language, view),
        gettext("One press, and no further issue comes. There is no question asked."),
        button={"action": visit.path, "fields": [], "text": gettext("Unsubscribe")},
    )


def _left(paper: Paper, visit: Visit, view: SubscriptionView | None, token: str) -> Response:
    language = _language(paper, visit, view)
    gettext = paper.words(language).gettext
    return _notice(
        paper,
        visit,
        language,
        gettext("You are unsubscribed"),
        *_about(paper, language, view),
        gettext("No further issue comes. If that was a slip, take it back here, for 30 days."),
        button={
            "action": f"/u/{token}",
            "fields": [("act", "undo")],
            "text": gettext("Take it back"),
            "quiet": True,
        },
        links=[{"url": "/feeds/", "text": gettext("Read on by feed, without any address")}],
    )


def _came_back(paper: Paper, visit: Visit, view: SubscriptionView | None) -> Response:
    language = _language(paper, visit, view)
    gettext = paper.words(language).gettext
    if view is None:
        return _notice(
            paper,
            visit,
            language,
            gettext("That cannot be taken back any more"),
            gettext("You can subscribe anew at any time."),
            links=[{"url": "/subscribe", "text": gettext("Subscribe")}],
        )
    return _notice(
        paper,
        visit,
        language,
        gettext("You are subscribed again"),
        *_about(paper, language, view),
        gettext("The next issue comes as if nothing had been."),
    )


def preferences(paper: Paper, visit: Visit) -> Response:
    """`/preferences/TOKEN`: language, pause, leave. An old link offers a new one by mail."""
    token = visit.parts["token"]
    view = subscriber_links.preferences(paper.press, token)
    if view is None or view.expired:
        return _old_preferences(paper, visit, view, token)
    if view.status is SubscriptionStatus.UNSUBSCRIBED:
        return _left(paper, visit, view, _leave_token(paper, view, token))
    if not visit.acts:
        return _preferences_page(paper, visit, view)
    if visit.form.get("status") == "leave":
        leave = _leave_token(paper, view, token)
        left = subscriber_links.unsubscribe_token(paper.press, leave, "preferences")
        return _left(paper, visit, left, leave)
    wished = visit.form.get("language", "")
    if wished not in LANGUAGES or wished == page_language(view.language):
        wished = ""  # so that `es-MX` and `fr` stay what they are
    changed = subscriber_links.set_preferences(
        paper.press,
        token,
        language=wished or None,
        paused={"paused": True, "active": False}.get(visit.form.get("status", "")),
    )
    return _preferences_page(paper, visit, changed or view, saved=changed is not None)


def _old_preferences(
    paper: Paper, visit: Visit, view: SubscriptionView | None, token: str
) -> Response:
    language = _language(paper, visit, view)
    gettext = paper.words(language).gettext
    if visit.acts:
        subscriber_links.send_preferences_link(paper.press, token)
        return _notice(
            paper,
            visit,
            language,
            gettext("Please look into your mail"),
            gettext("If this link was once yours, a new one is on its way to your address."),
        )
    return _notice(
        paper,
        visit,
        language,
        gettext("This link is too old"),
        gettext(
            "Settings open only with a link from a recent mail, so that a forwarded mail does not "
            "open them to others for ever. We can send you a new one."
        ),
        button={"action": visit.path, "fields": [], "text": gettext("Send me a new link")},
    )


def _preferences_page(
    paper: Paper, visit: Visit, view: SubscriptionView, *, saved: bool = False
) -> Response:
    language = page_language(view.language)
    gettext = paper.words(language).gettext
    paused = view.status is SubscriptionStatus.PAUSED
    texts = {
        "active": (gettext("Send it to me"), not paused),
        "paused": (gettext("Pause until I come back here"), paused),
        "leave": (gettext("Unsubscribe"), False),
    }
    return paper.answer(
        "preferences",
        visit,
        title=gettext("Your settings"),
        language=language,
        saved=gettext("Saved.") if saved else None,
        state=gettext("{newsletter}, for {address}").format(
            newsletter=view.title, address=masked(view.address)
        ),
        newsletter=view.title,
        languages=language_choices(),
        chosen=language,
        choices=[
            {"value": value, "text": text, "checked": checked}
            for value, (text, checked) in texts.items()
        ],
    )


def _leave_token(paper: Paper, view: SubscriptionView, token: str) -> str:
    """The token to leave with, for who holds the one to the settings: it may do less than that one."""
    claim = paper.press.keys.claim(PREFERENCES, token)
    assert claim is not None  # the view came from it
    return paper.press.keys.token(
        UNSUBSCRIBE, view.subscription, generation=claim.generation, made=paper.now()
    )


def _language(paper: Paper, visit: Visit, view: SubscriptionView | None) -> str:
    return page_language(view.language) if view else paper.language(visit)


def _about(paper: Paper, language: str, view: SubscriptionView | None) -> Sequence[str]:
    """Which newsletter and whose, the address masked: a mail may have been forwarded (mail.md 7.2)."""
    if view is None:
        return ()
    text = paper.words(language).gettext("{newsletter}, for {address}")
    return (text.format(newsletter=view.title, address=masked(view.address)),)


def _notice(
    paper: Paper,
    visit: Visit,
    language: str,
    title: str,
    *paragraphs: str,
    button: dict[str, object] | None = None,
    links: Sequence[dict[str, str]] = (),
) -> Response:
    """A page of a few sentences, with a button or a link at its end."""
    return paper.answer(
        "notice",
        visit,
        title=title,
        language=language,
        paragraphs=paragraphs,
        button={"quiet": False, **button} if button else None,
        links=links,
    )
