"""One file of a folder as an incoming post: Markdown or HTML, its head, and what its name says. Pure."""

import html
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath

from lxml import etree
from lxml import html as lxml_html

from posts.clean import clean_html
from posts.dates import parse_date
from posts.errors import PostError
from posts.markdown import render_markdown
from posts.model import IncomingPost
from posts.settings import Site
from posts.sources.front_matter import FrontMatter, parse_front_matter
from posts.text import ascii_slug, one_line, plain_text, strip_illegal, valid_language
from posts.tree import inner_html

MARKDOWN = frozenset((".md", ".markdown", ".mdown", ".mkd"))
HTML = frozenset((".html", ".htm", ".xhtml"))

_NAME_DATE = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[-_ ]+|$)")
_NAME_LANGUAGE = re.compile(r"\.([a-z]{2}(?:-[A-Za-z]{2,4})?)$")
_HEADING = re.compile(r"\s*#[ \t]+([^\n]+?)[ \t]*#*[ \t]*(?:\n|$)")
_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([A-Za-z0-9_-]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileName:
    """What a file's path says about its post: `2009/2009-09-15-juarez.es.md` says all three."""

    slug: str
    day: str | None
    language: str | None


def file_name(path: str) -> FileName:
    """The date, slug and language in a path; `index.md` is named by its folder."""
    pure = PurePosixPath(path)
    stem = pure.stem
    language = _NAME_LANGUAGE.search(stem)
    if language:
        stem = stem[: language.start()]
    if stem.lower() == "index" and pure.parent.name:
        stem = pure.parent.name
    day = _NAME_DATE.match(stem)
    rest = stem[day.end() :] if day else stem
    return FileName(
        slug=ascii_slug(rest or stem),
        day=day[1] if day else None,
        language=language[1] if language else None,
    )


def file_post(
    data: bytes,
    path: str,
    *,
    source: str,
    place: str,
    site: Site,
    first_seen: datetime,
    link: str | None = None,
    is_draft: bool = False,
) -> IncomingPost:
    """The post in the file `path` (below its folder) with the bytes `data`; raises PostError, naming file and line.

    `link` is the pattern of the address at which the post lives elsewhere; for a post without a date its year and
    month are those of `first_seen`.
    """
    is_html = PurePosixPath(path).suffix.lower() in HTML
    front = parse_front_matter(_decoded(data, place, is_html=is_html), place)
    name = file_name(path)
    page = _page(front.body) if is_html else _markdown_page(front.body)
    if not (front.text("title") or page.title or page.text.strip()):
        # An editor's program saves an empty file before a full one, and a full disk leaves one.
        raise PostError("is empty.", where=place, remedy="Write a title and a text, or remove it.")
    published = front.date(site.zone, "date", "publishdate") or _first_date(
        site, page.date, name.day
    )
    slug = ascii_slug(front.text("slug") or name.slug)
    summary = front.text("summary", "description", "excerpt") or page.description
    moment = (published or first_seen).astimezone(site.zone)
    address = _link(link, slug, moment, place) if link else None
    return IncomingPost(
        source=source,
        external_id=path,
        place=place,
        title=front.text("title") or page.title or name.slug.replace("-", " ").capitalize(),
        guid=front.text("id"),
        raw_html=page.text if is_html else None,
        markdown=None if is_html else page.text,
        base_url=address,
        link=address,
        raw_summary=html.escape(summary) if summary else None,
        authors=front.names("authors", "author", split=False) or page.authors,
        tags=front.names("tags", "tag", "categories", "category") or page.tags,
        language=_language(front, name) or page.language,
        published=published,
        updated=front.date(site.zone, "updated", "lastmod", "modified"),
        slug=slug,
        lead=front.flag("lead"),
        draft=is_draft or front.flag("draft") or not front.flag("published", default=True),
        translation_key=front.text("translation_key"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    """What a file's own text says beside its head."""

    text: str
    title: str = ""
    description: str | None = None
    authors: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    date: str | None = None
    language: str | None = None


def _decoded(data: bytes, place: str, *, is_html: bool) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace").removeprefix("\ufeff")
    if is_html and (declared := _CHARSET.search(data[:2048])):
        try:
            return data.decode(declared[1].decode("ascii"))
        except (LookupError, UnicodeDecodeError):
            pass  # a wrong declaration is no reason to lose the post; UTF-8 is tried next
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if is_html:
            return data.decode("cp1252", "replace")
        line = data.count(b"\n", 0, error.start) + 1
        raise PostError(
            "is not UTF-8.",
            where=f"{place}:{line}",
            remedy="Save the file with the encoding UTF-8.",
        ) from error


def _markdown_page(body: str) -> _Page:
    """A first heading `# ...` is the title of a text that has no other."""
    heading = _HEADING.match(body)
    if heading is None:
        return _Page(text=body)
    title = one_line(plain_text(clean_html(render_markdown(heading[1]), None)))
    return _Page(text=body[heading.end() :], title=title)


def _page(body: str) -> _Page:
    """A whole HTML document by its `title`, `meta` and `body`; a fragment as it is."""
    text = strip_illegal(body)
    if not re.search(r"<(?:html|head|body|title|meta)\b", text[:100_000], re.IGNORECASE):
        return _Page(text=text)
    try:
        root = lxml_html.document_fromstring(
            text.encode(), parser=lxml_html.HTMLParser(encoding="utf-8", huge_tree=True)
        )
    except etree.ParserError:
        return _Page(text=text)
    metas: dict[str, list[str]] = {}
    for meta in root.iter("meta"):
        name = (meta.get("name") or meta.get("property") or meta.get("itemprop") or "").lower()
        if name and (meta.get("content") or "").strip():
            metas.setdefault(name, []).append((meta.get("content") or "").strip())
    title = root.findtext(".//title") or ""
    inside = root.find("body")
    keywords = [word.strip() for word in ",".join(metas.get("keywords", [])).split(",")]
    dates = metas.get("article:published_time") or metas.get("dcterms.date") or metas.get("date")
    return _Page(
        text=inner_html(inside) if inside is not None else "",
        title=one_line(title),
        description=next(iter(metas.get("description", ())), None),
        authors=tuple(metas.get("author", ())),
        tags=tuple(word for word in keywords if word) or tuple(metas.get("article:tag", ())),
        date=dates[0] if dates else None,
        language=root.get("lang"),
    )


def _first_date(site: Site, *candidates: str | None) -> datetime | None:
    for candidate in candidates:
        moment = parse_date(candidate, site.zone) if candidate else None
        if moment is not None:
            return moment
    return None


def _language(front: FrontMatter, name: FileName) -> str | None:
    given = front.text("lang", "language")
    if given is None:
        return name.language
    if valid_language(given) is None:
        key = "lang" if "lang" in front.values else "language"
        raise PostError(
            f'"{key}" is not a language tag: "{given}".',
            where=front.at(key),
            remedy="Write it as en or es-MX.",
        )
    return given


def _link(pattern: str, slug: str, moment: datetime, place: str) -> str:
    fields = {"slug": slug, "year": f"{moment:%Y}", "month": f"{moment:%m}", "day": f"{moment:%d}"}
    try:
        return pattern.format_map(fields)
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        raise PostError(
            f'the source\'s link "{pattern}" has a place for something that no post has.',
            where=place,
            remedy="It may hold {slug}, {year}, {month} and {day}.",
        ) from error
