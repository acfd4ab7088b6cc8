"""JSON Feed 1.1 (jsonfeed.org/version/1.1): an item's bytes, and the frame around the items."""

from __future__ import annotations

import json

from feeds.fields import EntryFields
from feeds.spec import NO_LINKS, Feed, FrameLinks, alternate_url, feed_url, page_url
from posts.settings import Site


def json_item(fields: EntryFields) -> bytes:
    """One item; its id is a string always. JSON Feed demands a text, so a headline has its summary as one."""
    text = (
        {"content_text": fields.summary or fields.title}
        if fields.html is None
        else {"content_html": fields.html}
    )
    item: dict[str, object] = {
        "id": fields.id,
        "url": fields.url,
        "title": fields.title,
        **text,
        "summary": fields.summary,
        "date_published": fields.published.isoformat(),
        "date_modified": fields.updated.isoformat(),
        "language": fields.language,
    }
    if fields.picture_url:
        item["image"] = fields.picture_url
    if fields.authors:
        item["authors"] = [{"name": author} for author in fields.authors]
        item["author"] = {
            "name": fields.authors[0]
        }  # what 1.0 called it; older readers know only this
    if fields.categories:
        item["tags"] = [category.label for category in fields.categories]
    if fields.enclosures:
        item["attachments"] = [
            {
                "url": enclosure.url,
                "mime_type": enclosure.type,
                **({"title": enclosure.title} if enclosure.title else {}),
                **(
                    {}
                    if enclosure.length_bytes is None
                    else {"size_in_bytes": enclosure.length_bytes}
                ),
            }
            for enclosure in fields.enclosures
        ]
    if fields.comments_url or fields.comments_feed_url:
        item["_comments"] = {
            **({"url": fields.comments_url} if fields.comments_url else {}),
            **({"feed_url": fields.comments_feed_url} if fields.comments_feed_url else {}),
            **({} if fields.comment_count is None else {"count": fields.comment_count}),
        }
    return _bytes(item)


def json_frame(
    feed: Feed, *, site: Site, web_url: str, links: FrameLinks = NO_LINKS
) -> tuple[bytes, bytes]:
    """What stands before and after the items; the items are joined by `,` and a line break.

    `feed_url` is the feed's own in each of its documents: JSON Feed takes it for the feed's identity.
    """
    author = {"name": site.title, "url": site.url}
    head: dict[str, object] = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": feed.title,
        "home_page_url": alternate_url(feed, site, web_url),
        "feed_url": feed_url(feed, "json", web_url),
        "description": site.tagline or feed.title,
        # For people who open the address in a browser: JSON has no style sheet.
        "user_comment": "This is a feed. Copy its address into a feed reader; more about it: "
        + page_url(feed, web_url),
        "language": feed.language,
        "authors": [author],
        "author": author,
    }
    if site.icon:
        head["icon"] = head["favicon"] = site.icon
    if site.rights:
        head["_rights"] = {"text": site.rights}
    if links.next_url is not None:
        head["next_url"] = links.next_url
    if links.hubs:
        head["hubs"] = [{"type": "WebSub", "url": hub} for hub in links.hubs]
    return _bytes(head)[:-1] + b',"items":[\n', b"\n]}\n"


def _bytes(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
