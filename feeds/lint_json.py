"""The linter's rules for JSON Feed 1.1 (jsonfeed.org/version/1.1). Pure."""

from __future__ import annotations

import json
from collections import Counter

from feeds.lint_faults import Faults, html_faults, is_absolute, is_web_address, rfc3339_moment
from feeds.lint_xml import Outline, subscription_url
from posts.text import strip_illegal
from posts.tree import words

_VERSION = "https://jsonfeed.org/version/1.1"
_TOP = words(
    "version title home_page_url feed_url description user_comment next_url icon favicon authors"
    " author language expired hubs items"
)
_ITEM = words(
    "id url external_url title content_html content_text summary image banner_image"
    " date_published date_modified authors author tags language attachments"
)
_AUTHOR = words("name url avatar")
_ATTACHMENT = words("url mime_type title size_in_bytes duration_in_seconds")
_TOP_ADDRESSES = ("home_page_url", "feed_url", "next_url", "icon", "favicon")
_ITEM_ADDRESSES = ("url", "external_url", "image", "banner_image")
_TEXTS = (
    "title",
    "description",
    "user_comment",
    "language",
    "summary",
    "content_html",
    "content_text",
)

Object = dict[str, object]


def lint_json(body: bytes, url: str, faults: Faults) -> Outline | None:
    """Notes what the document breaks; gives what it says, None where it is no JSON Feed."""
    top = _parsed(body, faults)
    if top is None:
        return None
    if top.get("version") != _VERSION:
        faults.add("json.version", f'its version is "{top.get("version")}", not {_VERSION}')
    if not _text(top, "title"):
        faults.add("json.title", "it has no title")
    # JSON Feed 1.1: feed_url is the feed's identity, so every document of an archive has that of its feed.
    own = subscription_url(url)
    if top.get("feed_url") != own:
        faults.add("json.self", f"its feed_url says {top.get('feed_url')}, its feed's is {own}")
    _check_common(top, _TOP, _TOP_ADDRESSES, faults, None)
    if "expired" in top and not isinstance(top["expired"], bool):
        faults.add("json.type", "expired is neither true nor false")
    for hub in _list(top, "hubs", faults, None):
        if not (_text(hub, "type") and is_web_address(_text(hub, "url"))):
            faults.add("json.hub", "a hub lacks its type or address")
    if not isinstance(top.get("items"), list):
        faults.add("json.items", "items is no list")
    ids = [_check_item(item, faults) for item in _list(top, "items", faults, None)]
    for guid, count in Counter(ids).items():
        if count > 1:
            faults.add("json.duplicate", f"{count} items have one id", guid=guid or None)
    links = {"self": _text(top, "feed_url"), "next": _text(top, "next_url")}
    return Outline(
        format="json",
        url=url,
        ids=tuple(ids),
        links={rel: address for rel, address in links.items() if address},
    )


def _parsed(body: bytes, faults: Faults) -> Object | None:
    try:
        top = json.loads(
            body.decode("utf-8"), parse_constant=_refused, object_pairs_hook=_without_repeats
        )
    except UnicodeDecodeError as error:
        faults.add("json.encoding", f"it is not UTF-8: {error.reason} at byte {error.start}")
        return None
    except RecursionError:
        faults.add("json.depth", "it is nested too deep")
        return None
    except ValueError as error:
        faults.add("json.well-formed", f"it is not JSON: {error}")
        return None
    if not isinstance(top, dict):
        faults.add("json.root", "it is not an object")
        return None
    return top


def _refused(constant: str) -> object:
    raise ValueError(f"{constant} is no JSON (RFC 8259 6)")


def _without_repeats(pairs: list[tuple[str, object]]) -> Object:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("an object has one key twice (RFC 8259 4)")
    return made


def _check_item(item: Object, faults: Faults) -> str:
    """One item; gives its id."""
    given = item.get("id")
    guid = given if isinstance(given, str) else ""
    named = guid or None
    if not guid:
        faults.add("json.id", f"an item has the id {given!r}; it must be a text")
    if not isinstance(item.get("content_html"), str) and not isinstance(
        item.get("content_text"), str
    ):
        faults.add("json.content", "it has neither content_html nor content_text", guid=named)
    _check_common(item, _ITEM, _ITEM_ADDRESSES, faults, named)
    moments = {}
    for name in ("date_published", "date_modified"):
        if name in item:
            moments[name] = rfc3339_moment(_text(item, name))
            if moments[name] is None:
                faults.add(
                    "json.date", f'its {name} "{item[name]}" is no RFC 3339 date', guid=named
                )
    published, modified = moments.get("date_published"), moments.get("date_modified")
    if published and modified and modified < published:
        faults.add("json.date", "it was modified before it was published", guid=named)
    tags = item.get("tags", [])
    if not isinstance(tags, list) or not all(isinstance(tag, str) and tag for tag in tags):
        faults.add("json.tags", "its tags are no list of texts", guid=named)
    else:
        for tag in tags:
            _check_characters(tag, "a tag", faults, named)
    for attachment in _list(item, "attachments", faults, named):
        _check_attachment(attachment, faults, named)
    for rule, what in html_faults(_text(item, "content_html")):
        faults.add(rule, what, guid=named)
    return guid


def _check_attachment(attachment: Object, faults: Faults, guid: str | None) -> None:
    _check_keys(attachment, _ATTACHMENT, faults, guid)
    if not is_web_address(_text(attachment, "url")) or "/" not in _text(attachment, "mime_type"):
        faults.add("json.attachment", "an attachment lacks its address or media type", guid=guid)
    for name in ("size_in_bytes", "duration_in_seconds"):
        size = attachment.get(name, 0)
        if isinstance(size, bool) or not isinstance(size, int | float) or size < 0:
            faults.add("json.attachment", f"an attachment's {name} is {size!r}", guid=guid)


def _check_common(
    holder: Object,
    known: frozenset[str],
    addresses: tuple[str, ...],
    faults: Faults,
    guid: str | None,
) -> None:
    """What feed and items have alike: keys, texts, addresses, authors."""
    _check_keys(holder, known, faults, guid)
    for name in _TEXTS:
        if name in holder:
            value = holder[name]
            if isinstance(value, str):
                _check_characters(value, name, faults, guid)
            else:
                faults.add("json.type", f"its {name} is no text", guid=guid)
    for name in addresses:
        if name in holder and not is_absolute(_text(holder, name)):
            faults.add("json.address", f'its {name} "{holder[name]}" is not absolute', guid=guid)
    for author in _list(holder, "authors", faults, guid):
        _check_keys(author, _AUTHOR, faults, guid)
        if not any(_text(author, name) for name in _AUTHOR):
            faults.add("json.author", "it has an author of whom nothing is said", guid=guid)
        _check_characters(_text(author, "name"), "an author", faults, guid)


def _check_keys(holder: Object, known: frozenset[str], faults: Faults, guid: str | None) -> None:
    strange = sorted(key for key in holder if key not in known and not key.startswith("_"))
    if strange:
        faults.add("json.unknown", f"JSON Feed knows no {', '.join(strange[:5])}", guid=guid)


def _check_characters(text: str, name: str, faults: Faults, guid: str | None) -> None:
    """JSON can write what no XML can hold; readers that keep entries as XML stumble over it."""
    if strip_illegal(text) != text:
        faults.add("json.characters", f"{name} holds a control character or half of one", guid=guid)


def _list(holder: Object, name: str, faults: Faults, guid: str | None) -> list[Object]:
    """The objects of a list; what is no object is a fault."""
    values = holder.get(name, [])
    if not isinstance(values, list):
        values = [None]
    if not all(isinstance(value, dict) for value in values):
        faults.add("json.type", f"its {name} is no list of objects", guid=guid)
    return [value for value in values if isinstance(value, dict)]


def _text(holder: Object, name: str) -> str:
    value = holder.get(name)
    return value if isinstance(value, str) else ""
