"""The demo's readers: some hundred invented people in two languages, the same ones every time. Pure."""

import csv
import io

_FIRST = {
    "en": "Ada Bram Cleo Dora Edgar Fay Gus Hattie Ivo June Kit Lena Milo Nell Otis Pearl Quinn Rosa Sol Tess",
    "es": "Abril Beto Chayo Delfina Elías Flor Gael Hilda Ismael Jacinta Lalo Maura Nicanor Ofelia Paz Rufina",
}
_LAST = {
    "en": "Alder Birch Cooper Dale Fenn Grove Hollis Kerr Lund Marsh",
    "es": "Alcázar Bravo Cordero Durán Espino Fierro Gallardo Luján",
}
_HOSTS = ("example.org", "example.net", "mail.example.org")
_PLAIN = str.maketrans("áéíóúñ", "aeioun")


def readers_csv() -> str:
    """The readers, 200 in English and 128 in Spanish, as a CSV of address, name and language."""
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(["Email", "Name", "Language"])
    place = 0
    for language, last_names in _LAST.items():
        for last in last_names.split():
            for first in _FIRST[language].split():
                local = f"{first}.{last}".lower().translate(_PLAIN)
                address = f"{local}@{_HOSTS[place % len(_HOSTS)]}"
                rows.writerow([address, f"{first} {last}", language])
                place += 1
    return out.getvalue()
