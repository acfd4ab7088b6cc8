"""The feed addresses of the programs that a newsroom may come from: which of our documents each one means. Pure.

Readers keep an address for years and adopt a new one slowly (feeds.md 2.1), so all of these stay for ever.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from posts.text import ascii_slug

_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class OldFeed:
    """What an old address stood for: our documents that take its place, the best first; the first that is published is
    meant. `ends` is true where the reader is told "gone" when none of them is: feeds of comments, which we have not."""

    paths: Sequence[str]
    ends: bool = False


_FORMATS: Mapping[str, str] = {
    "": "rss",
    "rss": "rss",
    "rss2": "rss",
    "rdf": "rss",
    "atom": "atom",
    "json": "json",
    "feed": "rss",
    "json-in-script": "json",
}
_WHOLE = {
    "/atom.xml": "atom",
    "/rss.xml": "rss",  # Blogger, Jekyll, Hexo
    "/feed.xml": "atom",
    "/index.xml": "rss",
    "/index.rss": "rss",
    "/index.atom": "atom",
    "/feed.json": "json",
    "/index.json": "json",
    "/posts/index.xml": "rss",
    "/post/index.xml": "rss",
    "/blog/index.xml": "rss",
    "/rss": "rss",
    "/wp-rss.php": "rss",
    "/wp-rss2.php": "rss",
    "/wp-atom.php": "atom",
    "/wp-rdf.php": "rss",
    "/feeds/all.atom.xml": "atom",
    "/feeds/all.rss.xml": "rss",  # Pelican
}
_BLOGGER = re.compile(r"/feeds/posts/(?P<kind>default|summary)(?:/-/(?P<labels>.+))?")
_BLOGGER_COMMENTS = re.compile(r"/feeds/(?:comments|[0-9]+/comments)/(?:default|summary|full)")
_FEED = r"/feed(?:/(?P<format>rss2?|rdf|atom|json))?"
_WORDPRESS = re.compile(rf"(?P<comments>/comments)?{_FEED}")
_WORDPRESS_DATED = re.compile(rf"/[0-9]{{4}}(?:/[0-9]{{2}}){{0,2}}(?P<post>/[^/]+)?{_FEED}")
"""The feed of a year, a month or a day; with a post's name behind it, that of the post's comments."""
_LANGUAGE = re.compile(
    rf"/(?P<language>[a-z]{{2,3}}(?:-[a-z]{{2,4}})?)(?:{_FEED}|/(?P<file>rss|index\.xml|rss\.xml|feed\.xml|atom\.xml))",
    re.IGNORECASE,
)
_LABEL = re.compile(
    r"/(?P<kind>category|categories|tag|tags|author|authors)/(?P<name>.+)/"
    r"(?:feed(?:/(?P<format>rss2?|rdf|atom|json))?|(?P<ending>rss|index\.xml))"
)
_JEKYLL = re.compile(r"/feed/(?:by_tag/|by_category/)?(?P<name>[^/]+)\.xml")


def find_old_feed(path: str, query: Mapping[str, str]) -> OldFeed | None:
    """What `path` (decoded) and `query` meant, or None where no program that we know published a feed there.

    A parameter that says nothing here is ignored: readers and proxies add their own.
    """
    place = path.rstrip("/") if path != "/" else path
    if place == "/" and "feed" in query:  # WordPress without pretty addresses
        return _wordpress_query(query)
    if place in _WHOLE:
        return _all(_WHOLE[place])
    if match := _BLOGGER.fullmatch(place):
        return _blogger(match["kind"], match["labels"], _FORMATS.get(query.get("alt", "atom")))
    if _BLOGGER_COMMENTS.fullmatch(place):
        return _comments(_FORMATS.get(query.get("alt", "atom"), "atom"))
    if match := _WORDPRESS.fullmatch(place):
        format_ = _FORMATS[match["format"] or ""]
        return _comments(format_) if match["comments"] else _all(format_)
    if match := _WORDPRESS_DATED.fullmatch(place):
        format_ = _FORMATS[match["format"] or ""]
        is_post = match["post"] is not None and not match["post"][1:].isdecimal()
        return _comments(format_) if is_post else _all(format_)
    if match := _LANGUAGE.fullmatch(place):
        is_atom = match["file"] in ("feed.xml", "atom.xml")
        format_ = "atom" if is_atom else _FORMATS[match["format"] or ""]
        return OldFeed(paths=(f"/feeds/language-{match['language'].lower()}.{format_}",))
    if match := _LABEL.fullmatch(place):
        kind = "author" if match["kind"].startswith("author") else "tag"
        # Of a category inside another one WordPress writes both; the last is the one that is meant.
        return _label(kind, [match["name"].rpartition("/")[2]], _FORMATS[match["format"] or ""])
    if match := _JEKYLL.fullmatch(place):
        return _label("tag", [match["name"]], "atom")
    return None


def _all(format_: str) -> OldFeed:
    return OldFeed(paths=(f"/feeds/all.{format_}",))


def _comments(format_: str) -> OldFeed:
    return OldFeed(paths=(f"/feeds/comments.{format_}",), ends=True)


def _label(kind: str, names: Sequence[str], format_: str) -> OldFeed:
    slugs = [ascii_slug(name[:_LONGEST_NAME]) for name in names if name]
    return OldFeed(paths=tuple(f"/feeds/{kind}-{slug}.{format_}" for slug in slugs))


def _blogger(kind: str, labels: str | None, format_: str | None) -> OldFeed:
    ending = format_ or "atom"
    if labels:
        # Several labels mean posts with all of them; the first one's feed has these and more.
        return _label("tag", labels.split("/")[:4], ending)
    if kind == "summary":
        return OldFeed(paths=(f"/feeds/headlines.{ending}", f"/feeds/all.{ending}"))
    return _all(ending)


def _wordpress_query(query: Mapping[str, str]) -> OldFeed:
    wanted = query["feed"].strip().lower()
    format_ = _FORMATS.get(wanted.removeprefix("comments-"), "rss")
    if wanted.startswith("comments") or query.get("p") or query.get("page_id"):
        return _comments(format_)
    for parameter, kind in (("tag", "tag"), ("category_name", "tag"), ("author_name", "author")):
        if query.get(parameter):
            return _label(kind, [query[parameter].rpartition("/")[2]], format_)
    return _all(format_)
