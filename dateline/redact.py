"""Taking mail addresses out of text that goes to a log (DESIGN.md 8.8: no address in any log)."""

import re

_PART = r"[^\s@<>\"'()\[\]{},;:=/\\]"
_ADDRESS = re.compile(rf"{_PART}{{1,64}}@(?:\[[^\]\s]*\]|{_PART}{{1,255}})")
_LOGIN = re.compile(r"//[^/@\s]*@")
REMOVED = "(address removed)"


def redacted(text: str) -> str:
    """`text` without mail addresses and without logins in URLs."""
    if "@" not in text:
        return text
    return _ADDRESS.sub(REMOVED, _LOGIN.sub("//", text))
