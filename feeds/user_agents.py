"""What a User-Agent says that may be kept: the program, the first number of its version, how many it reads for. Pure.

Nothing else of it is kept (DESIGN.md 8.8): a whole User-Agent can tell one person from all others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

NOBODY = "none"
"""The program of a request without a User-Agent."""
BROWSER = "browser"
"""The program of whatever says no more than what every browser says."""
OTHER = "other"
"""The program of whatever has no name that may be kept, or came after too many others."""

KNOWN: Mapping[str, str] = MappingProxyType(
    {
        "akregator": "Akregator",
        "antennapod": "AntennaPod",
        "apple-pubsub": "Apple PubSub",
        "bazqux": "BazQux",
        "blogtrottr": "Blogtrottr",
        "commafeed": "CommaFeed",
        "curl": "curl",
        "dateline": "Dateline",
        "feedbin": "Feedbin",
        "feedburner": "FeedBurner",
        "feeder.co": "feeder.co",
        "feedfetcher-google": "Feedfetcher-Google",
        "feedhq": "FeedHQ",
        "feedly": "Feedly",
        "feedparser": "feedparser",
        "feedspot": "Feedspot",
        "feed wrangler": "Feed Wrangler",
        "freshrss": "FreshRSS",
        "go-http-client": "Go-http-client",
        "inoreader": "Inoreader",
        "liferea": "Liferea",
        "miniflux": "Miniflux",
        "netnewswire": "NetNewsWire",
        "newsblur": "NewsBlur",
        "newsboat": "Newsboat",
        "newsflash": "NewsFlash",
        "nextcloud-news": "Nextcloud News",
        "overcast": "Overcast",
        "python-requests": "python-requests",
        "quiterss": "QuiteRSS",
        "readkit": "ReadKit",
        "reeder": "Reeder",
        "rss2email": "rss2email",
        "rssguard": "RSS Guard",
        "rssowl": "RSSOwl",
        "sfeed": "sfeed",
        "superfeedr": "Superfeedr",
        "theoldreader": "The Old Reader",
        "thunderbird": "Thunderbird",
        "tiny tiny rss": "Tiny Tiny RSS",
        "vienna": "Vienna",
        "wget": "Wget",
    }
)
"""Programs that are counted by name however many strangers come, by what their User-Agents hold in small letters."""

_LONGEST = 512
_FIRST_KNOWN = re.compile("|".join(map(re.escape, sorted(KNOWN, key=len, reverse=True))))
# Feedly and Feedspot end in "like FeedFetcher-Google", Fever in "Allow like Gecko".
_LIKE = re.compile(r"like [A-Za-z.-]{1,40}")
_VERSION_AFTER = re.compile(r"[A-Za-z. -]{0,24}/v?([0-9]{1,4})(?![0-9])")
_COMPATIBLE = re.compile(r"\(compatible; ([^;/()]{1,40})(?:/v?([0-9]{1,4})(?![0-9]))?")
_PRODUCT = re.compile(r"([^/();]{1,40})(?:/v?([0-9]{1,4})(?![0-9]))?")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._+-]*(?: [A-Za-z0-9._+-]+){0,3}")
_END_OF_NAME = re.compile(r" - | feed-?id|[:=]", re.IGNORECASE)
_MOST_DIGITS = 4
_PIECE_OF_AN_ID = re.compile(r"(?=[A-Fa-f]*[0-9])[0-9A-Fa-f]{8}")
_COUNT = re.compile(
    r"(?<![0-9A-Za-z.,-])([0-9]{1,3}(?:,[0-9]{3}){1,2}|[0-9]{1,9})\s{1,3}(?:subscriber|reader)s?\b",
    re.IGNORECASE | re.ASCII,
)
_FEED_ID = re.compile(r"feed-?id[:=] ?([0-9A-Za-z_-]{1,24})(?![0-9A-Za-z_-])|/site/([0-9]{1,12})/")


@dataclass(frozen=True, slots=True)
class Agent:
    """Who asks, as far as it is kept. `subscribers`: for how many readers, where it says so; `feed_id`: the number
    that the service itself gave the address, for a service may keep one address under several."""

    program: str
    major: str = ""
    subscribers: int | None = None
    feed_id: str = ""


def parse_user_agent(text: str) -> Agent:
    """Reads a User-Agent of any length and content; never raises.

    A name that could point at a person or a machine (an address, an id of many digits) is `other`.
    """
    text = _LIKE.sub("", text[:_LONGEST])
    program, major = _program(text)
    subscribers = _subscribers(text)
    if subscribers is None:
        return Agent(program, major)
    found = _FEED_ID.search(text)
    return Agent(program, major, subscribers, (found[1] or found[2]) if found else "")


def _program(text: str) -> tuple[str, str]:
    if not text.strip():
        return NOBODY, ""
    known = _FIRST_KNOWN.search(text.lower())
    if known is not None and len(text.lower()) == len(text):
        version = _VERSION_AFTER.match(text, known.end())
        return KNOWN[known[0]], version[1] if version else ""
    if text.startswith("Mozilla/"):
        found = _COMPATIBLE.search(text)
        if found is None:
            return BROWSER, ""
    else:
        found = _PRODUCT.match(text)
    if found is None:
        return OTHER, ""
    name = _END_OF_NAME.split(found[1], maxsplit=1)[0].strip()
    digits = sum(map(str.isdigit, name))
    if not _NAME.fullmatch(name) or digits > _MOST_DIGITS or _PIECE_OF_AN_ID.search(name):
        return OTHER, ""
    return name, found[2] or ""


def _subscribers(text: str) -> int | None:
    found = _COUNT.search(text)
    return int(found[1].replace(",", "")) if found else None
