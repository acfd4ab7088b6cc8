"""Where a post may be cut: between blocks, and in a paragraph behind a sentence; nowhere else (digest.md)."""

import re
from collections.abc import Iterator
from copy import deepcopy

from lxml import html as lxml_html
from lxml.html import HtmlElement

_TOLERANCE = 1.25
"""A post that is this little longer than its limit is shown whole."""
_END = re.compile(r"[.!?…]+[\"'”’»)\]]*(?=\s)|[。！？]+[」』”）]*")
_STARTS_SENTENCE = re.compile(r"[\"'“‘«¿¡(\[—–-]*[^\W_]")
_ABBREVIATIONS = frozenset(
    [
        "mr",
        "mrs",
        "ms",
        "dr",
        "prof",
        "st",
        "sr",
        "sra",
        "srta",
        "jr",
        "lic",
        "ing",
        "gral",
        "gen",
        "col",
        "sgt",
        "rep",
        "sen",
        "gov",
        "vs",
        "etc",
        "no",
        "núm",
        "num",
        "p",
        "pp",
        "art",
        "inc",
        "corp",
        "dept",
        "est",
        "aprox",
        "av",
        "ed",
        "jan",
        "feb",
        "mar",
        "apr",
        "jun",
        "jul",
        "aug",
        "sep",
        "sept",
        "oct",
        "nov",
        "dec",
        "ene",
        "abr",
        "ago",
        "dic",
        "a.m",
        "p.m",
        "u.s",
        "ee.uu",
    ]
)
_PAIRS = (("“", "”"), ("«", "»"), ("(", ")"), ("[", "]"), ("「", "」"))


def excerpt_tree(tree: HtmlElement, limit_words: int) -> HtmlElement | None:
    """The beginning of `tree` in about `limit_words` words, empty where it cannot be cut; None where it is short enough.

    A quotation, a list, a table or code comes whole or not at all.
    """
    if _words(tree) <= limit_words * _TOLERANCE:
        return None
    kept: list[HtmlElement] = []
    used = 0
    for block in tree:
        words = _words(block)
        if used + words <= limit_words:
            kept.append(deepcopy(block))
            used += words
            continue
        if block.tag == "p":
            piece = _beginning(block, limit_words - used, first=used == 0)
            if piece is not None:
                kept.append(piece)
        break
    while kept and _promises_more(kept[-1], alone=len(kept) == 1):
        kept.pop()
    result = lxml_html.Element("div")
    result.extend(kept)
    return result


def sentence_ends(text: str) -> Iterator[int]:
    """The offsets in `text` behind each sentence that is followed by another, outside quotations and brackets."""
    for match in _END.finditer(text):
        end = match.end()
        rest = text[end:].lstrip()
        if rest and _starts_sentence(rest) and not _is_abbreviation(text, match):
            before = text[:end]
            if before.count('"') % 2 == 0 and all(
                before.count(opening) <= before.count(closing) for opening, closing in _PAIRS
            ):
                yield end


def _starts_sentence(rest: str) -> bool:
    match = _STARTS_SENTENCE.match(rest)
    return match is not None and not match[0][-1].islower()


def _is_abbreviation(text: str, match: re.Match[str]) -> bool:
    if match[0][0] != ".":
        return False
    word = text[: match.start()].rpartition(" ")[2].strip("(\"“«'").lower()
    return word in _ABBREVIATIONS or (len(word) == 1 and word.isalpha())


def _beginning(paragraph: HtmlElement, words: int, *, first: bool) -> HtmlElement | None:
    """The sentences of `paragraph` that fit in `words`; of the first paragraph at least one, if it is not endless."""
    text = paragraph.text_content()
    best = None
    for end in sentence_ends(text):
        count = len(text[:end].split())
        if count <= words or (first and best is None and count <= words * 2):
            best = end
        if count > words:
            break
    return None if best is None else _up_to(paragraph, best)


def _up_to(element: HtmlElement, length: int) -> HtmlElement:
    copy = deepcopy(element)
    copy.tail = None
    _shorten(copy, length)
    return copy


def _shorten(element: HtmlElement, left: int) -> int:
    """Removes all text of `element` behind the first `left` characters; gives what is left of `left`."""
    text = element.text or ""
    element.text, left = text[:left], max(0, left - len(text))
    for child in list(element):
        if left == 0:
            element.remove(child)
            continue
        left = _shorten(child, left)
        tail = child.tail or ""
        child.tail, left = tail[:left], max(0, left - len(tail))
    return left


def _promises_more(block: HtmlElement, *, alone: bool) -> bool:
    """True for what must not stand last: a heading, a rule, a sentence that ends in a colon (unless it is all)."""
    if block.tag in ("h4", "h5", "h6", "hr"):
        return True
    return not alone and block.tag == "p" and block.text_content().rstrip().endswith(":")


def _words(element: HtmlElement) -> int:
    return len(element.text_content().split())
