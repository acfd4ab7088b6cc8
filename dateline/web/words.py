"""The languages that pages speak, and the catalogues they speak them from."""

from collections.abc import Mapping
from gettext import NullTranslations
from pathlib import Path
from types import MappingProxyType

from babel import Locale, UnknownLocaleError

from posts.catalogue import translations

LANGUAGES: Mapping[str, str] = MappingProxyType({"en": "English", "es": "Español"})
"""What each language calls itself; English stands in the templates, the others in `dateline/locale/*.po`."""

Catalogues = Mapping[str, NullTranslations]

_FOLDER = Path(__file__).parent.parent / "locale"


def load_catalogues() -> Catalogues:
    """One catalogue a language, compiled in memory from the packaged `.po` files."""
    return {code: translations(_FOLDER, code) for code in LANGUAGES}


def page_language(wanted: str) -> str:
    """The language of `LANGUAGES` for a BCP 47 tag, English where it is none of them."""
    code = wanted.partition("-")[0].lower()
    return code if code in LANGUAGES else "en"


def direction(language: str) -> str:
    """`rtl` or `ltr`, as the script of a BCP 47 tag runs."""
    try:
        return Locale.parse(language, sep="-").text_direction
    except (UnknownLocaleError, ValueError):
        return "ltr"


def language_name(language: str, *, in_language: str) -> str:
    """A language's name in another (`Spanish`, `inglés`), or its tag where Babel knows none."""
    try:
        return Locale.parse(language, sep="-").get_display_name(in_language) or language
    except (UnknownLocaleError, ValueError):
        return language
