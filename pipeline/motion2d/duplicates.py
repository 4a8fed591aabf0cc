"""Duplicate tracks: a video under two names, a re-encoded copy, overlapping cuts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.fft import dct
from scipy.spatial import cKDTree

from crossdiff.pipeline.motion2d.mapping import keypoint_set_named
from crossdiff.pipeline.motion2d.measures import body_size
from crossdiff.skeleton import HUMANML3D
from crossdiff.types import Keypoints2D

Poses = Float[ndarray, "f 12 2"]

_WINDOW = 32  # frames at 20 fps in a window; shorter than the shortest clip
_STEP = 10  # frames between the windows of a track that are put into the search tree
_WAVES = 3  # lowest frequencies of a window that its descriptor contains
_DIMS = 16  # dimensions of the search tree; with more, it is hardly faster than comparing all pairs
# Radius of the search relative to the limit. The most similar windows of two copies are at most half as far apart as
# the whole copies: 0.007 for copies at 0.014 and 0.026, 0.002 for copies at 0.004 (clips tried with mediapipe).
_CLOSE = 0.5
_SHARE = 0.5  # fraction of the shorter track that must overlap
_JOINTS = slice(2, 12)  # all but the shoulders, which hardly move on their own


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
    names = [name for name, poses in tracks.items() if len(poses) >= _WINDOW]
    if len(names) < 2 or limit <= 0:
        return {}
    indexed = [np.arange(0, len(tracks[name]) - _WINDOW + 1, _STEP) for name in names]
    owner = np.repeat(np.arange(len(names)), [len(starts) for starts in indexed])
    start = np.concatenate(indexed)
    windows = np.concatenate([descriptors(tracks[name])[s] for name, s in zip(names, indexed, strict=True)])
    axes = _main_axes(windows)
    tree = cKDTree(windows @ axes)
    duplicates: dict[str, Duplicate] = {}
    for number, name in enumerate(names):
        candidates = _candidates(tree, descriptors(tracks[name]) @ axes, owner, start, number, limit)
        distances = [
            (distance_at(tracks[name], tracks[names[other]], shift), names[other])
            for other, shift in candidates
            if names[other] not in duplicates
        ]
        distance, other_name = min(distances, default=(float("inf"), ""))
        if distance < limit:
            duplicates[name] = Duplicate(other_name, distance)
    return duplicates


def _main_axes(windows: Float[ndarray, "w d"]) -> Float[ndarray, "d 16"]:
    """Principal axes of the descriptors, orthonormal: distances between projections are never larger."""
    return np.linalg.eigh(np.cov(windows.T))[1][:, ::-1][:, :_DIMS]


def _candidates(
    tree: cKDTree, windows: ndarray, owner: ndarray, start: ndarray, number: int, limit: float
) -> Sequence[tuple[int, int]]:
    """Earlier tracks that share a similar window, with the shift in frames."""
    near = tree.query_ball_point(windows, _CLOSE * limit)
    counts = [len(hits) for hits in near]
    hits = np.concatenate([np.array(h, dtype=int) for h in near])
    frames = np.repeat(np.arange(len(windows)), counts)
    before = owner[hits] < number
    pairs = np.stack([owner[hits], start[hits] - frames], axis=1)[before]
    return [(int(other), int(shift)) for other, shift in np.unique(pairs, axis=0)]


def descriptors(poses: Poses) -> Float[ndarray, "w d"]:
    """A short vector for the window that starts at each frame: the lowest terms of an orthonormal cosine transform.

    Two vectors are never farther apart than the poses of their windows (root mean square). So a search by vectors finds
    all similar windows, and some others.
    """
    windows = np.lib.stride_tricks.sliding_window_view(poses.astype(np.float32), _WINDOW, axis=0)
    scaled = (windows - windows.mean(axis=(1, 3), keepdims=True)) / _sizes(windows)
    waves = dct(scaled[:, _JOINTS], norm="ortho", axis=-1)[..., :_WAVES]
    return waves.reshape(len(waves), -1) / np.sqrt(_WINDOW * poses.shape[1])


def _sizes(windows: Float[ndarray, "w k 2 f"]) -> Float[ndarray, "w 1 1 1"]:
    """`body_size` of each window."""
    sizes = np.median(np.ptp(windows, axis=1).max(axis=1), axis=-1)
    return np.maximum(sizes, 1e-3)[:, None, None, None]


def distance_at(first: Poses, second: Poses, shift: int) -> float:
    """Distance of two tracks where they overlap, in body heights; infinite if the overlap is too short.

    It is the median over frames of the keypoints' root mean square distance, since a detector may give very different
    results for some frames of a copy. It does not depend on position and size in the picture.

    shift: the frame of `second` that corresponds to frame 0 of `first`.
    """
    begin, end = max(0, -shift), min(len(first), len(second) - shift)
    if end - begin < max(_WINDOW, _SHARE * min(len(first), len(second))):
        return float("inf")
    a, b = _normalised(first[begin:end]), _normalised(second[begin + shift : end + shift])
    return float(np.median(np.sqrt(((a - b) ** 2).sum(axis=-1).mean(axis=1))))


def _normalised(poses: Poses) -> Poses:
    """Poses around the origin, in units of the body's size."""
    poses = poses.astype(np.float64)
    size = np.median(np.ptp(poses, axis=1).max(axis=1))
    return (poses - poses.mean(axis=(0, 1))) / max(float(size), 1e-3)
