"""`dateline/actions/gates.py`: what `[mail]` says of relays and providers, as gates."""

from dateline.actions.gates import DEFAULT_RATE_PER_S, build_gates, relay_settings
from newsletter.gates import Gates, provider_key
from newsletter.pacing import Window
from newsletter.spec import MailSettings


def gates(*local: bool, **mail: object) -> Gates:
    """Gates of such settings; `local` says of each relay whether it is here."""
    settings = MailSettings.model_validate({"from": "n@news.example", "transport": "smtp", **mail})
    return build_gates(settings, local, 0.0, shared=False)


def test_the_relay_of_mail_itself_is_the_first() -> None:
    mail = MailSettings.model_validate(
        {
            "from": "n@news.example",
            "host": "one.example",
            "port": 465,
            "tls": "implicit",
            "username": "u",
            "password": "secret",
            "connections": 3,
            "relays": [{"host": "two.example"}],
        }
    )
    first, second = relay_settings(mail)
    assert (first.host, first.port, first.tls, first.connections) == (
        "one.example",
        465,
        "implicit",
        3,
    )
    assert first.password is not None
    assert first.password.get_secret_value() == "secret"
    assert second.host == "two.example"


def test_each_relay_has_its_own_rate_and_limits() -> None:
    made = gates(
        False,
        True,
        host="one.example",
        rate=3,
        limits=["50 in 1h"],
        relays=[{"host": "127.0.0.1", "port": 25, "limits": ["9 in 1d"]}],
        total_rate=7,
    )
    assert [gate.key for gate in made.relays] == ["relay one.example:587", "relay 127.0.0.1:25"]
    assert [gate.pacer.rate_per_s for gate in made.relays] == [3.0, None]
    assert [[(w.most, w.length_s) for w in gate.bounds.windows] for gate in made.relays] == [
        [(50, 3600)],
        [(9, 86400)],
    ]
    assert isinstance(made.relays[0].bounds.windows[0], Window)
    assert made.overall is not None
    assert made.overall.pacer.rate_per_s == 7.0


def test_two_log_ins_at_one_relay_have_two_paces() -> None:
    made = gates(
        False, False, host="one.example", relays=[{"host": "ONE.example", "username": "second"}]
    )
    assert [gate.key for gate in made.relays] == [
        "relay one.example:587",
        "relay one.example:587 (2)",
    ]


def test_a_relay_elsewhere_is_spared_with_the_large_providers_unless_told() -> None:
    made = gates(False, host="one.example")
    at_once = {gate.key: gate.bounds.at_once for gate in made.providers.values()}
    assert at_once == {provider_key("gmail.com"): 5, provider_key("outlook.com"): 2}
    assert made.provider_of("ana@hotmail.com") == provider_key("outlook.com")
    assert gates(True, host="127.0.0.1").is_open


def test_bounds_that_are_set_for_a_large_provider_hold_instead() -> None:
    made = gates(
        False, host="one.example", domains=[{"domains": ["googlemail.com", "x.org"], "rate": 4}]
    )
    assert set(made.providers) == {provider_key("googlemail.com"), provider_key("outlook.com")}
    mine = made.providers[provider_key("googlemail.com")]
    assert (mine.bounds.rate_per_s, mine.bounds.at_once) == (4.0, None)
    assert made.provider_of("ana@x.org") == provider_key("googlemail.com")


def test_a_relay_elsewhere_gets_ten_a_second_unless_told_and_our_own_as_many_as_it_takes() -> None:
    assert gates(False, host="one.example").relays[0].pacer.rate_per_s == DEFAULT_RATE_PER_S == 10.0
    assert gates(False, host="one.example", rate=3).relays[0].pacer.rate_per_s == 3.0
    assert gates(True, host="127.0.0.1").relays[0].pacer.rate_per_s is None


def test_a_relay_here_and_one_elsewhere_each_have_their_own_default() -> None:
    made = gates(True, False, host="127.0.0.1", relays=[{"host": "two.example"}])
    assert [gate.pacer.rate_per_s for gate in made.relays] == [None, 10.0]
