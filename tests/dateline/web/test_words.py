"""The languages of pages: nothing that a page says is missing from a catalogue."""

import ast
import re
from pathlib import Path

import pytest

from dateline.web.visit import best_language
from dateline.web.words import LANGUAGES, load_catalogues

ROOT = Path(__file__).parent.parent.parent.parent


def said() -> tuple[set[str], set[tuple[str, str]]]:
    """Every text that pages translate, and every pair of singular and plural."""
    texts: set[str] = set()
    counted: set[tuple[str, str]] = set()
    for file in (ROOT / "dateline" / "web").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            given = [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
            if name == "gettext" and given:
                texts.add(given[0])
            elif name == "ngettext":
                counted.add((given[0], given[1]))
    for file in (ROOT / "templates" / "web").iterdir():
        texts |= set(re.findall(r'\b_\("([^"]+)"\)', file.read_text()))
    return texts, counted


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code != "en"])
def test_everything_that_a_page_says_is_translated_with_its_places(language: str) -> None:
    words = load_catalogues()[language]
    texts, counted = said()
    assert len(texts) > 50
    for text in texts:
        translated = words.gettext(text)
        assert translated != text, text
        assert set(re.findall(r"{\w+}", translated)) == set(re.findall(r"{\w+}", text)), text
    for one, many in counted:
        assert words.ngettext(one, many, 1) != one
        assert words.ngettext(one, many, 2) != many


@pytest.mark.parametrize(
    ("header", "language"),
    [
        pytest.param("", "en", id="none"),
        pytest.param("es", "es", id="plain"),
        pytest.param("es-MX,es;q=0.9,en;q=0.8", "es", id="region"),
        pytest.param("fi, en;q=0.2, es;q=0.7", "es", id="weights"),
        pytest.param("es;q=0, en", "en", id="refused"),
        pytest.param("es;q=x", "en", id="broken weight"),
        pytest.param("*", "en", id="any"),
        pytest.param(",;=,q", "en", id="noise"),
        pytest.param("fi," * 10_000 + "es", "en", id="endless"),
    ],
)
def test_rfc9110_12_5_4_the_language_with_the_greatest_weight_is_chosen(
    header: str, language: str
) -> None:
    assert best_language(header, ["en", "es"], "en") == language
