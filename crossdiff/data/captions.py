"""Caption files of the field: one `caption#word/POS word/POS#start#end` per line (seconds; 0 and 0 = whole clip)."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from crossdiff.errors import ClipError
from crossdiff.moved import moved_names

if not TYPE_CHECKING:
    __getattr__ = moved_names(__name__)

_SIDES = {"left": "right", "right": "left", "clockwise": "counterclockwise"}
# "anti" and "counter" may be separate words, with a part of speech after them in the tagged tokens.
_SIDE = re.compile(r"\b(left|right|(?:counter|anti)(?:/\w+)?[ -]?clockwise|clockwise)", re.IGNORECASE)


@dataclass(frozen=True)
class Caption:
    """A sentence, its POS-tagged tokens, and the span of the clip that it describes, in seconds (0, 0: all)."""

    text: str
    tokens: str
    start: float = 0.0
    end: float = 0.0

    @property
    def line(self) -> str:
        return f"{self.text}#{self.tokens}#{self.start}#{self.end}"


def parse_caption(line: str) -> Caption:
    """Parse one line of a caption file; ClipError if it is malformed."""
    if "\ufffd" in line:
        raise ClipError(f"caption: not UTF-8, got {line.strip()!r}")
    parts = line.strip().split("#")
    if len(parts) != 4 or not parts[0].strip():
        raise ClipError(f"caption: expected caption#tokens#start#end, got {line.strip()!r}")
    try:
        start, end = (float(p) for p in parts[2:])
    except ValueError:
        raise ClipError(f"caption: start and end must be seconds, got {line.strip()!r}") from None
    # HumanML3D has NaN in a few spans; its loaders read them as 0.
    start, end = (0.0 if math.isnan(v) else v for v in (start, end))
    if not (0 <= start < math.inf and 0 <= end < math.inf):
        raise ClipError(f"caption: start and end must be 0 or more seconds, got {line.strip()!r}")
    return Caption(parts[0].strip(), parts[1].strip(), start, end)


def parse_captions(lines: list[str]) -> tuple[list[Caption], list[str]]:
    """Captions of a file's lines, and the errors of malformed ones; blank lines are skipped."""
    good, bad = [], []
    for line in lines:
        if not line.strip():
            continue
        try:
            good.append(parse_caption(line))
        except ClipError as error:
            bad.append(str(error))
    return good, bad


def keep_captions(
    captions: list[Caption], frames: int, max_frames: int, fps: float
) -> tuple[list[Caption], list[Caption]]:
    """Captions of a clip cropped to `max_frames`, and those that lose more than half of their span by it."""
    if frames <= max_frames:
        return captions, []

    def middle(caption: Caption) -> float:
        return (caption.start + min(caption.end, frames / fps)) / 2 if caption.end else 0.0

    kept = [c for c in captions if middle(c) * fps < max_frames]
    return kept, [c for c in captions if c not in kept]


def window_captions(captions: list[Caption], start: float, stop: float, end: float) -> list[Caption]:
    """Captions of the window from `start` to `stop`, of a clip that ends at `end` (seconds), with spans in the window.

    A caption of the whole clip is one of every window; another belongs to the window that holds its middle.
    """
    own = []
    for caption in captions:
        if not caption.end:
            own.append(caption)
        elif start <= min((caption.start + min(caption.end, end)) / 2, math.nextafter(end, 0)) < stop:
            span = (max(caption.start - start, 0.0), min(caption.end, stop) - start)
            own.append(replace(caption, start=round(span[0], 3), end=round(span[1], 3)))
    return own


def read_caption_file(path: Path) -> list[Caption]:
    """All captions of one clip."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise ClipError(f"{path}: no caption file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ClipError(f"{path}: not readable as text ({error})") from None
    return [parse_caption(line) for line in lines if line.strip()]


def mirror_caption(caption: Caption) -> Caption:
    """The caption of the mirrored motion: left and right are exchanged, and so are directions of turning."""

    def swap(match: re.Match[str]) -> str:
        word = match[0]
        other = _SIDES.get(word.lower(), "clockwise")
        return other.capitalize() if word[0].isupper() else other

    return Caption(_SIDE.sub(swap, caption.text), _SIDE.sub(swap, caption.tokens), caption.start, caption.end)
