"""A post's cleaned HTML as a mail may show it: blocks in a row, nothing that loads, quotations with their heading."""

from copy import deepcopy

from lxml import html as lxml_html
from lxml.html import HtmlElement

from newsletter.words import Words

_BLOCKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "center",
        "details",
        "div",
        "dl",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "main",
        "nav",
        "ol",
        "p",
        "pre",
        "section",
        "table",
        "ul",
    ]
)
_WRAPPERS = frozenset(
    ["article", "aside", "center", "div", "footer", "header", "main", "nav", "section"]
)
_HEADINGS = {"h1": "h4", "h2": "h4", "h3": "h4", "h4": "h5", "h5": "h6", "h6": "h6"}
"""Over a post's own headings stand the masthead (h1), the date line (h2) and its headline (h3)."""
_NOISE = (
    "script",
    "style",
    "link",
    "meta",
    "form",
    "input",
    "button",
    "iframe",
    "object",
    "embed",
    "svg",
)


def mail_tree(html: str, *, words: Words, url: str) -> HtmlElement:
    """A `div` whose children are all blocks. Pictures, video and audio are linked lines (8.8: nothing loads);
    `url` is linked where they have no address of their own."""
    root = lxml_html.fragment_fromstring(html, create_parent="div")
    for element in list(root.iter(*_NOISE)):
        element.drop_tree()
    for element in list(root.iter("img", "video", "audio")):
        _replace_medium(element, words=words, url=url)
    for element in list(root.iter("q")):
        _replace_inline_quotation(element)
    for element in list(root.iter("blockquote")):
        _lift_issuer(element)
    for element in root.iter(*_HEADINGS):
        element.tag = _HEADINGS[str(element.tag)]
    rows = _Rows()
    _collect(root, rows)
    rows.close()
    tree = lxml_html.Element("div")
    tree.extend(rows.blocks)
    return tree


def inner_html(tree: HtmlElement) -> str:
    """The HTML of the children of `tree`, a block a line."""
    return "\n".join(map(_outer_html, tree))


def _outer_html(block: HtmlElement) -> str:
    html: str = lxml_html.tostring(block, encoding="unicode", with_tail=False)
    # A wide table scrolls inside its own box; it must not make the whole mail wide.
    return f'<div class="scroll">{html}</div>' if block.tag == "table" else html


def _replace_medium(element: HtmlElement, *, words: Words, url: str) -> None:
    """One linked line for a picture, a video or a sound; inside a link the link stays what it was."""
    source = element.get("src") or next((s.get("src") for s in element.iter("source")), None)
    title = " ".join((element.get("alt") or element.get("title") or "").split())
    label = medium_label(words, str(element.tag), title)
    inside_link = any(True for _ in element.iterancestors("a"))
    line = lxml_html.Element("span" if inside_link else "a")
    line.text = label
    line.set("class", "medium")
    if not inside_link:
        line.set("href", source if _is_web(source) else url)
    line.tail = element.tail
    parent = element.getparent()
    if parent is not None:
        parent.replace(element, line)


def medium_label(words: Words, kind: str, title: str) -> str:
    """`[Picture: the ferry at dawn]`, or the kind alone where nothing is said of it."""
    names = {
        "img": words.text("Picture"),
        "video": words.text("Video"),
        "audio": words.text("Audio"),
    }
    name = names.get(kind) or words.text("File")
    return f"[{name}: {title}]" if title else f"[{name}]"


def _is_web(address: str | None) -> bool:
    return bool(address) and str(address).lower().startswith(("https://", "http://"))


def _replace_inline_quotation(element: HtmlElement) -> None:
    element.text = "“" + (element.text or "")
    if len(element):
        element[-1].tail = (element[-1].tail or "") + "”"
    else:
        element.text += "”"
    element.drop_tag()


def _lift_issuer(quotation: HtmlElement) -> None:
    """Puts what names the issuer and date over a quotation, where the post gives them.

    They stand in a heading or a paragraph all in bold at its beginning, in a `footer` or `cite` at its end, or in
    the `figcaption` of the figure around it.
    """
    named = _named_at_start(quotation)
    if named is None and len(quotation) and quotation[-1].tag in ("footer", "cite"):
        named = quotation[-1]
    parent = quotation.getparent()
    if named is None and parent is not None and parent.tag == "figure":
        named = next(parent.iterchildren("figcaption"), None)
        if named is not None:
            parent.tag = "div"
    if named is None or not (text := " ".join(named.text_content().split())):
        return
    named.drop_tree()
    heading = lxml_html.Element("p")
    heading.set("class", "issuer")
    heading.text = text.lstrip("—– ")
    if quotation.text and quotation.text.strip():
        heading.tail, quotation.text = quotation.text, None
    quotation.insert(0, heading)


def _named_at_start(quotation: HtmlElement) -> HtmlElement | None:
    if not len(quotation) or (quotation.text or "").strip():
        return None
    first = quotation[0]
    if first.tag in _HEADINGS or first.tag == "header":
        return first
    is_all_bold = (
        first.tag == "p"
        and len(first) == 1
        and first[0].tag in ("strong", "b")
        and not (first.text or "").strip()
        and not (first[0].tail or "").strip()
        and len(quotation) > 1
    )
    return first if is_all_bold else None


class _Rows:
    """Collects blocks; text and inline elements between them become paragraphs, parted at blank lines.

    Old blogs part their paragraphs with two `<br>` and have no `<p>` at all.
    """

    def __init__(self) -> None:
        self.blocks: list[HtmlElement] = []
        self._paragraph = lxml_html.Element("p")
        self._breaks = 0

    def text(self, text: str | None) -> None:
        if not text:
            return
        if text.strip():
            self._break_if_parted()
        if len(self._paragraph):
            self._paragraph[-1].tail = (self._paragraph[-1].tail or "") + text
        else:
            self._paragraph.text = (self._paragraph.text or "") + text

    def inline(self, element: HtmlElement) -> None:
        if element.tag == "br":
            self._breaks += 1
        else:
            self._break_if_parted()
        copy = deepcopy(element)
        copy.tail = None
        self._paragraph.append(copy)

    def block(self, element: HtmlElement) -> None:
        self.close()
        copy = deepcopy(element)
        copy.tail = None
        self.blocks.append(copy)

    def close(self) -> None:
        paragraph = self._paragraph
        while (
            len(paragraph) and paragraph[-1].tag == "br" and not (paragraph[-1].tail or "").strip()
        ):
            paragraph.remove(paragraph[-1])
        while len(paragraph) and paragraph[0].tag == "br" and not (paragraph.text or "").strip():
            paragraph.text = paragraph[0].tail
            paragraph[0].tail = None
            paragraph.remove(paragraph[0])
        if paragraph.text_content().strip():
            self.blocks.append(paragraph)
        self._paragraph, self._breaks = lxml_html.Element("p"), 0

    def _break_if_parted(self) -> None:
        if self._breaks > 1:
            self.close()
        self._breaks = 0


def _collect(element: HtmlElement, rows: _Rows) -> None:
    rows.text(element.text)
    for child in element:
        if not isinstance(child.tag, str):
            pass  # a comment
        elif child.tag in _WRAPPERS:
            _collect_wrapped(child, rows)
        elif child.tag == "p" or _is_text_only_figure(child):
            rows.close()
            _collect_paragraph(child, rows)
        elif child.tag in _BLOCKS:
            rows.block(child)
        elif any(True for _ in child.iterdescendants(*_BLOCKS)):
            _collect(child, rows)  # `<b><p>...</p></b>`: the blocks count, the wrapping goes
        else:
            rows.inline(child)
        rows.text(child.tail)


def _collect_wrapped(wrapper: HtmlElement, rows: _Rows) -> None:
    """The blocks of a wrapper; it goes, and its direction and language pass to them."""
    rows.close()
    first = len(rows.blocks)
    _collect(wrapper, rows)
    rows.close()
    for block in rows.blocks[first:]:
        for name in ("dir", "lang"):
            if wrapper.get(name) and not block.get(name):
                block.set(name, wrapper.get(name))


def _collect_paragraph(paragraph: HtmlElement, rows: _Rows) -> None:
    """A paragraph, parted at its blank lines; one that has attributes of direction or language stays whole."""
    if paragraph.get("dir") or paragraph.get("lang"):
        if paragraph.text_content().strip():
            rows.block(paragraph)
        return
    _collect(paragraph, rows)
    rows.close()


def _is_text_only_figure(element: HtmlElement) -> bool:
    return element.tag == "figure" and not any(True for _ in element.iterchildren("figcaption"))
