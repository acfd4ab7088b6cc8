"""`feeds/lint_set.py`: formats of one feed that disagree, and archives that are not whole."""

from dataclasses import replace

import pytest

from feeds.lint_set import lint_set
from feeds.lint_xml import Outline, subscription_url

BASE = "https://w.example/feeds/all"


def archive(number: int, format_: str) -> str:
    return f"{BASE}/archive/{number:05}.{format_}"


def published(format_: str) -> dict[str, Outline]:
    """A feed of two full archive documents in one format."""
    older = "next" if format_ == "json" else "prev-archive"
    xml = format_ != "json"
    current = {"current": f"{BASE}.{format_}"} if xml else {}
    after = {"next-archive": archive(2, format_)} if xml else {}
    outlines = [
        Outline(
            format=format_,
            url=f"{BASE}.{format_}",
            ids=("e", "d"),
            links={older: archive(2, format_)},
        ),
        Outline(
            format=format_,
            url=archive(2, format_),
            ids=("d", "c"),
            links={older: archive(1, format_), **current},
            is_archive=xml,
        ),
        Outline(
            format=format_,
            url=archive(1, format_),
            ids=("b", "a"),
            links={**current, **after},
            is_archive=xml,
        ),
    ]
    return {outline.url: outline for outline in outlines}


def everything() -> dict[str, Outline]:
    return published("atom") | published("rss") | published("json")


def broken(url: str, **changes: object) -> list[tuple[str, str]]:
    """Rule and document of each fault after one document was changed."""
    outlines = everything()
    outlines[url] = replace(outlines[url], **changes)  # type: ignore[arg-type]  # the dataclass checks
    return [(fault.rule, fault.document) for fault in lint_set(outlines)]


def test_what_agrees_has_no_fault() -> None:
    assert lint_set(everything()) == []


def test_an_entry_that_one_format_lacks_is_named() -> None:
    outlines = everything()
    url = archive(1, "rss")
    outlines[url] = replace(outlines[url], ids=("b",))
    (fault,) = lint_set(outlines)
    assert (fault.rule, fault.document, fault.guid) == ("set.same-ids", url, "a")


def test_another_order_is_a_fault() -> None:
    url = archive(1, "json")
    assert broken(url, ids=("a", "b")) == [("set.same-ids", url)]


def test_a_format_that_is_not_there_is_a_fault() -> None:
    outlines = everything()
    del outlines[archive(1, "rss")]
    assert [fault.rule for fault in lint_set(outlines)] == ["set.formats", "archive.missing"]


@pytest.mark.parametrize("format_", ["atom", "rss"])
def test_an_archive_document_says_what_it_is_and_where_it_stands(format_: str) -> None:
    url = archive(1, format_)
    links = {"current": f"{BASE}.{format_}", "next-archive": archive(2, format_)}
    assert broken(url, is_archive=False) == [("archive.mark", url)]
    assert broken(url, links=links | {"current": f"{BASE}/x"}) == [("archive.current", url)]
    assert broken(url, links=links | {"next-archive": url}) == [("archive.next", url)]
    newest = archive(2, format_)
    own = {"current": f"{BASE}.{format_}", "prev-archive": url, "next-archive": url}
    assert broken(newest, links=own) == [("archive.next", newest)]


@pytest.mark.parametrize("format_", ["atom", "rss", "json"])
def test_a_post_in_two_archive_documents_is_named_and_one_also_in_the_newest_is_not(
    format_: str,
) -> None:
    outlines = published(format_)
    url = archive(1, format_)
    outlines[url] = replace(outlines[url], ids=("c", "a"))
    told = [fault for fault in lint_set(outlines) if fault.rule.startswith("archive")]
    assert [(fault.rule, fault.document, fault.guid) for fault in told] == [
        ("archive.once", url, "c")
    ]


@pytest.mark.parametrize("format_", ["atom", "rss", "json"])
def test_a_chain_that_breaks_or_turns_back_is_told_and_followed_no_further(format_: str) -> None:
    older = "next" if format_ == "json" else "prev-archive"
    newest, first = archive(2, format_), archive(1, format_)
    outlines = published(format_)
    outlines[first] = replace(outlines[first], links={**outlines[first].links, older: newest})
    told = [(fault.rule, fault.document) for fault in lint_set(outlines)]
    assert ("archive.missing", first) in told
    outlines = published(format_)
    own = {name: url for name, url in outlines[newest].links.items() if name != older}
    outlines[newest] = replace(outlines[newest], links=own)
    assert ("archive.lost", first) in [(fault.rule, fault.document) for fault in lint_set(outlines)]


def test_an_archive_document_belongs_to_its_feed() -> None:
    assert subscription_url(archive(12, "atom")) == f"{BASE}.atom"
    assert subscription_url(f"{BASE}.json") == f"{BASE}.json"
