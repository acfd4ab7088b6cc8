"""The gates that `[mail]` asks for: each relay's pace, each provider's, and the rate over all."""

from collections.abc import Sequence

from newsletter.gates import ALL, Gate, Gates, provider_key, relay_key
from newsletter.pacing import Bounds, parse_limit
from newsletter.spec import DomainSettings, MailSettings, RelaySettings

DEFAULT_RATE_PER_S = 10.0
"""To a relay on another machine, unless its `rate` says otherwise (DESIGN.md 7)."""

LARGE_PROVIDERS = (
    (("gmail.com", "googlemail.com"), 5),
    (("outlook.com", "hotmail.com", "live.com", "msn.com"), 2),
)
"""Messages at once to those who are known to mind, through a relay that hands them on as they come (mail.md 3.1)."""


def relay_settings(mail: MailSettings) -> list[RelaySettings]:
    """All relays in order: the one of `[mail]` itself, then `[[mail.relays]]`."""
    first = RelaySettings.model_construct(
        **{name: getattr(mail, name) for name in RelaySettings.model_fields}
    )
    return [first, *mail.relays]


def rate_of(relay: RelaySettings, *, is_local: bool) -> float | None:
    """Messages a second to a relay; None: as fast as it takes them."""
    return relay.rate if relay.rate is not None or is_local else DEFAULT_RATE_PER_S


def build_gates(mail: MailSettings, is_local: Sequence[bool], now: float, *, shared: bool) -> Gates:
    """The gates of a run; `is_local` says of each relay whether it is on this machine, `shared` whether others send
    beside us."""
    relays = [
        Gate(key, _bounds(rate_of(relay, is_local=local), None, relay.limits), now)
        for key, relay, local in zip(_relay_keys(mail), relay_settings(mail), is_local, strict=True)
    ]
    groups: dict[str, str] = {}
    providers = []
    for one in _domain_settings(mail, all_local=all(is_local)):
        key = provider_key(one.domains[0].lower())
        groups |= {domain.lower(): key for domain in one.domains}
        providers.append(Gate(key, _bounds(one.rate, one.connections, one.limits), now))
    overall = Gate(ALL, Bounds(rate_per_s=mail.total_rate), now) if mail.total_rate else None
    return Gates(relays, overall=overall, groups=groups, providers=providers, shared=shared)


def _relay_keys(mail: MailSettings) -> list[str]:
    """A key each; two log-ins at one relay are two relays, and have two paces."""
    keys: list[str] = []
    for relay in relay_settings(mail):
        key = relay_key(relay.host, relay.port)
        same = sum(one.partition(" (")[0] == key for one in keys)
        keys.append(f"{key} ({same + 1})" if same else key)
    return keys


def _bounds(rate_per_s: float | None, at_once: int | None, limits: Sequence[str]) -> Bounds:
    windows = tuple(parse_limit(limit) for limit in limits)
    return Bounds(rate_per_s=rate_per_s, at_once=at_once, windows=windows)


def _domain_settings(mail: MailSettings, *, all_local: bool) -> list[DomainSettings]:
    named = {domain.lower() for one in mail.domains for domain in one.domains}
    if all_local:
        return list(mail.domains)
    large = [
        DomainSettings(domains=domains, connections=at_once)
        for domains, at_once in LARGE_PROVIDERS
        if not named & set(domains)
    ]
    return [*mail.domains, *large]
