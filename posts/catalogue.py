"""Translations from `.po` files, compiled in memory: no build step, nothing that git ignores (DESIGN.md 5)."""

import gettext
import io
from functools import lru_cache
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

SOURCE_LANGUAGE = "en"
"""The language of the msgids."""


def primary_language(language: str) -> str:
    """The language of a BCP 47 tag without region and script: `es` of `es-MX`."""
    return language.replace("_", "-").partition("-")[0].lower()


def furniture_language(folder: Path, language: str) -> str:
    """The language in which furniture can be shown to a reader of `language`: his own, or English."""
    primary = primary_language(language)
    exists = primary.isalpha() and (folder / f"{primary}.po").is_file()
    return primary if exists else SOURCE_LANGUAGE


@lru_cache(maxsize=64)
def translations(folder: Path, language: str) -> gettext.NullTranslations:
    """The catalogue `folder/LANGUAGE.po`; where there is none, one that gives the msgids back."""
    path = folder / f"{furniture_language(folder, language)}.po"
    if not path.is_file():
        return gettext.NullTranslations()
    with path.open("rb") as file:
        catalogue = read_po(file, locale=path.stem)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
