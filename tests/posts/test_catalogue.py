"""Catalogues are compiled in memory."""

from pathlib import Path

from posts.catalogue import furniture_language, translations

PO = """msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\\n"

msgid "one"
msgid_plural "many"
msgstr[0] "uno"
msgstr[1] "muchos"
"""


def test_a_po_file_is_used_without_a_build_step(tmp_path: Path) -> None:
    (tmp_path / "es.po").write_text(PO, "utf-8")
    catalogue = translations(tmp_path, "es-MX")
    assert (catalogue.ngettext("one", "many", 1), catalogue.ngettext("one", "many", 3)) == (
        "uno",
        "muchos",
    )
    assert [path.name for path in tmp_path.iterdir()] == ["es.po"]


def test_a_language_without_catalogue_is_given_the_source(tmp_path: Path) -> None:
    assert translations(tmp_path, "fr").gettext("one") == "one"
    assert furniture_language(tmp_path, "../etc/passwd") == "en"
