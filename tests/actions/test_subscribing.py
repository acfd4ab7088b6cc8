"""A reader signs up, confirms, changes settings, leaves and comes back: over HTTP, with the links of real mails."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from html import unescape
from pathlib import Path

import pytest
import sqlalchemy as sa
from jinja2 import BaseLoader, Environment
from starlette.testclient import TestClient

from dateline.press import Press
from dateline.web.visit import Visit
from newsletter import subscriptions
from newsletter.subscriptions import Subscription
from newsletter.tables import notices, subscribers, subscription_changes
from newsletter.tables import subscriptions as subscription_rows
from posts.database import reading
from tests.dateline.web.arrange import WEB, a_press, a_visitor

READER = "lupe@example.org"


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 9, 15, 14, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The press's clock."""
    return Clock()


@pytest.fixture
def press(tmp_path: Path, clock: Clock) -> Press:
    """A press with one newsletter and no reader."""
    from dataclasses import replace

    return replace(a_press(tmp_path), clock=clock)


@pytest.fixture
def visitor(press: Press) -> TestClient:
    """A browser without JavaScript."""
    return a_visitor(press)


def mails(press: Press) -> list[tuple[str, str, str]]:
    """What was mailed outside issues: kind, recipient, text."""
    with reading(press.engine) as conn:
        rows = conn.execute(
            sa.select(notices.c.kind, notices.c.recipient, notices.c.body).order_by(notices.c.id)
        ).all()
    found = []
    for kind, recipient, body in rows:
        part = message_from_bytes(body, policy=policy.default).get_body(("plain",))
        assert part is not None
        found.append((kind, recipient, part.get_content()))
    return found


def link(text: str, purpose: str) -> str:
    """The path of the link in a mail."""
    match = re.search(rf"{WEB}(/{purpose}/\S+)", text)
    assert match, text
    return match[1]


def only_subscription(press: Press) -> Subscription:
    """The one subscription that there is."""
    with reading(press.engine) as conn:
        (row,) = conn.execute(sa.select(subscription_rows.c.id)).all()
        return subscriptions.get_subscription(conn, row.id)


def everything(press: Press) -> list[object]:
    """All rows about readers, to see whether something changed."""
    tables = (subscribers, subscription_rows, subscription_changes, notices)
    with reading(press.engine) as conn:
        return [conn.execute(sa.select(table)).all() for table in tables]


def languages(press: Press) -> list[str]:
    """The language of every reader."""
    with reading(press.engine) as conn:
        return list(conn.execute(sa.select(subscribers.c.language)).scalars())


def sign_up(visitor: TestClient, address: str = READER, **fields: str) -> str:
    """Fills in the form as a form on another site would, and gives the answer's text."""
    answer = visitor.post("/subscribe", data={"address": address, "newsletter": "daily", **fields})
    assert answer.status_code == 200
    return answer.text


def confirmed(press: Press, visitor: TestClient, **fields: str) -> Subscription:
    """A reader who signed up and pressed the button."""
    sign_up(visitor, **fields)
    visitor.post(link(mails(press)[-1][2], "confirm"))
    return only_subscription(press)


def unsubscribe_path(press: Press, subscription: Subscription) -> str:
    """The link at the end of every issue."""
    made = press.clock()
    token = press.keys.token(
        "unsubscribe", subscription.id, generation=subscription.generation, made=made
    )
    return f"/u/{token}"


def preferences_path(press: Press, subscription: Subscription) -> str:
    """The other link at the end of every issue."""
    made = press.clock()
    token = press.keys.token(
        "preferences", subscription.id, generation=subscription.generation, made=made
    )
    return f"/preferences/{token}"


def test_a_reader_subscribes_by_form_mail_and_button(press: Press, visitor: TestClient) -> None:
    assert "look into your mail" in sign_up(visitor)
    assert only_subscription(press).status == "pending"
    ((kind, recipient, text),) = mails(press)
    assert (kind, recipient) == ("confirm", READER)
    path = link(text, "confirm")
    page = visitor.get(path).text
    assert f'<form method="post" action="{path}">' in page
    assert "You are subscribed" in visitor.post(path).text
    subscription = only_subscription(press)
    assert subscription.status == "active"
    consent = subscription.consent or {}
    assert consent["form"] == f"{WEB}/subscribe"
    assert consent["method"] == "form"


def test_a_form_pasted_into_another_site_works_and_consent_says_where_it_stood(
    press: Press, visitor: TestClient
) -> None:
    visitor.post(
        "/subscribe", data={"address": READER}, headers={"Origin": "https://elsewhere.example"}
    )
    assert (only_subscription(press).consent or {})["form"] == "https://elsewhere.example"


def test_our_own_form_carries_a_stamp_and_works_after_a_few_seconds(
    press: Press, visitor: TestClient, clock: Clock
) -> None:
    page = visitor.get("/subscribe").text
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))
    clock.now += timedelta(seconds=20)
    visitor.post("/subscribe", data={"address": READER, **fields})
    assert [recipient for _, recipient, _ in mails(press)] == [READER]
    wording = (only_subscription(press).consent or {})["wording"]
    assert str(wording) in unescape(page)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"address": "not an address"}, id="invalid"),
        pytest.param({"address": ""}, id="empty"),
        pytest.param({"address": "a@example.org\r\nBcc: b@example.org"}, id="a line break"),
        pytest.param({"address": "new@example.org"}, id="new"),
        pytest.param({"address": READER}, id="already subscribed"),
        pytest.param({"address": "gone@example.org"}, id="suppressed"),
        pytest.param({"address": "x@example.org", "website": "http://spam"}, id="a robot"),
        pytest.param(
            {"address": "y@example.org", "newsletter": "nothing"}, id="no such newsletter"
        ),
        pytest.param({"address": "z@example.org", "stamp": "1.forged"}, id="a forged stamp"),
    ],
)
def test_every_address_gets_the_same_page(
    press: Press, visitor: TestClient, fields: dict[str, str]
) -> None:
    from newsletter.suppression import suppress
    from posts.database import writing

    confirmed(press, visitor)
    with writing(press.engine) as conn:
        suppress(conn, press.keys, "gone@example.org", "manual", "", press.clock())
    reference = sign_up(visitor, "somebody@example.org")
    answer = visitor.post("/subscribe", data={"newsletter": "daily", **fields})
    assert answer.status_code == 200
    assert answer.text == reference
    assert not any("Bcc" in text or "gone@" in to for _, to, text in mails(press))


@pytest.mark.parametrize("address", ["not an address", READER, "new@example.org"])
def test_a_mail_is_rendered_for_every_address_so_that_no_answer_comes_sooner(
    press: Press, visitor: TestClient, address: str
) -> None:
    confirmed(press, visitor)
    rendered: list[str | None] = []
    source = press.templates.loader
    assert source is not None
    press.templates.cache = None  # so that each rendering reads its template again

    class Watching(BaseLoader):
        def get_source(
            self, environment: Environment, template: str
        ) -> tuple[str, str | None, Callable[[], bool] | None]:
            rendered.append(template)
            return source.get_source(environment, template)

    press.templates.loader = Watching()
    sign_up(visitor, address)
    assert any(str(name).startswith("mail/notice_") for name in rendered)


def test_a_spanish_reader_is_answered_in_spanish_from_then_on(
    press: Press, visitor: TestClient
) -> None:
    assert "Revisa tu correo" in sign_up(visitor, language="es")
    path = link(mails(press)[-1][2], "confirm")
    page = visitor.get(path).text
    assert '<html lang="es"' in page
    assert "Suscripción confirmada" in visitor.post(path).text
    path = unsubscribe_path(press, only_subscription(press))
    assert "¿Darte de baja?" in visitor.get(path).text


def test_a_get_or_head_of_any_link_in_a_mail_changes_nothing(
    press: Press, visitor: TestClient, clock: Clock
) -> None:
    sign_up(visitor)
    confirm_path = link(mails(press)[-1][2], "confirm")
    pending = everything(press)
    for method in ("GET", "HEAD", "OPTIONS"):
        visitor.request(method, confirm_path)
    assert everything(press) == pending
    visitor.post(confirm_path)
    active = everything(press)
    subscription = only_subscription(press)
    for path in (
        confirm_path,
        unsubscribe_path(press, subscription),
        preferences_path(press, subscription),
    ):
        for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE"):
            visitor.request(method, path, params={"List-Unsubscribe": "One-Click", "act": "undo"})
    clock.now += timedelta(days=60)
    visitor.get(preferences_path(press, subscription))
    assert everything(press) == active


@pytest.mark.parametrize("as_files", [False, True], ids=["urlencoded", "multipart"])
def test_rfc8058_3_1_a_one_click_post_acts_at_once_without_a_page(
    press: Press, visitor: TestClient, as_files: bool
) -> None:
    path = unsubscribe_path(press, confirmed(press, visitor))
    body = {"List-Unsubscribe": "One-Click"}
    if as_files:
        answer = visitor.post(path, files={name: (None, value) for name, value in body.items()})
    else:
        answer = visitor.post(path, data=body)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert not answer.history
    assert only_subscription(press).status == "unsubscribed"
    assert visitor.post(path, data=body).status_code == 200


def test_the_button_leaves_and_the_done_page_takes_it_back(
    press: Press, visitor: TestClient
) -> None:
    path = unsubscribe_path(press, confirmed(press, visitor))
    assert "l***@example.org" in visitor.get(path).text
    assert READER not in visitor.get(path).text
    done = visitor.post(path).text
    assert only_subscription(press).status == "unsubscribed"
    assert '<input type="hidden" name="act" value="undo">' in done
    assert "subscribed again" in visitor.post(path, data={"act": "undo"}).text
    assert only_subscription(press).status == "active"


def test_a_link_of_an_earlier_subscription_ends_no_later_one(
    press: Press, visitor: TestClient, clock: Clock
) -> None:
    old = unsubscribe_path(press, confirmed(press, visitor))
    visitor.post(old)
    clock.now += timedelta(days=40)
    subscription = confirmed(press, visitor)
    assert subscription.status == "active"
    visitor.post(old, data={"List-Unsubscribe": "One-Click"})
    assert only_subscription(press).status == "active"


def test_settings_change_language_pause_and_leave(press: Press, visitor: TestClient) -> None:
    subscription = confirmed(press, visitor)
    path = preferences_path(press, subscription)
    assert READER not in visitor.get(path).text
    page = visitor.post(path, data={"language": "es", "status": "paused"}).text
    assert "Guardado" in page
    assert only_subscription(press).status == "paused"
    visitor.post(path, data={"language": "es", "status": "active"})
    assert only_subscription(press).status == "active"
    page = visitor.post(path, data={"status": "leave"}).text
    assert only_subscription(press).status == "unsubscribed"
    undo = re.search(r'action="(/u/[^"]+)"', page)
    assert undo
    visitor.post(undo[1], data={"act": "undo"})
    assert only_subscription(press).status == "active"


def test_saving_settings_keeps_a_language_that_pages_do_not_speak(
    press: Press, visitor: TestClient
) -> None:
    path = preferences_path(press, confirmed(press, visitor, language="es-MX"))
    visitor.post(path, data={"language": "es", "status": "active"})
    assert languages(press) == ["es-MX"]
    visitor.post(path, data={"language": "en", "status": "active"})
    assert languages(press) == ["en"]


def test_an_old_link_to_the_settings_opens_nothing_but_mails_a_new_one(
    press: Press, visitor: TestClient, clock: Clock
) -> None:
    subscription = confirmed(press, visitor)
    path = preferences_path(press, subscription)
    clock.now += timedelta(days=60)
    assert "too old" in visitor.get(path).text
    visitor.post(path, data={"status": "leave"})
    assert only_subscription(press).status == "active"
    kind, recipient, text = mails(press)[-1]
    assert (kind, recipient) == ("preferences_link", READER)
    assert "Your settings" in visitor.get(link(text, "preferences")).text


@pytest.mark.parametrize("purpose", ["confirm", "u", "preferences"])
@pytest.mark.parametrize("token", ["x", "A" * 34, "%00%ff", "é", "a" * 3000])
def test_a_link_that_is_not_ours_gets_a_page_like_any_other(
    press: Press, visitor: TestClient, purpose: str, token: str
) -> None:
    for answer in (visitor.get(f"/{purpose}/{token}"), visitor.post(f"/{purpose}/{token}")):
        assert answer.status_code == 200
        assert "<h1>" in answer.text


def test_a_token_of_one_purpose_does_not_open_another(press: Press, visitor: TestClient) -> None:
    subscription = confirmed(press, visitor)
    token = unsubscribe_path(press, subscription).removeprefix("/u/")
    visitor.post(f"/preferences/{token}", data={"status": "paused"})
    assert only_subscription(press).status == "active"


def test_a_body_that_is_too_large_or_broken_is_refused(visitor: TestClient) -> None:
    assert visitor.post("/subscribe", data={"address": "a" * 20_000}).status_code == 413
    broken = visitor.post(
        "/subscribe", content=b"x", headers={"Content-Type": "multipart/form-data"}
    )
    assert broken.status_code == 400
    many = {f"field{number}": "x" for number in range(100)}
    assert (
        visitor.post("/subscribe", files={n: (None, v) for n, v in many.items()}).status_code == 400
    )


def test_a_visit_shows_no_address_when_it_is_printed() -> None:
    visit = Visit(
        method="POST",
        path="/subscribe",
        parts={},
        query={},
        form={"address": READER},
        accept_language="",
        network="192.0.2.7",
        origin="",
    )
    assert READER not in repr(visit)
    assert "192.0.2.7" not in repr(visit)
