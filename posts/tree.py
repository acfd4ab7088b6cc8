"""HTML as a tree and back: the one place that knows how libxml2 wants to be asked."""

import re

from lxml import etree
from lxml import html as lxml_html
from lxml.html import HtmlElement

_START = re.compile(r'<([a-z][a-z0-9]*)((?:\s+[a-zA-Z-]+="[^"]*")*)\s*/?>')


def words(text: str) -> frozenset[str]:
    """A set of names, written as a line of words."""
    return frozenset(text.split())


VOID = words("area base br col embed hr img input link meta param source track wbr")
"""Elements without an end tag."""


def parse_fragment(html: str) -> HtmlElement:
    """The tree of `html`, which a sanitiser wrote, under a `div`.

    Its XML parser takes the tree as it is written; libxml2's HTML parser would rebuild it by rules of its own (it
    empties a `b` around a `p`) and cut it at 256 levels. `html` must be free of characters that XML forbids.
    """
    document = "<div>" + _START.sub(_as_xml, html.replace("&nbsp;", "\u00a0")) + "</div>"
    try:
        root = etree.fromstring(document, parser=_xml_parser())
    except etree.XMLSyntaxError:
        return _parsed_as_html(html)
    assert isinstance(root, HtmlElement), "the parser's class lookup says so"
    return root


def inner_html(element: HtmlElement) -> str:
    """The HTML inside `element`."""
    inside = "".join(
        lxml_html.tostring(child, encoding="unicode", method="html") for child in element
    )
    return _escaped(element.text or "") + inside


def _as_xml(match: re.Match[str]) -> str:
    end = "/>" if match[1] in VOID else ">"
    return f"<{match[1]}{match[2].replace('<', '&lt;')}{end}"


def _xml_parser() -> etree.XMLParser:
    parser = etree.XMLParser(huge_tree=True, resolve_entities=False, no_network=True)
    parser.set_element_class_lookup(lxml_html.HtmlElementClassLookup())
    return parser


def _parsed_as_html(html: str) -> HtmlElement:
    parser = lxml_html.HTMLParser(encoding="utf-8", huge_tree=True)
    document = lxml_html.document_fromstring(f"<div>{html}</div>".encode(), parser=parser)
    root = document.find(".//div")
    assert root is not None, "we wrote it"
    return root


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
