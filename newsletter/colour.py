"""One accent colour from config, made legible on light and on dark (WCAG 2.2, contrast 4.5)."""

import colorsys
from dataclasses import dataclass

LIGHT = "#fffefb"
DARK = "#191816"
_CONTRAST = 4.5


@dataclass(frozen=True, slots=True)
class Accent:
    """The accent as it is used on light paper and on dark."""

    light: str
    dark: str


def accent(colour: str) -> Accent:
    """`colour` itself where it is legible, else the nearest of its hue that is."""
    return Accent(light=_legible(colour, LIGHT, -0.01), dark=_legible(colour, DARK, 0.01))


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, 1 to 21."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _legible(colour: str, paper: str, step: float) -> str:
    hue, lightness, saturation = colorsys.rgb_to_hls(*_channels(colour))
    while contrast(colour, paper) < _CONTRAST and 0 <= lightness + step <= 1:
        lightness += step
        rgb = colorsys.hls_to_rgb(hue, lightness, saturation)
        colour = "#" + "".join(f"{round(channel * 255):02x}" for channel in rgb)
    return colour


def _channels(colour: str) -> tuple[float, float, float]:
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue


def _luminance(colour: str) -> float:
    red, green, blue = (
        channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
        for channel in _channels(colour)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
