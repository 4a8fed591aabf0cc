"""Captions of wild videos: sentences about a video or a part of it, read from CSV files, written as HumanML3D does."""

from __future__ import annotations

import io
import math
import posixpath
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from crossdiff.errors import InputError
from crossdiff.moved import moved_names

if TYPE_CHECKING:
    import pandas as pd
else:
    __getattr__ = moved_names(__name__)

CAPTIONS_FILE = "captions.csv"
_COLUMNS = ("video", "caption")


class VideoCaption(NamedTuple):
    """A sentence that describes a video or a part of it."""

    text: str
    start: float = 0.0
    """Start of the part, in seconds."""
    end: float = 0.0
    """End of the part, in seconds; 0: the end of the video."""
    track: int | None = None
    """Number of the person that it describes, 1 for the track `VIDEO_t1`; None: everyone in the foreground."""


def caption_line(text: str) -> str:
    """A line of a HumanML3D text file, `caption#word/POS ...#start#end`; 0.0 to 0.0 is the whole clip.

    Parts of speech are unknown: every word gets OTHER.
    """
    caption = " ".join(text.replace("#", " ").split())
    tokens = " ".join(f"{word}/OTHER" for word in re.findall(r"\w+", caption.lower()))
    return f"{caption}#{tokens}#0.0#0.0"


class CaptionTable(NamedTuple):
    """A CSV file of captions: captions and true frame rates by video. Names of videos are spelt as by `plain_name`."""

    captions: dict[str, list[VideoCaption]]
    rates: dict[str, float]


def read_caption_csv(path: Path) -> dict[str, list[VideoCaption]]:
    """Captions by video from a CSV file with the columns video and caption; a video may have several rows.

    A video is named by its path, absolute or the end of it, with or without suffix: `/data/gym/day1.mp4`,
    `gym/day1.mp4`, `day1`. Keys of the result are spelt as by `plain_name`.
    Columns start and end, in seconds, give the part of the video that a row describes; by default all of it. A column
    track gives the number of the person that it describes.
    """
    return _captions(_read_cells(path), path)


def read_caption_table(path: Path) -> CaptionTable:
    """Captions as by `read_caption_csv`, and true frame rates of videos whose time stamps are wrong.

    The frame rates are in a column fps; one row of a video is enough.
    """
    cells = _read_cells(path)
    return CaptionTable(_captions(cells, path), _rates(cells, path))


def _captions(cells: pd.DataFrame, path: Path) -> dict[str, list[VideoCaption]]:
    nothing = [""] * len(cells)
    columns = [cells["video"], cells["caption"], *(cells.get(name, nothing) for name in ("start", "end", "track"))]
    captions: dict[str, list[VideoCaption]] = {}
    for row, (video, caption, start, end, track) in enumerate(zip(*columns, strict=True), start=2):
        if not video.strip() or not re.search(r"\w", caption):
            raise InputError(f"{path}, line {row}: empty video or caption; fill it in or delete the line")
        where = f"{path}, line {row}"
        read = VideoCaption(caption.strip(), *_span(start, end, where), _track(track, where))
        captions.setdefault(plain_name(video), []).append(read)
    return captions


def _rates(cells: pd.DataFrame, path: Path) -> dict[str, float]:
    rates: dict[str, float] = {}
    for row, (video, text) in enumerate(zip(cells["video"], cells.get("fps", [""] * len(cells)), strict=True), start=2):
        if not text.strip():
            continue
        fps = _number(text)
        if not 1 <= fps <= 1000:
            raise InputError(f"{path}, line {row}: fps must be 1 to 1000, got {text!r}; correct it or leave it empty")
        name = plain_name(video)
        if rates.setdefault(name, fps) != fps:
            raise InputError(f"{path}, line {row}: {name} has another fps above, {rates[name]:g}; give it one")
    return rates


def _read_cells(path: Path) -> pd.DataFrame:
    """The cells of a CSV file with at least the columns video and caption, as text."""
    import pandas as pd

    try:
        table = pd.read_csv(io.StringIO(_text(path)), dtype=str, keep_default_na=False)
    except ValueError as error:
        raise InputError(f"{path}: not a readable CSV file ({error})") from None
    if not isinstance(table.index, pd.RangeIndex):  # pandas takes extra fields as row names
        raise InputError(f"{path}, line 2: more fields than columns; put captions with commas in quotes")
    missing = [name for name in _COLUMNS if name not in table.columns]
    if missing:
        raise InputError(
            f"{path}: lacks the column {' and '.join(missing)}; it has {', '.join(table.columns)}; "
            f"the first line must be {','.join(_COLUMNS)} or {','.join(_COLUMNS)},start,end,track,fps"
        )
    return table


def plain_name(name: str) -> str:
    """A path in one spelling: `sub/a.mp4` for `./sub//a.mp4`, `../sub/a.mp4` and `sub\\a.mp4`."""
    path = posixpath.normpath(name.strip().replace("\\", "/"))
    return unicodedata.normalize("NFC", re.sub(r"^(\.\./)+", "", path))


def _text(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give a CSV file") from None
    except UnicodeDecodeError:
        text = ""
    if not text or "\0" in text:  # UTF-16 may lack its byte order mark
        what = "not UTF-8 text" if path.stat().st_size else "not a readable CSV file (it is empty)"
        raise InputError(f"{path}: {what}; save it as UTF-8 (in Excel: CSV UTF-8)")
    return text


def _span(start: str, end: str, where: str) -> tuple[float, float]:
    first, last = (_number(text) if text.strip() else 0.0 for text in (start, end))
    # Comparisons with NaN are false.
    if not (0 <= first < math.inf and (first < last < math.inf or last == 0)):
        raise InputError(f"{where}: start and end must be seconds, end after start, got {start!r} and {end!r}")
    return first, last


def _track(text: str, where: str) -> int | None:
    if text.strip() and not text.strip().isdecimal():
        raise InputError(f"{where}: track must be the number of a person, such as 0 of VIDEO_t0, got {text!r}")
    return int(text) if text.strip() else None


def _number(text: str) -> float:
    """The number; NaN if the text is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def by_span(captions: Sequence[VideoCaption]) -> dict[tuple[float, float], list[str]]:
    """Sentences by the part of the video that they describe, as (start, end); (0, 0): all of it."""
    spans: dict[tuple[float, float], list[str]] = {}
    for caption in captions:
        spans.setdefault((caption.start, caption.end), []).append(caption.text)
    return spans
