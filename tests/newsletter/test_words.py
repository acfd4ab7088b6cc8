"""The furniture: everything that is written is translated."""

import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from newsletter.words import Words, direction, mail_language

ROOT = Path(__file__).parents[2]
FURNISHED = ("article", "digest", "layout", "notices_render", "story", "subject", "words")
CATALOGUE = ROOT / "newsletter/locale/es.po"


def msgids() -> set[str]:
    """Every phrase that code and templates ask the catalogue for."""
    found: set[str] = set()
    literal = r'"((?:[^"\\]|\\.)*)"'
    modules = [ROOT / f"newsletter/{name}.py" for name in FURNISHED]
    for path in [*modules, *(ROOT / "templates/mail").glob("*.j2")]:
        text = path.read_text("utf-8")
        found |= set(re.findall(rf"(?:\.text|[^\w]_)\(\s*{literal}", text))
        for pair in re.findall(rf"\.counted\(\s*{literal},\s*{literal}", text):
            found |= {pair[0]}
    subjects = (ROOT / "newsletter/notices_render.py").read_text("utf-8")
    return found | set(re.findall(rf"^    \"\w+\": {literal},$", subjects, re.MULTILINE))


def test_every_phrase_has_a_spanish_one_and_no_spanish_one_is_left_over() -> None:
    with CATALOGUE.open("rb") as file:
        catalogue = read_po(file, locale="es")
    written = {m.id if isinstance(m.id, str) else m.id[0] for m in catalogue if m.id}
    assert written == msgids()
    assert all(
        all(m.string) if isinstance(m.string, tuple) else m.string for m in catalogue if m.id
    )


def test_a_translation_has_the_places_of_its_phrase() -> None:
    with CATALOGUE.open("rb") as file:
        for message in read_po(file, locale="es"):
            ids = message.id if isinstance(message.id, tuple) else (message.id,)
            strings = message.string if isinstance(message.string, tuple) else (message.string,)
            for text in strings:
                if message.id:
                    assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", ids[-1]))


@pytest.mark.parametrize(
    ("language", "expected"),
    [("es-MX", "es"), ("ES", "es"), ("fr", "en"), ("en-GB", "en"), ("../x", "en")],
)
def test_a_mail_is_furnished_in_the_readers_language_or_english(
    language: str, expected: str
) -> None:
    assert mail_language(language) == expected


def test_counts_know_one_from_many() -> None:
    english, spanish = Words("en"), Words("es")
    assert (english.stories(1), english.stories(2)) == ("1 story", "2 stories")
    assert (spanish.comments(1), spanish.comments(12)) == ("1 comentario", "12 comentarios")


def test_a_byline_names_all_authors_and_none_where_there_is_none() -> None:
    words = Words("es")
    assert words.byline(("Ana", "Luz", "Eva"), "8:00") == "Por Ana, Luz y Eva · 8:00"
    assert words.byline((), "8:00") == "8:00"


@pytest.mark.parametrize(("language", "expected"), [("ar-EG", "rtl"), ("he", "rtl"), ("es", "ltr")])
def test_direction_is_that_of_the_language(language: str, expected: str) -> None:
    assert direction(language) == expected


def test_an_unknown_language_is_labelled_by_its_tag() -> None:
    assert Words("en").in_language("qqq") == "In qqq"
