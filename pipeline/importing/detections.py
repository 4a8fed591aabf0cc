"""People detected in single frames, whichever file they come from, and the clips that they become."""

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

# Networks give the height of a heat map's peak as a score. Trained towards 1 it passes that by a few hundredths, and
# falls below 0 where there is no peak. Peaks of unscaled outputs (some SimCC networks reach 10) are not such scores.
_HIGHEST_PEAK, _LOWEST_PEAK = 1.5, -0.5
_SMALLEST = 2.0  # pixels: poses that extend no further are given in shares of the picture


@dataclass(frozen=True)
class Detection:
    """One person in one frame.

    xy: pixels, y as in the file, shape (K, 2); score: shape (K,), in [0, 1], 0 where not seen;
    track: the number by which the file knows the person, if it does.
    """

    xy: Float[ndarray, "k 2"]
    score: Float[ndarray, " k"]
    track: int | None = None


@dataclass(frozen=True)
class PoseVideo:
    """The people of a video as a file gives them.

    frames: by frame number, the people of each frame that there is; names: of the keypoints, if the file has them;
    fps, size: if the file has them; name: below the file's own, where it holds several videos.
    """

    frames: Mapping[int, Sequence[Detection]]
    names: Sequence[str] = ()
    fps: float | None = None
    size: tuple[int, int] | None = None
    name: str = ""

    def keypoint_set(self, chosen: str | None) -> KeypointSet:
        """The set chosen, or the one that number and names tell; InputError where people differ in number."""
        counts = sorted({len(d.score) for people in self.frames.values() for d in people})
        if len(counts) != 1:
            many = " and ".join(map(str, counts)) or "no"
            raise InputError(f"people of {many} keypoints; expected people of one set" if counts else "no people")
        found = keypoint_set_named(chosen) if chosen else keypoint_set_in_file(counts[0], self.names)
        if len(found.names) != counts[0]:
            raise InputError(f"{found.name} has {len(found.names)} keypoints, the people here have {counts[0]}")
        return found

    def upside_down(self, chosen: str | None) -> Bool[ndarray, " n"]:
        """See `picture.upside_down`, over all people of all frames."""
        table = self.keypoint_set(chosen)
        people = [d for found in self.frames.values() for d in found]
        return upside_down(np.stack([d.xy for d in people]), np.stack([d.score for d in people]) > 0, table.name)


def detection(xy: Any, score: Any, track: int | None = None) -> Detection | None:
    """A person of lists of positions and scores; None where no keypoint was seen.

    A keypoint at (0, 0) was not seen: detectors write that where they found nothing.
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
    """A person of x, y, score, x, y, score, ...; see `detection`."""
    if len(values) % 3:
        raise InputError(f"{len(values)} values for a person; expected x, y and score of each keypoint")
    table = np.array(values, dtype=np.float64).reshape(-1, 3)
    return detection(table[:, :2], table[:, 2], track)


def track_number(value: Any) -> int | None:
    """A person's number in a file, which may lie in lists, as AlphaPose writes it; None where there is none.

    -1, as OpenPose writes it, is none.
    """
    for _ in range(4):
        if not isinstance(value, list):
            break
        value = value[0] if value else None
    if not isinstance(value, int | float) or isinstance(value, bool) or value != value // 1:
        return None
    return int(value) if value >= 0 else None


def people_of(video: PoseVideo, fps: float, size: tuple[int, int], keypoint_set: KeypointSet) -> dict[int, Keypoints2D]:
    """Each person's keypoints, by the number that the file gives where it does so for all; else by first frame.

    Without such numbers people are tracked as in extraction: a person who is lost for a while begins a new clip.
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
            "shares of the picture (OpenPose: --keypoint_scale 0)"
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
        for found in frames[frame]:
            assert found.track is not None
            track = tracks.setdefault(found.track, [])
            if track and track[-1][0] == frame:
                raise InputError(f"frame {frame} holds person {found.track} twice; expected each track once in a frame")
            track.append((frame, found))
    return dict(sorted(tracks.items()))


def _joined_tracks(
    frames: Mapping[int, Sequence[Detection]], fps: float, keypoint_set: KeypointSet
) -> Iterator[list[tuple[int, Detection]]]:
    numbers = list(_with_gaps(sorted(frames)))
    found = {n: [(d, _person(d)) for d in frames.get(n, ())] for n in numbers}
    of = {id(person): d for people in found.values() for d, person in people}
    people = [[person for _, person in found[n]] for n in numbers]
    for track in link_tracks(people, np.array(numbers) / fps, TrackingConfig(), keypoint_set.mirror):
        yield [(numbers[at], of[id(person)]) for at, person in zip(track.frames, track.people, strict=True)]


def _with_gaps(numbers: Sequence[int]) -> Iterator[int]:
    """The numbers, and one amid each gap, so that frames around a gap are not neighbours."""
    for before, number in zip([numbers[0], *numbers], numbers, strict=False):
        if number - before > 1:
            yield before + 1
        yield number


def _person(found: Detection) -> Person:
    """What the tracker looks at: keypoints that were not seen lie amid the others."""
    seen = found.xy[found.score > 0]
    xy = np.where((found.score > 0)[:, None], found.xy, np.median(seen, axis=0))
    return Person(xy, found.score, np.concatenate([seen.min(axis=0), seen.max(axis=0)]))
