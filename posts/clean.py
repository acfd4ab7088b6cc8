"""What arrives becomes content: hostile HTML cleaned once, on entry; nothing behind this door cleans again.

The order is mail.md's: bounds, embeds to links, trackers out, addresses absolute, then nh3 with our own allow list.
"""

import re
from functools import cache
from urllib.parse import urljoin, urlsplit, urlunsplit

import nh3
from lxml.html import HtmlElement

from posts.embeds import EMBED_TAGS, link_embeds
from posts.errors import PostError
from posts.markdown import render_markdown
from posts.model import Content, Enclosure, IncomingPost
from posts.text import excerpt, one_line, plain_text, same_language, strip_illegal, valid_language
from posts.trackers import is_tracker, without_tracking
from posts.tree import VOID, inner_html, parse_fragment, words

MAX_BODY = 2_000_000
"""Characters of a body without the pictures written into it; 5 million of `&amp;` took 15 s to clean."""
MAX_NESTING = 250
"""Open elements inside each other; 100,000 of them kept the sanitiser busy for 19 s."""
_MAX_TITLE = 500
_MAX_LABELS = 100

_TAGS = words(
    "a abbr b bdi bdo blockquote br caption cite code col colgroup dd del details dfn div dl dt em figcaption figure"
    " h3 h4 h5 h6 hr i img ins kbd li mark ol p pre q rp rt ruby s samp small span strong sub summary sup table tbody"
    " td tfoot th thead time tr u ul var wbr"
)
_ATTRIBUTES = {
    "*": {"dir", "lang", "title"},
    "a": {"href", "hreflang"},
    "blockquote": {"cite"},
    "q": {"cite"},
    "del": {"cite", "datetime"},
    "ins": {"cite", "datetime"},
    "time": {"datetime"},
    "img": {"src", "srcset", "alt", "width", "height"},
    "ol": {"start", "reversed", "type"},
    "li": {"value"},
    "details": {"open"},
    "td": {"colspan", "rowspan", "align"},
    "th": {"colspan", "rowspan", "scope", "align"},
    "col": {"span"},
    "colgroup": {"span"},
}
_SCHEMES = {"http", "https", "mailto", "tel"}
_NUMBERS = frozenset(("width", "height", "colspan", "rowspan", "span", "start", "value"))
_CONTAINERS = words(
    "section article header footer main aside nav center address hgroup form fieldset"
)
_OLD = {"strike": "s", "acronym": "abbr", "tt": "code", "dir": "ul", "xmp": "pre", "listing": "pre"}
_CLOSED_BY_NEXT = words("p li dt dd tr td th thead tbody tfoot option optgroup rp rt colgroup")
_NO_TYPE = "application/octet-stream"
_MEDIA_TYPES = {
    "mp3": "audio/mpeg",
    "m4a": "audio/mp4",
    "oga": "audio/ogg",
    "ogg": "audio/ogg",
    "opus": "audio/ogg",
    "wav": "audio/wav",
    "mp4": "video/mp4",
    "webm": "video/webm",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "gif": "image/gif",
    "webp": "image/webp",
    "pdf": "application/pdf",
}
_TAG = re.compile(r"<(?:(!--)|(/?)([a-zA-Z][^\s/>]*))")
# A browser takes `java\nscript:` for `javascript:`; so do we, before we look.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
_DATA_URL = re.compile(r"([\"'])data:[^\"']*\1", re.IGNORECASE)
_LAZY_SOURCES = ("data-src", "data-lazy-src", "data-original")
_ALIGN = re.compile(r"text-align:\s*(left|right|center)")
_INVISIBLE = re.compile(
    r"(?:^|;)\s*(?:display:\s*none|(?:width|height):\s*[01](?:px)?\s*(?:;|$))", re.IGNORECASE
)
_MAIL_ADDRESS = re.compile(r"[<(]?[^\s<>()]+@[^\s<>()]+[>)]?")


def cleaned(incoming: IncomingPost, *, language: str) -> Content:
    """What `incoming` says, cleaned; `language` is the site's, for a post that names none.

    Raises PostError, naming `incoming.place`, for a body that is too large or too deep, and for a post with neither
    title nor text.
    """
    raw_html = incoming.raw_html or ""
    try:
        if incoming.markdown is not None:
            _refuse_large(incoming.markdown)
            raw_html = render_markdown(strip_illegal(incoming.markdown))
        tag = _language(incoming.language, language)
        html = clean_html(raw_html, incoming.base_url, language=tag)
        summary = one_line(plain_text(clean_html(incoming.raw_summary or "", incoming.base_url)))
    except PostError as error:
        raise PostError(error.what, where=incoming.place, remedy=error.remedy) from error
    title = _shortened(one_line(incoming.title)) or excerpt(html, 12)
    if not title:
        raise PostError("has neither a title nor text.", where=incoming.place)
    return Content(
        title=title,
        html=html,
        source_text=strip_illegal(raw_html if incoming.markdown is None else incoming.markdown),
        language=tag,
        link=_link(incoming.link, incoming.base_url),
        summary=summary or None,
        authors=_names(incoming.authors),
        tags=tuple(dict.fromkeys(filter(None, map(one_line, incoming.tags))))[:_MAX_LABELS],
        enclosures=_enclosures(incoming),
        comment_count=incoming.comment_count,
        comments_url=_link(incoming.comments_url, incoming.base_url),
        comments_feed_url=_link(incoming.comments_feed_url, incoming.base_url),
        lead=incoming.lead,
        translation_key=one_line(incoming.translation_key or "") or None,
    )


def clean_html(raw_html: str, base_url: str | None, *, language: str = "en") -> str:
    """`raw_html` as HTML that may be shown anywhere: our allow list, absolute addresses, headings from h3 down.

    Relative addresses count from `base_url`; without one they are dropped and their words stay. `language` is that of
    the words put in the place of embeds. Raises PostError beyond `MAX_BODY` or `MAX_NESTING`.
    """
    raw_html = _DATA_URL.sub('""', strip_illegal(raw_html))
    _refuse_large(raw_html)
    _refuse_deep(raw_html)
    if not raw_html.strip():
        return ""
    # html5ever reads it first: libxml2 alone misreads what browsers understand.
    tree = parse_fragment(strip_illegal(_first_pass().clean(raw_html)))
    _remove_trackers(tree)
    link_embeds(tree, lambda url: absolute_url(url, base_url), language=language)
    _mend_images(tree, base_url)
    _mend_links(tree, base_url)
    _mend_structure(tree)
    _remove_empty(tree)
    html = _second_pass().clean(inner_html(tree))
    # `&nbsp;` is no entity in XML, and feeds are XML.
    return strip_illegal(html.replace("&nbsp;", "\u00a0")).strip()


def absolute_url(url: str, base_url: str | None) -> str | None:
    """`url` counted from `base_url`, or None where that is no http, https, mailto or tel address."""
    bare = _CONTROLS.sub("", url).strip().replace(" ", "%20")
    try:
        joined = urljoin(base_url or "", bare)
        parts = urlsplit(joined)
        scheme, host = parts.scheme.lower(), parts.hostname
    except ValueError:
        return None
    if scheme not in _SCHEMES or not (host if scheme in ("http", "https") else parts.path):
        return None
    return scheme + joined[len(scheme) :]


def _refuse_large(text: str) -> None:
    if len(text) > MAX_BODY:
        raise PostError(
            f"is {len(text):,} characters long.", remedy=f"A post may have {MAX_BODY:,}."
        )


def _refuse_deep(raw_html: str) -> None:
    """Counts what is open, in one pass; never less than a browser would have open, so nothing deep slips by."""
    depth = 0
    opened: dict[str, int] = {}
    position = 0
    while match := _TAG.search(raw_html, position):
        position = match.end()
        name = (match[3] or "").lower()
        if match[1] or (name in ("script", "style") and not match[2]):
            end = raw_html.find("-->" if match[1] else f"</{name}", position)
            position = len(raw_html) if end < 0 else end
        elif name in VOID or name in _CLOSED_BY_NEXT:
            continue
        elif not match[2]:
            opened[name] = opened.get(name, 0) + 1
            depth += 1
        elif opened.get(name, 0):
            opened[name] -= 1
            depth -= 1
        if depth > MAX_NESTING:
            raise PostError(
                f"has more than {MAX_NESTING} elements nested in each other.",
                remedy="Close the tags that are left open.",
            )


@cache
def _first_pass() -> nh3.Cleaner:
    """Reads like a browser and keeps whatever the tree work needs to see."""
    seen = {
        "class",
        "style",
        "title",
        "dir",
        "lang",
        "aria-label",
        "src",
        "width",
        "height",
        *_LAZY_SOURCES,
    }
    attributes = {tag: set(names) for tag, names in _ATTRIBUTES.items()} | {
        "*": seen,
        "object": {"data", "type"},
        "param": {"name", "value"},
        "video": {"poster"},
        "iframe": {"data-url"},
    }
    headings = {"h1", "h2"}
    tags = _TAGS | EMBED_TAGS | _CONTAINERS | headings | _OLD.keys()
    return nh3.Cleaner(
        tags=tags | {"source", "track", "param", "picture", "noscript"},
        attributes=attributes,
        link_rel=None,
        url_schemes=_SCHEMES,
    )


@cache
def _second_pass() -> nh3.Cleaner:
    return nh3.Cleaner(
        tags=set(_TAGS),
        attributes=_ATTRIBUTES,
        attribute_filter=_attribute,
        link_rel=None,
        url_schemes=_SCHEMES,
        url_relative="deny",
    )


def _attribute(tag: str, name: str, value: str) -> str | None:
    if name in _NUMBERS:
        number = value.strip().removesuffix("px")
        return number if number.isascii() and number.isdigit() and len(number) <= 5 else None
    if name == "dir":
        return value.lower() if value.lower() in ("ltr", "rtl", "auto") else None
    if name in ("lang", "hreflang"):
        return valid_language(value)
    return value


def _remove_trackers(root: HtmlElement) -> None:
    for element in list(root.iter("img", "iframe", "a", "div")):
        address = element.get("src") or element.get("href") or ""
        if "feedflare" in (element.get("class") or "").split() or (address and is_tracker(address)):
            element.drop_tree()


def _mend_images(root: HtmlElement, base_url: str | None) -> None:
    """Addresses absolute; pixels, placeholders and pictures that lead nowhere removed."""
    lazy = any(img.get(name) for img in root.iter("img") for name in _LAZY_SOURCES)
    for element in list(root.iter("noscript")):
        if lazy and element.find(".//img") is not None:
            element.drop_tree()  # the same picture again, for readers without JavaScript
        else:
            element.drop_tag()
    for image in list(root.iter("img")):
        given = next(filter(None, map(image.get, _LAZY_SOURCES)), None) or image.get("src") or ""
        url = absolute_url(given, base_url) if given.strip() else None
        sides = [(image.get(side) or "").strip().removesuffix("px") for side in ("width", "height")]
        pixel = any(side in ("0", "1") for side in sides) or _INVISIBLE.search(
            image.get("style") or ""
        )
        if url is None or not url.startswith(("http:", "https:")) or pixel or is_tracker(url):
            image.drop_tree()
            continue
        image.set("src", url)
        if image.get("srcset"):
            srcset = _absolute_srcset(image.get("srcset") or "", base_url)
            image.set("srcset", srcset) if srcset else image.attrib.pop("srcset")


def _absolute_srcset(srcset: str, base_url: str | None) -> str:
    """Candidates are apart by a comma with space: a comma alone may be part of an address (WHATWG HTML 4.8.4.2)."""
    candidates = []
    for candidate in re.split(r",\s+|,$", srcset.strip()):
        address, _, descriptor = candidate.strip().partition(" ")
        url = absolute_url(address, base_url) if address else None
        if (
            url
            and url.startswith(("http:", "https:"))
            and re.fullmatch(r"(\s*[\d.]+[wx])?", descriptor)
        ):
            candidates.append(f"{url} {descriptor.strip()}".rstrip())
    return ", ".join(candidates)


def _mend_links(root: HtmlElement, base_url: str | None) -> None:
    """Addresses absolute and without tracking parameters; links to places inside the post unwrapped.

    No id survives cleaning (mail programs follow no anchor anyway), so that such a link would lead nowhere.
    """
    for link in list(root.iter("a")):
        href = (link.get("href") or "").strip()
        url = absolute_url(href, base_url) if href and not href.startswith("#") else None
        if "footnote-backref" in (link.get("class") or "").split():
            link.drop_tree()
        elif url is None:
            link.drop_tag()
        else:
            link.set("href", without_tracking(url))
    for element in root.iter("blockquote", "q", "ins", "del"):
        if element.get("cite"):
            cite = absolute_url(element.get("cite") or "", base_url)
            element.set("cite", cite) if cite else element.attrib.pop("cite")


def _mend_structure(root: HtmlElement) -> None:
    """Headings from h3 down, old and sectioning elements renamed, alignment of cells kept."""
    headings = list(root.iter("h1", "h2", "h3", "h4", "h5", "h6"))
    shift = max(0, 3 - min((int(heading.tag[1]) for heading in headings), default=3))
    for heading in headings:
        heading.tag = f"h{min(6, int(heading.tag[1]) + shift)}"
    for element in list(root.iter(*_CONTAINERS, *_OLD)):
        element.tag = _OLD.get(element.tag, "div")
    for cell in root.iter("td", "th"):
        align = _ALIGN.search(cell.get("style") or "")
        if align:
            cell.set("align", align[1])


def _remove_empty(root: HtmlElement) -> None:
    """Paragraphs and links without anything in them, innermost first."""
    for element in reversed(list(root.iter("p", "a"))):
        if len(element) == 0 and not (element.text or "").replace("\u00a0", " ").strip():
            element.drop_tree()


def _language(given: str | None, site_language: str) -> str:
    """The post's language. A region is dropped (but Chinese ones, which stand for a script): `en-US` is read by who
    reads `en`; where it is the site's own language, the site's spelling of it is used."""
    tag = valid_language(given) if given else None
    if tag is None or same_language(tag, site_language):
        return site_language
    if tag.startswith("zh"):
        return tag
    return "-".join(
        part for part in tag.split("-")[:2] if len(part) == 4 or part == tag.split("-")[0]
    )


def _shortened(title: str) -> str:
    if len(title) <= _MAX_TITLE:
        return title
    return (
        title[:_MAX_TITLE].rpartition(" ")[0].rstrip() + "…"
        if " " in title[:_MAX_TITLE]
        else title[:_MAX_TITLE] + "…"
    )


def _link(url: str | None, base_url: str | None) -> str | None:
    found = absolute_url(strip_illegal(url), base_url) if url and url.strip() else None
    if found is None or not found.startswith(("http:", "https:")):
        return None
    parts = urlsplit(found)
    return without_tracking(urlunsplit(parts))


def _names(authors: tuple[str, ...]) -> tuple[str, ...]:
    """Authors by name; a mail address is nobody's name and is not for publication."""
    bare = (one_line(_MAIL_ADDRESS.sub("", author)).strip(" ,") for author in authors)
    names = (re.sub(r"^\((.*)\)$", r"\1", name) for name in bare)
    return tuple(dict.fromkeys(name for name in names if name))[:_MAX_LABELS]


def _media_type(url: str, *, said: str) -> str:
    """What the source said, else the type that the address's ending tells: podcast programs pass over what has none."""
    if said and said.lower() != _NO_TYPE:
        return said
    return _MEDIA_TYPES.get(urlsplit(url).path.rpartition(".")[2].lower(), _NO_TYPE)


def _enclosures(incoming: IncomingPost) -> tuple[Enclosure, ...]:
    kept = {}
    for enclosure in incoming.enclosures:
        url = absolute_url(strip_illegal(enclosure.url), incoming.base_url)
        if url and url.startswith(("http:", "https:")):
            kept[url] = Enclosure(
                url=url,
                type=_media_type(url, said=one_line(enclosure.type)),
                length_bytes=enclosure.length_bytes,
                title=one_line(enclosure.title or "") or None,
            )
    return tuple(kept.values())
