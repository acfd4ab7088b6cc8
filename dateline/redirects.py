"""Permanent redirects: `[[redirects]]` of config.toml, and the feed addresses that other programs had.

301, not 308: what asks here asks by GET, and some feed readers know 301 alone as the one that changes the address they
keep (the others treat both alike). A target is an address of ours or a whole one from config, never made of the
request, so that nobody can be sent anywhere else.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import AfterValidator, Field

from dateline.old_feeds import find_old_feed
from posts.settings import Settings

_OURS = ("u", "confirm", "preferences", "subscribe", "healthz", "metrics", "progress", "media")
"""First parts of addresses that are in mails and forms: a redirect there would cut readers off."""

_SAFE = re.compile(r"[!-~]+")
_MAX_PARAMETERS = 100


def _old_address(text: str) -> str:
    if not text.startswith("/") or text.startswith("//") or "#" in text or _is_unprintable(text):
        raise ValueError(
            "is not a path on this server; write it as /feed.xml or /index.php?feed=rss"
        )
    path = split_address(text)[0]
    if path.split("/")[1] in _OURS:
        raise ValueError(f"is an address that mails and forms lead to: /{path.split('/')[1]}")
    if path == "/" and "?" not in text:
        raise ValueError("is the front page; name a path, or a query such as /?feed=rss2")
    return text


def _new_address(text: str) -> str:
    """An absolute path of this server, or a whole http(s) address without a login."""
    told = "is neither a path on this server (/feeds/all.atom) nor an address (https://example.org/feed)"
    if not _SAFE.fullmatch(text) or "\\" in text or any(char in text for char in "<>\"'"):
        raise ValueError(f"{told}; write what is not plain ASCII as %xx")
    if text.startswith("/"):
        if text.startswith("//"):
            raise ValueError(f"{told}; // at its beginning would name another server")
        return text
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError(told)
    if "@" in parts.netloc:
        raise ValueError("carries a name or password, which everybody would be sent")
    return text


class RedirectSettings(Settings):
    """`[[redirects]]`: an old address and what took its place, for good (301)."""

    from_: Annotated[
        str,
        Field(
            alias="from",
            description="The old path, exactly; with a query (`/?feed=rss2`) it counts where the request has these parameters, whatever else it has.",
        ),
        AfterValidator(_old_address),
    ]
    to: Annotated[
        str,
        Field(description="A path on this server (`/feeds/all.atom`), or a whole address."),
        AfterValidator(_new_address),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """An address that has moved for good, as an absolute address."""

    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """An address whose feed is no more, and nothing took its place."""


_Parameters = frozenset[tuple[str, str]]


class Redirects:
    """Where old addresses lead. `taken` are first parts of addresses that belong to pages of ours (newsletters)."""

    def __init__(
        self,
        configured: Sequence[RedirectSettings],
        *,
        web_url: str,
        taken: frozenset[str] = frozenset(),
    ) -> None:
        self._web_url = web_url.rstrip("/")
        self._taken = taken
        self.targets = resolved({rule.from_: rule.to for rule in configured}, self._web_url)
        self._rules: dict[str, list[tuple[_Parameters, str]]] = {}
        for from_, to in self.targets.items():
            path, parameters = split_address(from_)
            self._rules.setdefault(path, []).append((parameters, to))
        for rules in self._rules.values():
            rules.sort(key=lambda rule: -len(rule[0]))

    def find(
        self,
        path: str,
        query: str,
        *,
        is_there: Callable[[str], bool],
        is_gone: Callable[[str], bool],
    ) -> Moved | Gone | None:
        """What became of an address (`path` decoded) that no document has; None where nobody here knows it.

        `is_there` and `is_gone` say of a document's path whether it is published, or was once.
        """
        parameters = _parameters(query)
        for wanted, to in self._rules.get(path, ()):
            if wanted <= parameters:
                return Moved(url=self._absolute(to))
        if is_gone(path):
            return Gone()
        if path.split("/", 2)[1:2] and path.split("/", 2)[1] in self._taken:
            return None
        old = find_old_feed(path, dict(parameters))
        if old is None:
            return None
        for candidate in old.paths:
            if is_there(candidate):
                return Moved(url=self._absolute(candidate))
        if old.ends or any(is_gone(candidate) for candidate in old.paths):
            return Gone()
        return None

    def _absolute(self, to: str) -> str:
        return self._web_url + to if to.startswith("/") else to


def split_address(text: str) -> tuple[str, _Parameters]:
    """The decoded path and the parameters of a `from`."""
    path, _, query = text.partition("?")
    return unquote(path), _parameters(query)


def resolved(rules: Mapping[str, str], web_url: str) -> dict[str, str]:
    """The rules with each target followed to its end, so that a reader takes one step; raises ValueError for a loop."""
    ends: dict[str, str] = {}
    for start in rules:
        seen, at = [start], rules[start]
        while (known := _local(at, rules, web_url)) is not None:
            if known in seen:
                raise ValueError(f"leads back to itself: {' -> '.join([*seen, known])}")
            seen.append(known)
            at = rules[known]
        ends[start] = at
    return ends


def _local(to: str, rules: Mapping[str, str], web_url: str) -> str | None:
    """The rule that the target `to` meets in its turn, if any."""
    place = to.removeprefix(web_url.rstrip("/"))
    if not place.startswith("/"):
        return None
    path, parameters = split_address(place.partition("#")[0])
    met = [
        (len(wanted), from_)
        for from_ in rules
        for there, wanted in [split_address(from_)]
        if there == path and wanted <= parameters
    ]
    return max(met)[1] if met else None


def redirect_findings(data: Mapping[str, Any]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """What is wrong between the redirects of a merged configuration: an address twice, a loop. Values of wrong types are
    passed over; they are told already."""
    listed = data.get("redirects")  # Any: as TOML brought it
    rules: dict[str, str] = {}
    seen: set[tuple[str, _Parameters]] = set()
    for index, rule in enumerate(listed if isinstance(listed, list) else ()):
        from_, to = (rule.get("from"), rule.get("to")) if isinstance(rule, dict) else (None, None)
        if not isinstance(from_, str) or not isinstance(to, str) or not from_.startswith("/"):
            continue
        if (place := split_address(from_)) in seen:
            yield ("redirects", index, "from"), f'is redirected already: "{from_}".'
            continue
        seen.add(place)
        web = data.get("web")
        url = web.get("url") if isinstance(web, dict) else None
        try:
            resolved({**rules, from_: to}, url if isinstance(url, str) else "")
        except ValueError as error:
            yield ("redirects", index, "to"), f"{error}."
        else:
            rules[from_] = to


def _parameters(query: str) -> _Parameters:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_MAX_PARAMETERS)
    except ValueError:  # more of them than anybody means
        return frozenset()
    return frozenset(pairs)


def _is_unprintable(text: str) -> bool:
    return any(not char.isprintable() or char.isspace() for char in text)
