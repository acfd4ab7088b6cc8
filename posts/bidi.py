"""Words that run from right to left, set among words that run the other way."""

import unicodedata

_RIGHT_TO_LEFT = frozenset(("R", "AL", "AN"))
_ISOLATE, _POP = "\u2068", "\u2069"


def isolated(text: str) -> str:
    """`text` so that it does not reorder what stands beside it: `By NAME · 3:56 PM` keeps its time (UAX 9, 2.4).

    Only what runs from right to left gets the two marks; everything else stays as it is.
    """
    if any(unicodedata.bidirectional(character) in _RIGHT_TO_LEFT for character in text):
        return f"{_ISOLATE}{text}{_POP}"
    return text
