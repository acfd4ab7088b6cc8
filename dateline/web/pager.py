"""Lists over several pages, and for whom they are made."""

from dataclasses import dataclass

from dateline.web.cards import Reader
from dateline.web.paper import Paper
from dateline.web.visit import Visit

POSTS_A_PAGE = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Pager:
    """Where one is in a list of pages; addresses are None where there is nothing."""

    newer: str | None
    older: str | None
    place: str


def build_pager(paper: Paper, visit: Visit, total: int, a_page: int, *, extra: str = "") -> Pager:
    """The pager of this visit's page; `extra` goes into the addresses (`&q=...`)."""
    last = max(1, -(-total // a_page))
    words = paper.words(paper.language(visit))
    return Pager(
        newer=f"{visit.path}?page={visit.page - 1}{extra}" if visit.page > 1 else None,
        older=f"{visit.path}?page={visit.page + 1}{extra}" if visit.page < last else None,
        place=words.gettext("Page {n} of {last}").format(n=visit.page, last=last),
    )


def reader_of(paper: Paper, language: str) -> Reader:
    """For whom a page in `language` is made."""
    return Reader(
        language=language,
        words=paper.words(language),
        zone=paper.press.config.site.zone,
        web_url=paper.web_url,
    )
