"""Duplicate tracks: a video under two names, a re-encoded copy, overlapping cuts."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from crossdiff.pipeline.motion2d.mapping import keypoint_set_named
from crossdiff.pipeline.motion2d.measures import body_size
from crossdiff.pipeline.motion2d.window_search import WINDOW, Candidates, Poses, search
from crossdiff.skeleton import HUMANML3D
from crossdiff.types import Keypoints2D

# Radius of the search relative to the limit. The most similar windows of two copies are at most half as far apart as
# the whole copies: 0.007 for copies at 0.014 and 0.026, 0.002 for copies at 0.004 (clips tried with mediapipe).
_CLOSE = 0.5
_SHARE = 0.5  # fraction of the shorter track that must overlap
# Frames of an overlap that are compared first, and the distance over them, relative to the limit, from which on the
# others are not looked at.
_FRAMES, _TOLERANCE = 16, 2.0
_SHIFTS = 3  # shifts of a pair that are compared over all frames, the best over few frames first


@dataclass(frozen=True)
class Duplicate:
    """A track that shows the same as another one."""

    of: str
    """The track that is kept."""
    distance: float
    """Between the two where they overlap, in body heights."""


def signature(keypoints: Keypoints2D) -> Poses:
    """Keypoints of the body at 20 fps, in body heights, so that they do not depend on the size of the video.

    In half precision, because those of all clips are in memory at once.
    """
    body = keypoint_set_named(keypoints.keypoint_set).body
    xy, time = keypoints.xy[:, body].astype(np.float64), keypoints.time
    count = int((time[-1] - time[0]) * HUMANML3D.fps + 1e-6) + 1
    times = time[0] + np.arange(count) / HUMANML3D.fps
    # Interpolation between the frames before and after each time.
    after = np.clip(np.searchsorted(time, times), 1, max(1, len(time) - 1))
    if len(time) > 1:
        share = ((times - time[after - 1]) / (time[after] - time[after - 1]))[:, None, None]
        xy = xy[after - 1] + np.clip(share, 0, 1) * (xy[after] - xy[after - 1])
    return ((xy - xy.mean(axis=(0, 1))) / body_size(xy)).astype(np.float16)


def find_duplicates(tracks: Mapping[str, Poses], limit: float) -> dict[str, Duplicate]:
    """The tracks to drop: each is less than `limit` body heights from one that is kept.

    tracks: signatures by id, preferred ones first. Only kept tracks have duplicates, so the result depends on nothing
    but the order of the tracks.
    """
    names = [name for name, poses in tracks.items() if len(poses) >= WINDOW]
    if len(names) < 2 or limit <= 0:
        return {}
    poses = [tracks[name] for name in names]
    similar = _similar_pairs(poses, limit)
    # For each track, the kept ones that are similar to it, with their shifts.
    kept: dict[int, dict[int, int]] = {number: {} for number in similar}
    duplicates: dict[str, Duplicate] = {}
    for number in sorted(similar):
        # A kept track may be known through a third one: of many copies, each finds only the closest.
        shifts = {
            other: shift + further for third, shift in similar[number].items() for other, further in kept[third].items()
        } | kept[number]
        distances = [(distance_at(poses[number], poses[other], shift), names[other]) for other, shift in shifts.items()]
        distance, other_name = min(distances, default=(float("inf"), ""))
        if distance < limit:
            duplicates[names[number]] = Duplicate(other_name, distance)
        else:
            for other, shift in similar[number].items():
                kept[other][number] = -shift
    return duplicates


def _similar_pairs(poses: Sequence[Poses], limit: float) -> dict[int, dict[int, int]]:
    """For each track that is less than `limit` from another one, those tracks and their shifts, in both directions."""
    similar: dict[int, dict[int, int]] = defaultdict(dict)
    best: dict[tuple[int, int], float] = {}
    for found in search(poses, _CLOSE * limit):
        rough = _rough_distances(poses, found)
        tried: Counter[int] = Counter()
        for place in np.argsort(rough, kind="stable")[: np.count_nonzero(rough < _TOLERANCE * limit)]:
            one, other, shift = found.track, int(found.others[place]), int(found.shifts[place])
            tried[other] += 1
            if tried[other] > _SHIFTS:
                continue
            pair = min(one, other), max(one, other)
            distance = distance_at(poses[one], poses[other], shift)
            if distance < min(limit, best.get(pair, limit)):
                best[pair] = distance
                similar[one][other], similar[other][one] = shift, -shift
    return similar


def _rough_distances(poses: Sequence[Poses], found: Candidates) -> Float[ndarray, " c"]:
    """`distance_at` of each candidate over few frames of the overlap; infinite if it is too short."""
    first, others = poses[found.track], [poses[other] for other in found.others]
    lengths = np.array([len(other) for other in others], dtype=int)
    begin, end = _overlap(len(first), lengths, found.shifts)
    distances = np.full(len(others), np.inf)
    enough = np.flatnonzero(_is_enough(end - begin, len(first), lengths))
    if len(enough):
        share = (np.arange(_FRAMES) + 0.5) / _FRAMES
        frames = (begin[enough, None] + (end - begin)[enough, None] * share).astype(int)
        there = frames + found.shifts[enough, None]
        b = np.stack([others[place][rows] for place, rows in zip(enough, there, strict=True)])
        distances[enough] = _distance(first[frames].astype(np.float32), b.astype(np.float32))
    return distances


def distance_at(first: Poses, second: Poses, shift: int) -> float:
    """Distance of two tracks where they overlap, in body heights; infinite if the overlap is too short.

    It is the median over frames of the keypoints' root mean square distance, since a detector may give very different
    results for some frames of a copy. It does not depend on position and size in the picture.

    shift: the frame of `second` that corresponds to frame 0 of `first`.
    """
    begin, end = _overlap(len(first), len(second), shift)
    if not _is_enough(end - begin, len(first), len(second)):
        return float("inf")
    a, b = first[begin:end].astype(np.float64), second[begin + shift : end + shift].astype(np.float64)
    return float(_distance(a, b))


def _overlap(first: int, second: Any, shift: Any) -> tuple[Any, Any]:
    """First and last frame of the overlap, counted in the first track; numbers or arrays."""
    return np.maximum(0, -shift), np.minimum(first, second - shift)


def _is_enough(frames: Any, first: int, second: Any) -> Any:
    """Whether an overlap is long enough; numbers or arrays."""
    return frames >= np.maximum(WINDOW, _SHARE * np.minimum(first, second))


def _distance(a: Float[ndarray, "*c f 12 2"], b: Float[ndarray, "*c f 12 2"]) -> Float[ndarray, "*c"]:
    """Median over frames of the root mean square distance of normalised poses."""
    return np.median(np.sqrt(((_normalised(a) - _normalised(b)) ** 2).sum(axis=-1).mean(axis=-1)), axis=-1)


def _normalised(poses: Float[ndarray, "*c f 12 2"]) -> Float[ndarray, "*c f 12 2"]:
    """Poses around the origin, in units of the body's size."""
    size = np.median(np.ptp(poses, axis=-2).max(axis=-1), axis=-1)
    return (poses - poses.mean(axis=(-3, -2), keepdims=True)) / np.maximum(size, 1e-3)[..., None, None, None]
