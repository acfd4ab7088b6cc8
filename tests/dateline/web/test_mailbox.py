"""The demo's mailbox, and that nobody else has one."""

from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.dateline.web.arrange import a_press, a_visitor


def a_mail(folder: Path, name: str, *, to: str = "ana@example.org", subject: str = "News") -> None:
    """A mail of two parts in a maildir's `new`."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "n@example.org", to, subject
    message.set_content("The text part, ñ.")
    message.add_alternative(
        '<html><head></head><body><a href="https://press.example/u/x">leave</a>'
        "<script>document.title = 'ran'</script></body></html>",
        subtype="html",
    )
    (folder / "new").mkdir(parents=True, exist_ok=True)
    (folder / "new" / name).write_bytes(message.as_bytes())


def test_every_mail_is_listed_and_can_be_read(tmp_path: Path) -> None:
    outbox = tmp_path / "var" / "outbox"
    a_mail(outbox, "1.a.dateline", subject="Señal <b>")
    a_mail(outbox, "2.b.dateline", to="eva@example.org")
    visitor = a_visitor(a_press(tmp_path), mailbox=outbox)
    page = visitor.get("/mailbox/").text
    assert "2 mails" in page
    assert "Señal &lt;b&gt;" in page
    mail = visitor.get("/mailbox/1.a.dateline/").text
    assert "The text part, ñ." in mail
    assert 'src="/mailbox/1.a.dateline/html"' in mail


def test_mails_are_found_by_a_part_of_address_or_subject(tmp_path: Path) -> None:
    outbox = tmp_path / "var" / "outbox"
    a_mail(outbox, "1", to="ana@example.org")
    a_mail(outbox, "2", to="eva@example.org", subject="Puente")
    visitor = a_visitor(a_press(tmp_path), mailbox=outbox)
    for wanted in ("EVA@", "puente"):
        page = visitor.get("/mailbox/", params={"q": wanted}).text
        assert "eva@example.org" in page
        assert "ana@example.org" not in page


def test_the_html_of_a_mail_is_shown_where_it_can_run_nothing(tmp_path: Path) -> None:
    outbox = tmp_path / "var" / "outbox"
    a_mail(outbox, "1")
    answer = a_visitor(a_press(tmp_path), mailbox=outbox).get("/mailbox/1/html")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    assert "allow-scripts" not in policy
    assert "allow-same-origin" not in policy
    assert '<base target="_top">' in answer.text


@pytest.mark.parametrize(
    "name", ["%2e%2e", "%2e%2e%2f%2e%2e%2fsecret", ".hidden", "nothing", "a%00b"]
)
def test_a_name_that_is_no_mail_leads_nowhere(tmp_path: Path, name: str) -> None:
    outbox = tmp_path / "var" / "outbox"
    a_mail(outbox, "1")
    (outbox / "new" / ".hidden").write_text("x")
    visitor = a_visitor(a_press(tmp_path), mailbox=outbox)
    assert visitor.get(f"/mailbox/{name}/").status_code == 404


def test_a_real_site_has_no_mailbox(tmp_path: Path) -> None:
    a_mail(tmp_path / "var" / "outbox", "1")
    visitor = a_visitor(a_press(tmp_path))
    assert visitor.get("/mailbox/").status_code == 404
    assert visitor.get("/mailbox/1/html").status_code == 404
    assert "/mailbox/" not in visitor.get("/").text
