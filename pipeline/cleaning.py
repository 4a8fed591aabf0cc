"""Repairing keypoints before anything is made of them: swapped limbs, points that jump away."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from pydantic import NonNegativeFloat, PositiveFloat

from crossdiff.config import Config
from crossdiff.pipeline.mapping import KeypointSet, keypoint_set_named
from crossdiff.pipeline.measures import body_size, row_rate
from crossdiff.types import Keypoints2D

# What a detector exchanges with the other side as one, by the names of keypoints; the whole body comes first.
_PARTS = (
    ("collar", "shoulder"),
    ("elbow", "wrist", "pinky", "index", "thumb"),
    ("hip",),
    ("knee", "ankle", "heel", "foot_index", "foot"),
)
# A bend at an exchange counts this many times: where a detection is off altogether, either order of left and right
# bends, and neither is right.
_DOUBT = 3.0
_GUESSED = 0.1  # weight of keypoints that a detector did not see but placed
_SPREAD = 1.4826  # standard deviation of a normal distribution, in median absolute deviations
_AT_ONCE = 256  # frames whose windows are in memory: those of all would take many times the track's size


class CleanConfig(Config):
    """flip_cost: what left and right must gain by being exchanged, in body sizes that their ways bend less (0: never
    exchanged); max_flip: seconds of an exchange that is repaired, a longer one is marked as unseen.

    outlier_window: seconds on each side over which the median is taken that a keypoint is compared with (0: no
    comparison); it is marked as unseen where it is off by more than outlier_threshold standard deviations (of the
    same window) and by more than outlier_least body sizes.
    """

    flip_cost: NonNegativeFloat = 0.1
    max_flip: NonNegativeFloat = 0.5
    outlier_window: NonNegativeFloat = 0.2
    outlier_threshold: PositiveFloat = 3.0
    outlier_least: NonNegativeFloat = 0.05


def clean(keypoints: Keypoints2D, seen_score: float, cfg: CleanConfig) -> Keypoints2D:
    """Keypoints with short exchanges of left and right undone; longer ones and outliers get score 0."""
    xy, score, world = keypoints.xy.astype(np.float64), keypoints.score.copy(), keypoints.world.copy()
    size = body_size(xy)
    for left, right in _parts(keypoint_set_named(keypoints.keypoint_set)):
        if cfg.flip_cost > 0:
            weight = np.minimum(score[:, left], score[:, right])
            wrong = exchanged(xy[:, left] / size, xy[:, right] / size, weight, cfg.flip_cost)
            _mend(xy, score, world, keypoints.time, wrong, left, right, cfg.max_flip)
    if cfg.outlier_window > 0:
        score[outliers(xy, score >= seen_score, row_rate(keypoints), size, cfg)] = 0
    return replace(keypoints, xy=xy.astype(np.float32), score=score, world=world)


def _parts(table: KeypointSet) -> list[tuple[list[int], list[int]]]:
    """Left and right keypoints of the whole body and of each part."""
    body = tuple(name for part in _PARTS for name in part)
    names = [[f"left_{name}" for name in part if f"left_{name}" in table.names] for part in (body, *_PARTS)]
    left = [[table.names.index(name) for name in part] for part in names]
    return [(part, [table.mirror[k] for k in part]) for part in left]


def exchanged(
    left: Float[ndarray, "f k 2"], right: Float[ndarray, "f k 2"], score: Float[ndarray, "f k"], cost: float
) -> Bool[ndarray, " f"]:
    """Frames in which left and right are the other way round than in most.

    Of all ways to exchange them over time, the one along which they bend least (mean distance from going on as in
    the two frames before), when every change costs `cost`; found by dynamic programming. Limbs that cross go on
    straight, so crossing is not taken for an exchange.
    """
    frames = len(left)
    if frames < 3 or not left.shape[1]:
        return np.zeros(frames, dtype=bool)
    weight = np.minimum(np.minimum(score[2:], score[1:-1]), score[:-2]) + _GUESSED
    weight /= weight.sum(axis=1, keepdims=True)
    pairs = (left, right), (right, left)

    def bend(change_before: int, change: int) -> Float[ndarray, " f"]:
        ways = zip(pairs[0], pairs[change_before], pairs[change_before ^ change], strict=True)
        bends = [np.linalg.norm(c[2:] - 2 * b[1:-1] + a[:-2], axis=-1) for a, b, c in ways]
        return (weight * (bends[0] + bends[1])).sum(axis=1) / 2

    bends = np.array([[bend(before, now) * (_DOUBT if before or now else 1) for now in (0, 1)] for before in (0, 1)])
    price = np.array([0.0, cost])
    total, come_from = price, np.zeros((frames, 2), dtype=int)
    for n in range(2, frames):
        options = total[:, None] + bends[:, :, n - 2]
        come_from[n] = options.argmin(axis=0)
        total = options.min(axis=0) + price
    change = np.zeros(frames, dtype=int)
    change[-1] = total.argmin()
    for n in range(frames - 1, 1, -1):
        change[n - 1] = come_from[n, change[n]]
    other = np.cumsum(change) % 2 == 1
    return other if other.mean() <= 0.5 else ~other


def _mend(
    xy: ndarray,
    score: ndarray,
    world: ndarray,
    time: ndarray,
    wrong: ndarray,
    left: list[int],
    right: list[int],
    longest: float,
) -> None:
    """Exchange left and right over short runs of wrong frames, and mark long ones; in place."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], wrong, [False]]).astype(int)))
    here, there = left + right, right + left
    for start, stop in edges.reshape(-1, 2):
        rows = np.arange(start, stop)[:, None]
        if time[stop - 1] - time[start] <= longest:
            for values in (xy, score, *([world] if world.shape[1] else [])):
                values[rows, here] = values[rows, there]
        else:
            score[rows, here] = 0


def outliers(
    xy: Float[ndarray, "f k 2"], seen: Bool[ndarray, "f k"], rate: float, size: float, cfg: CleanConfig
) -> Bool[ndarray, "f k"]:
    """Hampel's identifier along time, on each coordinate of the keypoints seen.

    rate: rows per second; size: of the body, in pixels.
    """
    half = max(1, round(cfg.outlier_window * rate))
    values = np.where(seen[..., None], xy, np.nan).astype(np.float32)
    padded = np.pad(values, ((half, half), (0, 0), (0, 0)), constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1, axis=0)
    parts = [slice(start, start + _AT_ONCE) for start in range(0, len(values), _AT_ONCE)]
    return np.concatenate([_away(values[part], windows[part], size, cfg) for part in parts])


def _away(
    values: Float[ndarray, "f k 2"], windows: Float[ndarray, "f k 2 w"], size: float, cfg: CleanConfig
) -> Bool[ndarray, "f k"]:
    """Which keypoints are outliers in their windows, which have as many frames before them as after; NaN: not seen."""
    half = windows.shape[-1] // 2
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice")
        middle = np.nanmedian(windows, axis=-1)
        usual = _SPREAD * np.nanmedian(np.abs(windows - middle[..., None]), axis=-1)
    off = np.abs(values - middle)
    away = ((off > cfg.outlier_threshold * usual) & (off > cfg.outlier_least * size)).any(axis=-1)
    # Steady motion is off the median of one side alone.
    known = ~np.isnan(windows[:, :, 0])
    return away & (np.minimum(known[..., :half].sum(axis=-1), known[..., half + 1 :].sum(axis=-1)) > half // 2)
