"""`dateline/actions/relay.py`: nothing goes to a relay elsewhere that would do harm there, and it is said why."""

from pathlib import Path

import pytest

from dateline.actions.deliver import deliver
from dateline.actions.relay import (
    is_local,
    leads_nowhere,
    refuse_dead_links,
    refuse_open_talk,
)
from dateline.config import Config
from dateline.press import Press, open_press
from posts.errors import Refused


def a_press(folder: Path, *, url: str = "https://press.frontera.net", **mail: object) -> Press:
    """Settings as a file would give them; refusals of the configuration itself are passed by."""
    config = Config.model_validate(
        {
            "site": {"title": "G", "url": "https://g.example"},
            "web": {"url": url},
            "mail": {"from": "n@g.example", "transport": "smtp", **mail},
        }
    )
    return open_press(config, folder)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8000",
        "http://[::1]:8000",
        "http://localhost:8000",
        "http://press.localhost",
        "http://0.0.0.0",
        "https://example.org",
        "https://press.example.com",
        "https://frontera.example",
        "https://frontera.test",
    ],
)
def test_nothing_goes_to_a_relay_elsewhere_while_the_links_lead_nowhere(
    tmp_path: Path, url: str
) -> None:
    press = a_press(tmp_path, url=url, host="smtp.relay.net")
    with pytest.raises(Refused, match="links to unsubscribe") as refused:
        refuse_dead_links(press)
    assert refused.value.where == "[web] url"
    with pytest.raises(Refused, match="links to unsubscribe"):
        deliver(press)


@pytest.mark.parametrize(
    ("url", "mail"),
    [
        pytest.param("https://news.frontera.net", {"host": "smtp.relay.net"}, id="real links"),
        pytest.param("http://localhost:8000", {"host": "127.0.0.1"}, id="a relay of our own"),
        pytest.param("http://localhost:8000", {"transport": "maildir"}, id="a maildir"),
    ],
)
def test_else_it_goes(tmp_path: Path, url: str, mail: dict[str, object]) -> None:
    refuse_dead_links(a_press(tmp_path, url=url, **mail))


def test_a_name_that_only_looks_like_nobodys_is_somebodys() -> None:
    assert not leads_nowhere("https://myexample.org")
    assert not leads_nowhere("https://localhost.frontera.net")
    assert leads_nowhere("https://Example.ORG./path")


def test_open_talk_to_a_relay_elsewhere_is_refused(tmp_path: Path) -> None:
    mail = a_press(tmp_path).config.mail.model_copy(
        update={"tls": "none", "host": "smtp.relay.net"}
    )
    press = _with_mail(tmp_path, mail)
    with pytest.raises(Refused, match="starttls") as refused:
        refuse_open_talk(press)
    assert refused.value.where == "[mail] tls"


def test_a_further_relay_is_asked_the_same(tmp_path: Path) -> None:
    second = {"host": "smtp2.relay.net", "port": 25, "tls": "none"}
    press = a_press(tmp_path, url="https://example.org", host="127.0.0.1", relays=[second])
    with pytest.raises(Refused, match="links to unsubscribe"):
        refuse_dead_links(press)
    with pytest.raises(Refused, match=r"smtp2\.relay\.net") as refused:
        refuse_open_talk(press)
    assert refused.value.where == "[[mail.relays]] tls"


def test_a_password_never_goes_out_without_tls(tmp_path: Path) -> None:
    mail = a_press(tmp_path).config.mail.model_copy(
        update={"tls": "none", "host": "127.0.0.1", "username": "gazette"}
    )
    press = _with_mail(tmp_path, mail)
    with pytest.raises(Refused, match="without TLS"):
        refuse_open_talk(press)


@pytest.mark.parametrize(
    "update",
    [
        pytest.param({"tls": "none", "host": "127.0.0.1"}, id="this machine"),
        pytest.param({"tls": "starttls", "host": "smtp.relay.net", "username": "g"}, id="TLS"),
        pytest.param({"transport": "maildir", "tls": "none", "host": "x.net"}, id="no wire"),
    ],
)
def test_else_it_may_talk(tmp_path: Path, update: dict[str, object]) -> None:
    refuse_open_talk(_with_mail(tmp_path, a_press(tmp_path).config.mail.model_copy(update=update)))


def test_names_of_this_machine() -> None:
    assert all(is_local(name) for name in ("localhost", "127.0.0.9", "::1", "[::1]", "Localhost."))
    assert not any(is_local(name) for name in ("10.0.0.1", "smtp.relay.net", "localhost.net"))


def _with_mail(folder: Path, mail: object) -> Press:
    press = a_press(folder)
    return open_press(press.config.model_copy(update={"mail": mail}), folder)
