"""The text part of a post: what a person would have typed (digest.md, mail.md 6).

A walker of our own over the cleaned tree: the libraries tried lose link targets or put code on one line.
"""

import re
import textwrap

from lxml import html as lxml_html
from lxml.html import HtmlElement

from newsletter.story import Story

WIDTH = 72
_HARD_SPACE = re.compile("[\u00a0\u202f]")
_SPACE = re.compile(r"[ \t\r\n\f\v]+")
_BLOCKS = frozenset(
    [
        "blockquote",
        "center",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "figcaption",
        "figure",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "li",
        "ol",
        "p",
        "pre",
        "section",
        "summary",
        "table",
        "ul",
    ]
)
_SENTINEL_BREAK = "\x00"
_SCHEMES = ("http://", "https://", "mailto:", "tel:")


class _References:
    """The links of one post, numbered in the order of their first mention."""

    def __init__(self) -> None:
        self.urls: list[str] = []

    def number(self, url: str) -> int:
        if url not in self.urls:
            self.urls.append(url)
        return self.urls.index(url) + 1


def story_text(story: Story) -> str:
    """A story in plain text: title underlined, its address, byline, body wrapped at 72, its links at the end."""
    references = _References()
    lines = [*underlined(story.title, "="), story.url, ""]
    lines += wrapped(" · ".join(piece for piece in (story.byline, story.label) if piece))
    for one in story.corrections:
        lines += ["", *wrapped(f"{one.label}: {one.note}")]
    for block in html_blocks(story.body_html, references):
        lines += ["", *block]
    for link in story.media:
        lines += ["", *wrapped(f"{link.text} [{references.number(link.url)}]")]
    endings = [story.read_on] if story.read_on else []
    if story.comments:
        endings.append(f"{story.comments.text} [{references.number(story.comments.url)}]")
    if endings:
        lines += ["", *endings]
    if references.urls:
        lines.append("")
        lines += [f"[{number}] {url}" for number, url in enumerate(references.urls, start=1)]
    return "\n".join(lines) + "\n"


def underlined(title: str, mark: str) -> list[str]:
    """A title over a line of `mark` as long as itself."""
    lines = wrapped(title)
    return [*lines, mark * max(map(len, lines), default=1)]


def wrapped(text: str, width: int = WIDTH) -> list[str]:
    """`text` in lines of `width`, its hard spaces plain ones; addresses and long words stay whole."""
    return textwrap.wrap(
        _HARD_SPACE.sub(" ", text), width, break_long_words=False, break_on_hyphens=False
    ) or [""]


def html_blocks(html: str, references: _References | None = None) -> list[list[str]]:
    """The blocks of cleaned HTML as lists of lines."""
    if not html.strip():
        return []
    root = lxml_html.fragment_fromstring(html, create_parent="div")
    return _blocks(root, WIDTH, references or _References())


def _blocks(element: HtmlElement, width: int, references: _References) -> list[list[str]]:
    """The blocks inside `element`; text and inline elements between its blocks are paragraphs."""
    blocks: list[list[str]] = []
    run: list[str] = [element.text or ""]

    def close() -> None:
        lines = _paragraph("".join(run), width)
        if lines:
            blocks.append(lines)
        run.clear()

    for child in element:
        if child.tag in _BLOCKS:
            close()
            blocks.extend(_block(child, width, references))
        elif isinstance(child.tag, str):
            run.append(_inline(child, references))
        run.append(child.tail or "")
    close()
    return blocks


def _block(element: HtmlElement, width: int, references: _References) -> list[list[str]]:
    tag = str(element.tag)
    if tag == "pre":
        code = element.text_content().strip("\n").expandtabs(4).split("\n")
        return [[("    " + line).rstrip() for line in code]]
    if tag == "hr":
        return [["* * *"]]
    if tag == "table":
        return _table(element, references)
    if tag == "blockquote":
        return [_prefixed(_blocks(element, width - 2, references), "> ")]
    if tag in ("ul", "ol"):
        return _list(element, width, references)
    inner = _blocks(element, width - 4 if tag == "dd" else width, references)
    if tag == "dd":
        return [["    " + line for line in block] for block in inner]
    if tag in ("h1", "h2", "h3", "h4", "h5", "h6") and inner:
        return [[*inner[0], "-" * max(map(len, inner[0]))], *inner[1:]]
    return inner


def _prefixed(blocks: list[list[str]], prefix: str) -> list[str]:
    lines: list[str] = []
    for at, block in enumerate(blocks):
        lines += [prefix.rstrip()] if at else []
        lines += [(prefix + line).rstrip() for line in block]
    return lines


def _list(element: HtmlElement, width: int, references: _References) -> list[list[str]]:
    start = element.get("start", "1")
    number = int(start) if start.isdecimal() else 1
    lines: list[str] = []
    for item in element.iterchildren("li"):
        bullet = f"{number}. " if element.tag == "ol" else "- "
        number += 1
        indent = " " * len(bullet)
        inner = _blocks(item, width - len(bullet), references) or [[""]]
        flat: list[str] = []
        for at, block in enumerate(inner):
            is_list = at and block[0].startswith(("- ", "1. "))
            flat += [""] if at and not is_list else []
            flat += block
        lines += [((bullet if at == 0 else indent) + line).rstrip() for at, line in enumerate(flat)]
    return [lines] if lines else []


def _table(element: HtmlElement, references: _References) -> list[list[str]]:
    """Columns aligned where a row fits, cells parted by a bar; the caption stands over it."""
    blocks: list[list[str]] = []
    rows = []
    for caption in element.iterchildren("caption"):
        blocks.append(_paragraph(_inline(caption, references), WIDTH))
    for row in element.iter("tr"):
        cells = row.iterchildren("td", "th")
        rows.append(
            [
                _SPACE.sub(" ", _inline(cell, references)).strip().replace(_SENTINEL_BREAK, " / ")
                for cell in cells
            ]
        )
    columns = max((len(row) for row in rows), default=0)
    widths = [max(len(row[at]) if at < len(row) else 0 for row in rows) for at in range(columns)]
    if sum(widths) + 3 * columns > WIDTH:
        widths = [0] * columns
    lines = [
        " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip()
        for row in rows
    ]
    if len(rows) > 1 and any(True for _ in element.iter("th")) and any(widths):
        lines.insert(1, "-+-".join("-" * width for width in widths))
    return [*blocks, lines] if lines else blocks


def _paragraph(text: str, width: int) -> list[str]:
    """The lines of a paragraph; where it breaks by itself a line begins."""
    lines: list[str] = []
    for piece in _SPACE.sub(" ", text).split(_SENTINEL_BREAK):
        lines += wrapped(piece.strip(), width)
    while lines and not lines[-1]:
        lines.pop()
    while lines and not lines[0]:
        lines.pop(0)
    return lines


def _inline(element: HtmlElement, references: _References) -> str:
    """The text of an inline element, its links followed by their number."""
    if element.tag == "br":
        return _SENTINEL_BREAK
    pieces = [element.text or ""]
    for child in element:
        pieces += [
            _inline(child, references) if isinstance(child.tag, str) else "",
            child.tail or "",
        ]
    text = "".join(pieces)
    if element.tag == "code":
        return f"`{text}`" if text.strip() else text
    url = str(element.get("href", "")) if element.tag == "a" else ""
    if not url.lower().startswith(_SCHEMES):
        return text
    if text.strip() in (url, url.removeprefix("mailto:")):
        return url.removeprefix("mailto:")
    return f"{text} [{references.number(url)}]"
