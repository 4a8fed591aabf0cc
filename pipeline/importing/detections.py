"""People detected in single frames, from any file format, and the clips made of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from crossdiff.errors import InputError
from crossdiff.pipeline.backends.base import Person
from crossdiff.pipeline.importing.imports import largest_score
from crossdiff.pipeline.importing.picture import upside_down
from crossdiff.pipeline.motion2d.mapping import KeypointSet, keypoint_set_in_file, keypoint_set_named
from crossdiff.pipeline.tracks.tracking import TrackingConfig, link_tracks
from crossdiff.types import Keypoints2D

# Many scores are the peak of a heat map. Trained towards 1, it may exceed 1 by some hundredths, and is below 0 where
# there is no peak. Peaks of unscaled outputs (up to 10 for some SimCC networks) are not such scores.
_HIGHEST_PEAK, _LOWEST_PEAK = 1.5, -0.5
_SMALLEST = 2.0  # pixels: smaller poses are in fractions of the picture


@dataclass(frozen=True)
class Detection:
    """One person in one frame."""

    xy: Float[ndarray, "k 2"]
    """Pixels, y as in the file."""
    score: Float[ndarray, " k"]
    """In [0, 1]; 0: not visible."""
    track: int | None = None
    """The person's number in the file, if it has one."""


@dataclass(frozen=True)
class PoseVideo:
    """The people of a video, from a file; values that it lacks are None or empty."""

    frames: Mapping[int, Sequence[Detection]]
    """People by frame number."""
    names: Sequence[str] = ()
    """Names of the keypoints."""
    fps: float | None = None
    size: tuple[int, int] | None = None
    """Width and height of the picture, in pixels."""
    name: str = ""
    """Name of the video, if the file holds several."""

    def keypoint_set(self, chosen: str | None) -> KeypointSet:
        """The chosen set, or the one with the number and names of the keypoints; InputError if the number varies."""
        counts = sorted({len(d.score) for people in self.frames.values() for d in people})
        if len(counts) != 1:
            many = " and ".join(map(str, counts)) or "no"
            raise InputError(f"people of {many} keypoints; expected people of one set" if counts else "no people")
        table = keypoint_set_named(chosen) if chosen else keypoint_set_in_file(counts[0], self.names)
        if len(table.names) != counts[0]:
            raise InputError(f"{table.name} has {len(table.names)} keypoints, the people here have {counts[0]}")
        return table

    def upside_down(self, chosen: str | None) -> Bool[ndarray, " n"]:
        """`picture.upside_down` of all people in all frames."""
        table = self.keypoint_set(chosen)
        people = [person for in_frame in self.frames.values() for person in in_frame]
        return upside_down(np.stack([d.xy for d in people]), np.stack([d.score for d in people]) > 0, table.name)


def detection(xy: Any, score: Any, track: int | None = None) -> Detection | None:
    """A person from lists of positions and scores; None if no keypoint is visible.

    A keypoint at (0, 0) is not visible: detectors write that for keypoints that they did not find.
    """
    xy, score = np.array(xy, dtype=np.float64), np.array(score, dtype=np.float64)
    if xy.ndim != 2 or xy.shape[1:] != (2,) or score.shape != xy.shape[:1]:
        raise InputError(f"expected positions (K, 2) and K scores, got {xy.shape} and {score.shape}")
    if len(score) and not (score.min() >= _LOWEST_PEAK and score.max() <= _HIGHEST_PEAK):
        raise InputError(
            f"a score of {largest_score(score):g}: expected scores in [0, 1], or heat maps' peaks up to "
            f"{_HIGHEST_PEAK:g}; scale the scores before the import"
        )
    score = np.where(xy.any(axis=1), score.clip(0, 1), 0)
    return Detection(xy, score, track) if score.any() else None


def flat_detection(values: Sequence[float], track: int | None = None) -> Detection | None:
    """A person from x, y, score, x, y, score, ...; see `detection`."""
    if len(values) % 3:
        raise InputError(f"{len(values)} values for a person; expected x, y and score of each keypoint")
    table = np.array(values, dtype=np.float64).reshape(-1, 3)
    return detection(table[:, :2], table[:, 2], track)


def track_number(value: Any) -> int | None:
    """A person's number in a file, possibly inside lists, as AlphaPose writes it; None if there is none.

    OpenPose writes -1 for none.
    """
    for _ in range(4):
        if not isinstance(value, list):
            break
        value = value[0] if value else None
    if not isinstance(value, int | float) or isinstance(value, bool) or value != value // 1:
        return None
    return int(value) if value >= 0 else None


def people_of(video: PoseVideo, fps: float, size: tuple[int, int], keypoint_set: KeypointSet) -> dict[int, Keypoints2D]:
    """Keypoints of each person, by the file's numbers if everyone has one, else by first frame.

    Without numbers, people are tracked as in extraction, and a person who is lost for a while starts a new clip.
    """
    everyone = [d for people in video.frames.values() for d in people]
    if all(d.track is not None for d in everyone):
        tracks = _given_tracks(video.frames)
    else:
        tracks = dict(enumerate(_joined_tracks(video.frames, fps, keypoint_set)))
    extent = max(float(np.ptp(d.xy[d.score > 0], axis=0).max()) for d in everyone)
    if extent < _SMALLEST:
        raise InputError(
            f"all people are smaller than {_SMALLEST:g} pixels ({extent:.3g}); expected positions in pixels, not in "
            "fractions of the picture (OpenPose: --keypoint_scale 0)"
        )
    return {
        number: Keypoints2D(
            xy=np.stack([d.xy for _, d in track]).astype(np.float32),
            score=np.stack([d.score for _, d in track]).astype(np.float32),
            frame=np.array([frame for frame, _ in track], dtype=np.int64),
            fps=fps,
            size=size,
            keypoint_set=keypoint_set.name,
        )
        for number, track in tracks.items()
    }


def _given_tracks(frames: Mapping[int, Sequence[Detection]]) -> dict[int, list[tuple[int, Detection]]]:
    tracks: dict[int, list[tuple[int, Detection]]] = {}
    for frame in sorted(frames):
        for person in frames[frame]:
            assert person.track is not None
            track = tracks.setdefault(person.track, [])
            if track and track[-1][0] == frame:
                raise InputError(f"frame {frame} holds person {person.track} twice; expected each track once per frame")
            track.append((frame, person))
    return dict(sorted(tracks.items()))


def _joined_tracks(
    frames: Mapping[int, Sequence[Detection]], fps: float, keypoint_set: KeypointSet
) -> Iterator[list[tuple[int, Detection]]]:
    numbers = list(_with_gaps(sorted(frames)))
    pairs = {n: [(d, _person(d)) for d in frames.get(n, ())] for n in numbers}
    detections = {id(person): d for in_frame in pairs.values() for d, person in in_frame}
    people = [[person for _, person in pairs[n]] for n in numbers]
    for track in link_tracks(people, np.array(numbers) / fps, TrackingConfig(), keypoint_set.mirror):
        yield [(numbers[at], detections[id(person)]) for at, person in zip(track.frames, track.people, strict=True)]


def _with_gaps(numbers: Sequence[int]) -> Iterator[int]:
    """The numbers, and one inside each gap, so that the frames around it are not adjacent."""
    for before, number in zip([numbers[0], *numbers], numbers, strict=False):
        if number - before > 1:
            yield before + 1
        yield number


def _person(person: Detection) -> Person:
    """A person for the tracker; hidden keypoints are put at the median of the visible ones."""
    visible = person.xy[person.score > 0]
    xy = np.where((person.score > 0)[:, None], person.xy, np.median(visible, axis=0))
    return Person(xy, person.score, np.concatenate([visible.min(axis=0), visible.max(axis=0)]))
