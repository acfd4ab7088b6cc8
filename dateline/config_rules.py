"""What a configuration must fulfil beyond its types: zones, languages, addresses, schedules, slugs, the relay.

The rules read the merged document, not the settings types, so that they speak even when a type is wrong somewhere
else; a value of a wrong type is passed over, its fault is told already.
"""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from dateline.config_faults import nearest, shown
from dateline.redirects import redirect_findings
from newsletter.pacing import parse_limit

Finding = tuple[tuple[str | int, ...], str]
"""The path of a value and what is wrong with it, as a sentence that begins after the setting's name."""

RESERVED_SLUGS = frozenset(
    (
        *("confirm", "feed", "feeds", "healthz", "issues", "mailbox", "media", "metrics"),
        *("preferences", "progress", "static", "subscribe", "u", "unsubscribe"),
    )
)
"""First parts of addresses that are taken: a newsletter's issues are at `/SLUG/NUMBER/` (DESIGN.md 7)."""

FEED_SLUGS = re.compile(r"^(all|updates|headlines|media|(tag|author|language)-.*)$")
"""Names of feeds that exist by themselves."""

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*")
_ADDRESS = re.compile(r"[^\s@<>\"(),;:\\\[\]]{1,64}@[^\s@<>\"(),;:\\\[\]]{1,255}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_NOT_IN_A_LINK = re.compile(r"[^!-~]|[<>\"\\\\^`{|}]")
_DOMAIN = re.compile(r"([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z0-9-]*[a-z0-9]")
_SHORTEST_S, _LONGEST_S = 10, 31 * 86400
_HERE = ("localhost", "127.0.0.1", "::1", "[::1]", "")


def findings(data: dict[str, Any]) -> Iterator[Finding]:
    """Everything that the rules find wrong with the merged document `data`."""
    site, web, mail = (_table(data, name) for name in ("site", "web", "mail"))
    yield from _site(site)
    yield from _web(web)
    yield from _database(_table(data, "database"))
    yield from _mail(mail)
    yield from _sources(_tables(data, "sources"))
    yield from _feeds(_tables(data, "feeds"))
    yield from redirect_findings(data)
    yield from _newsletters(_tables(data, "newsletters"))
    yield from _websub(_table(data, "websub"))


def listen_address(text: str) -> tuple[str, int]:
    """Host and port of `[web] listen` (`127.0.0.1:8300`, `[::1]:8300`, `:8300`); raises ValueError."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or not int(port) < 65536:
        raise ValueError("is not an address and a port; write it as 127.0.0.1:8300")
    return host.strip("[]") or "0.0.0.0", int(port)


def _table(data: dict[str, Any], name: str) -> dict[str, Any]:
    value = data.get(name)
    return value if isinstance(value, dict) else {}


def _tables(data: dict[str, Any], name: str) -> list[dict[str, Any]]:
    value = data.get(name)
    elements = value if isinstance(value, list) else []
    return [element if isinstance(element, dict) else {} for element in elements]


def _site(site: dict[str, Any]) -> Iterator[Finding]:
    yield from _header_texts(("site",), site, "title", "tagline", "contact", "postal_address")
    yield from _address_of_web(("site", "url"), site.get("url"))
    yield from _language(("site", "language"), site.get("language"))
    zone = site.get("timezone")
    if isinstance(zone, str) and not _is_zone(zone):
        yield ("site", "timezone"), _unknown_zone(zone)


def _web(web: dict[str, Any]) -> Iterator[Finding]:
    yield from _address_of_web(("web", "url"), web.get("url"))
    if isinstance(listen := web.get("listen"), str):
        try:
            listen_address(listen)
        except ValueError as error:
            yield ("web", "listen"), f"{error}: {shown(listen)}."


def _database(database: dict[str, Any]) -> Iterator[Finding]:
    if not isinstance(url := database.get("url"), str):
        return
    scheme = url.split(":")[0].split("+")[0]
    if scheme not in ("sqlite", "postgresql"):
        yield (
            ("database", "url"),
            "is neither sqlite:///FILE nor postgresql://USER@HOST/NAME.",
        )


def _mail(mail: dict[str, Any]) -> Iterator[Finding]:
    for name in ("from", "reply_to"):
        if isinstance(value := mail.get(name), str):
            yield from _mail_address(("mail", name), value)
    editors = mail.get("editors")
    for index, value in enumerate(editors if isinstance(editors, list) else ()):
        if isinstance(value, str):
            yield from _mail_address(("mail", "editors", index), value)
    # relays and limits are looked at whatever the transport is: they are found when it is changed, not when it matters
    relays = [(("mail",), mail), *_relays(mail)]
    for path, relay in relays:
        yield from _relay(path, relay, is_used=mail.get("transport") == "smtp")
        yield from _limits(path, relay)
    yield from _same_relays(relays)
    yield from _domains(mail)


_Path = tuple[str | int, ...]


def _relays(mail: dict[str, Any]) -> list[tuple[_Path, dict[str, Any]]]:
    return [(("mail", "relays", n), relay) for n, relay in enumerate(_tables(mail, "relays"))]


def _relay(path: _Path, relay: dict[str, Any], *, is_used: bool) -> Iterator[Finding]:
    name = ".".join(str(part) for part in path if isinstance(part, str))
    if relay.get("password") is not None and relay.get("password_file") is not None:
        yield (*path, "password_file"), f"stands beside {name}.password. Keep one of the two."
    if not is_used:
        return
    host = str(relay.get("host", "localhost")).lower()
    if relay.get("tls") == "none" and host not in _HERE:
        yield (
            (*path, "tls"),
            f'is "none", but {name}.host is another machine: mails and the password would travel '
            'unencrypted. Use "starttls" or "implicit".',
        )
    has_password = relay.get("password") is not None or relay.get("password_file") is not None
    if has_password and relay.get("username") is None:
        yield (*path, "username"), "is missing, but there is a password."


def _same_relays(relays: list[tuple[_Path, dict[str, Any]]]) -> Iterator[Finding]:
    """The same relay twice takes nothing over from itself, and its limits would count twice."""
    seen: set[tuple[str, object, object]] = set()
    for path, relay in relays:
        host = str(relay.get("host", "localhost")).lower()
        one = (host, relay.get("port", 587), relay.get("username"))
        if one in seen:
            yield (
                (*path, "host"),
                f"{shown(host)} is a relay already, with this port and user name.",
            )
        seen.add(one)


def _limits(path: _Path, table: dict[str, Any]) -> Iterator[Finding]:
    """What a pattern cannot say: no time longer than it is counted for, no time twice."""
    limits = table.get("limits")
    seen: set[int] = set()
    for index, limit in enumerate(limits if isinstance(limits, list) else ()):
        if not isinstance(limit, str):
            continue
        try:
            window = parse_limit(limit)
        except ValueError:
            continue
        here = (*path, "limits", index)
        if not _SHORTEST_S <= window.length_s <= _LONGEST_S:
            yield here, f"{shown(limit)} is not a time from 10s to 31d. For less, set a rate."
        elif window.length_s in seen:
            yield here, f"{shown(limit)} is the second limit for the same time. Keep the lower one."
        seen.add(window.length_s)


def _domains(mail: dict[str, Any]) -> Iterator[Finding]:
    seen: set[str] = set()
    for number, provider in enumerate(_tables(mail, "domains")):
        path: _Path = ("mail", "domains", number)
        yield from _limits(path, provider)
        domains = provider.get("domains")
        for index, domain in enumerate(domains if isinstance(domains, list) else ()):
            if not isinstance(domain, str):
                continue
            here = (*path, "domains", index)
            if not _DOMAIN.fullmatch(domain.lower()):
                yield here, f"{shown(domain)} is not a domain. Write it as gmail.com, in ASCII."
            elif domain.lower() in seen:
                yield here, f"{shown(domain)} has its bounds already."
            seen.add(domain.lower())


def _sources(sources: list[dict[str, Any]]) -> Iterator[Finding]:
    seen: dict[str, int] = {}
    for index, source in enumerate(sources):
        location = source.get("location")
        if not isinstance(location, str):
            continue
        path = ("sources", index, "location")
        if location in seen:
            yield path, f"{shown(location)} is a source already."
        seen[location] = index
        if source.get("kind") == "feed":
            yield from _address_of_web(path, location)
        elif source.get("kind") == "folder" and location.startswith(("http://", "https://")):
            yield path, 'is an address, but kind is "folder". Use kind = "feed".'


def _feeds(feeds: list[dict[str, Any]]) -> Iterator[Finding]:
    yield from _slugs("feeds", feeds)
    for index, feed in enumerate(feeds):
        slug = feed.get("slug")
        if isinstance(slug, str) and FEED_SLUGS.match(slug):
            yield ("feeds", index, "slug"), f"{shown(slug)} is a feed that always exists."
        yield from _header_texts(("feeds", index), feed, "title")
        yield from _selection(("feeds", index, "select"), feed.get("select"))


def _newsletters(newsletters: list[dict[str, Any]]) -> Iterator[Finding]:
    yield from _slugs("newsletters", newsletters)
    for index, newsletter in enumerate(newsletters):
        slug = newsletter.get("slug")
        if isinstance(slug, str) and (slug in RESERVED_SLUGS or slug.isdigit()):
            yield (
                ("newsletters", index, "slug"),
                f"{shown(slug)} is an address of the server's own.",
            )
        yield from _header_texts(("newsletters", index), newsletter, "title", "subject")
        yield from _schedule(("newsletters", index, "schedule"), newsletter.get("schedule"))
        yield from _selection(("newsletters", index, "select"), newsletter.get("select"))


def _websub(websub: dict[str, Any]) -> Iterator[Finding]:
    hubs = websub.get("hubs")
    seen: set[str] = set()
    for index, hub in enumerate(hubs if isinstance(hubs, list) else ()):
        path = ("websub", "hubs", index)
        faults = list(_address_of_web(path, hub))
        if faults or not isinstance(hub, str):
            yield from faults
            continue
        if _NOT_IN_A_LINK.search(hub):
            yield path, f"has a sign that no header carries: {shown(hub)}. Write it as %3C or xn--."
        elif "#" in hub:
            yield path, "has a part after #, which no server ever sees. Leave it out."
        elif hub in seen:
            yield path, f"{shown(hub)} is a hub already."
        seen.add(hub)


def _slugs(section: str, elements: list[dict[str, Any]]) -> Iterator[Finding]:
    seen: set[str] = set()
    for index, element in enumerate(elements):
        slug = element.get("slug")
        if not isinstance(slug, str):
            continue
        if slug in seen:
            yield (section, index, "slug"), f"{shown(slug)} is used twice."
        seen.add(slug)


def _selection(path: tuple[str | int, ...], select: object) -> Iterator[Finding]:
    languages = select.get("languages") if isinstance(select, dict) else None
    for index, language in enumerate(languages if isinstance(languages, list) else ()):
        yield from _language((*path, "languages", index), language)


def _schedule(path: tuple[str | int, ...], line: object) -> Iterator[Finding]:
    if not isinstance(line, str):
        return
    from newsletter.due import parse_schedule  # brings APScheduler's triggers

    try:
        parse_schedule(line)
    except ValueError as error:
        why = str(error).removeprefix("is not a schedule: ")
        yield path, f"{shown(line)} is not a schedule: {why}"


def _language(path: tuple[str | int, ...], language: object) -> Iterator[Finding]:
    if isinstance(language, str) and not _LANGUAGE.fullmatch(language.strip()):
        yield path, f"{shown(language)} is not a language tag. Write it as en, es or pt-BR."


def _address_of_web(path: tuple[str | int, ...], url: object) -> Iterator[Finding]:
    if not isinstance(url, str):
        return
    try:
        parts = urlsplit(url.strip())
        host, has_login = parts.hostname, "@" in parts.netloc
        _ = parts.port
    except ValueError:
        host, has_login, parts = None, False, urlsplit("")
    if parts.scheme not in ("http", "https") or not host or re.search(r"\s", url.strip()):
        yield path, f"is not an address: {shown(url)}. Write it as https://example.org."
    elif has_login:
        yield path, "carries a name or password, which would be shown in tables and logs."


def _mail_address(path: tuple[str | int, ...], value: str) -> Iterator[Finding]:
    if _CONTROL.search(value):
        yield path, "holds a line break or a control character."
    elif not _ADDRESS.fullmatch(value.strip()):
        yield path, "is not a mail address. Write it as news@example.org, without a name."


def _header_texts(
    path: tuple[str | int, ...], table: dict[str, Any], *names: str
) -> Iterator[Finding]:
    for name in names:
        value = table.get(name)
        if isinstance(value, str) and _CONTROL.search(value):
            yield (*path, name), "holds a line break or a control character. Write it on one line."


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name.strip())
    # unknown; a folder of the zone database; a hostile name
    except (KeyError, OSError, ValueError):
        return False
    return True


def _unknown_zone(name: str) -> str:
    from zoneinfo import available_timezones

    meant = nearest(name, sorted(available_timezones()))
    end = f" Did you mean {meant}?" if meant else " Write it as America/Mexico_City."
    return f"{shown(name)} is not a time zone.{end}"
