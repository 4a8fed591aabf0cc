"""Titles above pictures, in a proportional typeface, which OpenCV lacks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy import ndarray
from PIL import Image, ImageDraw, ImageFont

from crossdiff.viewing.palette import PAPER

Font = ImageFont.ImageFont | ImageFont.FreeTypeFont

_INK, _MAX_LINES = (44, 52, 64), 4


def title_band(titles: Sequence[str], widths: Sequence[int], size: int) -> ndarray:
    """One row of wrapped, centred titles over panels of the given pixel widths; shape (H, sum of widths, 3) uint8.

    H is even and fits the longest title, up to four lines; longer titles end in an ellipsis. H is 0 without titles.
    """
    if not any(title.strip() for title in titles):
        return np.zeros((0, sum(widths), 3), dtype=np.uint8)
    points = max(size / 25, 9)
    font = ImageFont.load_default(points)
    lines = [_balanced(title, font, 0.92 * width) for title, width in zip(titles, widths, strict=True)]
    line_height = round(1.3 * points)
    height = line_height * max(map(len, lines)) + round(1.1 * points)
    band = Image.new("RGB", (sum(widths), height + height % 2), PAPER)
    draw = ImageDraw.Draw(band)
    left = 0
    for text, width in zip(lines, widths, strict=True):
        for row, line in enumerate(text):
            place = (left + width / 2, round(0.8 * points) + (row + 0.5) * line_height)
            draw.text(place, line, fill=_INK, font=font, anchor="mm")
        left += width
    return np.asarray(band)


def _balanced(text: str, font: Font, width: float) -> list[str]:
    """The wrapping with the fewest lines, and among these the narrowest, which avoids single words on the last line."""
    if not text.strip():
        return []
    best = wrap(text, font, width)
    for share in (0.9, 0.8, 0.7, 0.6, 0.5):
        narrower = wrap(text, font, share * width)
        if len(narrower) > len(best) or "…" in narrower[-1]:
            break
        best = narrower
    return best


def wrap(text: str, font: Font, width: float) -> list[str]:
    """Wrap a title at spaces, and inside words wider than a line."""
    lines = [""]
    for word in text.split():
        while font.getlength(word) > width and len(word) > 1:
            fits = next(n for n in range(len(word) - 1, 0, -1) if n == 1 or font.getlength(word[:n]) <= width)
            lines.append(word[:fits])
            word = word[fits:]
        joined = f"{lines[-1]} {word}".strip()
        if font.getlength(joined) <= width:
            lines[-1] = joined
        else:
            lines.append(word)
    lines = [line for line in lines if line]
    if len(lines) <= _MAX_LINES:
        return lines
    last = lines[_MAX_LINES - 1]
    while last and font.getlength(last + "…") > width:
        last = last[:-1]
    return [*lines[: _MAX_LINES - 1], last + "…"]
