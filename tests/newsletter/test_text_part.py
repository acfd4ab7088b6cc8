"""The text part: what a person would have typed."""

import re

import pytest

from newsletter.story import Form, build_story
from newsletter.text_part import html_blocks, story_text
from newsletter.words import Words
from posts.model import Post
from tests.newsletter.mail_samples import SITE, WEB_URL, a_document_post, a_post, words


def text_of(html: str) -> str:
    return "\n\n".join("\n".join(block) for block in html_blocks(html))


def told(post: Post, form: Form = Form.WHOLE) -> str:
    return story_text(
        build_story(post, form, words=Words("en"), is_lead=True, site=SITE, web_url=WEB_URL)
    )


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        pytest.param("<p>a<br>b</p>", "a\nb", id="break"),
        pytest.param("<h4>Then</h4>", "Then\n----", id="heading"),
        pytest.param("<blockquote><p>a</p><p>b</p></blockquote>", "> a\n>\n> b", id="quotation"),
        pytest.param(
            "<blockquote>a<blockquote>b</blockquote></blockquote>",
            "> a\n>\n> > b",
            id="quotation in one",
        ),
        pytest.param(
            "<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul>", "- a\n- b\n  - c", id="list"
        ),
        pytest.param('<ol start="9"><li>a</li><li>b</li></ol>', "9. a\n10. b", id="numbers"),
        pytest.param("<pre>a\n  b\n\nc</pre>", "    a\n      b\n\n    c", id="code"),
        pytest.param(
            "<table><tr><th>Day</th><th>N</th></tr><tr><td>Monday</td><td>1</td></tr></table>",
            "Day    | N\n-------+--\nMonday | 1",
            id="table",
        ),
        pytest.param("<p>a</p><hr><p>b</p>", "a\n\n* * *\n\nb", id="rule"),
        pytest.param("<p>use <code>x</code></p>", "use `x`", id="code in a line"),
    ],
)
def test_a_block_keeps_its_shape(html: str, expected: str) -> None:
    assert text_of(html) == expected


def test_paragraphs_are_wrapped_at_72_and_addresses_stay_whole() -> None:
    url = "https://example.org/" + "long" * 30
    lines = text_of(f"<p>{words(80)} <a href='{url}'>{url}</a></p>").split("\n")
    assert url in lines
    assert all(len(line) <= 72 for line in lines if line != url)


def test_links_are_numbered_in_order_and_listed_once_under_the_post() -> None:
    html = '<p><a href="https://a.example/">A</a> <a href="https://b.example/">B</a> <a href="https://a.example/">a</a></p>'
    text = told(a_post(1, html=html))
    assert "A [1] B [2] a [1]" in text
    assert text.endswith("\n\n[1] https://a.example/\n[2] https://b.example/\n")


def test_a_story_begins_with_its_title_underlined_and_its_address() -> None:
    assert told(a_post(1)).startswith(
        "Story number 1\n==============\nhttps://mail.riverline.example/2009/09/story-1/\n\n"
        "By Ada Quintero · 5:00 PM\n\n"
    )


def test_every_address_of_the_html_is_in_the_text() -> None:
    post = a_document_post()
    text = told(post)
    assert set(re.findall(r'(?:href|src)="([^"]+)"', post.content.html)) <= set(text.split())
    assert {enclosure.url for enclosure in post.content.enclosures} <= set(text.split())
    assert post.content.comments_url in text.split()
