"""A post's HTML as a page carries it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dateline.web.body import page_body
from posts.clean import clean_html

WEB = "https://press.example"


def body(html: str) -> str:
    """`html` for a page of the press."""
    return page_body(html, web_url=WEB, picture="[Picture: {alt}]", gettext=str)


@pytest.mark.parametrize(
    ("html", "page"),
    [
        pytest.param("Tom &amp; <b>Jo</b> &lt;3", "Tom &amp; <b>Jo</b> &lt;3", id="bare text"),
        pytest.param("<h4>A</h4><h6>B</h6>", "<h2>A</h2><h3>B</h3>", id="headings nest"),
        pytest.param("<h3>A</h3><h4>B</h4><h3>C</h3>", "<h2>A</h2><h3>B</h3><h2>C</h2>", id="back up"),
        pytest.param("<pre>x</pre>", '<pre tabindex="0">x</pre>', id="code scrolls by keyboard"),
        pytest.param(
            '<p>a <img src="https://e.example/x.png" alt=""> b</p>',
            '<p>a <span class="picture"><a href="https://e.example/x.png">[Picture: x.png]</a></span> b</p>',
            id="a foreign picture without words",
        ),
        pytest.param(
            '<a href="https://e.example/"><img src="https://e.example/x.png" alt="Map"></a>',
            '<a href="https://e.example/"><span class="picture">[Picture: Map]</span></a>',
            id="a foreign picture in a link",
        ),
        pytest.param(
            f'<img src="{WEB}/media/x.png?v=2" alt="Map">',
            '<img src="/media/x.png?v=2" alt="Map" loading="lazy">',
            id="our own picture",
        ),
    ],
)  # fmt: skip
def test_html_is_fitted_to_the_page(html: str, page: str) -> None:
    assert body(html) == page


def test_a_table_scrolls_in_a_box_that_has_a_name() -> None:
    fitted = body("<p>a</p><table><tbody><tr><td>1</td></tr></tbody></table> tail")
    assert '<div class="scroll" role="region" tabindex="0" aria-label="Table"><table>' in fitted
    assert fitted.endswith("</table></div> tail")


@given(st.text(alphabet="<>/abpimgtdrsc=\"' &;3", max_size=200))
def test_nothing_that_was_cleaned_breaks_a_page_or_loads_from_elsewhere(raw: str) -> None:
    fitted = body(clean_html(raw, None))
    assert "<script" not in fitted
    assert 'src="http' not in fitted


def test_a_picture_of_ours_does_not_bring_other_hosts_by_its_srcset() -> None:
    html = body(
        f'<p><img src="{WEB}/media/a.png" srcset="https://else.example/b.png 2x" alt=""></p>'
    )
    assert "else.example" not in html
    assert 'src="/media/a.png"' in html
