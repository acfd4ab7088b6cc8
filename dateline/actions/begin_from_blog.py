"""Asking a living blog what it is called and where its feed is, for `init --from`."""

from urllib.parse import urlsplit

from dateline import __version__
from posts.errors import SourceError
from posts.fetch import Fetcher
from posts.guard import refusal
from posts.sources.discover import Blog, describe_blog


def described_blog(url: str, fetcher: Fetcher | None = None) -> tuple[Blog, bool]:
    """What the blog at `url` says of itself, and whether a private address was typed (DESIGN.md 8.9).

    Only what was typed decides: a public page that leads to a private address is refused. Raises SourceError.
    """
    address = url if "://" in url else f"https://{url}"
    asks = fetcher or Fetcher(user_agent=f"Dateline/{__version__}")
    is_private = _is_private(address, asks)
    return describe_blog(address, asks, allow_private=is_private), is_private


def _is_private(url: str, fetcher: Fetcher) -> bool:
    parts = urlsplit(url)
    try:
        found = fetcher.resolve(parts.hostname or "", parts.port or 443)
    except (OSError, UnicodeError, ValueError) as error:
        raise SourceError(
            "is no address of a blog", where=url, remedy="Is it spelled right?"
        ) from error
    return any(refusal(address, allow_private=False) for address in found)
