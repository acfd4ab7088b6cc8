"""`dateline/config_rules.py` on relays, limits and providers: each fault with its line, and what to write instead."""

from pathlib import Path

import pytest

from dateline.config import ConfigError, load_config

BASE = """\
[site]
title = "The Daily"
url = "https://example.org"

[web]
url = "https://news.example.org"

[[sources]]
kind = "folder"
location = "content"

[[newsletters]]
slug = "daily"
title = "The Daily"
schedule = "0 18 * * *"

[mail]
from = "news@example.org"
transport = "smtp"
host = "smtp.example.org"
"""
SECOND = '[[mail.relays]]\nhost = "smtp2.example.org"\n'
GMAIL = '[[mail.domains]]\ndomains = ["gmail.com", "googlemail.com"]\n'


def faults(tmp_path: Path, text: str) -> list[str]:
    """What is wrong with `[mail]` as `text` goes on with it."""
    path = tmp_path / "config.toml"
    path.write_text(BASE + text, "utf-8")
    try:
        load_config(path, {})
    except ConfigError as error:
        return str(error).replace(f"{tmp_path}/config.toml:", "").splitlines()
    return []


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(SECOND, id="a second relay"),
        pytest.param(SECOND + 'limits = ["100 in 1m", "2000 in 1d"]\n', id="its limits"),
        pytest.param('[[mail.relays]]\nhost = "smtp.example.org"\nport = 465\n', id="another port"),
        pytest.param(
            '[[mail.relays]]\nhost = "smtp.example.org"\nusername = "b"\npassword = "x"\n',
            id="another log-in",
        ),
        pytest.param('[[mail.relays]]\nhost = "127.0.0.1"\ntls = "none"\n', id="one here"),
        pytest.param(GMAIL + "connections = 3\nrate = 5.5\n", id="a provider"),
        pytest.param('total_rate = 20\nlimits = ["10000 in 1h"]\n', id="rate and limit"),
    ],
)
def test_these_are_good(tmp_path: Path, text: str) -> None:
    assert faults(tmp_path, text) == []


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (SECOND + 'tls = "none"\n', 3, "mail.relays.host is another machine"),
        (SECOND + 'password = "x"\n', 1, "username is missing"),
        (
            SECOND + 'username = "u"\npassword = "x"\npassword_file = "y"\n',
            5,
            "beside mail.relays.password",
        ),
        (SECOND + SECOND, 4, "is a relay already"),
        ('[[mail.relays]]\nhost = "SMTP.example.org"\n', 2, "is a relay already"),
        ('limits = ["ten in 1h"]\n', 1, "10000 in 1h"),
        ('limits = ["10 in 5s"]\n', 1, "from 10s to 31d"),
        ('limits = ["10 in 9w"]\n', 1, "from 10s to 31d"),
        ('limits = ["10 in 1h", "9 in 60m"]\n', 1, "second limit for the same time"),
        (SECOND + 'limits = ["10 in 1s"]\n', 3, "from 10s to 31d"),
        (GMAIL + 'limits = ["10 in 1s"]\n', 3, "from 10s to 31d"),
        ('[[mail.domains]]\ndomains = ["an@gmail.com"]\n', 2, "is not a domain"),
        ('[[mail.domains]]\ndomains = ["españa.es"]\n', 2, "in ASCII"),
        ('[[mail.domains]]\ndomains = ["a.org", "A.org"]\n', 2, "has its bounds already"),
        (GMAIL + '[[mail.domains]]\ndomains = ["gmail.com"]\n', 4, "has its bounds already"),
        ("[[mail.domains]]\ndomains = []\n", 2, "domains"),
        ("total_rate = 0\n", 1, "total_rate"),
    ],
)
def test_each_of_these_is_told_with_its_line(
    tmp_path: Path, text: str, line: int, words: str
) -> None:
    (fault,) = faults(tmp_path, text)
    assert fault.startswith(f"{BASE.count(chr(10)) + line}:"), fault
    assert words in fault
    assert "an@gmail.com" not in fault
