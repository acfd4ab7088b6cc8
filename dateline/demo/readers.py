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


def readers_csv(language: str) -> str:
    """The readers of one language (`en`: 200, `es`: 128) as a CSV of address and name."""
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(["Email", "Name"])
    place = 0
    for last in _LAST[language].split():
        for first in _FIRST[language].split():
            local = f"{first}.{last}".lower().translate(_PLAIN)
            rows.writerow([f"{local}@{_HOSTS[place % len(_HOSTS)]}", f"{first} {last}"])
            place += 1
    return out.getvalue()
