"""The SQL of web copies: what "read on the web" shows of a released issue."""

from dataclasses import dataclass

import sqlalchemy as sa

from newsletter.tables import editions


@dataclass(frozen=True, slots=True, kw_only=True)
class WebCopy:
    """One edition as the web shows it; `posts` are row ids, `html` is sealed with the edition."""

    language: str
    subject: str
    posts: tuple[int, ...]
    html: str


def list_web_copies(conn: sa.Connection, issue_id: int) -> list[WebCopy]:
    """The fullest web copy of each language of an issue, by language; most editions have none (render.py)."""
    query = (
        sa.select(editions.c.language, editions.c.subject, editions.c.posts, editions.c.web_html)
        .where(editions.c.issue == issue_id, editions.c.web_html != "")
        .where(editions.c.replaced_by.is_(None))
        .order_by(editions.c.edition)
    )
    fullest: dict[str, WebCopy] = {}
    for language, subject, posts, html in conn.execute(query):
        held = fullest.get(language)
        if held is None or len(posts) > len(held.posts):
            fullest[language] = WebCopy(
                language=language, subject=subject, posts=tuple(posts), html=html
            )
    return [fullest[language] for language in sorted(fullest)]
