"""Captions of wild videos: about five per known action label, a sentence from the label's words for any other."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd
import yaml

from crossdiff.errors import InputError
from crossdiff.moved import moved_names

if not TYPE_CHECKING:
    __getattr__ = moved_names(__name__)

# Words of file names that do not describe an action.
_NO_ACTION = {"clip", "demo", "dsc", "gopro", "img", "input", "mov", "movie", "mp"}
_NO_ACTION |= {"output", "sample", "test", "vid", "video", "videos"}
CAPTIONS_FILE = "captions.csv"
_COLUMNS = ("video", "caption")
_DATASETS = ("ucf101", "jhmdb")


class VideoCaption(NamedTuple):
    """A sentence that describes a video, or its part from `start` to `end` in seconds; end 0: to its end."""

    text: str
    start: float = 0.0
    end: float = 0.0


@cache
def labels(dataset: str | None = None) -> tuple[str, ...]:
    """The labels with prepared captions: `ucf101`'s as spelt there, `jhmdb`'s capitalised, or all."""
    return tuple(label for name in _DATASETS if dataset in (None, name) for label in _shipped()[name])


def captions_for(label: str) -> list[str]:
    """Captions of an action label; `JumpingJack`, `jumping_jacks` and `Jumping Jacks 2` are the same label.

    An unknown label is put in a sentence: "a person is rowing" where its first word ends in -ing behind a vowel (not
    as "swing" does), "a person does archery" otherwise; one without any words, or with typical words of
    file names (`IMG_0001`, `demo`), gives "a person moves".
    """
    if known := _by_normalised().get(_normalised(label)):
        return list(known)
    words = label_words(label)
    if not set(words) - _NO_ACTION:
        return ["a person moves"]
    verb = "is" if re.search(r"[aeiouy]\w*ing$", words[0]) else "does"
    return [f"a person {verb} {' '.join(words)}"]


def label_words(text: str) -> list[str]:
    """Lower-case words of a label or file name, split at capitals and punctuation, numbers left out."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    return re.findall(r"[^\W\d_]+", spaced.lower())


def caption_line(text: str) -> str:
    """A line of a HumanML3D text file, `caption#word/POS ...#start#end`; 0.0 to 0.0 stands for the whole clip.

    Parts of speech are not known here: every word is OTHER.
    """
    caption = " ".join(text.replace("#", " ").split())
    tokens = " ".join(f"{word}/OTHER" for word in re.findall(r"\w+", caption.lower()))
    return f"{caption}#{tokens}#0.0#0.0"


def read_caption_csv(path: Path) -> dict[str, list[VideoCaption]]:
    """Captions by video from a CSV file with the columns video and caption; a video may have several rows.

    A video is named by its path below the folder given for extraction, its file name, or either without suffix.
    Columns start and end, in seconds, give the part of the video that a row describes; by default all of it.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable CSV file ({error})") from None
    if not isinstance(table.index, pd.RangeIndex):  # pandas takes extra fields for row names
        raise InputError(f"{path}, line 2: more fields than columns; put captions with commas in quotes")
    missing = [name for name in _COLUMNS if name not in table.columns]
    if missing:
        raise InputError(
            f"{path}: lacks the column {' and '.join(missing)}; it has {', '.join(table.columns)}; "
            f"the first line must be {','.join(_COLUMNS)} or {','.join(_COLUMNS)},start,end"
        )
    nothing = [""] * len(table)
    columns = [table["video"], table["caption"], table.get("start", nothing), table.get("end", nothing)]
    found: dict[str, list[VideoCaption]] = {}
    for row, (video, caption, start, end) in enumerate(zip(*columns, strict=True), start=2):
        if not video.strip() or not re.search(r"\w", caption):
            raise InputError(f"{path}, line {row}: empty video or caption; fill it in or delete the line")
        span = _span(start, end, f"{path}, line {row}")
        found.setdefault(video.strip(), []).append(VideoCaption(caption.strip(), *span))
    return found


def _span(start: str, end: str, where: str) -> tuple[float, float]:
    try:
        first, last = (float(text) if text.strip() else 0.0 for text in (start, end))
    except ValueError:
        first = last = math.nan
    # Comparisons with NaN are false.
    if not (0 <= first < math.inf and (first < last < math.inf or last == 0)):
        raise InputError(f"{where}: start and end must be seconds, end after start, got {start!r} and {end!r}")
    return first, last


def by_span(captions: Sequence[VideoCaption]) -> dict[tuple[float, float], list[str]]:
    """Sentences by the part of the video that they describe; (0, 0): all of it."""
    spans: dict[tuple[float, float], list[str]] = {}
    for caption in captions:
        spans.setdefault((caption.start, caption.end), []).append(caption.text)
    return spans


def _normalised(label: str) -> str:
    return "".join(word.removesuffix("s") for word in label_words(label))


@cache
def _by_normalised() -> dict[str, list[str]]:
    return {_normalised(name): captions for of_set in _shipped().values() for name, captions in of_set.items()}


@cache
def _shipped() -> dict[str, dict[str, list[str]]]:
    """Captions by dataset and label."""
    folder = resources.files("crossdiff.annotations")
    return {name: yaml.safe_load((folder / f"{name}.yaml").read_text(encoding="utf-8")) for name in _DATASETS}
