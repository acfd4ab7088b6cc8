"""The linter's rules for RSS 2.0: the specification and the RSS Advisory Board's Best Practices Profile. Pure."""

from __future__ import annotations

from collections import Counter

from lxml import etree

from feeds.lint_faults import (
    Faults,
    html_faults,
    is_absolute,
    is_rfc822_date,
    is_web_address,
    rfc3339_moment,
)
from feeds.lint_xml import Outline, text_of
from posts.tree import words

_ATOM = "{http://www.w3.org/2005/Atom}"
_CONTENT = "{http://purl.org/rss/1.0/modules/content/}encoded"
_CREATOR = "{http://purl.org/dc/elements/1.1/}creator"
_SLASH = "{http://purl.org/rss/1.0/modules/slash/}comments"
_WFW = "{http://wellformedweb.org/CommentAPI/}commentRss"
_MEDIA = "{http://search.yahoo.com/mrss/}content"
_FH = "{http://purl.org/syndication/history/1.0}"
_CHANNEL = words(
    "title link description language copyright managingEditor webMaster pubDate lastBuildDate"
    " category generator docs cloud ttl image rating textInput skipHours skipDays item"
)
_ITEM = words("title link description author category comments enclosure guid pubDate source")
_REPEATED = words("category item")


def lint_rss(root: etree._Element, url: str, faults: Faults) -> Outline | None:
    """Notes what the document breaks; gives what it says, None where it is no RSS."""
    channels = root.findall("channel")
    if root.tag != "rss" or root.get("version") != "2.0" or len(channels) != 1:
        faults.add("rss.root", "it is not one channel in an rss element of version 2.0")
        return None
    channel = channels[0]
    _check_names(channel, _CHANNEL, faults, None)
    for name in ("title", "link", "description"):
        if not text_of(channel, name):
            faults.add("rss.channel", f"its channel has no {name}")
    _check_dates(channel, faults, None)
    _check_address(channel, "link", faults, None)
    _check_image(channel, faults)
    ttl = text_of(channel, "ttl")
    if ttl and not _is_number(ttl):
        faults.add("rss.ttl", f'its ttl is "{ttl}", not a number of minutes')
    ids = [_check_item(item, faults) for item in channel.iterfind("item")]
    for guid, count in Counter(ids).items():
        if count > 1:
            faults.add("rss.duplicate", f"{count} items have one guid", guid=guid or None)
    return Outline(
        format="rss",
        url=url,
        ids=tuple(ids),
        links=_check_links(channel, url, faults),
        is_archive=channel.find(f"{_FH}archive") is not None,
    )


def _check_item(item: etree._Element, faults: Faults) -> str:
    """One item; gives its guid."""
    guid = text_of(item, "guid")
    named = guid or None
    element = item.find("guid")
    if element is None or not guid:
        faults.add("rss.guid", "an item has no guid")
    elif element.get("isPermaLink", "true") == "true" and not is_web_address(guid):
        faults.add("rss.guid", "its guid is no address, but isPermaLink is not false", guid=named)
    _check_names(item, _ITEM, faults, named)
    if not text_of(item, "title") and not text_of(item, "description"):
        faults.add("rss.item", "it has neither title nor description", guid=named)
    _check_dates(item, faults, named)
    for name in ("link", "comments"):
        _check_address(item, name, faults, named)
    _check_enclosures(item, faults, named)
    _check_extensions(item, faults, named)
    names = [child.tag for child in item]
    if _CONTENT in names and (
        "description" not in names or names.index(_CONTENT) < names.index("description")
    ):
        faults.add("rss.order", "content:encoded needs a description before it", guid=named)
    for name in ("description", _CONTENT):
        for rule, what in html_faults(item.findtext(name) or ""):
            faults.add(rule, what, guid=named)
    return guid


def _check_names(
    parent: etree._Element, known: frozenset[str], faults: Faults, guid: str | None
) -> None:
    """RSS's own elements are in no namespace, and most stand once (the Profile, 4)."""
    counts = Counter(str(child.tag) for child in parent if isinstance(child.tag, str))
    for name, count in counts.items():
        if not name.startswith("{") and name not in known:
            faults.add("rss.unknown", f'RSS has no element "{name}" here', guid=guid)
        elif name in known and name not in _REPEATED and count > 1:
            faults.add("rss.once", f'it has {count} elements "{name}"; one is allowed', guid=guid)
        elif name == _CONTENT and count > 1:
            faults.add("rss.once", f"it has {count} full texts", guid=guid)


def _check_dates(parent: etree._Element, faults: Faults, guid: str | None) -> None:
    for name in ("pubDate", "lastBuildDate"):
        text = text_of(parent, name)
        if parent.find(name) is not None and not is_rfc822_date(text):
            faults.add("rss.date", f'its {name} "{text}" is no RFC 822 date', guid=guid)
    updated = parent.find(f"{_ATOM}updated")
    if updated is not None and rfc3339_moment((updated.text or "").strip()) is None:
        faults.add("rss.date", f'its atom:updated "{updated.text}" is no RFC 3339 date', guid=guid)


def _check_address(parent: etree._Element, name: str, faults: Faults, guid: str | None) -> None:
    element = parent.find(name)
    if element is not None and not is_absolute((element.text or "").strip()):
        faults.add("rss.address", f'its {name} "{element.text}" is not absolute', guid=guid)


def _check_enclosures(item: etree._Element, faults: Faults, guid: str | None) -> None:
    for enclosure in item.iterfind("enclosure"):
        address, length = enclosure.get("url") or "", enclosure.get("length") or ""
        if not is_web_address(address):
            faults.add("rss.enclosure", f'an enclosure has the address "{address}"', guid=guid)
        if not _is_number(length) or "/" not in (enclosure.get("type") or ""):
            faults.add(
                "rss.enclosure", f'the enclosure "{address}" lacks its length or type', guid=guid
            )
    for media in item.iterfind(_MEDIA):
        if not is_web_address(media.get("url") or ""):
            faults.add(
                "rss.media", f'a media:content has the address "{media.get("url")}"', guid=guid
            )


def _check_extensions(item: etree._Element, faults: Faults, guid: str | None) -> None:
    author = item.findtext("author")
    if author is not None and "@" not in author:
        faults.add(
            "rss.author", "RSS's author is a mail address; names belong into dc:creator", guid=guid
        )
    if any(not (creator.text or "").strip() for creator in item.iterfind(_CREATOR)):
        faults.add("rss.author", "it has a dc:creator without a name", guid=guid)
    count = item.findtext(_SLASH)
    if count is not None and not _is_number(count):
        faults.add("rss.comments", f'its slash:comments is "{count}"', guid=guid)
    replies = item.findtext(_WFW)
    if replies is not None and not is_web_address(replies.strip()):
        faults.add("rss.comments", f'its wfw:commentRss is "{replies}"', guid=guid)
    for category in item.iterfind("category"):
        domain = category.get("domain")
        if not (category.text or "").strip() or (domain is not None and not is_absolute(domain)):
            faults.add(
                "rss.category", f'a category "{category.text}" has the domain "{domain}"', guid=guid
            )


def _check_image(channel: etree._Element, faults: Faults) -> None:
    """The Profile: the image's title and link are the channel's; at most 144 by 400."""
    image = channel.find("image")
    if image is None:
        return
    for name in ("title", "link"):
        if text_of(image, name) != text_of(channel, name):
            faults.add("rss.image", f"its image's {name} is not the channel's")
    if not is_web_address(text_of(image, "url")):
        faults.add("rss.image", f'its image has the address "{text_of(image, "url")}"')
    for name, most in (("width", 144), ("height", 400)):
        size = text_of(image, name)
        if size and not (_is_number(size) and int(size) <= most):
            faults.add("rss.image", f'its image\'s {name} is "{size}"; {most} is the most')


def _check_links(channel: etree._Element, url: str, faults: Faults) -> dict[str, str]:
    found: dict[str, str] = {}
    for link in channel.iterfind(f"{_ATOM}link"):
        rel, href = link.get("rel") or "alternate", link.get("href") or ""
        found.setdefault(rel, href)
        if not is_absolute(href):
            faults.add("rss.address", f'its atom:link "{href}" ({rel}) is not absolute')
    own = [
        link.get("href") for link in channel.iterfind(f"{_ATOM}link") if link.get("rel") == "self"
    ]
    if own != [url]:
        said = ", ".join(filter(None, own)) or "nothing"
        faults.add("rss.self", f"its self link says {said}, its address is {url}")
    return found


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 20
