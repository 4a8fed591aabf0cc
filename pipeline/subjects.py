"""Which captions describe which person, in videos of several people."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from crossdiff.annotations.captions import VideoCaption
from crossdiff.pipeline.ledger import Row


def captions_of_track(
    name: str, captions: Sequence[VideoCaption], bystanders: Iterable[str]
) -> tuple[VideoCaption, ...]:
    """The captions of a video that describe one of its tracks, `VIDEO_tNUMBER`.

    These are the captions for this track; without any, those for no certain track, unless the person is a bystander.
    """
    number = int(name.rsplit("_t", 1)[1])
    own = tuple(caption for caption in captions if caption.track == number)
    return own or tuple(c for c in captions if c.track is None and name not in bystanders)


def bystanders(tracks: Iterable[Row], heights: Mapping[str, float], least: float) -> set[str]:
    """Tracks of people less than `least` times as tall as another person who is visible for half of their time.

    tracks: rows of stage "track"; heights: of the body in pixels, by track; tracks without one are ignored.
    """
    videos: dict[str, list[Row]] = defaultdict(list)
    for row in tracks:
        if row.id in heights:
            videos[row.parent].append(row)
    return {
        row.id
        for people in videos.values()
        for row in people
        if any(heights[row.id] < least * heights[other.id] and _together(row, other) >= 0.5 for other in people)
    }


def _together(row: Row, other: Row) -> float:
    """Fraction of the duration of a track that another one overlaps."""
    first, last = row.measures["first_frame"], row.measures["first_frame"] + row.measures["frames"]
    begin, end = other.measures["first_frame"], other.measures["first_frame"] + other.measures["frames"]
    return max(0, min(last, end) - max(first, begin)) / (last - first)
