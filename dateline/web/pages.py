"""The pages that show posts: front page and a post. They read and change nothing."""

from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, RedirectResponse, Response

from dateline.web.body import page_body
from dateline.web.cards import build_days, byline, page_address, updated_line
from dateline.web.forms import build_form, invitation
from dateline.web.pager import POSTS_A_PAGE, build_pager, reader_of
from dateline.web.paper import Paper, announced
from dateline.web.visit import Visit
from dateline.web.words import direction
from feeds.fields import correction_lines
from feeds.spec import Feed, list_feeds
from posts import journal, store
from posts.database import reading
from posts.dates import date_line, short_date
from posts.labels import list_labels
from posts.model import Label, Post, Status
from posts.notes import public_reason
from posts.settings import Selection
from posts.text import excerpt, plain_text

_OTHERS = 3


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
            return _gone_page(paper, visit, found)
        if not found.is_public:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        if found.content.link is not None:
            return RedirectResponse(found.content.link, HTTPStatus.FOUND)
        labels = {label.name: label for label in list_labels(conn, "tag")}
        authors = [one for one in list_labels(conn, "author") if one.name in found.content.authors]
        newest = store.list_posts(conn, limit=_OTHERS + 1)
    return _post_page(
        paper,
        visit,
        found,
        labels,
        [p for p in newest if p.id != found.id][:_OTHERS],
        _feeds_of(paper, found, labels, authors),
    )


def _feeds_of(
    paper: Paper, found: Post, labels: dict[str, Label], authors: list[Label]
) -> list[Feed]:
    """The feeds that a post's page announces: that of all posts, then those of its tags and authors."""
    tags = [labels[tag] for tag in found.content.tags if tag in labels]
    return announced(list_feeds(paper.press.config.site, (), tags, (), authors))


def _gone_page(paper: Paper, visit: Visit, found: Post) -> Response:
    """410 with the public reason, and not a word of the post: its title may be what had to go."""
    if found.number is None:  # nobody ever saw it, and nobody need know that there was something
        raise HTTPException(HTTPStatus.NOT_FOUND)
    language = paper.language(visit)
    gettext = paper.words(language).gettext
    by_hand = found.withdrawn_by == "hand"
    site_language = paper.press.config.site.language
    return paper.answer(
        "gone",
        visit,
        title=gettext("This post was taken back"),
        language=language,
        status=HTTPStatus.GONE,
        explanation=gettext("The newsroom has withdrawn it; it is not shown here any more."),
        reason=public_reason(found) if by_hand else None,
        reason_language=site_language,
    )


def _post_page(
    paper: Paper,
    visit: Visit,
    found: Post,
    labels: dict[str, Label],
    others: list[Post],
    feeds: list[Feed],
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
        feeds=feeds,
        corrections=[
            {"label": label, "note": note} for label, note in correction_lines(found, zone)
        ],
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


def no_feed(paper: Paper, visit: Visit) -> Response:
    """`/feeds/NAME.atom` without such a file: 404 at once; a feed reader sent on to `NAME.atom/` would keep asking."""
    raise HTTPException(HTTPStatus.NOT_FOUND)


def healthz(paper: Paper, visit: Visit) -> Response:
    """`/healthz`: 200 while the database answers; an exception here is a 500, which is the answer too."""
    with reading(paper.press.engine) as conn:
        number = journal.head(conn)
    return JSONResponse({"status": "ok", "journal": number}, headers={"Cache-Control": "no-store"})
