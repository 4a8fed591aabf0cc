"""Longer windows of short clips: cycles, such as one jumping jack, are repeated; other clips have still frames around.

The length of a window tells the network what may happen in it. If it sees people sit down in clips of a second alone,
it makes motions of three seconds in which somebody has been sitting from the start.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from numpy.random import Generator

from crossdiff.representation.layouts import FeatureLayout, layout_3d
from crossdiff.skeleton import HUMANML3D

# Two frames are alike if their joints are this near each other on average, in metres or in shares of the clip's largest
# change of pose, and go on alike: velocities count as what they lead to within some frames.
_ALIKE, _ALIKE_SHARE, _AHEAD = 0.09, 0.6, 2.0
# A cycle has at least these frames, this share of the clip's frames, and this share of its largest change of pose.
_SHORTEST, _SHARE, _CHANGE = 8, 0.5, 0.6
# Of cycles that are at least this share of the longest, the one whose ends are most alike is taken.
_NEARLY = 0.8


def find_cycle(features: Float[ndarray, "t d"]) -> tuple[int, int] | None:
    """Frames (start, stop) of a long stretch of a motion whose end goes over into its beginning; None without.

    features: HumanML3D's, not normalised; positions and velocities are relative to the heading, so that a repetition
    goes on where the one before has led.
    """
    frames = len(features)
    if frames <= _SHORTEST:
        return None
    groups = layout_3d(HUMANML3D).groups
    positions = features[:, groups["positions"]].reshape(frames, -1, 3)
    velocities = features[:, groups["velocities"]].reshape(frames, -1, 3)[:, 1:]
    heights = features[:, groups["root"]][:, 3]
    far = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    ahead = np.linalg.norm(velocities[:, None] - velocities[None], axis=-1) * _AHEAD
    apart = (far + ahead).mean(axis=-1) + np.abs(heights[:, None] - heights[None])
    poses = far.mean(axis=-1)
    most = poses.max()
    alike = apart < min(_ALIKE, _ALIKE_SHARE * most)
    first, second = np.nonzero(np.triu(alike, max(_SHORTEST, int(_SHARE * frames))))
    found = [
        (start, stop)
        for start, stop in zip(first.tolist(), second.tolist(), strict=True)
        if poses[start, start:stop].max() > _CHANGE * most
    ]
    longest = max((stop - start for start, stop in found), default=0)
    nearly = [(start, stop) for start, stop in found if stop - start >= _NEARLY * longest]
    return min(nearly, key=lambda cycle: float(apart[cycle]), default=None)


def repeated_rows(cycle: tuple[int, int], frames: int, most: int, rng: Generator) -> Int[ndarray, " t"]:
    """Frames of a clip with its cycle repeated a random number of times, at most `most` frames in all."""
    start, stop = cycle
    times = int(rng.integers(max(0, most - frames) // (stop - start) + 1))
    return np.concatenate([np.arange(stop), *[np.arange(start, stop)] * times, np.arange(stop, frames)])


def placed_rows(frames: int, most: int, rng: Generator) -> tuple[Int[ndarray, " t"], Bool[ndarray, " t"]]:
    """Frames of a window of random length that a short clip is placed in, and which of them are the clip's own.

    most: frames of the longest window. Before the clip is its first frame, after it its last one, for at most a third
    and at least two thirds of the frames that are added.
    """
    added = int(rng.integers(max(0, most - frames) + 1))
    before = int(rng.integers(added // 3 + 1))
    rows = np.arange(frames + added) - before
    return rows.clip(0, frames - 1), (rows >= 0) & (rows < frames)


def hold_still(features: Float[ndarray, "t d"], layout: FeatureLayout, own: Bool[ndarray, " t"]) -> None:
    """Set what moves to 0, in place, in frames that only hold a pose: velocities, and the root's but for its height."""
    root = layout.groups["root"]
    features[~own, root.start : min(root.stop, root.start + 3)] = 0.0
    features[~own, layout.groups["velocities"]] = 0.0
