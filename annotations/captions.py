"""Captions of wild videos: sentences about a video or a part of it, from a CSV file and as lines of a text file."""

from __future__ import annotations

import io
import math
import posixpath
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from crossdiff.errors import InputError
from crossdiff.moved import moved_names

if not TYPE_CHECKING:
    __getattr__ = moved_names(__name__)

CAPTIONS_FILE = "captions.csv"
_COLUMNS = ("video", "caption")


class VideoCaption(NamedTuple):
    """A sentence that describes a video, or its part from `start` to `end` in seconds; end 0: to its end.

    fps: true frame rate of the video; 0: as its time stamps say.
    """

    text: str
    start: float = 0.0
    end: float = 0.0
    fps: float = 0.0


def caption_line(text: str) -> str:
    """A line of a HumanML3D text file, `caption#word/POS ...#start#end`; 0.0 to 0.0 stands for the whole clip.

    Parts of speech are not known here: every word is OTHER.
    """
    caption = " ".join(text.replace("#", " ").split())
    tokens = " ".join(f"{word}/OTHER" for word in re.findall(r"\w+", caption.lower()))
    return f"{caption}#{tokens}#0.0#0.0"


def read_caption_csv(path: Path) -> dict[str, list[VideoCaption]]:
    """Captions by video from a CSV file with the columns video and caption; a video may have several rows.

    A video is named by its path, absolute or the end of it, with or without suffix: `/data/gym/day1.mp4`,
    `gym/day1.mp4`, `day1`. Keys of the result are spelt as `plain_name` does.
    Columns start and end, in seconds, give the part of the video that a row describes; by default all of it. A column
    fps gives the true frame rate of a video whose time stamps are wrong; one row of a video is enough.
    """
    try:
        table = pd.read_csv(io.StringIO(_text(path)), dtype=str, keep_default_na=False)
    except ValueError as error:
        raise InputError(f"{path}: not a readable CSV file ({error})") from None
    if not isinstance(table.index, pd.RangeIndex):  # pandas takes extra fields for row names
        raise InputError(f"{path}, line 2: more fields than columns; put captions with commas in quotes")
    missing = [name for name in _COLUMNS if name not in table.columns]
    if missing:
        raise InputError(
            f"{path}: lacks the column {' and '.join(missing)}; it has {', '.join(table.columns)}; "
            f"the first line must be {','.join(_COLUMNS)}, with start,end and fps if wanted"
        )
    nothing = [""] * len(table)
    columns = [table["video"], table["caption"], *(table.get(name, nothing) for name in ("start", "end", "fps"))]
    found: dict[str, list[VideoCaption]] = {}
    for row, (video, caption, start, end, fps) in enumerate(zip(*columns, strict=True), start=2):
        if not video.strip() or not re.search(r"\w", caption):
            raise InputError(f"{path}, line {row}: empty video or caption; fill it in or delete the line")
        where = f"{path}, line {row}"
        read = VideoCaption(caption.strip(), *_span(start, end, where), _rate(fps, where))
        found.setdefault(plain_name(video), []).append(read)
    for video, captions in found.items():
        if len(rates := {caption.fps for caption in captions} - {0.0}) > 1:
            raise InputError(f"{path}: gives {video} the frame rates {sorted(rates)}; give it one")
    return found


def rate_of(captions: Sequence[VideoCaption]) -> float | None:
    """The true frame rate that the captions of a video give; None where they give none."""
    return max((caption.fps for caption in captions), default=0.0) or None


def plain_name(name: str) -> str:
    """A path as one spelling of it: `./sub//a.mp4` and `sub\\a.mp4` are `sub/a.mp4`."""
    return unicodedata.normalize("NFC", posixpath.normpath(name.strip().replace("\\", "/")))


def _text(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give a CSV file") from None
    except UnicodeDecodeError:
        text = ""
    if not text or "\0" in text:  # UTF-16 may lack its mark
        what = "not UTF-8 text" if path.stat().st_size else "not a readable CSV file (it is empty)"
        raise InputError(f"{path}: {what}; save it as UTF-8 (in Excel: CSV UTF-8)")
    return text


def _span(start: str, end: str, where: str) -> tuple[float, float]:
    try:
        first, last = (float(text) if text.strip() else 0.0 for text in (start, end))
    except ValueError:
        first = last = math.nan
    # Comparisons with NaN are false.
    if not (0 <= first < math.inf and (first < last < math.inf or last == 0)):
        raise InputError(f"{where}: start and end must be seconds, end after start, got {start!r} and {end!r}")
    return first, last


def _rate(text: str, where: str) -> float:
    try:
        fps = float(text) if text.strip() else 0.0
    except ValueError:
        fps = math.nan
    if not (1 <= fps <= 1000 or not text.strip()):
        raise InputError(f"{where}: fps must be 1 to 1000 frames per second, got {text!r}; correct or empty it")
    return fps


def by_span(captions: Sequence[VideoCaption]) -> dict[tuple[float, float], list[str]]:
    """Sentences by the part of the video that they describe; (0, 0): all of it."""
    spans: dict[tuple[float, float], list[str]] = {}
    for caption in captions:
        spans.setdefault((caption.start, caption.end), []).append(caption.text)
    return spans
