"""A post's cleaned HTML as a page carries it: our own pictures only, boxes that scroll, headings that nest."""

from collections.abc import Callable
from urllib.parse import urlsplit

from lxml import etree
from lxml import html as lxml_html

_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_TOP_LEVEL = 2
"""The page's h1 is the post's title."""


def page_body(html: str, *, web_url: str, picture: str, gettext: Callable[[str], str]) -> str:
    """`html` (cleaned) for a page of this server.

    A picture from another host would report the reader to it (DESIGN.md 8.8): it becomes a linked line, `picture`
    with `{alt}` filled in. Tables and code get a box that scrolls by keyboard too; headings start at h2 and skip
    no level.
    """
    root = lxml_html.fragment_fromstring(html, create_parent="div")
    origin = _origin(web_url)
    for image in list(root.iter("img")):
        _settle_picture(image, origin, picture)
    for table in list(root.iter("table")):
        _box(table, gettext("Table"))
    for block in root.iter("pre"):
        block.set("tabindex", "0")
    _nest_headings(root)
    inside = (root.text or "") and _escaped(root.text)
    return inside + "".join(
        etree.tostring(child, encoding="unicode", method="html") for child in root
    )


def _escaped(text: str | None) -> str:
    return (text or "").replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def _settle_picture(image: lxml_html.HtmlElement, origin: tuple[str, str], picture: str) -> None:
    source = image.get("src", "")
    alt = image.get("alt", "").strip()
    image.attrib.pop("srcset", None)  # its other hosts would be asked as well
    if _origin(source) in (origin, ("", "")):
        parts = urlsplit(source)
        image.set("src", parts.path + (f"?{parts.query}" if parts.query else ""))
        image.set("alt", alt)
        image.set("loading", "lazy")
        return
    line: lxml_html.HtmlElement = lxml_html.Element("span")
    text = picture.format(alt=alt) if alt else picture.format(alt=source.rsplit("/", 1)[-1])
    if any(parent.tag == "a" for parent in image.iterancestors()):
        line.text = text
    else:
        link = etree.SubElement(line, "a")
        link.set("href", source)
        link.text = text
    line.set("class", "picture")
    line.tail = image.tail
    image.getparent().replace(image, line)


def _box(element: lxml_html.HtmlElement, label: str) -> None:
    box: lxml_html.HtmlElement = lxml_html.Element("div")
    for name, value in (
        ("class", "scroll"),
        ("role", "region"),
        ("tabindex", "0"),
        ("aria-label", label),
    ):
        box.set(name, value)
    box.tail, element.tail = element.tail, None
    element.getparent().replace(element, box)
    box.append(element)


def _nest_headings(root: lxml_html.HtmlElement) -> None:
    headings = list(root.iter(*_HEADINGS))
    if not headings:
        return
    highest = min(int(heading.tag[1]) for heading in headings)
    level = _TOP_LEVEL - 1
    for heading in headings:
        level = min(int(heading.tag[1]) - highest + _TOP_LEVEL, level + 1, 6)
        heading.tag = f"h{level}"
