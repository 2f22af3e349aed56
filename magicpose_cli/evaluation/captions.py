"""Words under a picture, in Pillow's built-in font."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_LETTERS_PART = 18  # a picture's height over a letter's
_SMALLEST_PX = 10
_BACKGROUND, _INK = (24, 24, 24), (235, 235, 235)


def captioned(picture: np.ndarray, lines: Sequence[str]) -> np.ndarray:
    """A picture with lines of text in a dark band below it.

    Args:
        picture: uint8 ``(H W 3)``.
        lines: pictures of one size with equally many lines give one size. A line that is too wide is written smaller.

    Returns:
        uint8 ``(H + band, W, 3)``.
    """
    height_px, width_px = picture.shape[:2]
    letter_px = max(_SMALLEST_PX, height_px // _LETTERS_PART)
    line_px = round(1.4 * letter_px)
    band = Image.new("RGB", (width_px, line_px * len(lines) + line_px // 3), _BACKGROUND)
    draw = ImageDraw.Draw(band)
    for number, line in enumerate(lines):
        top = line_px // 6 + number * line_px
        draw.text(
            (width_px / 2, top + line_px / 2), line, _INK, _font(line, letter_px, width_px), anchor="mm"
        )
    return np.concatenate([picture, np.asarray(band)])


def _font(line: str, letter_px: int, width_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    for size_px in range(letter_px, 1, -1):
        font = ImageFont.load_default(size_px)
        if font.getlength(line) <= width_px - 4:
            break
    return font
