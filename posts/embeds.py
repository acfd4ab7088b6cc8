"""Embedded players and frames become links, so that a mail or a feed reader shows something in their place.

Works on the tree of half-cleaned HTML; `posts/clean.py` calls it before the allow list drops frames (mail.md's
order: embeds to links, then the sanitiser).
"""

import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

from lxml import html as lxml_html
from lxml.html import HtmlElement

from posts.tree import words as names

EMBED_TAGS = frozenset(("iframe", "video", "audio", "object", "embed"))
_LAZY = ("src", "data-src", "data-lazy-src", "data-url", "data")
_INLINE_PARENTS = names("p a span b i em strong h3 h4 h5 h6 dt figcaption td th caption")
_YOUTUBE_ID = re.compile(r"[A-Za-z0-9_-]{6,20}")
_WORDS = {
    "en": {
        "video": "Watch the video",
        "audio": "Listen",
        "post": "See the post",
        "see": "See",
        "on": "on",
    },
    "es": {
        "video": "Ver el vídeo",
        "audio": "Escuchar",
        "post": "Ver la publicación",
        "see": "Ver",
        "on": "en",
    },
}
_NAMES = {"youtube": "YouTube", "vimeo": "Vimeo", "twitter": "Twitter"}


def link_embeds(root: HtmlElement, absolute: Callable[[str], str | None], *, language: str) -> None:
    """Puts a link in the place of every embed under `root`; one that leads nowhere goes without a trace.

    `absolute` gives the absolute http(s) address of an attribute's value, or None. The link's words are the
    embed's own title where it has one, else in `language` (English or Spanish).
    """
    words = _WORDS.get(language.partition("-")[0], _WORDS["en"])
    for element in list(root.iter(*EMBED_TAGS)):
        if any(ancestor.tag in EMBED_TAGS for ancestor in element.iterancestors()):
            continue  # the outermost one speaks for what is inside
        url = _address(element, absolute)
        if url is None or _is_invisible(element):
            element.drop_tree()
            continue
        _replace(element, *_watchable(element, url, words))
    for element in list(root.iter("source", "track", "param")):
        element.drop_tree()


def _address(element: HtmlElement, absolute: Callable[[str], str | None]) -> str | None:
    candidates = [element.get(name) for name in _LAZY]
    for inner in element.iter("source", "embed", "param", "iframe", "object"):
        if inner.tag != "param":
            candidates += [inner.get("src"), inner.get("data")]
        elif (inner.get("name") or "").lower() in ("movie", "src", "url"):
            candidates.append(inner.get("value"))
    for candidate in candidates:
        url = absolute(candidate) if candidate else None
        if url is not None:
            return url
    return None


def _is_invisible(element: HtmlElement) -> bool:
    return any(
        (element.get(side) or "").strip() in ("0", "1", "0px", "1px")
        for side in ("width", "height")
    )


def _watchable(element: HtmlElement, url: str, words: dict[str, str]) -> tuple[str, str]:
    """The address a person can open, and the words of the link."""
    title = " ".join((element.get("title") or element.get("aria-label") or "").split())
    service, page = _service(url)
    if service is None:
        kind = element.tag if element.tag in ("video", "audio") else "see"
        host = (urlsplit(url).hostname or url).removeprefix("www.")
        label = words[kind]
        if kind == "see":
            return url, f"{label}: {title or host}"
        return url, f"{label}: {title}" if title else label
    label = words["post" if service == "twitter" else "video"]
    if title and title.casefold() not in ("youtube video player", "vimeo video player", "embed"):
        return page, f"{label}: {title}"
    return page, f"{label} {words['on']} {_NAMES[service]}"


def _service(url: str) -> tuple[str | None, str]:
    """Which known service an embed's address belongs to, and the page that shows the same thing."""
    parts = urlsplit(url)
    host = (parts.hostname or "").removeprefix("www.")
    steps = [step for step in parts.path.split("/") if step]
    query = parse_qs(parts.query)
    if host in ("youtube.com", "youtube-nocookie.com", "m.youtube.com"):
        if (
            steps[:1] in (["embed"], ["v"], ["shorts"])
            and len(steps) > 1
            and _YOUTUBE_ID.fullmatch(steps[1])
        ):
            if steps[1] == "videoseries" and "list" in query:
                return "youtube", f"https://www.youtube.com/playlist?list={query['list'][0]}"
            return "youtube", f"https://www.youtube.com/watch?v={steps[1]}"
        return "youtube", url
    if host == "youtu.be":
        return "youtube", url
    if host == "player.vimeo.com" and steps[:1] == ["video"] and len(steps) > 1:
        return "vimeo", f"https://vimeo.com/{steps[1]}"
    if host == "vimeo.com":
        return "vimeo", url
    if host in ("platform.twitter.com", "twitframe.com", "twitter.com", "x.com"):
        if query.get("id", [""])[0].isdigit():
            return "twitter", f"https://twitter.com/i/status/{query['id'][0]}"
        return "twitter", query.get("url", [url])[0] if host == "twitframe.com" else url
    return None, url


def _replace(element: HtmlElement, url: str, words: str) -> None:
    link = lxml_html.Element("a", href=url)
    link.text = words
    parent = element.getparent()
    assert parent is not None, "the root is a div of ours"
    new = link
    if parent.tag not in _INLINE_PARENTS:
        new = lxml_html.Element("p")
        new.append(link)
    new.tail = element.tail
    parent.replace(element, new)
