"""An operator makes a key, publishes what it prints, and every mail is signed."""

import json
import os
import stat
import tomllib
from collections.abc import Callable
from pathlib import Path

import dkim
import pytest
from click.testing import CliRunner, Result

from dateline.actions.deliver import deliver, deliver_notices
from dateline.actions.progress import FiguresReader, as_plain
from dateline.actions.release import send_test
from dateline.actions.sign_up import send_notice
from dateline.actions.signing import list_key_faults, load_signing_keys
from dateline.actions.status import status
from dateline.cli.main import dateline
from dateline.config import load_config
from dateline.deliver_lock import DeliverLock
from dateline.press import Press, open_press
from dateline.web.metrics import render_metrics
from newsletter import subscribers, subscriptions
from newsletter.dkim_keys import make_key
from newsletter.tables import notices
from posts.database import reading, writing
from posts.errors import Refused
from tests.actions.mailing import Clock, a_post, a_press, a_released_issue, readers
from tests.newsletter.dkim_keys import verdicts

DOMAIN = "frontera.example"


def keygen(folder: Path, *options: str) -> Result:
    command = ["doctor", "keygen", "--config", str(folder / "config.toml"), *options]
    return CliRunner().invoke(dateline, command)


def made(folder: Path, *options: str) -> dict[str, object]:
    result = keygen(folder, "--json", *options)
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.stdout))


@pytest.fixture
def press(tmp_path: Path) -> Press:
    """A newsroom that mails into a maildir and has no keys yet."""
    return a_press(tmp_path, Clock())


def configured(press: Press, *lines: object) -> Press:
    """The press once these lines were pasted into its config.toml."""
    path = press.folder / "config.toml"
    path.write_text("\n".join([path.read_text("utf-8"), *map(str, lines)]), "utf-8")
    return open_press(load_config(path, {}), press.folder, clock=press.clock)


def test_a_new_key_is_its_owners_alone_and_signs_what_its_record_verifies(press: Press) -> None:
    rsa, ed25519 = made(press.folder), made(press.folder, "--ed25519")
    assert (rsa["selector"], rsa["domain"]) == ("s1", DOMAIN)
    assert ed25519["selector"] == "s2"
    path = press.var / "dkim-s1.pem"
    assert rsa["file"] == str(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    signing = configured(press, rsa["config"], ed25519["config"])
    keys = load_signing_keys(signing)
    assert [key.algorithm for key in keys] == [rsa["algorithm"], ed25519["algorithm"]]
    readers(signing, "ana")
    a_post(signing, "ferry")
    issue = a_released_issue(signing)
    send_test(signing, issue, "editor@example.net")
    assert deliver_notices(signing).notices == 1
    (mail,) = outbox(signing)
    assert verdicts(mail, keys) == [True, True]
    records = {str(one["record"]["name"]): one["record"] for one in (rsa, ed25519)}  # type: ignore[index]
    answers = {f"{name}.": record["value"].encode() for name, record in records.items()}
    whole = dkim.DKIM(mail)
    assert whole.verify(idx=1, dnsfunc=lambda name, timeout=5: answers[name.decode()])


def outbox(press: Press) -> list[bytes]:
    """The mails that were sent, as they are on the wire: a maildir has the lines of this machine."""
    folder = press.var / "outbox" / "new"
    mails = [path.read_bytes() for path in sorted(folder.iterdir())] if folder.exists() else []
    return [mail.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") for mail in mails]


def test_what_readers_get_is_signed_by_every_key(press: Press) -> None:
    rsa, ed25519 = made(press.folder), made(press.folder, "--ed25519")
    signing = configured(press, rsa["config"], ed25519["config"])
    readers(signing, "ana", "o'brien")
    a_post(signing, "ferry")
    a_released_issue(signing)
    assert deliver(signing).sent == 2
    mails = outbox(signing)
    assert len(mails) == 2
    for mail in mails:
        assert verdicts(mail, load_signing_keys(signing)) == [True, True]


def test_nothing_is_sent_while_a_key_cannot_be_used(press: Press) -> None:
    signing = configured(press, made(press.folder)["config"])
    readers(signing, "ana")
    a_post(signing, "ferry")
    a_released_issue(signing)
    (signing.var / "dkim-s1.pem").unlink()
    with pytest.raises(Refused, match="mail cannot be signed"):
        deliver(signing)
    with DeliverLock(signing.var) as lock:  # a daemon, which waits for the key
        assert lock.acquire("the daemon's delivery program")
        with pytest.raises(Refused, match="mail cannot be signed"):
            deliver(signing)
    assert not list(signing.var.glob("outbox/new/*"))


def test_a_notice_waits_for_a_key_and_is_signed_when_it_is_sent(press: Press) -> None:
    signing = configured(press, made(press.folder)["config"])
    path = signing.var / "dkim-s1.pem"
    key = path.read_bytes()
    path.write_bytes(b"no key")
    readers(signing, "ana")
    with writing(signing.engine) as conn:
        reader = subscribers.find_subscriber(conn, "ana@example.net")
        assert reader is not None
        subscription = subscriptions.find_subscription(conn, reader.id, "daily")
        assert subscription is not None
        newsletter = signing.config.newsletters[0]
        send_notice(signing, conn, "known", newsletter, reader, subscription, signing.clock())
    with pytest.raises(Refused, match="mail cannot be signed"):
        deliver_notices(signing)
    assert outbox(signing) == []
    path.write_bytes(key)
    assert deliver_notices(signing).notices == 1
    (mail,) = outbox(signing)
    assert verdicts(mail, load_signing_keys(signing)) == [True]
    assert f" t={int(signing.clock().timestamp())};".encode() in mail


def test_the_record_is_printed_in_strings_of_255_and_the_lines_are_toml(press: Press) -> None:
    result = keygen(press.folder, "--selector", "winter")
    assert result.exit_code == 0
    zone = next(line for line in result.stdout.splitlines() if " IN TXT " in line)
    strings = zone.split('"')[1::2]
    assert zone.startswith(f'winter._domainkey.{DOMAIN}. IN TXT ( "v=DKIM1; k=rsa; p=')
    assert max(len(string) for string in strings) == 255
    assert "".join(strings) in result.stdout.splitlines()
    pasted = tomllib.loads(result.stdout[result.stdout.index("[[mail.dkim]]") :])
    assert pasted["mail"]["dkim"] == [
        {"domain": DOMAIN, "selector": "winter", "key_file": "var/dkim-winter.pem"}
    ]


def test_a_key_is_never_overwritten(press: Press) -> None:
    made(press.folder)
    before = (press.var / "dkim-s1.pem").read_bytes()
    result = keygen(press.folder)
    assert isinstance(result.exception, Refused)
    assert "never overwritten" in str(result.exception)
    assert (press.var / "dkim-s1.pem").read_bytes() == before


def test_without_a_configuration_domain_and_file_are_enough(tmp_path: Path) -> None:
    output = tmp_path / "keys" / 'a "key".pem'
    one = made(tmp_path, "--domain", "España.example", "--output", str(output))
    assert one["domain"] == "xn--espaa-rta.example"
    pasted = tomllib.loads(str(one["config"]))["mail"]["dkim"][0]
    assert pasted["key_file"] == str(output)
    assert b"PRIVATE KEY" in output.read_bytes()


@pytest.mark.parametrize("selector", ["a b", "", "x._domainkey", "-a", "é"])
def test_a_selector_that_is_none_is_refused(press: Press, selector: str) -> None:
    assert keygen(press.folder, "--selector", selector).exit_code == 2
    assert not list(press.var.glob("dkim*"))


def test_a_domain_that_is_none_is_refused_and_nothing_is_written(press: Press) -> None:
    result = keygen(press.folder, "--domain", "not a domain")
    assert result.exit_code == 1
    assert not list(press.var.glob("dkim*"))


def test_the_doctor_says_what_there_is() -> None:
    assert "keygen" in CliRunner().invoke(dateline, ["doctor"]).output


def test_a_key_that_was_replaced_is_read_again(press: Press) -> None:
    signing = configured(press, made(press.folder)["config"])
    (first,) = load_signing_keys(signing)
    assert load_signing_keys(signing) == (first,)
    (signing.var / "dkim-s1.pem").write_bytes(make_key(ed25519=True))
    (second,) = load_signing_keys(signing)
    assert second.algorithm == "ed25519-sha256"


def test_a_key_that_cannot_be_used_is_named_and_no_test_is_written(press: Press) -> None:
    signing = configured(press, made(press.folder)["config"])
    (signing.var / "dkim-s1.pem").write_bytes(b"no key")
    with pytest.raises(
        Refused, match=r"mail cannot be signed: .*dkim-s1.pem: is not a private key"
    ):
        load_signing_keys(signing)
    a_post(signing, "ferry")
    readers(signing, "ana")
    issue = a_released_issue(signing)
    with pytest.raises(Refused, match="mail cannot be signed"):
        send_test(signing, issue, "editor@example.net")
    with reading(signing.engine) as conn:
        assert conn.execute(notices.select()).all() == []
    assert any("mail cannot be signed" in need for need in status(signing).needs)
    figures = FiguresReader(signing).read()
    assert "mail cannot be signed" in str(as_plain(figures)["trouble"])
    assert b"dateline_held_up 1.0" in render_metrics(figures)[0]


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def a_large_file(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(10**12)


@pytest.mark.parametrize("make", [Path.mkdir, a_pipe, a_device, a_large_file])
def test_what_is_no_file_with_a_key_is_refused_unread(
    press: Press, make: Callable[[Path], None]
) -> None:
    signing = configured(press, made(press.folder)["config"])
    path = signing.var / "dkim-s1.pem"
    path.unlink()
    make(path)
    (fault,) = list_key_faults(signing)
    assert (fault.setting, fault.what.partition(". ")[0]) == (
        "key_file",
        f"{path}: is not a file with a key in it",
    )


def test_two_keys_under_one_name_sign_nothing(press: Press) -> None:
    lines = made(press.folder)["config"]
    with pytest.raises(Refused, match='"s1" of frontera'):
        load_signing_keys(configured(press, lines, lines))


def test_a_domain_that_is_none_is_named_once(press: Press) -> None:
    lines = str(made(press.folder)["config"]).replace(DOMAIN, "exa mple")
    faults = list_key_faults(configured(press, lines))
    assert [(fault.setting, "is no domain" in fault.what) for fault in faults] == [("domain", True)]
