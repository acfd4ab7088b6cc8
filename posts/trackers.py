"""Who reports readers: hosts of tracking pixels, and the parameters that links carry for them."""

from urllib.parse import urlsplit, urlunsplit

from posts.tree import words

_HOSTS = frozenset(
    (
        "feedsportal.com",
        "doubleclick.net",
        "statcounter.com",
        "pixel.wp.com",
        "stats.wordpress.com",
        "google-analytics.com",
        "googletagmanager.com",
        "googlesyndication.com",
        "pixel.quantserve.com",
        "scorecardresearch.com",
        "feeds.wordpress.com",
        "rss.buysellads.com",
        "pheedo.com",
        "pixel.facebook.com",
    )
)
_PLACES = (
    ("feeds.feedburner.com", "/~r/"),
    ("feeds.feedburner.com", "/~ff/"),
    ("feedproxy.google.com", "/~r/"),
    ("feedproxy.google.com", "/~ff/"),
    ("blogger.googleusercontent.com", "/tracker/"),
    ("facebook.com", "/tr"),
    ("medium.com", "/_/stat"),
)
_PARAMETERS = words(
    "fbclid gclid dclid msclkid yclid twclid igshid mc_cid mc_eid _hsenc _hsmi mkt_tok vero_id"
)


def is_tracker(url: str) -> bool:
    """True for the address of a known counter: a pixel, a share button that counts, a frame of one."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").removeprefix("www.")
    except ValueError:
        return False
    if any(host == known or host.endswith("." + known) for known in _HOSTS):
        return True
    return any(host == known and parts.path.startswith(path) for known, path in _PLACES)


def without_tracking(url: str) -> str:
    """`url` without utm_ and click-id parameters; every other byte of it stays."""
    if "?" not in url:
        return url
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    pairs = parts.query.split("&")
    kept = [pair for pair in pairs if not _is_tracking(pair.partition("=")[0].lower())]
    if len(kept) == len(pairs):
        return url
    return urlunsplit(parts._replace(query="&".join(kept)))


def _is_tracking(parameter: str) -> bool:
    return parameter.startswith(("utm_", "amp;utm_")) or parameter in _PARAMETERS
