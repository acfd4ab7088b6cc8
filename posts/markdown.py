"""Markdown to raw HTML: CommonMark with tables, footnotes and strikethrough; cleaning comes after."""

from functools import cache

from markdown_it import MarkdownIt
from mdit_py_plugins.footnote import footnote_plugin


@cache
def _parser() -> MarkdownIt:
    return (
        MarkdownIt("commonmark", {"html": True})
        .enable(["table", "strikethrough"])
        .use(footnote_plugin)
    )


def render_markdown(markdown: str) -> str:
    """The raw HTML of `markdown`. HTML in it goes through untouched, so the result is as hostile as the text."""
    html: str = _parser().render(markdown)
    return html
