"""The page's colours: two palettes, and the accent of config brought to a contrast that can be read on each."""

import colorsys
from dataclasses import dataclass

from newsletter.colour import contrast

_AA = 4.6
"""WCAG 2.2, 1.4.3 asks for 4.5; the rest is for rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """One set of colours, each `#rrggbb`; `sheet` is the ground of boxes, `on_accent` the text of buttons."""

    paper: str
    sheet: str
    ink: str
    grey: str
    rule: str
    accent: str
    on_accent: str


def build_palettes(accent: str) -> tuple[Palette, Palette]:
    """The light and the dark palette around `accent` (`#rrggbb`)."""
    light_accent = readable(accent, on="#f3f0e8", step=-0.01)
    dark_accent = readable(accent, on="#25272b", step=0.01)
    light = Palette(
        paper="#fdfcf9",
        sheet="#f3f0e8",
        ink="#1d1b18",
        grey="#5c574f",
        rule="#d8d3c7",
        accent=light_accent,
        on_accent="#ffffff",
    )
    dark = Palette(
        paper="#17181b",
        sheet="#25272b",
        ink="#e9e5dc",
        grey="#b0aaa0",
        rule="#3b3d42",
        accent=dark_accent,
        on_accent="#101114",
    )
    return light, dark


def readable(colour: str, *, on: str, step: float) -> str:
    """`colour` with its lightness moved by as few `step`s as give a contrast that can be read on the ground `on`."""
    hue, lightness, saturation = colorsys.rgb_to_hls(
        *(int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    )
    while contrast(colour, on) < _AA and 0 < lightness + step < 1:
        lightness += step
        channels = colorsys.hls_to_rgb(hue, lightness, saturation)
        colour = "#" + "".join(f"{round(channel * 255):02x}" for channel in channels)
    return colour
