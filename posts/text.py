"""Plain text out of cleaned HTML, and the small rules of text: slugs, language tags, characters XML forbids."""

import re
import unicodedata
from html import unescape

from lxml.html import HtmlElement

from posts.tree import parse_fragment, words

_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_DIRECTION = re.compile("[\u202a-\u202e\u2066-\u2069]")
_LINE_BREAKS = re.compile("[\u2028\u2029\u0085]")
_SPACE = re.compile(r"[ \t\r\n\f\v\u00a0]+")
_CJK = re.compile("[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uac00-\ud7af]")
_SENTENCE_END = re.compile(r"[.!?…。！？]['\"’”»)\]]*$")
_LANGUAGE = re.compile(
    r"(?P<language>[a-z]{2,3})(-(?P<script>[a-z]{4}))?(-(?P<region>[a-z]{2}|\d{3}))?"
    r"(?P<rest>(-([a-z0-9]{5,8}|\d[a-z0-9]{3}))*)",
    re.IGNORECASE,
)
_BLOCKS = words(
    "address article aside blockquote body caption center dd details div dl dt figcaption figure footer form"
    " h1 h2 h3 h4 h5 h6 header hr li main nav ol p pre section summary table tbody td tfoot th thead tr ul"
)
_SILENT = frozenset(("script", "style", "template", "head"))
_INSIDE_TAG = r'(?:[^<>"]|"[^"]*")*'
_BLOCK_TAG = re.compile(rf"</?(?:br|{'|'.join(sorted(_BLOCKS))})(?![a-z0-9]){_INSIDE_TAG}>")
_INLINE_TAG = re.compile(rf"</?[a-z]{_INSIDE_TAG}>")
_DOUBTFUL = re.compile(r"<(?:[^a-z/]|script|style|template|head\b)|<[^>]*'", re.IGNORECASE)
_WORDS_A_MINUTE = 200
_CHARS_A_WORD = 20  # with its share of tags
_SLUG_LENGTH = 60
_LETTERS = str.maketrans(
    {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"}
)


def strip_illegal(text: str) -> str:
    """`text` without what XML 1.0 forbids (2.2: controls, U+FFFE, U+FFFF) and without lone surrogates."""
    return _ILLEGAL.sub("", text)


def one_line(text: str) -> str:
    """`text` in one line: no character XML forbids, each run of space one space, no control of direction.

    An unclosed U+202E would turn around all that follows it in a list of titles.
    """
    kept = _DIRECTION.sub("", _LINE_BREAKS.sub(" ", strip_illegal(text)))
    return _SPACE.sub(" ", kept).strip()


def plain_text(html: str) -> str:
    """What `html` says: blocks apart by an empty line, runs of space one space, no link targets."""
    return "\n\n".join(_blocks(html))


def excerpt(html: str, words: int) -> str:
    """The first sentences of `html`, `words` words at most; a first sentence longer than that ends in "…"."""
    all_words = _first_words(html, words)
    if len(all_words) <= words:
        return " ".join(all_words)
    for end in range(words, 0, -1):
        if _SENTENCE_END.search(all_words[end - 1]):
            return " ".join(all_words[:end])
    return " ".join(all_words[:words]).rstrip(",;:–—-") + "…"


def _first_words(html: str, words: int) -> list[str]:
    """The words of `html`, or at least more than `words` of them from its beginning.

    Taking a long text apart as a tree is most of what an entry without a summary costs (a millisecond a post), so its
    beginning is read by two patterns. They hold for what our cleaning writes; where it is doubtful, or too short, the
    whole is read. It ends before an end tag, so that no tag is cut.
    """
    end = html.rfind("</", 0, _CHARS_A_WORD * words)
    if end > 0:
        beginning = html[:end]
        if not _DOUBTFUL.search(beginning):
            text = _INLINE_TAG.sub("", _BLOCK_TAG.sub(" ", strip_illegal(beginning)))
            found = unescape(text).split()
            if len(found) > words:
                return found
    return plain_text(html).split()


def word_count(html: str) -> int:
    """How many words `html` holds; two characters of a script without spaces count as one word."""
    text = plain_text(html)
    ideographs = len(_CJK.findall(text))
    spaced = sum(1 for word in _CJK.sub(" ", text).split() if any(c.isalnum() for c in word))
    return spaced + (ideographs + 1) // 2


def reading_minutes(words: int) -> int:
    """Minutes to read so many words, at 200 a minute; never less than 1."""
    return max(1, round(words / _WORDS_A_MINUTE))


def ascii_slug(text: str) -> str:
    """`text` as a slug: a-z, 0-9 and hyphens, 60 characters at most, never empty.

    A text with no Latin letter and no digit becomes its code points (`u65e5-u672c`), so that two such tags differ.
    """
    folded = unicodedata.normalize("NFKD", text.casefold().translate(_LETTERS))
    without_marks = "".join(char for char in folded if not unicodedata.combining(char))
    joined = re.sub(r"['’]", "", without_marks)
    slug = re.sub(r"[^a-z0-9]+", "-", joined).strip("-")
    if not slug:
        points = [f"u{ord(char):x}" for char in strip_illegal(text) if char.isalnum()]
        slug = "-".join(points) or "post"
    if len(slug) <= _SLUG_LENGTH:
        return slug
    cut = slug[: _SLUG_LENGTH + 1].rpartition("-")[0] or slug[:_SLUG_LENGTH]
    return cut.strip("-")


def valid_language(text: str) -> str | None:
    """`text` as a BCP 47 tag in its usual spelling (`en_us` gives `en-US`), or None where it is none."""
    match = _LANGUAGE.fullmatch(text.strip().replace("_", "-"))
    if match is None:
        return None
    tag = match["language"].lower()
    if match["script"]:
        tag += "-" + match["script"].title()
    if match["region"]:
        tag += "-" + match["region"].upper()
    return tag + match["rest"].lower()


def same_language(one: str, other: str) -> bool:
    """True when two tags name the same language, whatever their regions say."""
    return one.partition("-")[0].lower() == other.partition("-")[0].lower()


def _blocks(html: str) -> list[str]:
    """The text of each block in order. Walks with a stack of its own: nesting must not end in a RecursionError."""
    if not html.strip():
        return []
    root = parse_fragment(strip_illegal(html))
    blocks: list[str] = []
    pieces: list[str] = []

    def close() -> None:
        text = _SPACE.sub(" ", "".join(pieces)).strip()
        if text:
            blocks.append(text)
        pieces.clear()

    stack: list[tuple[HtmlElement, bool]] = [(root, False)]
    while stack:
        element, leaving = stack.pop()
        tag = element.tag if isinstance(element.tag, str) else "script"
        if leaving:
            if tag in _BLOCKS:
                close()
            pieces.append(element.tail or "")
            continue
        stack.append((element, True))
        if tag in _SILENT:
            continue
        if tag in _BLOCKS:
            close()
        pieces.append("\n" if tag == "br" else element.text or "")
        stack.extend((child, False) for child in reversed(element))
    close()
    return blocks
