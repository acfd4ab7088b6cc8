"""Where a post is cut, and where it never is."""

from itertools import pairwise

import pytest

from newsletter.article import inner_html, mail_tree
from newsletter.excerpt import excerpt_tree, sentence_ends
from newsletter.words import Words
from tests.newsletter.mail_samples import words


def excerpt(html: str, limit: int) -> str | None:
    cut = excerpt_tree(mail_tree(html, words=Words("en"), url="https://x.example/"), limit)
    return None if cut is None else inner_html(cut)


def sentences(text: str) -> list[str]:
    cuts = [0, *sentence_ends(text), len(text)]
    return [text[a:b].strip() for a, b in pairwise(cuts)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"], id="plain"),
        pytest.param("Mr. Ruiz and Dr. Soto met.", ["Mr. Ruiz and Dr. Soto met."], id="titles"),
        pytest.param("J. Soto of the U.S. Senate", ["J. Soto of the U.S. Senate"], id="initials"),
        pytest.param("It cost 3.5 million.", ["It cost 3.5 million."], id="numbers"),
        pytest.param(
            "He said “It is over. Go home.” Then he left.",
            ["He said “It is over. Go home.”", "Then he left."],
            id="inside a quotation",
        ),
        pytest.param(
            "Dijo «Ya está. Vamos.» ¿Y luego? Nada.",
            ["Dijo «Ya está. Vamos.»", "¿Y luego?", "Nada."],
            id="Spanish",
        ),
        pytest.param('He "b. C" left. So', ['He "b. C" left.', "So"], id="straight quotes"),
        pytest.param("He waited... and left. So.", ["He waited... and left.", "So."], id="dots"),
        pytest.param("雨だ。風も。", ["雨だ。", "風も。"], id="no spaces"),
    ],
)
def test_sentences_end_where_a_reader_would_say(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


def test_a_post_a_little_longer_than_its_limit_stays_whole() -> None:
    assert excerpt(f"<p>{words(70)}</p>", 60) is None
    assert excerpt(f"<p>{words(80)}</p>", 60) is not None


def test_whole_paragraphs_come_first_then_whole_sentences() -> None:
    cut = excerpt(f"<p>{words(30)}</p><p>{words(100)}</p>", 60)
    assert cut == f"<p>{words(30)}</p>\n<p>{words(30)}</p>"


def test_links_and_emphasis_survive_a_cut() -> None:
    html = (
        f'<p>See <a href="https://x.example/">this <em>page</em></a>. It was late. {words(90)}</p>'
    )
    assert (
        excerpt(html, 6)
        == '<p>See <a href="https://x.example/">this <em>page</em></a>. It was late.</p>'
    )


@pytest.mark.parametrize(
    "whole",
    [
        pytest.param(f"<blockquote><p>{words(100)}</p></blockquote>", id="quotation"),
        pytest.param(f"<ul><li>{words(50)}</li><li>{words(50)}</li></ul>", id="list"),
        pytest.param(f"<table><tr><td>{words(100)}</td></tr></table>", id="table"),
        pytest.param(f"<pre>{words(100)}</pre>", id="code"),
    ],
)
def test_what_belongs_together_comes_whole_or_not_at_all(whole: str) -> None:
    assert excerpt(f"<p>{words(20)}</p>{whole}<p>After.</p>", 60) == f"<p>{words(20)}</p>"
    long_enough = excerpt(f"<p>{words(20)}</p>{whole}<p>{words(200)}</p>", 130)
    assert long_enough is not None
    assert whole[:40] in long_enough


def test_a_first_quotation_that_is_too_long_leaves_nothing() -> None:
    assert excerpt(f"<blockquote><p>{words(300)}</p></blockquote>", 60) == ""


def test_no_excerpt_ends_with_a_heading_or_a_promise() -> None:
    rest = f"<blockquote>{words(100)}</blockquote>"
    assert excerpt(f"<p>{words(20)}</p><h3>Then</h3>{rest}", 60) == f"<p>{words(20)}</p>"
    assert excerpt(f"<p>{words(20)}</p><p>He wrote:</p>{rest}", 60) == f"<p>{words(20)}</p>"


def test_a_first_sentence_longer_than_the_limit_is_kept_whole() -> None:
    first = "word " * 80 + "end. "
    assert excerpt(f"<p>{first}{words(100)}</p>", 60) == f"<p>{first.strip()}</p>"


def test_a_first_sentence_without_end_leaves_nothing() -> None:
    assert excerpt(f"<p>{'word ' * 500}</p>", 60) == ""
