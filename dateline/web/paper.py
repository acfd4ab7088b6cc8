"""The sheet that every page is printed on: masthead, navigation, autodiscovery links, style, language."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from gettext import NullTranslations
from pathlib import Path
from urllib.parse import urlsplit

from starlette.responses import HTMLResponse, Response

from dateline.colours import build_palettes
from dateline.press import Press
from dateline.web.visit import Visit, best_language
from dateline.web.words import LANGUAGES, Catalogues, direction, load_catalogues, page_language
from feeds.spec import Feed, FeedKind, autodiscovery, list_feeds
from newsletter.spec import NewsletterSettings
from posts.dates import date_line


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """What pages are made with. `mailbox` is the maildir that the demo shows, None anywhere else."""

    press: Press
    catalogues: Catalogues
    style: bytes
    icon: bytes
    mailbox: Path | None = None

    @property
    def web_url(self) -> str:
        """This server's public address, without a slash at its end."""
        return self.press.config.web.url.rstrip("/")

    def now(self) -> datetime:
        """The press's time."""
        return self.press.clock()

    def language(self, visit: Visit) -> str:
        """The language a visitor reads: the best of Accept-Language, else the site's."""
        return best_language(
            visit.accept_language, list(LANGUAGES), page_language(self.press.config.site.language)
        )

    def words(self, language: str) -> NullTranslations:
        """The catalogue of a page's language."""
        return self.catalogues[language]

    def newsletter(self, slug: str) -> NewsletterSettings | None:
        """The newsletter of that name, or None."""
        return next((n for n in self.press.config.newsletters if n.slug == slug), None)

    def answer(
        self,
        template: str,
        visit: Visit,
        *,
        title: str,
        language: str | None = None,
        heading: str | None = None,
        status: int = 200,
        canonical: str | None = None,
        feeds: Sequence[Feed] = (),
        **values: object,
    ) -> Response:
        """A page of `template` with `values`. `title` goes into the window, the site's name after it."""
        language = language or self.language(visit)
        page = {
            **self.sheet(visit, language, feeds),
            "title": title,
            "heading": heading or title,
            "canonical": canonical,
        }
        html = self.rendered(template, language, page=page, **values)
        headers = {
            "Vary": "Accept-Language",
            "Content-Language": language,
            # A link's page is its reader's alone; any other is asked for again, and is cheap.
            "Cache-Control": "no-store" if "token" in visit.parts else "no-cache",
        }
        return HTMLResponse(html, status, headers=headers)

    def rendered(self, template: str, language: str, **values: object) -> str:
        """A template of `web/` filled in, its furniture in `language`."""
        found = self.press.templates.get_template(f"web/{template}.html")
        return found.render(_=self.words(language).gettext, **values)

    def sheet(
        self, visit: Visit, language: str, feeds: Sequence[Feed] = ()
    ) -> Mapping[str, object]:
        """What every page says of the site, as values for its template."""
        site = self.press.config.site
        feeds = feeds or announced(list_feeds(site, self.press.config.feeds))
        return {
            "language": language,
            "dir": direction(language),
            "style": f"/style.css?{fingerprint(self.style)}",
            "icon": f"/icon.svg?{fingerprint(self.icon)}",
            "feeds": autodiscovery(site, self.web_url, feeds),
            "today": date_line(self.now(), site.zone, language),
            "is_front": visit.path == "/",
            "site_title": site.title,
            "tagline": site.tagline,
            "home": site.url,
            "postal_address": site.postal_address,
            "contact": site.contact,
            "tips": site.tips,
            "tips_url": _address(site.tips),
            "policy": site.policy,
            "policy_url": _address(site.policy),
            "navigation": self._navigation(visit, language),
        }

    def _navigation(self, visit: Visit, language: str) -> list[dict[str, object]]:
        gettext = self.words(language).gettext
        items = [("/", gettext("News"))]
        items += [(f"/{n.slug}/", n.title) for n in self.press.config.newsletters]
        items += [("/feeds/", gettext("Feeds"))]
        if self.press.config.newsletters:
            items += [("/subscribe", gettext("Subscribe"))]
        if self.mailbox is not None:
            items += [("/mailbox/", gettext("Mailbox"))]
        return [{"url": url, "text": text, "here": visit.path == url} for url, text in items]


def announced(feeds: Sequence[Feed]) -> list[Feed]:
    """Those of `feeds` that a page announces: programs offer all of them in a list, so only what holds whole posts."""
    return [feed for feed in feeds if feed.kind is FeedKind.POSTS]


def build_paper(press: Press, *, mailbox: Path | None = None) -> Paper:
    """The paper of a press; renders the style sheet and the icon once. Raises TemplateError's causes as Jinja does."""
    light, dark = build_palettes(press.config.site.accent)
    style = press.templates.get_template("web/style.css").render(
        light=light, dark=dark, accent=press.config.site.accent
    )
    icon = press.templates.get_template("web/icon.svg").render(
        light=light, dark=dark, letter=press.config.site.title.strip()[:1].upper()
    )
    return Paper(
        press=press,
        catalogues=load_catalogues(),
        style=style.encode(),
        icon=icon.encode(),
        mailbox=mailbox,
    )


def fingerprint(body: bytes) -> str:
    """A short name of these bytes, for addresses that may be cached for ever."""
    return hashlib.sha256(body).hexdigest()[:12]


def _address(text: str) -> str | None:
    return text if urlsplit(text).scheme in ("http", "https", "mailto") else None
