"""Cleaned HTML as a mail shows it."""

import pytest

from newsletter.article import inner_html, mail_tree
from newsletter.words import Words


def laid_out(html: str, language: str = "en") -> str:
    return inner_html(mail_tree(html, words=Words(language), url="https://post.example/"))


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        pytest.param(
            "One<br><br>two<br>three", "<p>One</p>\n<p>two<br>three</p>", id="an old blog"
        ),
        pytest.param("<div>One</div><div>Two</div>", "<p>One</p>\n<p>Two</p>", id="divs"),
        pytest.param(
            "<div><div><p>One</p></div>tail</div>", "<p>One</p>\n<p>tail</p>", id="nested divs"
        ),
        pytest.param("<b><p>One</p></b>", "<p>One</p>", id="blocks inside inline"),
        pytest.param("<p>a <em>b</em> c</p>", "<p>a <em>b</em> c</p>", id="inline"),
        pytest.param("<p> </p><p><br></p>", "", id="nothing"),
        pytest.param("<h3>A</h3><h4>B</h4>", "<h4>A</h4>\n<h5>B</h5>", id="headings"),
        pytest.param('<div dir="rtl">نص</div>', '<p dir="rtl">نص</p>', id="direction"),
        pytest.param("<p>say <q>hi</q>!</p>", "<p>say “hi”!</p>", id="inline quotation"),
    ],
)
def test_a_body_becomes_a_row_of_blocks(html: str, expected: str) -> None:
    assert laid_out(html) == expected


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        pytest.param(
            '<p><img src="https://p.example/a.jpg" alt="A ferry" width="9"></p>',
            '<p><a class="medium" href="https://p.example/a.jpg">[Picture: A ferry]</a></p>',
            id="picture",
        ),
        pytest.param(
            '<p><img src="https://p.example/a.jpg" alt=""></p>',
            '<p><a class="medium" href="https://p.example/a.jpg">[Picture]</a></p>',
            id="picture without words",
        ),
        pytest.param(
            '<p><a href="https://big.example/"><img src="https://p.example/a.jpg" alt="A"></a></p>',
            '<p><a href="https://big.example/"><span class="medium">[Picture: A]</span></a></p>',
            id="linked picture",
        ),
        pytest.param(
            '<video title="The crossing"><source src="https://p.example/v.mp4"></video>',
            '<p><a class="medium" href="https://p.example/v.mp4">[Video: The crossing]</a></p>',
            id="video",
        ),
        pytest.param(
            '<img src="data:image/png;base64,AA" alt="A">',
            '<p><a class="medium" href="https://post.example/">[Picture: A]</a></p>',
            id="written-in picture",
        ),
    ],
)
def test_8_8_a_medium_is_a_linked_line_and_never_loaded(html: str, expected: str) -> None:
    assert laid_out(html) == expected


def test_a_picture_is_named_in_the_readers_language() -> None:
    assert "[Imagen: Un barco]" in laid_out(
        '<img src="https://p.example/a.jpg" alt="Un barco">', "es"
    )


@pytest.mark.parametrize(
    "html",
    [
        "<blockquote><p><strong>Ministry, 14 September</strong></p><p>Text.</p></blockquote>",
        "<blockquote><h3>Ministry, 14 September</h3><p>Text.</p></blockquote>",
        "<blockquote><p>Text.</p><footer>— Ministry, 14 September</footer></blockquote>",
        "<figure><blockquote><p>Text.</p></blockquote><figcaption>Ministry, 14 September</figcaption></figure>",
    ],
)
def test_issuer_and_date_stand_over_a_quoted_document(html: str) -> None:
    assert laid_out(html) == (
        '<blockquote><p class="issuer">Ministry, 14 September</p><p>Text.</p></blockquote>'
    )


def test_a_quotation_that_is_bold_altogether_has_no_issuer() -> None:
    html = "<blockquote><p><strong>All of it.</strong></p></blockquote>"
    assert laid_out(html) == html


def test_what_could_act_is_taken_out_again() -> None:
    assert (
        laid_out("<p>a</p><script>x()</script><iframe src='https://e.example/'></iframe>")
        == "<p>a</p>"
    )
