"""`dateline/config.py`: every fault at once, each with its place and the nearest known key; no secret shown."""

from pathlib import Path

import pytest

from dateline.config import ConfigError, load_config, read_config

GOOD = """\
[site]
title = "The Daily"
url = "https://example.org"
timezone = "America/Mexico_City"

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
"""


def _written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(text, "utf-8")
    return path


def _faults(tmp_path: Path, text: str, environ: dict[str, str] | None = None) -> list[str]:
    path = _written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_config(path, environ or {})
    return str(caught.value).replace(f"{tmp_path}/", "").splitlines()


def _changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


def test_a_good_file_loads(tmp_path: Path) -> None:
    config = load_config(_written(tmp_path, GOOD), {})
    assert config.newsletters[0].schedule == "0 18 * * *"
    assert config.mail.from_ == "news@example.org"


def test_a_misspelt_key_is_named_with_its_line_and_the_nearest_key(tmp_path: Path) -> None:
    assert _faults(tmp_path, GOOD + "prot = 25\n") == [
        "config.toml:20: mail.prot is not a setting. Did you mean mail.port?"
    ]


def test_a_key_of_another_section_is_named(tmp_path: Path) -> None:
    assert _faults(tmp_path, _changed("[web]", 'password_file = "x"\n[web]')) == [
        "config.toml:6: site.password_file is not a setting. Did you mean mail.password_file?"
    ]


def test_every_fault_is_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = (
        GOOD.replace('"America/Mexico_City"', '"America/Mexico_Cty"')
        .replace('"0 18 * * *"', '"0 18 * * 1"')
        .replace('kind = "folder"', 'kind = "fold"')
        .replace('title = "The Daily"\nurl', "url")
        + 'port = "many"\nrate = 0\npower_safe = 12\nflush_every = 900\n'
    )
    faults = _faults(tmp_path, text)
    assert [fault.split(" ")[0] + " " + fault.split(" ")[1] for fault in faults] == [
        "config.toml:1: site.title",
        "config.toml:3: site.timezone",
        "config.toml:9: sources.kind",
        "config.toml:15: newsletters.schedule",
        "config.toml:19: mail.port",
        "config.toml:20: mail.rate",
        "config.toml:21: mail.power_safe",
        "config.toml:22: mail.flush_every",
    ]
    assert faults[1].endswith(
        '"America/Mexico_Cty" is not a time zone. Did you mean America/Mexico_City?'
    )
    assert faults[2].endswith('sources.kind is "fold". It can be "folder" or "feed".')
    assert faults[4].endswith('mail.port is not a whole number: "many".')


def test_the_second_newsletters_fault_has_the_second_newsletters_line(tmp_path: Path) -> None:
    second = (
        '\n[[newsletters]]\nslug = "daily"\ntitle = "B"\nschedule = "0 8 * * *"\nsettle = "soon"\n'
    )
    assert _faults(tmp_path, GOOD + second) == [
        'config.toml:22: newsletters.slug "daily" is used twice.',
        'config.toml:25: newsletters.settle is not a length of time; write it as 30s, 20m, 6h or 14d: "soon".',
    ]


def test_what_is_missing_is_named_with_where_to_add_it(tmp_path: Path) -> None:
    assert _faults(tmp_path, _changed('[mail]\nfrom = "news@example.org"\n', "")) == [
        'config.toml: mail.from is missing. Add from = "..." under [mail].'
    ]


def test_an_unknown_section_names_the_nearest(tmp_path: Path) -> None:
    assert _faults(tmp_path, GOOD + "[databse]\nurl = 1\n") == [
        "config.toml:20: databse is not a setting. Did you mean database?"
    ]


def test_a_short_section_with_two_letters_swapped_names_the_nearest(tmp_path: Path) -> None:
    assert "wbe is not a setting. Did you mean web?" in _faults(tmp_path, GOOD + "[wbe]\n")[-1]


def test_a_wrong_schedule_is_told_once(tmp_path: Path) -> None:
    [fault] = _faults(tmp_path, _changed("0 18 * * *", "0 25 * * *"))
    assert fault.count("is not a schedule") == 1
    assert "(25) is higher than the maximum value (23)" in fault


def test_broken_toml_names_the_line(tmp_path: Path) -> None:
    assert _faults(tmp_path, GOOD + "from news\n") == [
        "config.toml:20: is not TOML: Expected '=' after a key in a key/value pair."
    ]


def test_a_missing_file_suggests_init(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="dateline init"):
        load_config(tmp_path / "config.toml", {})


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        pytest.param(
            'url = "https://example.org"',
            'url = "example.org"',
            'config.toml:3: site.url is not an address: "example.org". Write it as https://example.org.',
            id="an address without http",
        ),
        pytest.param(
            "[web]",
            'language = "english"\n[web]',
            'config.toml:6: site.language "english" is not a language tag. Write it as en, es or pt-BR.',
            id="a language that is no tag",
        ),
        pytest.param(
            'slug = "daily"',
            'slug = "feeds"',
            'config.toml:14: newsletters.slug "feeds" is an address of the server\'s own.',
            id="a reserved slug",
        ),
        pytest.param(
            'slug = "daily"',
            'slug = "Daily News"',
            'config.toml:14: newsletters.slug is not allowed: "Daily News". '
            "Use small letters, digits and hyphens.",
            id="a slug with capitals",
        ),
        pytest.param(
            "news@example.org",
            "The Daily <news@example.org>",
            "config.toml:19: mail.from is not a mail address. "
            "Write it as news@example.org, without a name.",
            id="a sender with a name",
        ),
        pytest.param(
            "news@example.org",
            "news@example.org\\r\\nBcc: x@example.org",
            "config.toml:19: mail.from holds a line break or a control character.",
            id="a sender with a line break",
        ),
        pytest.param(
            'slug = "daily"\ntitle = "The Daily"',
            'slug = "daily"\ntitle = "The\\nDaily"',
            "config.toml:15: newsletters.title holds a line break or a control character. "
            "Write it on one line.",
            id="a title with a line break",
        ),
        pytest.param(
            "[mail]",
            '[mail]\ntransport = "smtp"\nhost = "smtp.example.org"\ntls = "none"',
            'config.toml:21: mail.tls is "none", but mail.host is another machine: mails and the '
            'password would travel unencrypted. Use "starttls" or "implicit".',
            id="no TLS to another machine",
        ),
        pytest.param(
            "[mail]",
            '[mail]\npassword = "geheim"\npassword_file = "secret.txt"',
            "config.toml:20: mail.password_file stands beside mail.password. Keep one of the two.",
            id="two passwords",
        ),
        pytest.param(
            'location = "content"',
            'location = "https://example.org"',
            'config.toml:11: sources.location is an address, but kind is "folder". Use kind = "feed".',
            id="a folder that is an address",
        ),
        pytest.param(
            'kind = "folder"\nlocation = "content"',
            'kind = "feed"\nlocation = "https://me:geheim@example.org/feed"',
            "config.toml:11: sources.location carries a name or password, "
            "which would be shown in tables and logs.",
            id="a feed with a password in its address",
        ),
        pytest.param(
            'url = "https://news.example.org"',
            'listen = "8300"',
            "config.toml:7: web.listen is not an address and a port; "
            'write it as 127.0.0.1:8300: "8300".',
            id="a port alone",
        ),
        pytest.param(
            "[mail]",
            '[database]\nurl = "mysql://u:geheim@db/x"\n[mail]',
            "config.toml:19: database.url is neither sqlite:///FILE nor postgresql://USER@HOST/NAME.",
            id="a database of another kind",
        ),
        pytest.param(
            '[[sources]]\nkind = "folder"\nlocation = "content"',
            'sources = "content"',
            "config.toml:9: web.sources is not a setting. Did you mean sources?",
            id="sources as a value",
        ),
        pytest.param(
            "[mail]",
            '[websub]\nhubs = ["hub.example.org"]\n[mail]',
            'config.toml:19: websub.hubs is not an address: "hub.example.org". '
            "Write it as https://example.org.",
            id="a hub without http",
        ),
        pytest.param(
            "[mail]",
            '[websub]\nhubs = ["https://hub.example.org/\\">"]\n[mail]',
            'config.toml:19: websub.hubs has a sign that no header carries: "https://hub.example.org/">".'
            " Write it as %3C or xn--.",
            id="a hub that would break out of a header",
        ),
        pytest.param(
            "[mail]",
            '[websub]\nhubs = ["https://u:geheim@hub.example.org/"]\n[mail]',
            "config.toml:19: websub.hubs carries a name or password, "
            "which would be shown in tables and logs.",
            id="a hub with a password",
        ),
        pytest.param(
            "[mail]",
            '[websub]\nhubs = ["https://a.example/", "https://a.example/"]\n[mail]',
            'config.toml:19: websub.hubs "https://a.example/" is a hub already.',
            id="a hub twice",
        ),
        pytest.param(
            "[mail]",
            '[websub]\nhubs = ["https://a.example/#x"]\n[mail]',
            "config.toml:19: websub.hubs has a part after #, which no server ever sees. Leave it out.",
            id="a hub with a fragment",
        ),
    ],
)
def test_a_rule_speaks_in_one_sentence(tmp_path: Path, old: str, new: str, fault: str) -> None:
    assert _faults(tmp_path, _changed(old, new)) == [fault]


def test_a_variable_goes_over_the_file(tmp_path: Path) -> None:
    environ = {
        "DATELINE_MAIL__PORT": "2525",
        "DATELINE_NEWSLETTERS__0__SCHEDULE": "0 7 * * *",
        "DATELINE_NEWSLETTERS__0__SELECT__TAGS": "sport, city",
        "DATELINE_MAIL__EDITORS": '["a@example.org"]',
        "DATELINE_CONFIG": "elsewhere.toml",
    }
    loaded = read_config(_written(tmp_path, GOOD), environ)
    assert loaded.config.mail.port == 2525
    assert loaded.config.newsletters[0].schedule == "0 7 * * *"
    assert loaded.config.newsletters[0].select.tags == ("sport", "city")
    assert loaded.config.mail.editors == ("a@example.org",)
    assert loaded.places.origin("mail", "port") == "DATELINE_MAIL__PORT"
    assert loaded.places.origin("mail", "from").endswith("config.toml:19")
    assert loaded.places.origin("mail", "host") == "default"


def test_a_variable_can_add_the_next_list_element_and_no_later_one(tmp_path: Path) -> None:
    added = {"DATELINE_SOURCES__1__KIND": "folder", "DATELINE_SOURCES__1__LOCATION": "more"}
    assert len(load_config(_written(tmp_path, GOOD), added).sources) == 2
    assert _faults(tmp_path, GOOD, {"DATELINE_SOURCES__7__KIND": "folder"}) == [
        "DATELINE_SOURCES__7__KIND: there is no number 7: sources has 1, from 0."
    ]


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        pytest.param(
            "DATELINE_MIAL__PORT",
            "DATELINE_MIAL__PORT is not a setting. Did you mean DATELINE_MAIL__PORT?",
            id="a misspelt section",
        ),
        pytest.param(
            "DATELINE_NEWSLETTERS__0__SHEDULE",
            "DATELINE_NEWSLETTERS__0__SHEDULE is not a setting. "
            "Did you mean DATELINE_NEWSLETTERS__0__SCHEDULE?",
            id="a misspelt setting of a list element",
        ),
        pytest.param(
            "DATELINE_MAIL_PORT",
            "DATELINE_MAIL_PORT is not a setting. Parts are joined by two underscores.",
            id="one underscore",
        ),
    ],
)
def test_an_unknown_variable_is_a_fault(tmp_path: Path, name: str, fault: str) -> None:
    assert _faults(tmp_path, GOOD, {name: "1"}) == [f"{name}: {fault}"]


def test_a_wrong_value_from_a_variable_names_the_variable(tmp_path: Path) -> None:
    assert _faults(tmp_path, GOOD, {"DATELINE_MAIL__PORT": "many"}) == [
        'DATELINE_MAIL__PORT: mail.port is not a whole number: "many".'
    ]


def test_a_credential_goes_over_the_variable(tmp_path: Path) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "mail__password").write_text("from the file\n")
    (folder / "other-program").write_text("not ours")
    environ = {"DATELINE_MAIL__PASSWORD": "env", "CREDENTIALS_DIRECTORY": str(folder)}
    loaded = read_config(_written(tmp_path, GOOD + 'username = "u"\n'), environ)
    assert loaded.config.mail.password is not None
    assert loaded.config.mail.password.get_secret_value() == "from the file"
    assert loaded.places.origin("mail", "password") == "credential mail__password"


def test_a_misspelt_credential_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "mail__pasword").write_text("x")
    assert _faults(tmp_path, GOOD, {"CREDENTIALS_DIRECTORY": str(tmp_path)}) == [
        "credential mail__pasword: mail__pasword is not a setting. Did you mean mail__password?"
    ]


def test_no_secret_is_in_a_fault_or_a_repr(tmp_path: Path) -> None:
    faults = "\n".join(
        _faults(
            tmp_path,
            GOOD + "password = 8472\n",
            {"DATELINE_DATABASE__URL": "mysql://u:geheim@db/x", "DATELINE_MAIL__PASWORD": "geheim"},
        )
    )
    assert "mail.password is not a text: (a secret)" in faults
    assert "geheim" not in faults
    assert "8472" not in faults
    database = '[database]\nurl = "postgresql://u:geheim@db/x"\n[mail]\npassword = "geheim"'
    config = load_config(_written(tmp_path, _changed("[mail]", database)), {})
    assert "geheim" not in repr(config)
    assert "geheim" not in config.mail.model_dump_json()


def test_no_mail_address_is_in_a_fault(tmp_path: Path) -> None:
    faults = _faults(tmp_path, _changed("[web]", 'accent = "ann@example.org"\n[web]'))
    assert "ann" not in faults[0]
