"""The accent colour stays legible."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.colour import DARK, LIGHT, accent, contrast


@given(st.integers(0, 0xFFFFFF).map("#{:06x}".format))
def test_every_accent_has_a_contrast_of_4_5_on_both_papers(colour: str) -> None:
    made = accent(colour)
    assert contrast(made.light, LIGHT) >= 4.5
    assert contrast(made.dark, DARK) >= 4.5


def test_an_accent_that_is_legible_is_used_as_it_is() -> None:
    assert accent("#9c2a1f").light == "#9c2a1f"


@pytest.mark.parametrize(
    ("one", "other", "ratio"), [("#000000", "#ffffff", 21), ("#777777", "#777777", 1)]
)
def test_contrast_is_that_of_wcag(one: str, other: str, ratio: float) -> None:
    assert contrast(one, other) == pytest.approx(ratio)


@pytest.mark.parametrize("colour", ["#1c1a17", "#5d5850"])
def test_ink_is_legible_on_light_paper(colour: str) -> None:
    assert contrast(colour, LIGHT) >= 4.5


@pytest.mark.parametrize("colour", ["#ece8df", "#aea79b"])
def test_ink_is_legible_on_dark_paper(colour: str) -> None:
    assert contrast(colour, DARK) >= 4.5
