"""Looking for faults: config, templates, database, built feeds, sources; every one with its place."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jinja2
import sqlalchemy as sa

from dateline.actions.holding import find_hold, remedy
from dateline.actions.migrate import migrate_database
from dateline.actions.signing import list_key_faults
from dateline.config import Loaded
from dateline.press import Press
from dateline.templating import template_folders
from feeds.serving import served_type
from newsletter.trial import newsletter_faults, notice_faults
from newsletter.words import furnished_languages
from posts.database import integrity_faults, reading
from posts.errors import StoreError
from posts.source_states import list_faults
from posts.store import list_quarantined


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One fault: in which part, where, and what it is."""

    part: str
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


PARTS = ("config", "templates", "database", "feeds", "sources", "posts")


def check(press: Press, loaded: Loaded) -> list[Found]:
    """Every fault of a press whose configuration could be read, in the order of `PARTS`.

    The database is migrated first, as by every verb; where that is refused, what lies in it is not looked at.
    """
    refused = list(_refused_database(press))
    return [
        *_config(press, loaded),
        *_templates(press),
        *(refused or _database(press)),
        *_feeds(press.public),
        *(() if refused else _sources(press)),
    ]


def _config(press: Press, loaded: Loaded) -> Iterator[Found]:
    """What only this machine can say: files and folders that settings name."""
    config = press.config
    named = {
        ("site", "templates"): config.site.templates,
        ("mail", "password_file"): config.mail.password_file,
        ("mail", "ca_file"): config.mail.ca_file,
    }
    for path, value in named.items():
        if value is not None and not press.path(value).exists():
            where = loaded.places.nearest(*path)
            yield Found(part="config", where=where, what=f"{'.'.join(path)} is not there: {value}.")
    for index, source in enumerate(config.sources):
        if source.kind == "folder" and not press.path(source.location).is_dir():
            where = loaded.places.nearest("sources", index, "location")
            what = f"sources.location is no folder: {source.location}."
            yield Found(part="config", where=where, what=what)
    for fault in list_key_faults(press):
        where = loaded.places.nearest("mail", "dkim", fault.index, fault.setting)
        what = f"mail.dkim.{fault.setting} {fault.what}"
        yield Found(part="config", where=where, what=what)
    yield from _redirects(press, loaded)
    for index, newsletter in enumerate(config.newsletters):
        yield from _newsletter(press, loaded, index, newsletter.subject, newsletter.template)


def _redirects(press: Press, loaded: Loaded) -> Iterator[Found]:
    """Redirects to a document that is not published, and those that a document stands in the way of."""
    documents = press.public / "feeds"
    for index, rule in enumerate(press.config.redirects if documents.is_dir() else ()):
        at = ("redirects", index)
        if served_type(rule.to) and not (press.public / rule.to[1:]).is_file():
            where = loaded.places.nearest(*at, "to")
            yield Found(part="config", where=where, what=f"no such feed is published: {rule.to}.")
        if served_type(rule.from_) and (press.public / rule.from_[1:]).is_file():
            what = f"a feed lies there, and is served instead: {rule.from_}."
            yield Found(part="config", where=loaded.places.nearest(*at, "from"), what=what)


def _newsletter(
    press: Press, loaded: Loaded, index: int, subject: str | None, template: str
) -> Iterator[Found]:
    if subject is not None:
        try:
            press.templates.from_string(subject)
        except jinja2.TemplateSyntaxError as error:
            where = loaded.places.nearest("newsletters", index, "subject")
            what = f"newsletters.subject is no template: {error.message}."
            yield Found(part="config", where=where, what=what)
    if not _has_template(press, template):
        where = loaded.places.nearest("newsletters", index, "template")
        what = f"newsletters.template is not there: mail/{template}.*"
        yield Found(part="config", where=where, what=what)


def _has_template(press: Press, template: str) -> bool:
    names = press.templates.list_templates()
    return any(name.startswith(f"mail/{template}.") for name in names)


def _templates(press: Press) -> Iterator[Found]:
    """Compiles every template, the operator's and ours, and tries those of mails."""
    own = press.config.site.templates
    folders = template_folders(press.path(own) if own else None)
    seen: set[str] = set()
    for fault in [*_uncompiled(press, folders), *_untried(press, folders)]:
        if fault.where not in seen:
            seen.add(fault.where)
            yield fault


def _untried(press: Press, folders: list[Path]) -> Iterator[Found]:
    """Mails of made-up posts for each newsletter, in each language: what a template does shows only then."""
    config = press.config
    common = (config.site, config.web.url, config.mail, press.templates, furnished_languages())
    faults = [
        error
        for newsletter in config.newsletters
        if _has_template(press, newsletter.template)
        for error in newsletter_faults(newsletter, *common)
    ]
    for error in [*faults, *notice_faults(*common)]:
        name, _, line = error.where.rpartition(":") if error.where[-1:].isdigit() else ("", "", "")
        where = f"{_place(folders, name)}:{line}" if name else str(_place(folders, error.where))
        what = f"{error.what.rstrip('.')}. {error.remedy}".rstrip()
        yield Found(part="templates", where=where, what=what)


def _uncompiled(press: Press, folders: list[Path]) -> Iterator[Found]:
    for name in press.templates.list_templates(filter_func=_is_template):
        try:
            press.templates.get_template(name)
        except jinja2.TemplateSyntaxError as error:
            where = f"{error.filename or _place(folders, name)}:{error.lineno}"
            yield Found(part="templates", where=where, what=f"{error.message}.")
        except (jinja2.TemplateError, UnicodeDecodeError, OSError) as error:
            yield Found(part="templates", where=str(_place(folders, name)), what=f"{error}.")


def _is_template(name: str) -> bool:
    return not Path(name).name.startswith(".") and not name.endswith(("~", ".css", ".svg", ".png"))


def _place(folders: list[Path], name: str) -> Path:
    return next((folder / name for folder in folders if (folder / name).exists()), Path(name))


def _refused_database(press: Press) -> Iterator[Found]:
    try:
        migrate_database(press)
    except StoreError as error:
        where = error.where or _database_name(press)
        yield Found(part="database", where=where, what=f"{error.what}. {error.remedy}".rstrip())
    except sa.exc.SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or type(error).__name__).strip()
        what = f"cannot be used: {reason}."
        yield Found(part="database", where=_database_name(press), what=what)


def _database_name(press: Press) -> str:
    return str(press.engine.url.render_as_string(hide_password=True))


def _database(press: Press) -> Iterator[Found]:
    with reading(press.engine) as conn:
        for fault in integrity_faults(conn):
            yield Found(part="database", where=_database_name(press), what=fault)
    hold = find_hold(press)
    if hold is not None:
        what = f"nothing is mailed: {hold}. {remedy(press)}"
        yield Found(part="database", where=_database_name(press), what=what)


def _feeds(public: Path) -> Iterator[Found]:
    folder = public / "feeds"
    files = sorted(folder.rglob("*")) if folder.is_dir() else []
    for path in files:
        if path.suffix in (".atom", ".rss"):
            yield from _parsed_feed(path)
        elif path.suffix == ".json":
            yield from _parsed_json(path)


def _parsed_feed(path: Path) -> Iterator[Found]:
    import feedparser

    # Bytes, never a path: feedparser takes a path that looks like an address for one.
    parsed = feedparser.parse(path.read_bytes())
    if parsed.bozo:
        yield Found(
            part="feeds", where=str(path), what=f"is not well formed: {parsed.bozo_exception}."
        )
    elif not parsed.version:
        yield Found(part="feeds", where=str(path), what="is no feed.")


def _parsed_json(path: Path) -> Iterator[Found]:
    try:
        document = json.loads(path.read_bytes())
    except ValueError as error:
        yield Found(part="feeds", where=str(path), what=f"is not JSON: {error}.")
        return
    version = document.get("version", "") if isinstance(document, dict) else ""
    if not str(version).startswith("https://jsonfeed.org/version/"):
        yield Found(part="feeds", where=str(path), what="is no JSON Feed.")


def _sources(press: Press) -> Iterator[Found]:
    configured = {source.name for source in press.config.sources}
    with reading(press.engine) as conn:
        for fault in list_faults(conn):
            if fault.source in configured:
                what = f"{fault.what} {fault.remedy}".rstrip()
                yield Found(part="sources", where=fault.place, what=what)
        for post in list_quarantined(conn):
            yield Found(part="posts", where=post.guid, what=f"is quarantined: {post.fault}")
