"""Captions and true frame rates of the videos given to a command."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from crossdiff.annotations.actions import CaptionPart, captions_for
from crossdiff.annotations.captions import (
    CAPTIONS_FILE,
    VideoCaption,
    read_caption_csv,
    read_caption_table,
)
from crossdiff.pipeline.video_input import VideoInput
from crossdiff.wording import counted

log = logging.getLogger(__name__)

T = TypeVar("T")
CaptionsByVideo = dict[VideoInput, tuple[VideoCaption, ...]]


def captions_of(videos: Sequence[VideoInput], file: Path | None = None, part: CaptionPart = "all") -> CaptionsByVideo:
    """Captions of each video: from the file given, else from captions.csv beside it or above, else of its label.

    part: of the label's captions, as in `captions_for`.
    """
    given, beside = _read_files(videos, file, read_caption_csv)
    return _captions(videos, file, given or {}, beside, part)


def captions_and_rates_of(
    videos: Sequence[VideoInput], file: Path | None = None
) -> tuple[CaptionsByVideo, dict[VideoInput, float]]:
    """Captions as by `captions_of`, and the true frame rates that the same files give."""
    given, beside = _read_files(videos, file, read_caption_table)
    captions = _captions(videos, file, given.captions if given else {}, {f: t.captions for f, t in beside.items()})
    return captions, _rates(videos, given.rates if given else {}, {f: t.rates for f, t in beside.items()})


def _read_files(
    videos: Sequence[VideoInput], file: Path | None, read: Callable[[Path], T]
) -> tuple[T | None, dict[Path, T]]:
    """The content of the file given, and by folder that of captions.csv in the videos' folders and above."""
    folders = {folder for video in videos for folder in video.folders}
    beside = {f: read(f / CAPTIONS_FILE) for f in folders if (f / CAPTIONS_FILE).is_file()}
    return None if file is None else read(file), beside


def _captions(
    videos: Sequence[VideoInput],
    file: Path | None,
    given: Mapping[str, Sequence[VideoCaption]],
    beside: Mapping[Path, Mapping[str, Sequence[VideoCaption]]],
    part: CaptionPart = "all",
) -> CaptionsByVideo:
    tables = [*([(file, given)] if file else []), *((f / CAPTIONS_FILE, beside[f]) for f in sorted(beside))]
    names = {name for video in videos for name in video.names} if tables else set()
    for table, captions in tables:
        if unknown := sorted(set(captions) - names):
            count = counted(len(unknown), "video")
            log.warning("%s: %s not among the inputs, such as %s", table, count, unknown[0])
    matches = {video: _match(video, given, beside) for video in videos}
    return {v: tuple(match) if match is not None else default_captions(v.label, part) for v, match in matches.items()}


def _rates(
    videos: Sequence[VideoInput], given: Mapping[str, float], beside: Mapping[Path, Mapping[str, float]]
) -> dict[VideoInput, float]:
    matches = {video: _match(video, given, beside) for video in videos}
    return {video: rate for video, rate in matches.items() if rate is not None}


def _match(video: VideoInput, given: Mapping[str, T], beside: Mapping[Path, Mapping[str, T]]) -> T | None:
    """The entry of a video in the given file, else in the nearest file in its folders."""
    sources = [source for source in (given, *(beside.get(folder, {}) for folder in video.folders)) if source]
    return next((source[name] for source in sources for name in video.names if name in source), None)


def default_captions(label: str, part: CaptionPart = "all") -> tuple[VideoCaption, ...]:
    """Captions of the label, for a video without an entry in a captions file; none if the label is empty."""
    return tuple(map(VideoCaption, captions_for(label, part)))


def warn_uncaptioned(names: Sequence[str], count: int) -> None:
    """Warn in one line if some of `count` videos or clips have no caption."""
    if names:
        log.warning(
            "no caption for %d of %s, such as %s: no name says what they show. They are lifted, and trained on "
            "without text; give captions with --captions FILE.csv",
            len(names), counted(count, "input"), names[0],
        )  # fmt: skip
