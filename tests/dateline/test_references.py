"""The generated pages in docs/: they say what the settings and commands say, today."""

import re
from pathlib import Path

import pytest

from dateline import cli_reference, config_reference
from dateline.cli.main import VERBS
from dateline.config import Config, load_config
from dateline.config_text import Beginning, config_text
from dateline.config_tree import list_settings

_ROOT = Path(__file__).parents[2]
_RENEW = "is stale: run `python -m dateline.{}`"


def test_the_page_of_settings_is_not_stale() -> None:
    kept = (_ROOT / "docs/config.md").read_text("utf-8")
    assert kept == config_reference.reference_text(), _RENEW.format("config_reference")


def test_the_schema_is_not_stale() -> None:
    kept = (_ROOT / "docs/config.schema.json").read_text("utf-8")
    assert kept == config_reference.schema_text(), _RENEW.format("config_reference")


def test_the_page_of_commands_is_not_stale() -> None:
    kept = (_ROOT / "docs/cli.md").read_text("utf-8")
    assert kept == cli_reference.reference_text(), _RENEW.format("cli_reference")


@pytest.mark.parametrize("verb", VERBS)
def test_a_verbs_line_in_the_help_is_the_beginning_of_its_own(verb: str) -> None:
    assert f"## `dateline {verb}`" in cli_reference.reference_text()


def test_every_default_is_written_as_config_toml_reads_it() -> None:
    lengths = [
        config_reference.default_text(setting)
        for setting in list_settings(Config)
        if setting.type_text == "length of time"
    ]
    assert '`"20m"`' in lengths
    assert '`"24h"`' in lengths
    assert '`"14d"`' in lengths


def _beginning() -> Beginning:
    return Beginning(
        title='The "Daily" \\ Gazette',
        site_url="https://example.org",
        web_url="https://news.example.org",
        mail_from="news@example.org",
        source_kind="folder",
        location="content",
        newsletter_title="Daily",
    )


def test_a_new_config_toml_names_every_setting() -> None:
    text = config_text(_beginning())
    missing = [
        setting.dotted
        for setting in list_settings(Config)
        if not re.search(rf"^(# )?{re.escape(setting.path[-1])} = ", text, re.MULTILINE)
    ]
    assert missing == []


def test_a_new_config_toml_with_every_comment_opened_is_a_good_one(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(
        re.sub(r"^# (?=[a-z_]+ = |\[)", "", config_text(_beginning()), flags=re.MULTILINE)
        .replace('password = ""\n', "")
        .replace('transport = "maildir"', 'transport = "smtp"'),
        "utf-8",
    )
    config = load_config(tmp_path / "config.toml", {})
    assert config.site.title == 'The "Daily" \\ Gazette'
    assert config.feeds[0].select.tags == ("investigation",)
    assert config.newsletters[0].select.tags == ()
    assert config.mail.password_file == "var/mail-password"


def test_what_the_comments_show_as_defaults_are_the_defaults(tmp_path: Path) -> None:
    shown = dict(re.findall(r"^# ([a-z_]+) = (.+)$", config_text(_beginning()), re.MULTILINE))
    examples = {
        *("contact", "postal_address", "tips", "policy", "rights", "icon", "logo", "templates"),
        *("metrics_token", "link", "slug", "title", "from", "to"),
        *("tags", "authors", "languages", "subject", "reply_to", "editors", "maildir", "host"),
        *("ca_file", "username", "password", "password_file", "rate", "total_rate"),
        *("limits", "port", "connections", "domains", "domain", "selector", "key_file"),
    }
    defaults = {
        setting.path[-1]: config_reference.default_text(setting).strip("`")
        for setting in list_settings(Config)
    }
    wrong = {
        name: (value, defaults[name])
        for name, value in shown.items()
        if name not in examples and value != defaults[name]
    }
    assert wrong == {}


def test_the_repositorys_config_toml_is_what_init_writes_with_the_samples_names() -> None:
    config = load_config(_ROOT / "config.toml", {})
    newsletter, source = config.newsletters[0], config.sources[0]
    assert (_ROOT / "config.toml").read_text("utf-8") == config_text(
        Beginning(
            title=config.site.title,
            tagline=config.site.tagline,
            site_url=config.site.url,
            web_url=config.web.url,
            mail_from=config.mail.from_,
            source_kind=source.kind,
            location=source.location,
            newsletter_title=newsletter.title,
        )
    )
