"""The pages that show posts and feeds: front page, a post, the feeds, one feed. They read and change nothing."""

from dataclasses import dataclass
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, RedirectResponse, Response

from dateline.web.body import page_body
from dateline.web.cards import Reader, build_days, byline, page_address, updated_line
from dateline.web.forms import build_form, invitation
from dateline.web.paper import Paper
from dateline.web.visit import Visit
from dateline.web.words import direction
from feeds.spec import MEDIA_TYPES, Feed, feed_paths, feed_url, list_feeds
from posts import journal, store
from posts.database import reading
from posts.dates import date_line, short_date
from posts.labels import list_labels
from posts.model import Label, Post, Status
from posts.settings import Selection
from posts.text import excerpt, plain_text

POSTS_A_PAGE = 20
_OTHERS = 3
_FORMAT_NAMES = {"atom": "Atom", "rss": "RSS", "json": "JSON"}


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


def front(paper: Paper, visit: Visit) -> Response:
    """`/`: the newest posts by date lines, and the field to subscribe."""
    language = paper.language(visit)
    posts, total = _listed(paper, visit, Selection())
    site = paper.press.config.site
    first = visit.page == 1
    if not posts and not first:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return paper.answer(
        "front",
        visit,
        title=site.title,
        language=language,
        canonical=paper.web_url + ("/" if first else f"/?page={visit.page}"),
        days=build_days(posts, reader_of(paper, language), with_lead=first),
        pager=build_pager(paper, visit, total, POSTS_A_PAGE),
        form=build_form(paper, language) if first else None,
        invitation=invitation(paper, language),
    )


def _listed(paper: Paper, visit: Visit, selection: Selection) -> tuple[list[Post], int]:
    offset = (visit.page - 1) * POSTS_A_PAGE
    with reading(paper.press.engine) as conn:
        posts = store.list_posts(conn, selection, limit=POSTS_A_PAGE, offset=offset)
        return posts, store.count_posts(conn, selection)


def post(paper: Paper, visit: Visit) -> Response:
    """`/YYYY/MM/SLUG/`: a post without a link of its own; one that has a link is shown there (DESIGN.md 7)."""
    with reading(paper.press.engine) as conn:
        found = store.find_by_path(conn, visit.path)
        if found is None:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        if found.status is Status.WITHDRAWN:
            raise HTTPException(HTTPStatus.GONE)
        if not found.is_public:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        if found.content.link is not None:
            return RedirectResponse(found.content.link, HTTPStatus.FOUND)
        labels = {label.name: label for label in list_labels(conn, "tag")}
        newest = store.list_posts(conn, limit=_OTHERS + 1)
    return _post_page(
        paper, visit, found, labels, [p for p in newest if p.id != found.id][:_OTHERS]
    )


def _post_page(
    paper: Paper, visit: Visit, found: Post, labels: dict[str, Label], others: list[Post]
) -> Response:
    language = paper.language(visit)
    reader = reader_of(paper, language)
    content, words, zone = found.content, paper.words(language), paper.press.config.site.zone
    comments = content.comment_count or 0
    return paper.answer(
        "post",
        visit,
        title=f"{content.title} · {paper.press.config.site.title}",
        language=language,
        canonical=paper.web_url + found.path,
        post_title=content.title,
        description=content.summary or excerpt(content.html, 35),
        standfirst=_standfirst(found),
        post_language=content.language,
        post_dir=direction(content.language),
        published=found.published.astimezone(zone).isoformat(timespec="seconds"),
        date_line=date_line(found.published, zone, language),
        byline=byline(found, reader),
        body_html=page_body(
            content.html,
            web_url=paper.web_url,
            picture=words.gettext("[Picture: {alt}]"),
            gettext=words.gettext,
        ),
        enclosures=[
            {"url": file.url, "text": file.title or file.url.rsplit("/", 1)[-1], "type": file.type}
            for file in content.enclosures
        ],
        tags=[
            {"name": tag, "url": f"/feeds/tag-{labels[tag].slug}/"}
            for tag in content.tags
            if tag in labels
        ],
        updated_line=updated_line(found, reader),
        comments=words.ngettext("{n} comment", "{n} comments", comments).format(n=comments)
        if comments and content.comments_url
        else None,
        comments_url=content.comments_url,
        form=build_form(paper, language),
        invitation=invitation(paper, language),
        others=[
            {
                "url": page_address(other, paper.web_url),
                "title": other.content.title,
                "language": other.content.language,
                "date": short_date(other.published, zone, language),
            }
            for other in others
        ],
    )


def _standfirst(found: Post) -> str | None:
    """The author's own summary, unless it is how the text begins, as many blogs' summaries are."""
    summary = found.content.summary
    if not summary:
        return None
    beginning = " ".join(plain_text(found.content.html).split())
    return None if beginning.startswith(summary[:40].rstrip(" .…")) else summary


def _all_feeds(paper: Paper) -> list[Feed]:
    with reading(paper.press.engine) as conn:
        tags, languages = list_labels(conn, "tag"), store.list_languages(conn)
    return list_feeds(paper.press.config.site, paper.press.config.feeds, tags, languages)


def feeds(paper: Paper, visit: Visit) -> Response:
    """`/feeds/`: every feed with its addresses."""
    language = paper.language(visit)
    gettext = paper.words(language).gettext
    all_feeds = _all_feeds(paper)
    kinds = {
        "tag-": gettext("By tag"),
        "language-": gettext("By language"),
        "": gettext("Everything, and chosen selections"),
    }
    groups: dict[str, list[dict[str, object]]] = {
        kinds[kind]: [] for kind in ("", "language-", "tag-")
    }
    for feed in all_feeds:
        kind = next(kind for kind in kinds if feed.slug.startswith(kind))
        groups[kinds[kind]].append(
            {
                "title": feed.title,
                "url": f"/feeds/{feed.slug}/",
                "documents": _documents(paper, feed),
            }
        )
    return paper.answer(
        "feeds",
        visit,
        title=f"{gettext('Feeds')} · {paper.press.config.site.title}",
        language=language,
        canonical=paper.web_url + "/feeds/",
        description=gettext(
            "A feed brings each new post to a feed reader, whole, and knows nothing about you."
        ),
        groups=[{"title": title, "feeds": members} for title, members in groups.items() if members],
    )


def _documents(paper: Paper, feed: Feed) -> list[dict[str, str]]:
    return [
        {
            "format": _FORMAT_NAMES[format_],
            "path": path,
            "url": feed_url(feed, format_, paper.web_url),
            "type": MEDIA_TYPES[format_],
        }
        for format_, path in feed_paths(feed).items()
    ]


def feed(paper: Paper, visit: Visit) -> Response:
    """`/feeds/NAME/`: a feed's posts as a page; the pages of tags and languages."""
    language = paper.language(visit)
    all_feeds = _all_feeds(paper)
    chosen = next((one for one in all_feeds if one.slug == visit.parts["name"]), None)
    if chosen is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    posts, total = _listed(paper, visit, chosen.selection)
    return paper.answer(
        "feed",
        visit,
        title=f"{chosen.title} · {paper.words(language).gettext('Feeds')}",
        heading=chosen.title,
        language=language,
        canonical=f"{paper.web_url}/feeds/{chosen.slug}/",
        feeds=[chosen, all_feeds[0]] if chosen is not all_feeds[0] else [chosen],
        documents=_documents(paper, chosen),
        days=build_days(posts, reader_of(paper, language)),
        pager=build_pager(paper, visit, total, POSTS_A_PAGE),
    )


def no_feed(paper: Paper, visit: Visit) -> Response:
    """`/feeds/NAME.atom` without such a file: 404 at once; a feed reader sent on to `NAME.atom/` would keep asking."""
    raise HTTPException(HTTPStatus.NOT_FOUND)


def healthz(paper: Paper, visit: Visit) -> Response:
    """`/healthz`: 200 while the database answers; an exception here is a 500, which is the answer too."""
    with reading(paper.press.engine) as conn:
        number = journal.head(conn)
    return JSONResponse({"status": "ok", "journal": number}, headers={"Cache-Control": "no-store"})
