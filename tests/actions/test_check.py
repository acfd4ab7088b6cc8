"""An operator looks for faults: `dateline check` names every one with its place."""

import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from dateline.cli.main import dateline
from tests.newsletter.dkim_keys import a_pem

CONFIG = """\
[site]
title = "Gazette"
url = "https://example.org"
templates = "mine"

[[sources]]
kind = "folder"
location = "content"

[[newsletters]]
slug = "daily"
title = "Daily"
schedule = "0 18 * * *"

[mail]
from = "news@example.org"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A newsroom's folder with nothing wrong in it."""
    (tmp_path / "config.toml").write_text(CONFIG, "utf-8")
    (tmp_path / "content").mkdir()
    (tmp_path / "mine/mail").mkdir(parents=True)
    return tmp_path


def _checked(folder: Path) -> Result:
    return CliRunner().invoke(dateline, ["check", "--config", str(folder / "config.toml")])


def _faults(folder: Path) -> list[str]:
    result = _checked(folder)
    assert result.exit_code == 1, result.output
    return [line.strip() for line in result.output.splitlines() if line.startswith("  ")]


def test_a_sound_newsroom_has_no_faults(folder: Path) -> None:
    result = _checked(folder)
    assert result.exit_code == 0, result.output
    assert result.output.count("fine") == 6


def test_a_template_with_an_error_is_named_with_file_and_line(folder: Path) -> None:
    (folder / "mine/mail/digest.html.j2").write_text("<p>\n{% if %}\n", "utf-8")
    [fault] = _faults(folder)
    assert fault.startswith(f"{folder}/mine/mail/digest.html.j2:2: ")
    assert "templates: 1 fault\n" in _checked(folder).output


def test_a_feed_on_disk_that_does_not_parse_is_named(folder: Path) -> None:
    (folder / "public/feeds").mkdir(parents=True)
    (folder / "public/feeds/all.atom").write_bytes(b"<feed><title>cut off")
    (folder / "public/feeds/all.json").write_bytes(b'{"version": "2"}')
    broken, strange = _faults(folder)
    assert broken.startswith(f"{folder}/public/feeds/all.atom: is not well formed")
    assert strange == f"{folder}/public/feeds/all.json: is no JSON Feed."


def test_what_settings_name_and_is_not_there_is_told_with_the_line(folder: Path) -> None:
    config = folder / "config.toml"
    text = CONFIG.replace('"content"', '"contents"').replace(
        'title = "Daily"', 'title = "Daily"\nsubject = "{{ lead"\ntemplate = "nobodys"'
    )
    config.write_text(text + 'password_file = "nowhere"\nusername = "u"\n', "utf-8")
    places = [fault.split(" ")[0] + fault.split(" ")[1] for fault in _faults(folder)]
    assert places == [
        f"{config}:19:mail.password_file",
        f"{config}:8:sources.location",
        f"{config}:13:newsletters.subject",
        f"{config}:14:newsletters.template",
    ]


def test_a_newer_database_is_told_and_the_rest_is_checked_all_the_same(folder: Path) -> None:
    assert _checked(folder).exit_code == 0
    with sqlite3.connect(folder / "var/dateline.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    (folder / "mine/mail/digest.html.j2").write_text("{{", "utf-8")
    template, database_fault = _faults(folder)
    assert "digest.html.j2:1" in template
    assert "version 9999" in database_fault


def test_a_damaged_database_is_told(folder: Path) -> None:
    assert _checked(folder).exit_code == 0
    path = folder / "var/dateline.db"
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA foreign_keys = OFF")
        database.execute("INSERT INTO post_labels (post, kind, name) VALUES (99, 'tag', 'x')")
    [fault] = _faults(folder)
    assert fault == f"sqlite:///{path}: a row of post_labels points at no row of posts"


def test_a_sources_fault_is_told_with_file_and_line(folder: Path) -> None:
    (folder / "content/bad.md").write_text("---\ntitle: [\n---\nText.", "utf-8")
    (folder / "content/good.md").write_text("---\ntitle: Good\n---\nText.", "utf-8")
    CliRunner().invoke(dateline, ["poll", "--config", str(folder / "config.toml")])
    [fault] = _faults(folder)
    assert "bad.md" in fault


def _key(folder: Path, name: str, raw: bytes, mode: int = 0o600) -> None:
    (folder / name).write_bytes(raw)
    (folder / name).chmod(mode)


def _signed_by(*keys: tuple[str, str, str]) -> str:
    return CONFIG + "".join(
        f'[[mail.dkim]]\ndomain = "{domain}"\nselector = "{selector}"\nkey_file = "{file}"\n'
        for domain, selector, file in keys
    )


def test_keys_that_sign_well_are_no_fault(folder: Path) -> None:
    _key(folder, "rsa.pem", a_pem())
    _key(folder, "ed25519.pem", a_pem(ed25519=True), 0o640)
    config = _signed_by(
        ("example.org", "s1", "rsa.pem"),
        ("example.org", "s2", "ed25519.pem"),
        ("relay.example", "s1", "rsa.pem"),
    )
    (folder / "config.toml").write_text(config, "utf-8")
    assert _checked(folder).exit_code == 0


def test_every_fault_of_a_signing_key_is_told_with_its_line(folder: Path) -> None:
    _key(folder, "open.pem", a_pem(), 0o644)
    _key(folder, "good.pem", a_pem())
    _key(folder, "text.pem", b"hello")
    _key(folder, "short.pem", _short_key())
    config = _signed_by(
        ("example.org", "s1", "open.pem"),
        ("example.org", "s2", "missing.pem"),
        ("example.org", "s3", "text.pem"),
        ("example.org", "s4", "short.pem"),
        ("Example.org", "S1", "good.pem"),
        ("no domain", "s5", "good.pem"),
    )
    path = folder / "config.toml"
    path.write_text(config, "utf-8")
    told = {fault.split(": ")[0]: fault.partition(": ")[2] for fault in _faults(folder)}
    lines = {int(place.rpartition(":")[2]): what for place, what in told.items()}
    assert {line: what.split(" ")[0] for line, what in lines.items()} == {
        20: "mail.dkim.key_file",
        24: "mail.dkim.key_file",
        28: "mail.dkim.key_file",
        32: "mail.dkim.key_file",
        35: "mail.dkim.selector",
        38: "mail.dkim.domain",
    }
    for line, words in {
        20: "others on this machine can read",
        24: "cannot be read: No such file",
        28: "is not a private key",
        32: "too short: 1024 bits",
        35: "is used twice",
        38: "no domain to sign for",
    }.items():
        assert words in lines[line]


def test_a_signature_that_does_not_speak_for_the_sender_is_told(folder: Path) -> None:
    _key(folder, "rsa.pem", a_pem())
    config = _signed_by(("relay.example", "s1", "rsa.pem"))
    (folder / "config.toml").write_text(config, "utf-8")
    [fault] = _faults(folder)
    assert 'signs for "relay.example", but mail.from is at "example.org"' in fault


def _short_key() -> bytes:
    return rsa.generate_private_key(65537, 1024).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


OWN = '{{ days }}{% if not web %}<a href="{{ reader.unsubscribe_url }}">Leave</a>{% endif %}\n'


@pytest.mark.parametrize(
    ("name", "text", "line", "reason"),
    [
        pytest.param(
            "digest.html.j2",
            OWN + "{% if reader.name == 'Ana' %}x{% endif %}",
            ":2",
            "can only be printed",
            id="logic by reader",
        ),
        pytest.param("digest.html.j2", OWN + "{{ 1 // 0 }}", ":2", "ZeroDivision", id="raises"),
        pytest.param("digest.html.j2", "\n", "", "renders nothing", id="nothing"),
        pytest.param("digest.txt.j2", "{{ days }}", "", "link to unsubscribe", id="no way out"),
        pytest.param("notice_confirm.txt.j2", "\n", "", "the link that", id="an empty notice"),
        pytest.param("article.html.j2", "\n{{ nobody }}", ":2", "undefined", id="an article"),
    ],
)
def test_a_template_that_would_make_no_mail_is_named_before_an_issue_is_due(
    folder: Path, name: str, text: str, line: str, reason: str
) -> None:
    (folder / "mine/mail" / name).write_text(text, "utf-8")
    [fault] = _faults(folder)
    assert fault.startswith(f"{folder}/mine/mail/{name}{line}: ")
    assert reason in fault


def test_a_template_that_decides_by_language_and_posts_is_no_fault(folder: Path) -> None:
    text = OWN + "{% if language == 'es' and digest.stories|length > 3 %}Hola{% endif %}"
    (folder / "mine/mail/digest.html.j2").write_text(text, "utf-8")
    assert _checked(folder).exit_code == 0
