"""Style sheets into mails: what is inlined, what only media queries can say, and the hash a page must name."""

import base64
import hashlib
import re
from collections.abc import Mapping
from functools import lru_cache

import css_inline
import jinja2
from markupsafe import Markup

from newsletter import colour
from newsletter.rendering import rendered
from posts.errors import TemplateError

_SERIF = "Charter, Georgia, 'Times New Roman', serif"
_SANS = "-apple-system, 'Segoe UI', Roboto, Arial, sans-serif"
_MONO = "Menlo, Consolas, 'Liberation Mono', monospace"

KEPT_STYLE = '<style data-css-inline="ignore">'


def inlined_document(
    templates: jinja2.Environment, template: str, /, *, accent: str, **values: object
) -> str:
    """A document for a mail: the template filled in, its styles inlined, one `<style>` left for media queries."""
    css, dark_css = style_sheets(templates, accent)
    html = rendered(
        templates,
        template,
        style_html=f"{KEPT_STYLE}\n{dark_css}</style>",
        **values,
    )
    return inlined(html, css)


def inlined(html: str, css: str) -> str:
    """A whole document with `css` in its elements; its own `<style>` stays for the media queries in it."""
    try:
        whole = _inliner(css).inline(html)
    except css_inline.InlineError as error:
        raise _bad_sheet(error) from error
    return whole.replace(KEPT_STYLE, "<style>", 1) + "\n"


def inlined_fragment(html: str, css: str) -> str:
    """A piece of a document with `css` in its elements: no rule sees what stands around it."""
    try:
        return css_inline.inline_fragment(html, css, load_remote_stylesheets=False)
    except css_inline.InlineError as error:
        raise _bad_sheet(error) from error


def _bad_sheet(error: Exception) -> TemplateError:
    return TemplateError(
        f"a style sheet or document that cannot be inlined: {error}",
        where="mail/mail.css.j2",
        remedy="The CSS must be well formed.",
    )


@lru_cache(maxsize=8)
def _inliner(css: str) -> css_inline.CSSInliner:
    return css_inline.CSSInliner(
        extra_css=css,
        inline_style_tags=False,
        keep_style_tags=True,
        load_remote_stylesheets=False,  # its default reads any address that a post names
    )


def style_sheets(templates: jinja2.Environment, accent: str) -> tuple[str, str]:
    """The style sheet that is inlined, and the one that only media queries can say (dark, wide)."""
    colours = colour.accent(accent)
    values: Mapping[str, str] = {
        "paper": colour.LIGHT,
        "ink": "#1c1a17",
        "muted": "#5d5850",
        "rule": "#d8d2c6",
        "underline": "#b0a99c",
        "accent": colours.light,
        "dark_paper": colour.DARK,
        "dark_ink": "#ece8df",
        "dark_muted": "#aea79b",
        "dark_rule": "#45413a",
        "dark_accent": colours.dark,
    }
    fonts = {"serif": Markup(_SERIF), "sans": Markup(_SANS), "mono": Markup(_MONO)}
    return (
        rendered(templates, "mail/mail.css.j2", **values, **fonts),
        rendered(templates, "mail/dark.css.j2", **values, **fonts),
    )


def style_source(web_html: str) -> str:
    """What a Content-Security-Policy must say in `style-src` so that a web copy's own style applies: `'sha256-...'`."""
    return _style_hash(web_html)


@lru_cache(maxsize=256)
def _style_hash(web_html: str) -> str:
    match = re.search(r"<style>(.*?)</style>", web_html, re.DOTALL)
    digest = hashlib.sha256((match[1] if match else "").encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
